"""Batch norm: layers whose inputs keep their distribution while the layers below them learn.

Ioffe & Szegedy 2015, section 4.1 and figure 1: MNIST, binary images, three fully connected hidden layers of
100 sigmoid units, softmax and cross-entropy, 50,000 steps of batch 60, with and without batch norm before
each sigmoid. With it the network is right more often, and from early on (figure 1a). Figures 1b and 1c follow
the input of one typical sigmoid of the last hidden layer, its 15th, 50th and 85th percentiles: without batch
norm they wander while the layers below change, with it they stay where they are.

The paper names neither the learning rate, the deviation of the "small random Gaussian" first weights, the
optimiser nor how the images were made binary. Chosen here: plain gradient descent; weights of deviation 0.1;
a pixel is 1 where it is above one half. The arms are compared twice: both at each of the learning rates 0.3,
1, 3 and 10, and each arm at the rate with the lowest validation error. The percentiles of both are drawn at
one rate, the best of the network without batch norm. Such a network, if it may choose a large rate, soon
makes up for much of its slow start.

Figure 1a draws the test accuracy along training; here that is the accuracy on 10,000 validation examples, so
50,000 images train, and the test images judge the end. The percentiles are over 1,000 validation images, the
statistics of batch norm those of the trained population, as in the paper's Algorithm 2. What is typical is
settled thus: of the 100 units the one whose spread of percentiles at the end is the median.

How fast a network trains is measured as the paper does for ImageNet (section 4.2): by the steps until it is
as good as the one without batch norm in the end. How stable an input is: by its wander, the range that a
percentile covers along training, as a share of the spread between them; much more stable means at most half.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from flax import nnx
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from numpy.typing import NDArray

from trainwright.base.config import config
from trainwright.comparison import paired
from trainwright.comparison.compare import ArmRuns, Comparison, compare
from trainwright.data import Dataset, DataSpec, load
from trainwright.diagnosis.layers import layers_of, received
from trainwright.exhibit import Claim, Exhibit, ExhibitResult, cautions
from trainwright.model import Model
from trainwright.network import Chain
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.report.figures import BLUE, VERMILLION
from trainwright.report.sentences import sentence
from trainwright.runs.run import Run
from trainwright.strategies import batch_norm
from trainwright.strategies.activation import Activation
from trainwright.strategies.initialization import Initialization
from trainwright.studies.defaults import Budget
from trainwright.studies.study import Study
from trainwright.training.fit import fit
from trainwright.training.progress import Progress

PERCENTILES = (15, 50, 85)
LOOK_EVERY = 100  # steps: most of the wandering is over in the first thousand
WITHOUT, WITH = "without", "with batch norm"
COLOURS = {WITHOUT: BLUE, WITH: VERMILLION}
PAPER = "Ioffe & Szegedy 2015, "
MUCH = 0.5  # an input is much more stable that wanders at most half as far


def study_of(budget: Budget) -> Study:
    """The paper's network without and with batch norm, at several learning rates."""
    quick = budget == "quick"
    base = Recipe(
        Mlp((100, 100, 100)),
        (Activation("sigmoid"), Initialization("normal", std=0.1)),
        batch_size=60,
        steps=1500 if quick else 50_000,
        evaluate_every=100 if quick else 500,
    )
    normed = base.replace(strategies=(*base.strategies, batch_norm.BatchNorm()))
    data = binary_mnist(20_000, 2500) if quick else binary_mnist(60_000, 10_000)
    return Study(
        data,
        {WITHOUT: base, WITH: normed},
        seeds=4 if quick else 5,
        rates=(0.3, 1.0, 3.0, 10.0),
    )


def binary_mnist(training: int, test: int) -> DataSpec:
    """MNIST with pixels 0 and 1."""
    data = load("mnist")
    splits = data.splits
    first = np.sort(np.concatenate([splits.train, splits.validation]))[:training], splits.test[:test]
    arrays = [one for rows in first for one in (np.round(data.inputs[rows]), data.targets[rows])]
    return DataSpec(arrays, task="classification")


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
    x = jnp.asarray(data.inputs[data.splits.validation[:1000]])
    steps, percentiles = [], []

    def watch(slot: Progress) -> None:
        z = last_inputs(recipe, data, slot.weights(), x)
        steps.append(slot.step)
        percentiles.append(np.percentile(z, PERCENTILES, axis=0))

    fit(recipe, data, seed, watch=watch)
    return Trace(np.array(steps), np.array(percentiles))


def last_inputs(
    recipe: Recipe, data: Dataset, weights: dict[str, NDArray[Any]], x: jax.Array
) -> NDArray[np.float64]:
    """(examples, units): what comes into the last hidden layer's activation."""
    assert data.preparation
    model = Model(recipe, data.preparation, data.shape, data.classes, weights, {}).network()
    graphdef, state = nnx.split(model)
    return np.asarray(_last_inputs(graphdef, state, x), np.float64)


@partial(jax.jit, static_argnums=0)
def _last_inputs(graphdef: Any, state: Any, x: jax.Array) -> jax.Array:
    chain = nnx.merge(graphdef, state)
    assert isinstance(chain, Chain)
    return received(chain, chain.outputs(x), layers_of(chain)[-2])


@dataclass(frozen=True, eq=False)
class Measured:
    """What the trainings gave."""

    comparison: Comparison
    """Each arm at its own learning rate."""
    same: dict[float, Comparison]
    """Both at one, by learning rate."""
    reached: dict[str, NDArray[np.float64]]
    """By arm at its own rate, per seed: the first step at which the validation error is no higher than the
    mean final one without batch norm; infinite where it never is."""
    traces: dict[str, list[Trace]]
    """By arm, one for each seed, at `rate`."""

    @property
    def rate(self) -> float:
        """The best learning rate without batch norm, at which both arms are traced."""
        return self.comparison.arms[0].learning_rate


def measure(study: Study, folder: Path) -> Measured:
    """Train what the store in `folder` has not, compare, and trace both arms at the plain one's rate."""
    runs, data = study.run(folder), study.dataset()
    comparison = compare(runs, reference=WITHOUT)
    same = {
        rate: compare([ArmRuns(arm.name, {rate: arm.runs[rate]}) for arm in runs], reference=WITHOUT)
        for rate in study.rates
    }
    own = {
        arm.name: arm.runs[chosen.learning_rate] for arm, chosen in zip(runs, comparison.arms, strict=True)
    }
    goal = float(np.mean([run.history["validation_error"][-1] for run in own[WITHOUT]]))
    reached = {name: np.array([first_at(run, goal) for run in ones]) for name, ones in own.items()}
    rate = comparison.arms[0].learning_rate
    traces = {
        name: [trace(recipe.replace(learning_rate=rate), data, seed) for seed in range(study.seeds)]
        for name, recipe in study.arms.items()
    }
    return Measured(comparison, same, reached, traces)


def first_at(run: Run, goal: float) -> float:
    """The first step at which the validation error is `goal` or less; infinite if it never is."""
    there = run.history["step"][run.history["validation_error"] <= goal]
    return float(there[0]) if len(there) else np.inf


@config
class BatchNorm(Exhibit):
    """The paper's MNIST experiment: accuracy along training, and a sigmoid's input."""

    title = "Batch norm: how soon a network learns, and whether its inputs stay put"

    def make(self, budget: Budget, store: Path) -> ExhibitResult:
        study = study_of(budget)
        measured = measure(study, store)
        recipe, splits = study.arms[WITHOUT], study.dataset().splits
        note = (
            f"{recipe.steps:,} steps of batch {recipe.batch_size}, {len(splits.train):,} training examples, "
            f"{study.seeds} seeds; percentiles over 1,000 images, both arms at rate {measured.rate:g}, "
            "the best without batch norm; those of seed 0 drawn."
        )
        scaled = ("Scaled down: 20,000 images of MNIST, 1,500 steps; the paper makes 50,000 with all.",)
        return ExhibitResult(
            self.name,
            self.title,
            draw(measured),
            tables(measured),
            claims(measured),
            (note, *scaled * (budget == "quick"), *cautions(measured.comparison, *measured.same.values())),
        )


def tables(measured: Measured) -> dict[str, pd.DataFrame]:
    """Both arms at each rate, and each at its own with its steps and its inputs' wander."""
    same = [
        (rate, *(100 * (1 - arm.error.mean) for arm in comparison.arms), *_gain(one.estimate), one.p_holm)
        for (rate, comparison), one in zip(measured.same.items(), _judged(measured.same), strict=True)
    ]
    arms, wander = measured.comparison.arms, _wandering(measured)
    own = {
        "arm": [arm.name for arm in arms],
        "learning rate": [arm.learning_rate for arm in arms],
        "test accuracy (%)": [100 * (1 - arm.error.mean) for arm in arms],
        "steps, median": [np.median(measured.reached[arm.name]) for arm in arms],
        f"wander at rate {measured.rate:g} (spreads)": [wander[arm.name].mean() for arm in arms],
    }
    return {
        "Test accuracy (%), both at the same learning rate; gain in points, 95 % interval": pd.DataFrame(
            same, columns=["learning rate", WITHOUT, WITH, "gain", "low", "high", "p (Holm)"]
        ),
        f"Each at the rate chosen on validation; steps until as good as {WITHOUT} in the end": pd.DataFrame(
            own
        ),
    }


def _judged(same: dict[float, Comparison]) -> tuple[paired.Judgement, ...]:
    """At each rate the errors with batch norm minus those without, with Holm's correction for the rates."""
    pairs = [[np.array(arm.errors) for arm in comparison.arms] for comparison in same.values()]
    return paired.judge(np.stack([normed - plain for plain, normed in pairs], axis=1), delta=0)


def _gain(one: paired.Estimate) -> tuple[float, float, float]:
    """Points of accuracy: mean and 95 % interval."""
    low, high = one.interval(0.95)
    return -100 * one.mean, -100 * high, -100 * low


def _wandering(measured: Measured) -> dict[str, NDArray[np.float64]]:
    """Per arm and seed, the median unit's wander."""
    return {
        name: np.array([np.median(one.wander()) for one in traces])
        for name, traces in measured.traces.items()
    }


def claims(measured: Measured) -> tuple[Claim, ...]:
    """The paper's statements beside the numbers."""
    return (
        _higher_at_each(measured.same),
        _higher(measured.comparison),
        _faster(measured.reached, measured.comparison.arms[0].curves["validation_error"].steps[-1]),
        _stable(_wandering(measured), measured.rate),
    )


def _higher_at_each(same: dict[float, Comparison]) -> Claim:
    judged = dict(zip(same, _judged(same), strict=True))
    helps = sum(one.verdict == "helps" for one in judged.values())
    each = [
        "{:+.2f} ({:+.2f} to {:+.2f})".format(*_gain(one.estimate)) + f" at {rate:g}"
        for rate, one in judged.items()
    ]
    count = next(iter(judged.values())).estimate.count
    return Claim(
        "At the same learning rate the network with batch norm reaches a higher test accuracy, at each of "
        "those tried.",
        PAPER + "figure 1a (at one learning rate, which it does not name)",
        f"it helps at {helps} of {len(same)} rates (Holm's correction): {', '.join(each)} points of accuracy "
        f"(95 % intervals, n = {count} seeds).",
        helps == len(same),
    )


def _higher(comparison: Comparison) -> Claim:
    arm = comparison.arms[1]
    assert arm.difference
    rates = " and ".join(f"{one.learning_rate:g}" for one in comparison.arms)
    return Claim(
        "With batch norm the network reaches a higher test accuracy, each at its own learning rate.",
        PAPER + "figure 1a",
        f"learning rates {rates}: {sentence(arm, comparison)}",
        arm.difference.verdict == "helps",
    )


def _faster(reached: dict[str, NDArray[np.float64]], last: int) -> Claim:
    """A training without batch norm that never gets there counts as if it did at its last step, which is to
    its credit; of those with batch norm every one must."""
    plain, normed = (np.minimum(reached[name], last) for name in (WITHOUT, WITH))
    ratio = paired.estimate(np.log(normed / plain))
    low, high = np.exp(ratio.interval(0.95))
    missed = [int(np.isinf(reached[name]).sum()) for name in (WITHOUT, WITH)]
    never = (
        f" {missed[0]} of {ratio.count} without and {missed[1]} of {ratio.count} with batch norm never are "
        f"and count as {last:,} steps."
    )
    return Claim(
        "With batch norm the network trains faster.",
        PAPER + "section 4.1, figure 1a",
        f"until the validation error is what it is in the end without batch norm, each at its own learning "
        f"rate: {np.median(plain):,.0f} steps without and {np.median(normed):,.0f} with batch norm (medians; "
        f"ratio {np.exp(ratio.mean):.2f}, 95 % interval {low:.2f} to {high:.2f}, n = {ratio.count} seeds)."
        + never
        * any(missed),
        bool(high < 1) and missed[1] == 0,
    )


def _stable(wander: dict[str, NDArray[np.float64]], rate: float) -> Claim:
    ratio = paired.estimate(np.log(wander[WITH] / wander[WITHOUT]))
    low, high = np.exp(ratio.interval(0.95))
    return Claim(
        "With batch norm the distribution of a sigmoid's input is much more stable (it wanders at most half "
        "as far).",
        PAPER + "section 4.1, figure 1b, c",
        f"both at learning rate {rate:g}: the median unit's percentiles range along training over "
        f"{wander[WITHOUT].mean():.2f} times its spread (15th to 85th percentile) without and "
        f"{wander[WITH].mean():.2f} times with batch norm (ratio {np.exp(ratio.mean):.2f}, 95 % interval "
        f"{low:.2f} to {high:.2f}, n = {ratio.count} seeds).",
        bool(high <= MUCH),
    )


def draw(measured: Measured) -> Figure:
    """Figure 1: accuracy along training; the typical sigmoid's input without and with batch norm."""
    figure = Figure(figsize=(7.6, 6.4), layout="constrained")
    panels = figure.subplot_mosaic([["accuracy", "accuracy"], [WITHOUT, WITH]])
    smallest = measured.same[min(measured.same)]
    for comparison, width in ((smallest, 1.0), (measured.comparison, 2.0)):
        for arm in comparison.arms:
            curve, colour = arm.curves["validation_error"], COLOURS[arm.name]
            mean, low, high = (100 * np.array(part) for part in (curve.mean, curve.low, curve.high))
            style = "-" if arm.name == WITH else "--"
            label = f"{'with' if arm.name == WITH else 'without'} batch norm, rate {arm.learning_rate:g}"
            panels["accuracy"].plot(curve.steps, mean, style, color=colour, lw=width, label=label)
            band = np.maximum(low, mean / 2), high  # a logarithmic axis has no place for zero
            panels["accuracy"].fill_between(curve.steps, *band, color=colour, alpha=0.12, lw=0)
    panels["accuracy"].set(title="Accuracy along training", xlabel="step", ylabel="validation accuracy (%)")
    _accuracies(panels["accuracy"])
    panels["accuracy"].legend(fontsize=9, frameon=False, loc="lower right")
    for name, traces in measured.traces.items():
        _percentiles(panels[name], traces[0], name, measured.rate)
    panels[WITH].sharey(panels[WITHOUT])
    panels[WITH].autoscale()
    for axes in panels.values():
        axes.spines[["top", "right"]].set_visible(False)
        axes.title.set_fontsize(11)
    return figure


def _accuracies(axes: Axes) -> None:
    """Errors in %, labelled as accuracies: logarithmic, or 97 and 98 % would be one line in the end."""
    axes.set_yscale("log")
    axes.invert_yaxis()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5)))
    axes.yaxis.set_major_formatter(lambda error, _: f"{100 - error:g}")
    axes.yaxis.set_minor_locator(NullLocator())


def _percentiles(axes: Axes, trace: Trace, name: str, rate: float) -> None:
    low, middle, high = trace.percentiles[:, :, trace.typical].T
    axes.fill_between(trace.steps, low, high, color=COLOURS[name], alpha=0.2, lw=0)
    for line, style in ((high, ":"), (middle, "-"), (low, "--")):
        axes.plot(trace.steps, line, style, color=COLOURS[name])
    for line, percentile in ((low, 15), (middle, 50), (high, 85)):
        axes.annotate(
            f"{percentile} %",
            (trace.steps[-1], line[-1]),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
            annotation_clip=False,
        )
    title = f"Input {name}{'' if name == WITH else ' batch norm'}, rate {rate:g}"
    axes.set(title=title, xlabel="step", ylabel="one sigmoid's input, percentiles")
