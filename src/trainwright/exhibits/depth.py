"""Depth: layers on top of layers do what no width of a single one does.

Goodfellow, Bengio & Courville 2016, section 6.4.1, show with the street numbers of Goodfellow et al. 2014
that a network reads numbers better the deeper it is (figure 6.6), and that this is not for having more
weights: making a shallow network wider helps little, and soon not at all (figure 6.7).

Here a number is a picture of two of MNIST's digits, each at a height of its own and the pair at a place of
its own; the network reads the whole number, one class of a hundred. The control is a single hidden layer with
as many weights. Each network has the learning rate that is best for it on validation, since a single layer
wants larger steps; and training lasts until most of the training numbers are known by heart, since a training
stopped early shows who learns faster.

Deviations: the book's networks are convolutional, of 3 to 11 layers, and read up to five digits with an
output for each; these are fully connected. The book gives only curves, so their shape is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trainwright.base.config import config
from trainwright.comparison.compare import ArmResult, Comparison, compare
from trainwright.data import DataSpec, load
from trainwright.data.pixels import halved
from trainwright.exhibit import (
    Claim,
    Exhibit,
    ExhibitResult,
    Measured,
    Measurements,
    cautions,
    described,
    overview,
)
from trainwright.exhibit.panels import BLUE, VERMILLION, along, pictures
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.strategies.adam import Adam
from trainwright.strategies.rate_schedule import RateSchedule
from trainwright.studies.defaults import Budget
from trainwright.studies.study import Study

BOOK = "Goodfellow et al. 2016, "
LOOKS = {"more layers": {"color": VERMILLION}, "one layer, more units": {"color": BLUE, "marker": "s"}}
Images = NDArray[np.float32]


class Scale(NamedTuple):
    """How large everything is."""

    halved: bool
    """Whether digits have 14×14 pixels."""
    numbers: tuple[int, int]
    """Training (with validation) and test numbers."""
    width: int
    depths: tuple[int, ...]
    controlled: tuple[int, ...]
    """The depths that have a single layer of as many weights beside them."""
    rates: tuple[float, ...]
    steps: int
    seeds: int
    chosen: str = ""
    """What each claim begins with where this size was chosen to show them."""


SCALES: dict[Budget, Scale] = {
    "quick": Scale(
        halved=True, numbers=(8000, 4000), width=128, depths=(1, 2, 3, 4), controlled=(4,),
        rates=(0.001, 0.003, 0.01, 0.03), steps=1500, seeds=3, chosen="at the size chosen for it: ",
    ),
    "full": Scale(
        halved=False, numbers=(30_000, 5000), width=256, depths=(1, 2, 3, 4, 6), controlled=(2, 3, 4, 6),
        rates=(0.0003, 0.001, 0.003, 0.01), steps=8000, seeds=5,
    ),
}  # fmt: skip


def numbers(
    images: Images, digits: NDArray[Any], count: int, rng: np.random.Generator
) -> tuple[Images, NDArray[np.int64]]:
    """Two-digit numbers from square pictures of digits (examples, size, size).

    The canvases (count, size + 2, 2 size + 4) are black; the pair begins 0 to 4 pixels from the left, each
    digit 0 to 2 pixels from the top. No picture is used twice, so that numbers split off for validation have
    digits that training has not seen. The second array is the number, 0 to 99.
    """
    size = images.shape[1]
    canvases = np.zeros((count, size + 2, 2 * size + 4), np.float32)
    pairs = rng.permutation(len(images))[: 2 * count].reshape(count, 2)
    lefts, tops = rng.integers(5, size=count), rng.integers(3, size=(count, 2))
    for canvas, pair, left, top in zip(canvases, pairs, lefts, tops, strict=True):
        for place, (image, y) in enumerate(zip(images[pair], top, strict=True)):
            x = left + place * size
            canvas[y : y + size, x : x + size] = image
    return canvases, (digits[pairs] * [10, 1]).sum(axis=1)


def same_size(network: Mlp, inputs: int, outputs: int) -> Mlp:
    """A single hidden layer with as many weights and biases as this network has, to the nearest unit."""
    widths = [inputs, *network.hidden, outputs]
    parameters = sum((m + 1) * n for m, n in pairwise(widths))
    return Mlp((round((parameters - outputs) / (inputs + 1 + outputs)),))


def name(network: Mlp) -> str:
    """Such as `2×256`."""
    return f"{len(network.hidden)}×{network.hidden[0]}"


def study(s: Scale) -> Study:
    """Growing depth at one width, and single layers of the same numbers of weights."""
    mnist, rng, arrays = load("mnist"), np.random.default_rng(0), list[NDArray[Any]]()
    old = np.concatenate([mnist.splits.train, mnist.splits.validation])
    for rows, count in zip((old, mnist.splits.test), s.numbers, strict=True):
        images = halved(mnist.inputs[rows]) if s.halved else mnist.inputs[rows]
        arrays += numbers(images, mnist.targets[rows], count, rng)
    networks = {depth: Mlp((s.width,) * depth) for depth in s.depths}
    wide = [same_size(networks[depth], arrays[0][0].size, 100) for depth in s.controlled]
    base = Recipe(strategies=(Adam(), RateSchedule()), batch_size=64, steps=s.steps, evaluate_every=500)
    arms = {name(network): base.replace(network=network) for network in (*networks.values(), *wide)}
    return Study(DataSpec(arrays, task="classification"), arms, s.seeds, s.rates)


class Seen(NamedTuple):
    """What the trainings gave."""

    over: dict[str, Comparison]
    """All networks compared, by the one that they are compared with."""
    deep: list[ArmResult]
    """One width, by depth, from a single layer on."""
    wide: list[ArmResult]
    """Single layers, by width; the first is that of `deep`."""

    def gain(self, arm: ArmResult, other: ArmResult) -> Measured:
        """What an arm takes off another's test error."""
        return self.over[other.name].gain(arm.name)

    def errors(self, arms: Iterable[ArmResult], place: Callable[[ArmResult], Any]) -> Measurements:
        """Test errors, by a function of the arm."""
        comparison = next(iter(self.over.values()))
        return Measurements({place(arm): comparison.error_of(arm.name) for arm in arms})


def layers(arm: ArmResult) -> int:
    """How many hidden layers the arm's network has."""
    return len(arm.recipe["network"]["hidden"])


def see(over: dict[str, Comparison]) -> Seen:
    """The comparisons with each network, with the networks told apart."""
    arms = next(iter(over.values())).arms
    wide = [arm for arm in arms if layers(arm) == 1]
    return Seen(over, [wide[0], *(arm for arm in arms if layers(arm) > 1)], wide)


@config
class Depth(Exhibit):
    """Test error on two-digit numbers along depth, and along the number of weights."""

    title = "Depth: what more layers do that more weights do not"

    def make(self, budget: Budget, store: Path) -> ExhibitResult:
        s = SCALES[budget]
        trained = study(s)
        runs, data = trained.run(store), trained.dataset(0)
        seen = see({arm: compare(runs, reference=arm) for arm in trained.arms})
        claims = (beats_one_layer(seen), rises(seen), not_for_weights(seen))
        return self.result(
            draw(seen, data.inputs[data.splits.test[:4]]),
            {"Networks, layers × units": overview(seen.over[seen.deep[0].name], "network")},
            (replace(claim, seen=s.chosen + claim.seen) for claim in claims),
            (
                f"{s.numbers[1]:,} test numbers of {data.shape[0]}×{data.shape[1]} pixels; Adam; "
                f"{described(trained)}",
                "This size was chosen among others for showing the claims. The intervals leave that choice "
                "out and are narrower than their name says: a demonstration, not a confirmation."
                if s.chosen else "",
                *cautions(next(iter(seen.over.values()))),
            ),
        )  # fmt: skip


def beats_one_layer(seen: Seen) -> Claim:
    """Every deep network is better than the single layer of the same width, by the whole interval."""
    one, *more = seen.deep
    gains = Measurements({arm.name: seen.gain(arm, one) for arm in more})
    return Claim(
        "A deep network reads better than one with a single hidden layer.",
        BOOK + "section 6.4.1",
        f"over {one.name}: {gains}.",
        gains.all_positive,
    )


def rises(seen: Seen) -> Claim:
    """Every layer takes something off the error, by the whole interval."""
    gains = Measurements({more.name: seen.gain(more, less) for less, more in pairwise(seen.deep)})
    losses = ", ".join(f"{arm.curves['train_loss'].mean[-1]:.2g}" for arm in seen.deep)
    return Claim(
        "Every further layer makes it better.",
        BOOK + "figure 6.6 (convolutional networks of 3 to 11 layers)",
        f"over one layer less: {gains}. Training loss at the end, by depth: {losses} nats; where it falls "
        "and the error does not, a layer fits its training numbers only.",
        gains.all_positive,
    )


def not_for_weights(seen: Seen) -> Claim:
    """Every deep network is better than the single layer nearest in size, by the whole interval."""
    gains = Measurements()
    for arm in seen.deep[1:]:
        rival = min(seen.wide[1:], key=lambda wide: abs(wide.parameters - arm.parameters))
        pair = f"{arm.name} against {rival.name} ({arm.parameters:,} and {rival.parameters:,} weights)"
        gains[pair] = seen.gain(arm, rival)
    return Claim(
        "It is depth and not the number of weights: a single layer of as many stays behind.",
        BOOK + "figure 6.7",
        f"{gains}.",
        gains.all_positive,
    )


def draw(seen: Seen, samples: Images) -> Figure:
    """Some numbers; errors along depth; errors along parameters for depth and for width."""
    figure = Figure(figsize=(7.6, 5))
    strip, panels = figure.subfigures(2, 1, squeeze=False, height_ratios=(1, 3.6))[:, 0]
    strip.suptitle("Numbers to be read")
    pictures(strip, {" " * place: sample for place, sample in enumerate(samples)})
    depth, size = panels.subplots(1, 2, sharey=True)
    errors = seen.errors(seen.deep, layers)
    along(
        depth, {"more layers": errors}, looks=LOOKS,
        title="Along depth", xlabel="hidden layers", ylabel="test error (%)",
    )  # fmt: skip
    depth.set_xticks(list(errors))
    by_size = {"more layers": seen.deep, "one layer, more units": seen.wide}
    series = {label: seen.errors(arms, lambda arm: arm.parameters / 1e6) for label, arms in by_size.items()}
    title = "Control: along the number of weights"
    along(size, series, looks=LOOKS, title=title, xlabel="parameters (millions)")
    return figure
