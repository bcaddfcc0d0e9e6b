"""Batch norm: layers whose inputs keep their distribution while the layers below them learn.

Ioffe & Szegedy 2015, section 4.1 and figure 1: MNIST, binary images, three fully connected hidden layers of
100 sigmoid units, 50,000 steps of batch 60, with and without batch norm before each sigmoid. With it the
network is right more often, and from early on (figure 1a). Figures 1b and 1c follow the input of one typical
sigmoid of the last hidden layer, its 15th, 50th and 85th percentiles: without batch norm they wander while
the layers below change, with it they stay where they are.

How fast a network trains is measured as in section 4.2: by the steps until it is as good as the one without
batch norm in the end. How stable an input is: by its wander, the range that a percentile covers along
training, as a share of the spread between them; much more stable means at most half.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from numpy.typing import NDArray

from trainwright.base.config import config
from trainwright.comparison.compare import ArmRuns, Comparison, compare
from trainwright.data import Dataset
from trainwright.diagnosis.layers import layer_values
from trainwright.exhibit import (
    Claim,
    Exhibit,
    ExhibitResult,
    Measured,
    Sweep,
    cautions,
    curve,
    images,
)
from trainwright.exhibit.panels import BLUE, VERMILLION, curves, framed
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.runs.run import Run
from trainwright.strategies import batch_norm
from trainwright.strategies.activation import Activation
from trainwright.strategies.initialization import Initialization
from trainwright.studies.defaults import Budget
from trainwright.studies.study import Study
from trainwright.training.fit import fit
from trainwright.training.progress import Progress

PAPER = "Ioffe & Szegedy 2015, "
WITHOUT, WITH = "without", "with batch norm"
COLOURS = {WITHOUT: BLUE, WITH: VERMILLION}
PERCENTILES = (15, 50, 85)
LOOK_EVERY = 100  # steps: most of the wandering is over in the first thousand
MUCH = 0.5  # an input is much more stable that wanders at most half as far


class Scale(NamedTuple):
    """How large everything is."""

    pool: int
    test: int
    steps: int
    every: int
    seeds: int
    note: str = ""


SCALES: dict[Budget, Scale] = {
    "quick": Scale(20_000, 2500, 1500, 100, 4, "Scaled down: 20,000 images of MNIST, and 1,500 steps."),
    "full": Scale(60_000, 10_000, 50_000, 500, 5),
}


def study(s: Scale) -> Study:
    """The paper's network without and with batch norm, at several learning rates."""
    strategies = (Activation("sigmoid"), Initialization("normal", std=0.1))
    base = Recipe(Mlp((100,) * 3), strategies, batch_size=60, steps=s.steps, evaluate_every=s.every)
    data = images("mnist", pool=s.pool, test=s.test, binary=True)
    arms = {WITHOUT: base, WITH: base.adding(batch_norm.BatchNorm())}
    return Study(data, arms, s.seeds, rates=(0.3, 1.0, 3.0, 10.0), folds=False)


@dataclass(frozen=True, eq=False)
class Trace:
    """The inputs of the last hidden layer's sigmoids along a training."""

    steps: NDArray[np.int64]
    percentiles: NDArray[np.float64]
    """(steps, 3, units): over validation images."""

    @property
    def typical(self) -> int:
        """The unit whose spread at the end is the median of the layer's."""
        spread = self.percentiles[-1, -1] - self.percentiles[-1, 0]
        return int(np.argsort(spread)[len(spread) // 2])

    def wander(self) -> NDArray[np.float64]:
        """(units,): the range that a percentile of a unit's input covers, in units of the input's spread.

        The mean over the three percentiles: the paper speaks of changes of mean and of variance. A range,
        as a path's length would grow with the number of evaluations.
        """
        spread = (self.percentiles[:, -1] - self.percentiles[:, 0]).mean(axis=0)
        wander: NDArray[np.float64] = np.ptp(self.percentiles, axis=0).mean(axis=0) / spread
        return wander


def trace(recipe: Recipe, data: Dataset, seed: int = 0) -> Trace:
    """Train once more and look at the last sigmoids' inputs, often enough to see how they begin."""
    recipe = recipe.replace(evaluate_every=LOOK_EVERY)
    x, _ = data.standardized(data.splits.validation[:1000])
    steps, percentiles = [], []

    def watch(progress: Progress) -> None:
        weights = progress.weights()
        received = layer_values(recipe, data, weights, x, "hidden3", stage="pre_activation")
        steps.append(progress.step)
        percentiles.append(np.percentile(received.astype(np.float64), PERCENTILES, axis=0))

    fit(recipe, data, seed, watch=watch)
    return Trace(np.array(steps), np.array(percentiles))


class Seen(NamedTuple):
    """What the trainings gave."""

    own: Comparison
    """Each arm at its own learning rate."""
    same: Sweep
    """Both at one, by learning rate."""
    reached: dict[str, NDArray[np.float64]]
    """By arm at its own rate, per seed: the first step at which the validation error is no higher than the
    mean final one without batch norm; infinite where it never is."""
    traces: dict[str, list[Trace]]
    """By arm, one for each seed, at `rate`."""

    @property
    def rate(self) -> float:
        """The best learning rate without batch norm, at which both arms are traced."""
        return self.own.arm(WITHOUT).learning_rate

    @property
    def last(self) -> int:
        """The last step."""
        return self.own.arm(WITHOUT).curves["validation_error"].steps[-1]

    @property
    def wander(self) -> dict[str, NDArray[np.float64]]:
        """Per arm and seed, the median unit's wander."""
        return {
            arm: np.array([np.median(one.wander()) for one in traces]) for arm, traces in self.traces.items()
        }


def see(trained: Study, store: Path) -> Seen:
    """Train what the store has not, compare, and trace both arms at the plain one's rate."""
    runs, data = trained.run(store), trained.dataset()
    own = compare(runs, reference=WITHOUT)
    same = {
        rate: compare([ArmRuns(arm.name, {rate: arm.runs[rate]}) for arm in runs], reference=WITHOUT)
        for rate in trained.rates
    }
    chosen = {arm.name: arm.runs[own.arm(arm.name).learning_rate] for arm in runs}
    goal = float(np.mean([run.history["validation_error"][-1] for run in chosen[WITHOUT]]))
    reached = {name: np.array([first_at(run, goal) for run in ones]) for name, ones in chosen.items()}
    rate = own.arm(WITHOUT).learning_rate
    traces = {
        name: [trace(recipe.replace(learning_rate=rate), data, seed) for seed in range(trained.seeds)]
        for name, recipe in trained.arms.items()
    }
    return Seen(own, Sweep(same), reached, traces)


def first_at(run: Run, goal: float) -> float:
    """The first step at which the validation error is `goal` or less; infinite if it never is."""
    there = run.history["step"][run.history["validation_error"] <= goal]
    return float(there[0]) if len(there) else np.inf


@config
class BatchNorm(Exhibit):
    """The paper's MNIST experiment: accuracy along training, and a sigmoid's input."""

    title = "Batch norm: how soon a network learns, and whether its inputs stay put"

    def make(self, budget: Budget, store: Path) -> ExhibitResult:
        s = SCALES[budget]
        trained = study(s)
        seen, examples = see(trained, store), len(trained.dataset().splits.train)
        return self.result(
            draw(seen),
            tables(seen),
            (
                higher_at_each(seen.same),
                higher(seen.own),
                faster(seen.reached, seen.last),
                stable(seen.wander, seen.rate),
            ),
            (
                f"{s.steps:,} steps of batch 60, {examples:,} training examples, {s.seeds} seeds. {s.note}",
                "The paper names neither rates, optimiser nor the first weights' deviation: here plain "
                "descent at four rates, 0.1, and a pixel is 1 above one half. Its figure 1a is of test "
                "examples; here validation examples draw the curves, and test examples judge the end.",
                f"Percentiles over 1,000 validation images, both at rate {seen.rate:g}, the best without "
                "batch norm; drawn: seed 0, the unit whose spread is the layer's median.",
                *cautions(seen.own, *seen.same.comparisons.values()),
            ),
        )  # fmt: skip


# The paper's statements beside the numbers.


def higher_at_each(same: Sweep) -> Claim:
    """By the verdict at each rate, with Holm's correction over the rates."""
    verdicts = list(same.verdicts(WITH).values())
    return Claim(
        "At the same learning rate the network with batch norm reaches a higher test accuracy, at each of "
        "those tried.",
        PAPER + "figure 1a (at one learning rate, which it does not name)",
        f"it helps at {verdicts.count('helps')} of {len(verdicts)} rates (Holm's correction); gain in "
        f"accuracy by rate: {same.gains(WITH)}.",
        set(verdicts) == {"helps"},
    )


def higher(own: Comparison) -> Claim:
    """By the comparison's verdict."""
    rates = " and ".join(f"{arm.learning_rate:g}" for arm in own.arms)
    return Claim(
        "With batch norm the network reaches a higher test accuracy, each at its own learning rate.",
        PAPER + "figure 1a",
        f"at rates {rates} the test error is {own.error_of(WITHOUT).mean:.2f} % and "
        f"{own.error_of(WITH).mean:.2f} %: a gain of {own.gain(WITH)}.",
        own.verdict(WITH) == "helps",
    )


def faster(reached: dict[str, NDArray[np.float64]], last: int) -> Claim:
    """A training without batch norm that never gets there counts as if it did at its last step, which is to
    its credit; of those with batch norm every one must."""
    plain, normed = (np.minimum(reached[name], last) for name in (WITHOUT, WITH))
    ratio = Measured.ratio(normed, plain)
    missed = [int(np.isinf(reached[name]).sum()) for name in (WITHOUT, WITH)]
    return Claim(
        "With batch norm the network trains faster.",
        PAPER + "section 4.1, figure 1a",
        "until the validation error is what it is in the end without batch norm, each at its own learning "
        f"rate: {np.median(plain):,.0f} steps without and {np.median(normed):,.0f} with batch norm "
        f"(medians; ratio {ratio}). {missed[0]} of {ratio.n} without and {missed[1]} of {ratio.n} with "
        f"batch norm never are and count as {last:,} steps.",
        ratio.high < 1 and missed[1] == 0,
    )


def stable(wander: dict[str, NDArray[np.float64]], rate: float) -> Claim:
    """Much more stable: the interval of the ratio lies below `MUCH`."""
    ratio = Measured.ratio(wander[WITH], wander[WITHOUT])
    return Claim(
        "With batch norm the distribution of a sigmoid's input is much more stable (it wanders at most half "
        "as far).",
        PAPER + "section 4.1, figure 1b, c",
        f"both at learning rate {rate:g}: the median unit's percentiles range along training over "
        f"{wander[WITHOUT].mean():.2f} times its spread (15th to 85th percentile) without and "
        f"{wander[WITH].mean():.2f} times with batch norm: ratio {ratio}.",
        ratio.high <= MUCH,
    )


# The numbers and the figure.


def tables(seen: Seen) -> dict[str, pd.DataFrame]:
    """Both arms at each rate, and each at its own with its steps and its inputs' wander."""
    own = [
        (arm.name, arm.learning_rate, seen.own.error_of(arm.name).mean, np.median(seen.reached[arm.name]),
         seen.wander[arm.name].mean())
        for arm in seen.own.arms
    ]  # fmt: skip
    heads = ["arm", "learning rate", "test error (%)", "steps, median", f"wander at rate {seen.rate:g}"]
    return {
        "Test error (%), both at the same learning rate; gain in points": seen.same.table("learning rate"),
        f"Each at the rate chosen on validation; steps until as good as {WITHOUT} in the end": pd.DataFrame(
            own, columns=heads
        ),
    }


def draw(seen: Seen) -> Figure:
    """Figure 1: accuracy along training; the typical sigmoid's input without and with batch norm."""
    figure = Figure(figsize=(7.6, 6.4))
    panels = figure.subplot_mosaic([["accuracy", "accuracy"], [WITHOUT, WITH]])
    smallest = seen.same.comparisons[min(seen.same.comparisons)]
    for comparison, width in ((smallest, 1.0), (seen.own, 2.0)):
        for arm in comparison.arms:
            label = f"{arm.name}, rate {arm.learning_rate:g}"
            look = {"color": COLOURS[arm.name], "ls": "-" if arm.name == WITH else "--", "lw": width}
            curves(panels["accuracy"], {label: curve(arm, "validation_error")}, looks={label: look}, log="y")
    draw_accuracies(panels["accuracy"])
    for name, (first, *_) in seen.traces.items():
        low, middle, high = first.percentiles[:, :, first.typical].T
        rows = zip(first.steps, middle, low, high, strict=True)
        median = {step: Measured(m, below, above, n=1000) for step, m, below, above in rows}
        curves(
            panels[name], {name: median}, looks={name: {"color": COLOURS[name]}},
            title=f"{name.capitalize()}, rate {seen.rate:g}", xlabel="step",
            ylabel="one sigmoid's input:\nmedian, 15th to 85th percentile",
        )  # fmt: skip
    panels[WITH].sharey(panels[WITHOUT])
    panels[WITH].autoscale()
    return figure


def draw_accuracies(axes: Axes) -> None:
    """Errors in %, labelled as accuracies: logarithmic, or 97 and 98 % would be one line in the end."""
    framed(axes, title="Accuracy along training", xlabel="step", ylabel="validation accuracy (%)", log="y")
    axes.invert_yaxis()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5)))
    axes.yaxis.set_major_formatter(lambda error, _: f"{100 - error:g}")
    axes.yaxis.set_minor_locator(NullLocator())
