"""Augmentation: more examples for nothing, from transformations that keep the class.

Goodfellow, Bengio & Courville 2016, section 7.4: the best way to generalise better is to train on more data,
and a transformation that a classifier should not mind makes more of it. Mirrored left to right, a shirt is a
shirt, and the training set is twice as large; moved by a pixel, it still is one. But a transformation must
not change the class: a mirrored 2 is no digit, and what is learnt from it is wrong. Section 7.5: noise added
to the inputs is another such transformation.

All are tried on pictures of the same size and shape: Fashion-MNIST, whose mirror images are clothes, and
MNIST, whose mirror images are mostly no digits. And on Fashion-MNIST without its shoes: nearly every shoe,
for training and for testing, points to the left, so that a mirrored one shows what never comes; shirts,
trousers and bags have no such side. The gain is measured along the number of training examples: one would
expect it to be largest where there are few.

Each training image is mirrored with probability 1/2, moved by up to a pixel, or given new noise, at every
step; with equal numbers of updates, that is training on the larger set. No source gives numbers for this
experiment: its sizes, network and noise are our own. The network is fully connected; it has to learn a
pattern and its mirror image separately, and pays for that with weights and steps. Digits stand free in their
frame, so that shifts lose nothing; clothes fill it, and a shift moves them against its edge.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from numpy.typing import NDArray

from trainwright.base.config import config
from trainwright.comparison import paired
from trainwright.comparison.compare import ArmRuns, Comparison, compare
from trainwright.data import NAMED, Dataset, DataSpec, load
from trainwright.data.pixels import halved
from trainwright.exhibit import Claim, Exhibit, ExhibitResult, cautions
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.report.figures import BLUE, GREEN, VERMILLION
from trainwright.strategies.mirror import Mirror, mirrored
from trainwright.strategies.momentum import Momentum
from trainwright.strategies.noise import Noise, NoiseLayer
from trainwright.strategies.rate_schedule import RateSchedule
from trainwright.strategies.shift import Shift
from trainwright.studies.defaults import Budget
from trainwright.studies.study import Study, run_all

SETS = {"no_shoes": "clothes without shoes", "fashion_mnist": "clothes and shoes", "mnist": "digits"}
SHOES = (5, 7, 9)  # sandals, sneakers, ankle boots
NOISE = 0.1  # standard deviation, where white is 1
STYLES = {"plain": ("#555555", "^"), "mirror": (BLUE, "o"), "shift": (GREEN, "D"), "noise": (VERMILLION, "s")}
BOOK = "Goodfellow et al. 2016, section 7."

Studies = dict[tuple[str, int], Study]


def plan(budget: Budget) -> Studies:
    """A study for each data set and number of training examples."""
    quick = budget == "quick"
    base = Recipe(
        Mlp((160,) if quick else (256, 256)),
        (Momentum(0.9), RateSchedule("cosine")),
        learning_rate=0.05,
        batch_size=50,
        steps=1500 if quick else 6000,
        evaluate_every=750 if quick else 1000,
    )
    arms = {
        "plain": base,
        "mirror": base.replace(strategies=(Mirror(), *base.strategies)),
        "shift": base.replace(strategies=(Shift(1), *base.strategies)),
        "noise": base.replace(strategies=(Noise(NOISE), *base.strategies)),
    }
    mirrors = {arm: arms[arm] for arm in ("plain", "mirror")}
    sizes = (100, 500, 3000) if quick else (100, 300, 1000, 3000, 10_000, 30_000)
    data = {name: _pictures(name, quick) for name in SETS}
    return {
        (name, size): Study(
            DataSpec(spec.source, task=spec.task, examples=size),
            arms if name in NAMED else mirrors,
            seeds=4 if quick else 5,
            folds=False,
        )
        for name, spec in data.items()
        for size in sizes
    }


def _pictures(name: str, quick: bool) -> DataSpec:
    """A data set's training and test images; quick: 4,000 and 2,500 of them, at 14×14 pixels."""
    data = load(name if name in NAMED else "fashion_mnist")
    arrays = []
    for rows, count in ((_training(data), 4000), (data.splits.test, 2500)):
        kept = rows if name in NAMED else rows[~np.isin(data.targets[rows], SHOES)]
        images = halved(data.inputs[kept[:count]]) if quick else data.inputs[kept]
        arrays += [images, data.targets[kept[: len(images)]]]
    return DataSpec(arrays, task="classification")


def _training(data: Dataset) -> NDArray[np.int64]:
    return np.sort(np.concatenate([data.splits.train, data.splits.validation]))


@dataclass(frozen=True, eq=False)
class Measured:
    """What the trainings gave, by data set and number of examples."""

    comparisons: dict[tuple[str, int], Comparison]

    def gains(self, name: str, arm: str) -> dict[int, NDArray[np.float64]]:
        """Per number of examples, each seed's gain in percentage points over plain."""
        return {
            size: 100 * (_errors(comparison, "plain") - _errors(comparison, arm))
            for (at, size), comparison in self.comparisons.items()
            if at == name
        }


def _errors(comparison: Comparison, arm: str) -> NDArray[np.float64]:
    return np.array(next(one.errors for one in comparison.arms if one.name == arm))


def measure(studies: Studies, folder: Path) -> Measured:
    """Train what the store in `folder` has not, and compare."""
    runs: list[list[ArmRuns]] = run_all(list(studies.values()), folder)
    return Measured({key: compare(arms, reference="plain") for key, arms in zip(studies, runs, strict=True)})


@config
class Augmentation(Exhibit):
    """Mirror images, shifts and noise on clothes and on digits, along the number of examples."""

    title = "Augmentation: what mirror images, shifts and noise are worth"

    def make(self, budget: Budget, store: Path) -> ExhibitResult:
        studies = plan(budget)
        measured = measure(studies, store)
        study = next(iter(studies.values()))
        recipe = study.arms["plain"]
        note = (
            f"{recipe.network}, {recipe.steps:,} steps of batch {recipe.batch_size} at every size, "
            f"all at the learning rate {recipe.learning_rate:g}, noise of standard deviation {NOISE:g} "
            f"(white is 1), {study.seeds} seeds."
        )
        scaled = (
            "Scaled down: images of 14×14 pixels, where a shift by one is a shift by two of the original's; "
            "2,500 test images.",
        ) * (budget == "quick")
        return ExhibitResult(
            self.name,
            self.title,
            draw(measured, samples(studies)),
            {"Test errors and gains over plain (points)": table(measured)},
            claims(measured),
            (note, *scaled, *cautions(*measured.comparisons.values())),
        )


def table(measured: Measured) -> pd.DataFrame:
    """Every data set, size and arm: test error in %, gain over plain with its 95 % interval."""
    rows = []
    for (name, size), comparison in measured.comparisons.items():
        for arm in comparison.arms:
            gain = paired.estimate(measured.gains(name, arm.name)[size])
            low, high = gain.interval(0.95)
            gained = np.round((gain.mean, low, high), 4)  # equal errors leave 1e-15
            rows.append((name, size, arm.name, 100 * arm.error.mean, *gained))
    columns = ["data", "examples", "arm", "test error (%)", "gain", "gain, low", "gain, high"]
    return pd.DataFrame(rows, columns=columns)


def claims(measured: Measured) -> tuple[Claim, ...]:
    """The book's statements; gains are averaged over the numbers of examples, seed by seed."""
    return (
        _claim(measured, "no_shoes", "mirror", 1, "Mirror images of clothes (without shoes) help", "4"),
        _claim(measured, "fashion_mnist", "mirror", 1, "Mirror images of clothes and shoes help", "4"),
        _claim(measured, "mnist", "mirror", -1, "Mirror images of digits hurt: they change the class", "4"),
        _claim(measured, "fashion_mnist", "shift", 1, "Shifts by a pixel help (clothes and shoes)", "4"),
        _claim(measured, "mnist", "shift", 1, "Shifts by a pixel help (digits)", "4"),
        _claim(measured, "fashion_mnist", "noise", 1, "Noise on the inputs helps (clothes)", "5"),
        _claim(measured, "mnist", "noise", 1, "Noise on the inputs helps (digits)", "5"),
        _fewer(measured),
    )


def _claim(measured: Measured, name: str, arm: str, sign: int, says: str, section: str) -> Claim:
    gains = measured.gains(name, arm)
    pooled = _pooled(gains)
    low, high = pooled.interval(0.95)
    each = ", ".join(f"{ones.mean():+.2f} at {size:,}" for size, ones in gains.items())
    return Claim(
        f"{says}.",
        BOOK + section,
        f"gain over plain {pooled.mean:+.2f} points (95 % interval {low:+.2f} to {high:+.2f}, "
        f"n = {pooled.count} seeds); by number of examples: {each}.",
        low > 0 if sign > 0 else high < 0,
    )


def _pooled(gains: dict[int, NDArray[np.float64]]) -> paired.Estimate:
    return paired.estimate(np.mean(list(gains.values()), axis=0))


def _fewer(measured: Measured) -> Claim:
    """Each helpful arm's gain along the logarithm of the number of examples: a line for each seed."""
    slopes = {
        f"{arm}, {title}": _slope(gains)
        for name, title in SETS.items()
        for arm in _arms(measured, name)[1:]
        if _pooled(gains := measured.gains(name, arm)).interval(0.95)[0] > 0
    }
    intervals = {which: slope.interval(0.95) for which, slope in slopes.items()}
    each = "; ".join(
        f"{which}: {slopes[which].mean:+.2f} ({low:+.2f} to {high:+.2f})"
        for which, (low, high) in intervals.items()
    )
    return Claim(
        "Where augmentation helps, it adds the less, the more examples there are.",
        "our expectation; no source",
        f"change of the gain, in points for ten times the examples, with its 95 % interval over "
        f"{next(iter(slopes.values())).count} seeds: {each}."
        if slopes
        else "nothing helps over all numbers of examples.",
        bool(slopes) and all(high < 0 for _, high in intervals.values()),
    )


def _slope(gains: dict[int, NDArray[np.float64]]) -> paired.Estimate:
    return paired.estimate(np.polyfit(np.log10(list(gains)), np.stack(list(gains.values())), 1)[0])


def samples(studies: Studies) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """For each data set an image as it is, mirrored, shifted, and with noise."""
    noise = NoiseLayer(NOISE, "input")
    for name, number in (("fashion_mnist", 9), ("mnist", 2)):  # an ankle boot and a 2
        data = next(study for (at, _), study in studies.items() if at == name).dataset()
        image = jnp.asarray(data.inputs[np.flatnonzero(data.targets == number)[:1]])
        key = jax.random.key(0)
        yield "as it is", np.asarray(image)[0]
        yield "mirrored", np.asarray(mirrored(image))[0]
        yield "shifted", np.asarray(Shift(1).augment(image, key))[0]
        yield "noise", np.asarray(noise(image, key=key, training=True))[0]


def draw(measured: Measured, images: Iterator[tuple[str, NDArray[np.float32]]]) -> Figure:
    """Samples on top; below, per data set, errors and gains along the number of examples."""
    figure = Figure(figsize=(7.6, 7.4), layout="constrained")
    strip, panels = figure.subfigures(2, 1, squeeze=False, height_ratios=(1, 5))[:, 0]
    for axes, (label, image) in zip(strip.subplots(1, 8), images, strict=True):
        axes.imshow(image, cmap="gray_r", vmin=0, vmax=1)
        axes.set_xlabel(label, fontsize=9)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(True)
    grid = panels.subplots(2, 3, sharex=True, sharey="row")
    for column, (name, title) in zip(grid.T, SETS.items(), strict=True):
        _errors_along(column[0], measured, name)
        column[0].set_title(title, fontsize=11)
        _gains_along(column[1], measured, name)
    grid[0, 0].set_ylabel("test error (%)")
    grid[1, 0].set_ylabel("gain over plain (points)")
    for axes in grid.flat:
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid[0]:
        axes.legend(fontsize=9, frameon=False)
    return figure


def _errors_along(axes: Axes, measured: Measured, name: str) -> None:
    found = {size: one for (at, size), one in measured.comparisons.items() if at == name}
    for arm in _arms(measured, name):
        colour, marker = STYLES[arm]
        errors = [100 * _errors(comparison, arm).mean() for comparison in found.values()]
        axes.plot(list(found), errors, color=colour, marker=marker, label=arm)
    axes.set(xscale="log", yscale="log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())


def _arms(measured: Measured, name: str) -> list[str]:
    """The arms of a data set, plain first."""
    return next([arm.name for arm in one.arms] for (at, _), one in measured.comparisons.items() if at == name)


def _gains_along(axes: Axes, measured: Measured, name: str) -> None:
    for arm in _arms(measured, name)[1:]:
        colour, marker = STYLES[arm]
        gains = {size: paired.estimate(ones) for size, ones in measured.gains(name, arm).items()}
        mean = np.array([one.mean for one in gains.values()])
        half = [one.interval(0.95)[1] - one.mean for one in gains.values()]
        axes.errorbar(list(gains), mean, half, color=colour, marker=marker, capsize=3, lw=1.4, label=arm)
    axes.axhline(0, color="#555555", lw=1)
    axes.set(xscale="log", xlabel="training examples")
