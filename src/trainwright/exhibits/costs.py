"""The cost decides how fast a network learns where it is wrong.

A sigmoid unit that is saturated at the wrong end, far from its target, should learn fast. Under the quadratic
cost (a - y)²/2 it does not: the gradient on its input z is (a - y) σ'(z), and σ' is next to nothing there.
Under cross-entropy the factor σ' cancels, and the gradient is the error itself, a - y. So a neuron that
starts badly first stands still with the one cost, and not with the other. For classes, softmax outputs take
the sigmoid's place: networks with the two costs are trained side by side, from the same first weights and on
the same batches, each at the learning rate that is best for it on validation; and once more from first
outputs that are sure of wrong answers.

Source: Nielsen 2015, Neural Networks and Deep Learning, chapter 3: one neuron with one input, x = 1 and y =
0, starting from (w, b) = (0.6, 0.9) and from (2, 2); Goodfellow, Bengio & Courville 2016, section 6.2.2.

Nielsen steps with η = 0.15 under the quadratic cost and 0.005 under cross-entropy in the published figures;
here both take 0.15. So it is not the speeds of the two costs that are compared, but what a worse start does
to each: the gradient should grow with the error.
"""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from flax import nnx
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trainwright.base.config import config
from trainwright.comparison.compare import Comparison
from trainwright.data import DataSpec
from trainwright.exhibit import Claim, Exhibit, ExhibitResult, cautions
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.strategies import Cost, Initialization
from trainwright.studies.defaults import Budget
from trainwright.studies.study import Study
from trainwright.training.building import Training, build

Array = NDArray[np.float64]

COSTS = ("quadratic", "cross-entropy")
STARTS = {"good start": (0.6, 0.9), "saturated start": (2.0, 2.0)}
RATE, STEPS = 0.15, 300  # Nielsen's for the quadratic cost
RATES = (0.1, 0.3, 1.0, 3.0, 10.0)
SURE = 1.0  # the standard deviation of first weights that make sure, and wrong, first outputs


def sigmoid(z: Array | np.float64) -> Array:
    """1 / (1 + exp(-z))."""
    return np.asarray(1 / (1 + np.exp(-z)))


def slope(cost: str, z: Array | np.float64, y: float) -> Array:
    """The gradient of a sigmoid neuron's cost on its input z, for the target y."""
    a = sigmoid(z)
    return (a - y) * (a * (1 - a) if cost == "quadratic" else 1.0)


def measure_neuron(cost: str, start: tuple[float, float]) -> Array:
    """The neuron's output before each of 300 steps of gradient descent, x = 1 and y = 0."""
    w, b = start
    outputs = np.empty(STEPS)
    for number in range(STEPS):
        outputs[number] = sigmoid(np.float64(w + b))
        step = RATE * float(slope(cost, np.float64(w + b), 0.0))
        w, b = w - step, b - step
    return outputs


def steps_to_halve(outputs: Array) -> int:
    """How many steps until the error is half of what it was; as many as there are, if it never is."""
    return int(np.argmax(outputs < outputs[0] / 2)) or len(outputs)


def plan(seeds: int, epochs: int, source: str) -> dict[str, Study]:
    """Both costs side by side, from usual first weights and from ones that make sure outputs."""
    recipe = Recipe(Mlp((64,)), batch_size=32 if source == "digits" else 128, epochs=epochs)
    starts = {"usual start": (), "sure start": (Initialization("normal", std=SURE),)}
    return {
        start: Study(
            DataSpec(source),
            {
                "cross-entropy": recipe.replace(strategies=strategies),
                "quadratic": recipe.replace(strategies=(*strategies, Cost("quadratic"))),
            },
            seeds,
            RATES,
            folds=False,
        )
        for start, strategies in starts.items()
    }


def saturated(study: Study) -> float:
    """The share of training examples to whose class the first weights give less than 1 %, over the seeds."""
    recipe, data = next(iter(study.arms.values())), study.dataset()
    rows = data.splits.train
    inputs, classes = jnp.asarray(data.inputs[rows]), data.targets[rows]
    shares = []
    for seed in range(study.seeds):
        graphdef, state = build(Training(recipe, data, seed))
        given = jax.nn.softmax(nnx.merge(graphdef, state.params, state.rest)(inputs))
        shares.append(np.mean(np.asarray(given)[np.arange(len(rows)), classes] < 0.01))
    return fmean(shares)


@config
class Costs(Exhibit):
    """A saturated sigmoid learns slowly under the quadratic cost and not under cross-entropy."""

    title: ClassVar[str] = "Quadratic cost or cross-entropy: how fast one learns from being wrong"

    def make(self, budget: Budget, store: Path) -> ExhibitResult:
        seeds, epochs, source = (16, 12, "digits") if budget == "quick" else (10, 30, "mnist")
        neurons = {(start, cost): measure_neuron(cost, STARTS[start]) for start in STARTS for cost in COSTS}
        studies = plan(seeds, epochs, source)
        networks = {start: study.compare(store) for start, study in studies.items()}
        wrong = {start: saturated(study) for start, study in studies.items()}
        return ExhibitResult(
            self.name,
            self.title,
            _draw(neurons, networks),
            {
                "One neuron: steps until its error is halved": _halving(neurons),
                f"Networks on {source}: test error at each cost's best learning rate": _errors(networks),
            },
            (
                neuron_claim(neurons),
                *(network_claim(start, networks[start], wrong[start]) for start in wrong),
            ),
            (
                f"Networks: {source}, one hidden layer of 64 rectified linear units, {epochs} epochs, {seeds}"
                f" seeds, learning rates {', '.join(f'{rate:g}' for rate in RATES)}; sure start: normal first"
                f" weights of standard deviation {SURE:g}.",
                "Where outputs are not saturated, a larger learning rate can make up for the quadratic cost's"
                " smaller gradient: what it loses at the beginning it can catch up with.",
                *cautions(*networks.values()),
            ),
        )


def _halving(neurons: dict[tuple[str, str], Array]) -> pd.DataFrame:
    rows = [
        {
            "start": start,
            "cost": cost,
            "first output": outputs[0],
            "steps until halved": steps_to_halve(outputs),
            f"output after {STEPS} steps": outputs[-1],
        }
        for (start, cost), outputs in neurons.items()
    ]
    return pd.DataFrame(rows)


def _errors(networks: dict[str, Comparison]) -> pd.DataFrame:
    rows = [
        {
            "start": start,
            "cost": arm.name,
            "learning rate": arm.learning_rate,
            "test error, %": 100 * arm.error.mean,
            "95 % interval, %": f"{100 * arm.error.low:.2f} to {100 * arm.error.high:.2f}",
            "seeds": len(arm.seeds),
        }
        for start, comparison in networks.items()
        for arm in comparison.arms
    ]
    return pd.DataFrame(rows)


def neuron_claim(neurons: dict[tuple[str, str], Array]) -> Claim:
    """What a worse start does to the first gradient, and to the steps that halve the error."""
    good, bad = STARTS
    inputs = {key: np.log(outputs[0] / (1 - outputs[0])) for key, outputs in neurons.items()}
    first = {key: float(slope(key[1], z, 0.0)) for key, z in inputs.items()}
    halved = {key: steps_to_halve(outputs) for key, outputs in neurons.items()}
    return Claim(
        "A sigmoid that is saturated and wrong starts to learn slowly under the quadratic cost; under"
        " cross-entropy its gradient grows with the error.",
        "Nielsen 2015, chapter 3",
        "; ".join(
            f"{cost}: from the good to the saturated start the first gradient goes from"
            f" {first[good, cost]:.3f} to {first[bad, cost]:.3f}, the steps that halve the error from"
            f" {halved[good, cost]} to {halved[bad, cost]}"
            for cost in COSTS
        )
        + ".",
        first[bad, "quadratic"] < first[good, "quadratic"]
        and first[bad, "cross-entropy"] > first[good, "cross-entropy"]
        and halved[bad, "quadratic"] > halved[good, "quadratic"],
    )


def network_claim(start: str, comparison: Comparison, wrong: float) -> Claim:
    """Both costs' test errors, and how many first outputs were saturated and wrong."""
    plain, quadratic = comparison.arms
    difference = quadratic.difference
    assert difference is not None
    low, high = 100 * difference.interval.low, 100 * difference.interval.high
    return Claim(
        "Softmax outputs learn better with cross-entropy than with the quadratic cost"
        + (" when the first outputs are sure of wrong answers." if start == "sure start" else "."),
        "Goodfellow, Bengio & Courville 2016, section 6.2.2",
        f"With the {start}: test error {100 * plain.error.mean:.2f} % with cross-entropy and"
        f" {100 * quadratic.error.mean:.2f} % with the quadratic cost: {100 * difference.interval.mean:+.2f}"
        f" points (95 % interval {low:+.2f} to {high:+.2f}, n = {len(plain.seeds)} seeds, paired). Of the"
        f" first outputs {wrong:.0%} gave less than 1 % to the right class.",
        difference.interval.low > 0,
    )


def _draw(neurons: dict[tuple[str, str], Array], networks: dict[str, Comparison]) -> Figure:
    figure = Figure(figsize=(7.6, 8.2), layout="constrained")
    (left, right), (usual, sure) = figure.subplots(2, 2)
    _draw_slopes(left)
    for (start, cost), outputs in neurons.items():
        style = ":" if start == "good start" else "-"
        right.plot(outputs, style, color=_colour(cost), label=f"{cost}, {start}")
    right.set(title="One neuron that should say 0", xlabel="steps", ylabel="output", ylim=(0, 1.4))
    right.legend(loc="upper right")
    for axes, (start, comparison) in zip((usual, sure), networks.items(), strict=True):
        _draw_curves(axes, start, comparison)
    return figure


def _draw_slopes(axes: Axes) -> None:
    z = np.linspace(-6, 6, 241)
    for cost in COSTS:
        axes.plot(z, slope(cost, z, 0.0), color=_colour(cost), label=cost)
    axes.axvspan(2.2, 6, color="black", alpha=0.07, lw=0)
    axes.text(4.1, 0.45, "saturated,\nand wrong", ha="center")
    axes.set(title="Gradient on a neuron's input, target 0", xlabel="input z", ylabel="∂C/∂z")
    axes.legend(loc="upper left")


def _draw_curves(axes: Axes, start: str, comparison: Comparison) -> None:
    for arm in comparison.arms:
        curve, colour = arm.curves["validation_error"], _colour(arm.name)
        low, mean, high = (100 * np.asarray(part) for part in (curve.low, curve.mean, curve.high))
        axes.fill_between(curve.steps, low, high, color=colour, alpha=0.2, lw=0)
        axes.plot(curve.steps, mean, color=colour, label=f"{arm.name}, rate {arm.learning_rate:g}")
    axes.set(title=f"Networks, {start}", xlabel="steps", ylabel="validation error, %", ylim=(0, None))
    axes.grid(visible=True)
    axes.legend()


def _colour(cost: str) -> str:
    return {"quadratic": "C1", "cross-entropy": "C0"}[cost]
