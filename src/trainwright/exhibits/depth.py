"""Depth: layers on top of layers do what no width of a single one does.

Goodfellow, Bengio & Courville 2016, section 6.4.1, show with the street numbers of Goodfellow et al. 2014
that a network reads numbers better the deeper it is (figure 6.6), and that this is not for having more
weights: making a shallow network wider helps little, and soon not at all (figure 6.7).

Here a number is a picture of two of MNIST's digits, side by side, each at a height of its own and the pair at
a place of its own; the network has to read the whole number, one class of a hundred. That takes two kinds of
work, to find the digits and to know them, and a single layer of features has to do both at once. Networks of
equal width and growing depth get the same number of steps, and the same choice of learning rates, of which
each takes what serves it best on validation. The control: a single hidden layer with as many weights as the
deeper networks have.

Two things would pass for depth and are kept out. A single layer wants larger steps than a stack of them: at a
rate that suits the stack it is only slow. And a training stopped early shows who learns faster, not who reads
better, so training lasts until most of the training numbers are known by heart; the table gives the training
loss, and the quick version has few training numbers to get there.

Deviations: the book's networks are convolutional, of 3 to 11 layers, and read up to five digits with an
output for each; these are fully connected, of 1 to 4 layers (6 in the full version). The book gives no
numbers, only curves, so what is held against it is their shape. Training numbers are made of MNIST's
training digits, test numbers of its test digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trainwright.base.config import config
from trainwright.comparison import paired
from trainwright.comparison.compare import ArmResult, Comparison
from trainwright.data import DataSpec, load
from trainwright.data.pixels import halved
from trainwright.exhibit import Claim, Exhibit, ExhibitResult, cautions
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.report.figures import BLUE, VERMILLION
from trainwright.strategies.adam import Adam
from trainwright.strategies.rate_schedule import RateSchedule
from trainwright.studies.defaults import Budget
from trainwright.studies.study import Study

BOOK = "Goodfellow et al. 2016, "
Images = NDArray[np.float32]


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


def study_of(budget: Budget) -> Study:
    """Growing depth at one width, and single layers of the same numbers of weights."""
    quick = budget == "quick"
    mnist = load("mnist")
    rng = np.random.default_rng(0)
    old = np.concatenate([mnist.splits.train, mnist.splits.validation])
    parts = ((old, 8000 if quick else 30_000), (mnist.splits.test, 4000 if quick else 5000))
    arrays: list[NDArray[Any]] = []
    for rows, count in parts:
        images = halved(mnist.inputs[rows]) if quick else mnist.inputs[rows]
        arrays += numbers(images, mnist.targets[rows], count, rng)
    base = Recipe(
        strategies=(Adam(), RateSchedule()),
        batch_size=64,
        steps=1500 if quick else 8000,
        evaluate_every=500,
    )
    width, depths = (128, (1, 2, 3, 4)) if quick else (256, (1, 2, 3, 4, 6))
    deep = [Mlp((width,) * depth) for depth in depths]
    wide = [same_size(network, arrays[0][0].size, 100) for network in (deep[-1:] if quick else deep[1:])]
    arms = {name(network): base.replace(network=network) for network in (*deep, *wide)}
    rates = (0.001, 0.003, 0.01, 0.03) if quick else (0.0003, 0.001, 0.003, 0.01)
    return Study(
        DataSpec(arrays, task="classification"), arms, seeds=3 if quick else 5, rates=rates, folds=False
    )


def name(network: Mlp) -> str:
    """Such as `2×256`."""
    return f"{len(network.hidden)}×{network.hidden[0]}"


@dataclass(frozen=True, eq=False)
class Measured:
    """What the trainings gave: all networks, the first of which has a single layer."""

    comparison: Comparison

    @property
    def deep(self) -> list[ArmResult]:
        """One width, by depth, from a single layer on."""
        first, *rest = self.comparison.arms
        return [first, *(arm for arm in rest if layers(arm) > 1)]

    @property
    def wide(self) -> list[ArmResult]:
        """Single layers, by width; the first is the first of `deep`."""
        return [arm for arm in self.comparison.arms if layers(arm) == 1]


def layers(arm: ArmResult) -> int:
    """How many hidden layers the arm's network has."""
    return len(arm.recipe["network"]["hidden"])


def measure(study: Study, folder: Path) -> Measured:
    """Train what the store in `folder` has not, and compare."""
    return Measured(study.compare(folder))


@config
class Depth(Exhibit):
    """Accuracy on two-digit numbers along depth, and along the number of weights."""

    title = "Depth: what more layers do that more weights do not"

    def make(self, budget: Budget, store: Path) -> ExhibitResult:
        study = study_of(budget)
        measured = measure(study, store)
        data, recipe = study.dataset(), next(iter(study.arms.values()))
        note = (
            f"{len(data.splits.train):,} training and {len(data.splits.test):,} test numbers of "
            f"{data.shape[0]}×{data.shape[1]} pixels; Adam, {recipe.steps:,} steps of batch "
            f"{recipe.batch_size}, {study.seeds} seeds; each network at the learning rate that is best on "
            f"validation, of {', '.join(f'{rate:g}' for rate in study.rates)}."
        )
        scaled = (
            "Scaled down: few numbers, digits of 14×14 pixels, layers of 128 units, up to 4 of them.",
            "This size was chosen among others for showing the claims. The intervals leave that choice out "
            "and are narrower than their name says: a demonstration, not a confirmation.",
        )
        return ExhibitResult(
            self.name,
            self.title,
            draw(measured, data.inputs[data.splits.test[:4]]),
            {"Networks, layers × units": table(measured)},
            claims(measured, chosen=budget == "quick"),
            (note, *scaled * (budget == "quick"), *cautions(measured.comparison)),
        )


def table(measured: Measured) -> pd.DataFrame:
    """Per network: parameters, chosen rate, test accuracy with its interval, training loss at the end."""
    rows = [
        (arm.name, arm.parameters, arm.learning_rate, *accuracy(arm), arm.curves["train_loss"].mean[-1])
        for arm in (*measured.deep, *measured.wide[1:])
    ]
    columns = ["network", "parameters", "rate", "test accuracy (%)", "low", "high", "training loss (nats)"]
    return pd.DataFrame(rows, columns=columns)


def accuracy(arm: ArmResult) -> tuple[float, float, float]:
    """Test accuracy in %: mean and its 95 % interval over seeds."""
    return 100 * (1 - arm.error.mean), 100 * (1 - arm.error.high), 100 * (1 - arm.error.low)


def claims(measured: Measured, *, chosen: bool) -> tuple[Claim, ...]:
    """The book's statements beside the numbers; `chosen` says that the size was, to show them."""
    deep, wide = measured.deep, measured.wide
    steps = list(pairwise(deep))
    rises = ", ".join(f"{more.name} {_said(more, less)}" for less, more in steps)
    rivals = [(arm, min(wide[1:], key=lambda one: abs(one.parameters - arm.parameters))) for arm in deep[1:]]
    beaten = "; ".join(
        f"{arm.name} against {rival.name} ({arm.parameters:,} and {rival.parameters:,} parameters): "
        f"{_said(arm, rival)}"
        for arm, rival in rivals
    )
    where = "at the size chosen for it: " if chosen else ""
    seeds = f"points (95 % intervals, n = {len(deep[0].seeds)} seeds)."
    return (
        Claim(
            "A deep network reads better than one with a single hidden layer.",
            BOOK + "section 6.4.1",
            f"{where}over {deep[0].name}: "
            + ", ".join(f"{arm.name} {_said(arm, deep[0])}" for arm in deep[1:])
            + f" {seeds}",
            all(_gain(arm, deep[0])[1] > 0 for arm in deep[1:]),
        ),
        Claim(
            "Every further layer makes it better.",
            BOOK + "figure 6.6 (convolutional networks of 3 to 11 layers)",
            f"{where}over one layer less: {rises} {seeds} Training loss at the end, by depth: "
            + ", ".join(f"{arm.curves['train_loss'].mean[-1]:.2g}" for arm in deep)
            + " nats; where it falls and the accuracy does not rise, a layer fits its training numbers only.",
            all(_gain(more, less)[1] > 0 for less, more in steps),
        ),
        Claim(
            "It is depth and not the number of weights: a single layer of as many stays behind.",
            BOOK + "figure 6.7",
            f"{where}{beaten} {seeds}",
            all(_gain(arm, rival)[1] > 0 for arm, rival in rivals),
        ),
    )


def _gain(arm: ArmResult, other: ArmResult) -> tuple[float, float, float]:
    """Points of accuracy by which an arm is better: mean and 95 % interval, paired by seed."""
    gain = paired.estimate(100 * (np.array(other.errors) - np.array(arm.errors)))
    return gain.mean, *gain.interval(0.95)


def _said(arm: ArmResult, other: ArmResult) -> str:
    mean, low, high = _gain(arm, other)
    return f"{mean:+.1f} ({low:+.1f} to {high:+.1f})"


def draw(measured: Measured, samples: Images) -> Figure:
    """Some numbers; accuracy along depth; accuracy along parameters for depth and for width."""
    figure = Figure(figsize=(7.6, 5), layout="constrained")
    strip, panels = figure.subfigures(2, 1, squeeze=False, height_ratios=(1, 3.6))[:, 0]
    strip.suptitle("Numbers to be read", fontsize=11)
    for axes, image in zip(strip.subplots(1, len(samples)), samples, strict=True):
        axes.imshow(image, cmap="gray_r", vmin=0, vmax=1)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(True)
    depth, size = panels.subplots(1, 2, sharey=True)
    depths = [layers(arm) for arm in measured.deep]
    _line(
        depth,
        depths,
        measured.deep,
        VERMILLION,
        "o",
        f"{measured.deep[0].recipe['network']['hidden'][0]} units each",
    )
    depth.set(
        title="Along depth", xlabel="hidden layers", ylabel="test accuracy (%), 95 % intervals", xticks=depths
    )
    for arms, colour, marker, label in (
        (measured.deep, VERMILLION, "o", "more layers"),
        (measured.wide, BLUE, "s", "one layer, more units"),
    ):
        _line(size, [arm.parameters / 1e6 for arm in arms], arms, colour, marker, label)
    size.set(title="Control: along the number of weights", xlabel="parameters (millions)")
    for axes in (depth, size):
        axes.title.set_fontsize(11)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=9, frameon=False)
    return figure


def _line(
    axes: Axes, x: Sequence[float], arms: Sequence[ArmResult], colour: str, marker: str, label: str
) -> None:
    mean, low, high = np.array([accuracy(arm) for arm in arms]).T
    axes.errorbar(x, mean, (mean - low, high - mean), color=colour, marker=marker, capsize=3, label=label)
