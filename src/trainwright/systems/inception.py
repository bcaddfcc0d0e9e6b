"""The batch-norm paper's figure: Inception without batch norm, with it, and with what it allows.

Source: Ioffe & Szegedy 2015 (arXiv 1502.03167), section 4.2 and figures 2 and 3. Batch 32, the learning
rates, and how L2, the rate's decay and dropout change with batch norm are published; momentum's decay, the
weight of L2 and the first weights are not.

The budgets standard and quick train narrower networks on a stand-in: CIFAR-10, or a folder of images that the
user names. They have the strategies and first rates of the published protocol, and another length.
"""

from __future__ import annotations

from typing import Any, Literal

from trainwright.networks.inception_bn import InceptionBn
from trainwright.recipe import Recipe
from trainwright.strategies import (
    L2,
    Activation,
    BatchNorm,
    Crop,
    Initialization,
    LocalResponseNormalization,
    Mirror,
    Momentum,
    Photometric,
    RateSchedule,
)
from trainwright.strategy import Strategy
from trainwright.system import Extent, SystemBudget, Table, system

IMAGES, TESTS, CLASSES = 1_281_167, 50_000, 1_000
"""ILSVRC 2012: training images, validation images (judged here), classes."""

SETTINGS: dict[str, Any] = {
    "dataset": "imagenet",
    "stand_in": "cifar10",
    "size": 64,
    "extent": Extent((224, 224, 3), CLASSES, IMAGES, TESTS),
}
BATCH_NORM = "Ioffe & Szegedy 2015 (arXiv 1502.03167)"

PASSES = 20
"""Over the stand-in, budget standard."""
QUICK = 1_500
"""Weight updates, budget quick: half a minute to two minutes on a core, compiling left out."""
WIDTHS = {"quick": 12, "standard": 25, "paper": 100}
"""Channels, in per cent of the published ones."""

DECAY_PASSES = 8.0
"""Inception's learning rate falls by 4 % every so many passes."""
BATCH = 32


def falling(updates: int, passes: float = DECAY_PASSES) -> RateSchedule:
    """A rate that falls by 4 % every so many passes over ImageNet, in a training of so many updates."""
    return RateSchedule("exponential", final=0.96 ** (updates * BATCH / IMAGES / passes))


PROTOCOL = (
    "Budgets standard and quick train on a stand-in, CIFAR-10 or your folder of images (--data), with "
    "narrower networks. The column data says on what a row was measured, and how many images were trained "
    "on and judged: where CIFAR-10 has fewer than 50,000 + 10,000, a part of it was at hand. Compare such a "
    "number with other rows on the same data, not with the published one. All training images, validation "
    "included, are trained on for a length fixed beforehand, and the test images are read once. The interval "
    "is over seeds (Student's t, 95 %)."
)
"""What holds for every table of ImageNet."""

RATE = 0.0015
"""Inception's first learning rate."""


def inception_recipe(
    budget: SystemBudget,
    *strategies: Strategy,
    updates: int,
    faster: int = 1,
    accelerated: bool = False,
    dropout: float = 0.0,
    rule: Literal["glorot_uniform", "he_normal"] = "glorot_uniform",
) -> Recipe:
    """Inception with strategies of its own. `faster`: what multiplies the learning rate.

    `accelerated`: with the changes that go with batch norm (section 4.2.1): L2 a fifth of what it was, a rate
    that falls six times as fast, weaker changes of light and colour. `rule`: of the first weights.
    """
    change = 0.25 if accelerated else 0.5
    paper = budget == "paper"
    passes = DECAY_PASSES / 6 if accelerated else DECAY_PASSES
    return Recipe(
        InceptionBn(width=WIDTHS[budget], dropout=dropout),
        (
            Crop(),
            Mirror(),
            Photometric(change, change, change),
            Initialization(rule),
            *strategies,
            L2(4e-5 if accelerated else 2e-4),
            Momentum(0.9),
            falling(updates, passes) if paper else RateSchedule("exponential", final=0.1),
        ),
        learning_rate=RATE * faster,
        batch_size=BATCH,
        epochs=PASSES,
        steps={"paper": updates, "quick": QUICK}.get(budget),
    )


def before_batch_norm() -> LocalResponseNormalization:
    """What Inception has in place of batch norm, with GoogLeNet's constants."""
    return LocalResponseNormalization(5, alpha=1e-4 / 5, k=1.0, layers=("conv1", "conv2"))


@system(
    published=27.8,
    source=f"{BATCH_NORM}, figure 3: 72.2 % right at most, after 31.0 million updates",
    **SETTINGS,
)
def inception(budget: SystemBudget) -> Recipe:
    """Inception without batch norm.

    - Momentum's decay (0.9), the weight of L2 (0.0002) and Glorot's first weights are GoogLeNet's in its
      Caffe version; the paper gives the rate, 0.0015, batch 32, and dropout of 40 %. Mirroring is not
      mentioned.
    - Local response normalisation stands before the first pooling, in GoogLeNet behind it. The table of the
      network contradicts itself, see `inception_bn`.
    - The images of a step come from all of ImageNet; the paper's were shuffled within parts of it.
    - Budgets standard and quick: the stand-in, 25 and 12 % of the channels, 20 passes and 1,500 updates, and
      a rate that falls to a tenth. All rows of the figure have the same length, so that they can be compared.
    """
    return inception_recipe(budget, before_batch_norm(), updates=31_000_000, dropout=0.4)


@system(
    published=27.3,
    source=f"{BATCH_NORM}, figure 3: 72.7 % right at most; 72.2 % after 13.3 million updates",
    **SETTINGS,
)
def bn_baseline(budget: SystemBudget) -> Recipe:
    """Inception with batch norm and nothing else changed.

    - As inception. The length is not published: twice the updates to 72.2 %.
    """
    return inception_recipe(budget, before_batch_norm(), BatchNorm(), updates=26_600_000, dropout=0.4)


@system(
    published=27.0,
    source=f"{BATCH_NORM}, figure 3: 73.0 % right at most; 72.2 % after 2.1 million updates",
    **SETTINGS,
)
def bn_x5(budget: SystemBudget) -> Recipe:
    """Inception with batch norm and what goes with it, at five times the rate.

    - As bn-baseline, without dropout and local response normalisation; L2 a fifth, the rate falls six times
      as fast. Changes of light and colour are "less" there, half here.
    """
    return inception_recipe(budget, BatchNorm(), updates=4_200_000, faster=5, accelerated=True)


@system(
    published=25.2,
    source=f"{BATCH_NORM}, figure 3: 74.8 % right at most, after 6 million; 72.2 % after 2.7 million updates",
    **SETTINGS,
)
def bn_x30(budget: SystemBudget) -> Recipe:
    """Inception with batch norm and what goes with it, at thirty times the rate.

    - As bn-x5; the length is the published 6 million updates.
    """
    return bn_x30_recipe(budget)


@system(published=30.2, source=f"{BATCH_NORM}, figure 3: 69.8 % right at most, never 72.2 %", **SETTINGS)
def bn_x5_sigmoid(budget: SystemBudget) -> Recipe:
    """Inception of logistic units with batch norm, at five times the rate.

    - As bn-x5; the length is that of bn-x30, as this one's is not published.
    """
    return inception_recipe(
        budget, Activation("sigmoid"), BatchNorm(), updates=6_000_000, faster=5, accelerated=True
    )


def bn_x30_recipe(
    budget: SystemBudget,
    *predicting: Strategy,
    dropout: float = 0.0,
    rule: Literal["glorot_uniform", "he_normal"] = "glorot_uniform",
) -> Recipe:
    """What the paper's single network and its ensemble start from, with how it predicts."""
    return inception_recipe(
        budget,
        BatchNorm(),
        *predicting,
        updates=6_000_000,
        faster=30,
        accelerated=True,
        dropout=dropout,
        rule=rule,
    )


TABLE = Table(
    "inception",
    "Inception with and without batch norm, on ImageNet",
    "Errors on the 50,000 validation images of ILSVRC 2012, of one crop: the five curves of the batch-norm "
    f"paper's figure 3, at their best. {PROTOCOL}",
    (inception, bn_baseline, bn_x5, bn_x30, bn_x5_sigmoid),
)
