"""Batch norm: layers whose inputs keep their distribution while the layers below them learn.

Ioffe & Szegedy 2015, section 4.1 and figure 1: MNIST, binary images, three fully connected hidden layers of
100 sigmoid units, softmax and cross-entropy, 50,000 steps of batch 60, with and without batch norm before
each sigmoid. With it the network is right more often, and from early on (figure 1a). Figures 1b and 1c follow
the input of one typical sigmoid of the last hidden layer, its 15th, 50th and 85th percentiles: without batch
norm they wander while the layers below change, with it they stay where they are.

The paper names neither the learning rate, the deviation of the "small random Gaussian" first weights, the
optimiser nor how the images were made binary. Chosen here: plain gradient descent; weights of deviation 0.1;
a pixel is 1 where it is above one half. The arms are compared twice: both at learning rate 0.3, as the paper
presumably did, and each at the rate with the lowest validation error of 0.3, 1, 3 and 10 (quick: 0.3 and 3).
The percentiles are drawn at the latter. A network without batch norm that may choose a large rate soon makes
up for much of its slow start.

Figure 1a draws the test accuracy along training; here that is the accuracy on 10,000 validation examples, so
50,000 images train, and the test images judge the end. The percentiles are over 1,000 validation images, the
statistics of batch norm those of the trained population, as in the paper's Algorithm 2. What is typical is
settled thus: of the 100 units the one whose spread of percentiles at the end is the median.
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
from numpy.typing import NDArray

from trainwright import paired
from trainwright.compare import ArmRuns, Comparison, compare, sentence
from trainwright.data import Dataset, DataSpec, load
from trainwright.defaults import Budget
from trainwright.exhibit import Claim, Exhibit, Exhibited
from trainwright.fit import fit
from trainwright.model import Model
from trainwright.network import Chain
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.report.figures import BLUE, VERMILLION
from trainwright.strategies import batch_norm
from trainwright.strategies.activation import Activation
from trainwright.strategies.initialization import Initialization
from trainwright.strategy import Layer
from trainwright.study import Study
from trainwright.training import Slot
from trainwright.value import value

PERCENTILES = (15, 50, 85)
WITHOUT, WITH = "without", "with batch norm"
COLOURS = {WITHOUT: BLUE, WITH: VERMILLION}
PAPER = "Ioffe & Szegedy 2015, "


def study_of(budget: Budget) -> Study:
    """The paper's network without and with batch norm, at several learning rates."""
    quick = budget == "quick"
    base = Recipe(
        Mlp((100, 100, 100)),
        (Activation("sigmoid"), Initialization("normal", deviation=0.1)),
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
        rates=(0.3, 3.0) if quick else (0.3, 1.0, 3.0, 10.0),
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
        """(units,): how far each unit's median moves from evaluation to evaluation, all in all, in units of
        its mean spread: what the layer above sees as a change of its input's distribution."""
        low, middle, high = np.moveaxis(self.percentiles, 1, 0)
        moved: NDArray[np.float64] = np.abs(np.diff(middle, axis=0)).sum(axis=0) / (high - low).mean(axis=0)
        return moved


def trace(recipe: Recipe, data: Dataset, seed: int = 0) -> Trace:
    """Train once more and look at the last sigmoids' inputs at every evaluation."""
    x = jnp.asarray(data.inputs[data.splits.validation[:1000]])
    steps, percentiles = [], []

    def watch(slot: Slot) -> None:
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
    for part in list(chain.parts)[:-2]:  # all but the last sigmoid and the output layer
        x = part(x, key=None, training=False) if isinstance(part, Layer) else part(x)
    return x


@dataclass(frozen=True, eq=False)
class Measured:
    """What the trainings gave."""

    comparison: Comparison
    """Each arm at its own learning rate."""
    same: Comparison
    """Both at the smallest."""
    along: dict[str, NDArray[np.float64]]
    """By arm at its own rate, per seed: the mean validation accuracy over the training, in %."""
    traces: dict[str, list[Trace]]
    """By arm, one for each seed."""


def measure(study: Study, folder: Path) -> Measured:
    """Train what the store in `folder` has not, compare, and trace each arm at its rate."""
    runs, data = study.run(folder), study.dataset()
    comparison = compare(runs, reference=WITHOUT)
    rate = min(study.rates)
    same = compare([ArmRuns(arm.name, {rate: arm.runs[rate]}) for arm in runs], reference=WITHOUT)
    along, traces = {}, {}
    for arm, chosen in zip(runs, comparison.arms, strict=True):
        histories = [run.history["validation_error"] for run in arm.runs[chosen.learning_rate]]
        along[arm.name] = np.array([100 * (1 - errors.mean()) for errors in histories])
        recipe = study.arms[arm.name].replace(learning_rate=comparison.arms[0].learning_rate)
        traces[arm.name] = [trace(recipe, data, seed) for seed in range(study.seeds)]
    return Measured(comparison, same, along, traces)


@value
class BatchNorm(Exhibit):
    """The paper's MNIST experiment: accuracy along training, and a sigmoid's input."""

    title = "Batch norm: learning sooner, from inputs that stay put"

    def make(self, budget: Budget, store: Path) -> Exhibited:
        study = study_of(budget)
        measured = measure(study, store)
        recipe, splits = study.arms[WITHOUT], study.dataset().splits
        note = (
            f"{recipe.steps:,} steps of batch {recipe.batch_size}, {len(splits.train):,} training examples, "
            f"{study.seeds} seeds; percentiles over 1,000 images, those of seed 0 drawn."
        )
        scaled = ("Scaled down: 20,000 images of MNIST, 1,500 steps; the paper makes 50,000 with all.",)
        return Exhibited(
            self.name,
            self.title,
            draw(measured),
            {"Arms at the learning rate chosen on validation": table(measured)},
            claims(measured),
            (note, *scaled * (budget == "quick")),
        )


def table(measured: Measured) -> pd.DataFrame:
    """Per arm and rate: accuracy; at its own rate also the mean along training, and the medians' wander."""
    rows = [
        (arm.name, arm.learning_rate, 100 * (1 - arm.error.mean), np.nan, np.nan)
        for arm in measured.same.arms
    ]
    for arm, wandering in zip(measured.comparison.arms, _wandering(measured).values(), strict=True):
        along = float(measured.along[arm.name].mean())
        rows.append((arm.name, arm.learning_rate, 100 * (1 - arm.error.mean), along, float(wandering.mean())))
    columns = ["arm", "learning rate", "test accuracy (%)", "accuracy along training (%)", "wander (spreads)"]
    return pd.DataFrame(rows, columns=columns)


def _wandering(measured: Measured) -> dict[str, NDArray[np.float64]]:
    """Per arm and seed, the median unit's wander."""
    return {
        name: np.array([np.median(one.wander()) for one in traces])
        for name, traces in measured.traces.items()
    }


def claims(measured: Measured) -> tuple[Claim, ...]:
    """The paper's statements beside the numbers."""
    wander = _wandering(measured)
    change = paired.estimate(wander[WITH] - wander[WITHOUT])
    low, high = change.interval(0.95)
    lead = paired.estimate(measured.along[WITH] - measured.along[WITHOUT])
    least, most = lead.interval(0.95)
    return (
        _higher(measured.same, "both at the same learning rate"),
        _higher(measured.comparison, "each at its own learning rate"),
        Claim(
            "With batch norm the network trains faster.",
            PAPER + "section 4.1, figure 1a",
            f"validation accuracy averaged over the training, each at its own learning rate: "
            f"{measured.along[WITHOUT].mean():.1f} % without and {measured.along[WITH].mean():.1f} % with "
            f"batch norm (difference {lead.mean:+.1f} points, 95 % interval {least:+.1f} to {most:+.1f}, "
            f"n = {lead.count} seeds).",
            least > 0,
        ),
        Claim(
            "With batch norm the distribution of a sigmoid's input is much more stable.",
            PAPER + "figure 1b, c",
            "the median unit's median moves along training by "
            f"{wander[WITHOUT].mean():.1f} times its spread (15th to 85th percentile) without and "
            f"{wander[WITH].mean():.1f} times with batch norm (difference {change.mean:+.1f}, 95 % interval "
            f"{low:+.1f} to {high:+.1f}, n = {change.count} seeds).",
            high < 0,
        ),
    )


def _higher(comparison: Comparison, how: str) -> Claim:
    arm = comparison.arms[1]
    assert arm.difference
    rates = " and ".join(f"{one.learning_rate:g}" for one in comparison.arms)
    return Claim(
        f"With batch norm the network reaches a higher test accuracy ({how}).",
        PAPER + "figure 1a",
        f"learning rates {rates}: {sentence(arm, comparison)}",
        arm.difference.verdict == "helps",
    )


def draw(measured: Measured) -> Figure:
    """Figure 1: accuracy along training; the typical sigmoid's input without and with batch norm."""
    figure = Figure(figsize=(7.6, 6.4), layout="constrained")
    panels = figure.subplot_mosaic([["accuracy", "accuracy"], [WITHOUT, WITH]])
    for comparison, width in ((measured.same, 1.0), (measured.comparison, 2.0)):
        for arm in comparison.arms:
            curve, colour = arm.curves["validation_error"], COLOURS[arm.name]
            mean, low, high = (100 * (1 - np.array(part)) for part in (curve.mean, curve.high, curve.low))
            style = "-" if arm.name == WITH else "--"
            label = f"{'with' if arm.name == WITH else 'without'} batch norm, rate {arm.learning_rate:g}"
            panels["accuracy"].plot(curve.steps, mean, style, color=colour, lw=width, label=label)
            band = low, np.minimum(high, 100)
            panels["accuracy"].fill_between(curve.steps, *band, color=colour, alpha=0.12, lw=0)
    panels["accuracy"].set(title="Accuracy along training", xlabel="step", ylabel="validation accuracy (%)")
    panels["accuracy"].legend(fontsize=9, frameon=False, loc="lower right")
    for name, traces in measured.traces.items():
        _percentiles(panels[name], traces[0], name)
    panels[WITH].sharey(panels[WITHOUT])
    panels[WITH].autoscale()
    for axes in panels.values():
        axes.spines[["top", "right"]].set_visible(False)
        axes.title.set_fontsize(11)
    return figure


def _percentiles(axes: Axes, trace: Trace, name: str) -> None:
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
    title = "with batch norm" if name == WITH else "without batch norm"
    axes.set(title=f"Input of one sigmoid, {title}", xlabel="step", ylabel="input, percentiles")
