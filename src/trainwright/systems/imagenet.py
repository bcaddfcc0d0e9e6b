"""The ImageNet table of the batch-norm paper: GoogLeNet, Deep Image, and Inception with batch norm.

Sources: Szegedy et al. 2014 (arXiv 1409.4842), table 3; Wu et al. 2015 (arXiv 1501.02876); Ioffe & Szegedy
2015 (arXiv 1502.03167), figure 4, which repeats the others' numbers.

The budgets standard and quick train narrower networks on a stand-in: CIFAR-10, or a folder of images that the
user names. They have the strategies of the published protocol, and another length.
"""

from __future__ import annotations

from trainwright.networks.deep_image import DeepImage
from trainwright.networks.googlenet import Googlenet
from trainwright.recipe import Recipe
from trainwright.strategies import (
    L2,
    ColourCasting,
    Crop,
    Crops,
    Initialization,
    LensDistortion,
    Mirror,
    Momentum,
    Photometric,
    PolyakAveraging,
    RateSchedule,
    Rotation,
    Vignetting,
)
from trainwright.strategy import Strategy
from trainwright.system import Extent, SystemBudget, Table, system
from trainwright.systems.inception import (
    BATCH,
    BATCH_NORM,
    CLASSES,
    IMAGES,
    PASSES,
    PROTOCOL,
    QUICK,
    SETTINGS,
    TESTS,
    WIDTHS,
    bn_x30_recipe,
    falling,
)

LARGE = SETTINGS | {"extent": Extent((448, 448, 3), CLASSES, IMAGES, TESTS)}
TOP5 = SETTINGS | {"metric": "top5_error"}

GOOGLENET = "Szegedy et al. 2014 (arXiv 1409.4842), table 3"
DEEP_IMAGE = f"Wu et al. 2015 (arXiv 1501.02876), as in {BATCH_NORM}, figure 4"


def googlenet_recipe(budget: SystemBudget, *predicting: Strategy, width: int = 100) -> Recipe:
    """GoogLeNet, with strategies that decide how it predicts; `width` in per cent of the budget's."""
    paper, updates = budget == "paper", 2_400_000
    return Recipe(
        Googlenet(width=round(WIDTHS[budget] * width / 100)),
        (
            Crop(),
            Mirror(),
            Photometric(),
            Initialization("glorot_uniform"),
            L2(2e-4),
            Momentum(0.9),
            falling(updates) if paper else RateSchedule("cosine"),
            PolyakAveraging(decay=0.9999 if paper else 0.99),
            *predicting,
        ),
        learning_rate=0.01,
        batch_size=BATCH,
        epochs=PASSES,
        steps={"paper": updates, "quick": QUICK}.get(budget),
    )


@system(published=10.07, source=f"{GOOGLENET}: one network, one crop", **TOP5)
def googlenet(budget: SystemBudget) -> Recipe:
    """GoogLeNet, one crop.

    - First learning rate (0.01), batch size (32), length (2.4 million updates), L2 and Glorot's first weights
      are those of its Caffe version; the paper gives momentum 0.9, a rate that falls by 4 % every 8 passes,
      windows of 8 to 100 % of the area, changes of light and colour, and averaging of weights.
    - Gradients there are asynchronous, here one after the other. The average of weights is exponential, with
      a decay of 0.9999 (standard, quick: 0.99); the paper does not say.
    - The one crop is the whole image, read at 224×224; training images are mirrored at random.
    - Budgets standard and quick: the stand-in, 25 and 12 % of the channels, 20 passes and 1,500 updates, and
      a rate that falls from 0.01 as half a cosine.
    """
    return googlenet_recipe(budget)


@system(published=9.15, source=f"{GOOGLENET}: one network, 10 crops", **TOP5)
def googlenet_10_crops(budget: SystemBudget) -> Recipe:
    """GoogLeNet, mean of 10 crops.

    - The network of googlenet, and its training. Crops are cut from the stored image, see the strategy
      `crops`.
    """
    return googlenet_recipe(budget, Crops(10))


@system(published=7.89, source=f"{GOOGLENET}: one network, 144 crops", **TOP5)
def googlenet_144_crops(budget: SystemBudget) -> Recipe:
    """GoogLeNet, mean of 144 crops.

    - The network of googlenet, and its training. The stored square stands for the three squares of an image,
      so 48 crops are computed, see the strategy `crops`.
    """
    return googlenet_recipe(budget, Crops(144))


@system(published=6.67, source=f"{GOOGLENET}: seven networks, 144 crops", **TOP5)
def googlenet_ensemble(budget: SystemBudget) -> tuple[Recipe, ...]:
    """GoogLeNet, mean of seven networks and 144 crops.

    - As googlenet-144-crops; six networks are alike and one is wider, as in the paper, which does not say by
      how much: 10 % here.
    - There all have the same first weights and differ in the images that they see; here first weights differ
      too.
    """
    crops = Crops(144)
    return (*[googlenet_recipe(budget, crops)] * 6, googlenet_recipe(budget, crops, width=110))


def deep_image_recipe(budget: SystemBudget) -> Recipe:
    """Deep Image's network, with its augmentations."""
    return Recipe(
        DeepImage(width={"quick": 6, "standard": 12, "paper": 100}[budget]),
        (
            Crop(),
            Mirror(),
            ColourCasting(),
            Vignetting(),
            LensDistortion(),
            Rotation(),
            L2(5e-4),
            Momentum(0.9),
            RateSchedule("exponential", final=1e-3),
            Crops(10),
        ),
        learning_rate=0.01,
        batch_size=256 if budget == "paper" else BATCH,
        epochs=74 if budget == "paper" else PASSES,
        steps=QUICK if budget == "quick" else None,
    )


@system(published=7.96, source=f"{DEEP_IMAGE}: low resolution", **TOP5)
def deep_image_low(budget: SystemBudget) -> Recipe:
    """Deep Image, images of 256 pixels.

    - The training's settings are not given. Batch 256, 74 passes, momentum 0.9, L2 of 0.0005 and a rate that
      falls from 0.01 to a thousandth of it are those of Simonyan & Zisserman 2014, whose network's shape it
      has; they divide the rate by 10 three times, here it falls exponentially.
    - There is no dropout: the strategy would act on the convolutions, too.
    - Vignetting and lens distortion have no published formulas, and rotation no angles: see these strategies.
      The number of crops is not in the table; 10 here.
    - The results that the authors submitted later were withdrawn, after too many submissions to the test
      server.
    - Budgets standard and quick: the stand-in, 12 and 6 % of the channels, batch 32, 20 passes and 1,500
      updates.
    """
    return deep_image_recipe(budget)


@system(published=7.42, source=f"{DEEP_IMAGE}: high resolution (top-1: 24.88 %)", **(TOP5 | LARGE))
def deep_image_high(budget: SystemBudget) -> Recipe:
    """Deep Image, images of 512 pixels.

    - As deep-image-low, with images of 448 pixels, twice those, and so a first fully connected layer of four
      times the weights; the source does not say how the network changes.
    - Budgets standard and quick: the same as deep-image-low, as the stand-in has one size.
    """
    return deep_image_recipe(budget)


@system(published=5.98, source=f"{DEEP_IMAGE}: ensemble", **TOP5)
def deep_image_ensemble(budget: SystemBudget) -> tuple[Recipe, ...]:
    """Deep Image, mean of several networks.

    - As deep-image-low. The source averages networks for 256 and 512 pixels and does not say how many; here
      two, that differ in their seeds, as an ensemble's members see the same data.
    """
    return (deep_image_recipe(budget),) * 2


@system(published=7.82, source=f"{BATCH_NORM}, figure 4: single crop (top-1: 25.2 %)", **TOP5)
def bn_inception(budget: SystemBudget) -> Recipe:
    """BN-Inception, one crop.

    - The network of bn-x30, and the same training: its deviations hold here.
    """
    return bn_x30_recipe(budget)


@system(published=5.82, source=f"{BATCH_NORM}, figure 4: 144 crops (top-1: 21.99 %)", **TOP5)
def bn_inception_144_crops(budget: SystemBudget) -> Recipe:
    """BN-Inception, mean of 144 crops.

    - The network of bn-inception, and its training; 48 crops are computed, see the strategy `crops`.
    """
    return bn_x30_recipe(budget, Crops(144))


@system(published=4.9, source=f"{BATCH_NORM}, figure 4: six networks, 144 crops (top-1: 20.1 %)", **TOP5)
def bn_inception_ensemble(budget: SystemBudget) -> tuple[Recipe, ...]:
    """BN-Inception, mean of six networks and 144 crops.

    - Which member differs in what is not published. Here dropout before the output is 0, 5 and 10 %, each
      once with Glorot's first weights and once with He's, which are larger. The paper's third difference,
      batch norm of each activation apart in the last layers, is left out.
    """
    return tuple(
        bn_x30_recipe(budget, Crops(144), dropout=dropout, rule=rule)
        for rule in ("glorot_uniform", "he_normal")
        for dropout in (0.0, 0.05, 0.1)
    )


TABLE = Table(
    "imagenet",
    "ImageNet: GoogLeNet, Deep Image, and Inception with batch norm",
    "Top-5 errors on the 50,000 validation images of ILSVRC 2012: the table of the batch-norm paper, and "
    f"GoogLeNet's own with fewer crops. {PROTOCOL}",
    (
        googlenet,
        googlenet_10_crops,
        googlenet_144_crops,
        googlenet_ensemble,
        deep_image_low,
        deep_image_high,
        deep_image_ensemble,
        bn_inception,
        bn_inception_144_crops,
        bn_inception_ensemble,
    ),
)
