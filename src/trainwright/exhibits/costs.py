"""The cost decides how fast a network learns where it is wrong.

A sigmoid unit that is saturated at the wrong end should learn fast. Under the quadratic cost (a - y)²/2 it
does not: the gradient on its input z is (a - y) σ'(z), and σ' is next to nothing there. Under cross-entropy
the factor σ' cancels and a - y remains. The same is tried in networks: softmax outputs with both costs, and
sigmoid outputs with the lecture's J(θ) = -1/m Σ Σ [y log h + (1 - y) log(1 - h)]; from the usual initial
weights, and from ones that make the first outputs sure of wrong answers.

Source: Nielsen 2015, Neural Networks and Deep Learning, chapter 3: one neuron with one input, x = 1 and y =
0, starting from (w, b) = (0.6, 0.9) and from (2, 2); Goodfellow, Bengio & Courville 2016, section 6.2.2.

Nielsen steps with η = 0.15 under the quadratic cost and 0.005 under cross-entropy; here both take 0.15. So
what is compared is not the speed of the two costs but what a worse start does to each.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trainwright.base.config import config
from trainwright.comparison.results import Comparison
from trainwright.data import DataSpec
from trainwright.diagnosis.instruments import measure_layers
from trainwright.exhibit import (
    Claim,
    Exhibit,
    ExhibitResult,
    Measured,
    cautions,
    compare_all,
    curve,
    described,
    overview,
)
from trainwright.exhibit.panels import BLUE, GREEN, VERMILLION, curves
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.strategies import Cost, Initialization
from trainwright.studies.defaults import Budget
from trainwright.studies.study import Study

NIELSEN = "Nielsen 2015, chapter 3"
NEURON_STARTS = {"good start": (0.6, 0.9), "saturated start": (2.0, 2.0)}
RATE, STEPS = 0.15, 300  # Nielsen's for the quadratic cost
RATES = (0.1, 0.3, 1.0, 3.0, 10.0)
NEURON_COSTS = ("quadratic", "cross-entropy")
STARTS = {"usual start": (), "sure start": (Initialization("normal", std=1.0),)}
SURE = " when the first outputs are sure of wrong answers"
COSTS = {"quadratic": "quadratic", "cross-entropy": "cross_entropy", "J(θ)": "sigmoid_cross_entropy"}
LOOKS = dict(zip(COSTS, ({"color": VERMILLION}, {"color": BLUE}, {"color": GREEN, "ls": "--"}), strict=True))
Floats = NDArray[np.float64]
Neurons = Mapping[tuple[str, str], Floats]  # outputs along the steps, by start and cost


SCALES: dict[Budget, tuple[str, int, int, int]] = {  # data, batch size, epochs, seeds
    "quick": ("digits", 32, 12, 15),
    "full": ("mnist", 128, 30, 10),
}


@config
class Costs(Exhibit):
    """A saturated sigmoid learns slowly under the quadratic cost and not under cross-entropy."""

    title = "Quadratic cost or cross-entropy: how fast a network learns from being wrong"

    def make(self, budget: Budget, store: Path) -> ExhibitResult:
        neurons = {(start, cost): learn(cost, start) for start in NEURON_STARTS for cost in NEURON_COSTS}
        trained = studies(*SCALES[budget])
        compared = compare_all(trained, store)
        return self.result(
            draw(neurons, compared),
            {"One neuron: steps until its error is halved": halving(neurons)}
            | {f"Networks, {start}": overview(comparison, "cost") for start, comparison in compared.items()},
            (
                slowed(neurons),
                *better(compared["usual start"], first_loss(trained["usual start"])),
                *better(compared["sure start"], first_loss(trained["sure start"]), SURE),
            ),
            (
                f"Networks of 64 rectified linear units; {described(trained['usual start'])} "
                "Sure start: weights from N(0, 1).",
                "The quadratic cost of the networks is over softmax outputs. Where they are not saturated, a "
                "larger learning rate makes up for its smaller gradient.",
                *cautions(*compared.values()),
            ),
        )


def sigmoid(z: Floats | float) -> Floats:
    """1 / (1 + exp(-z))."""
    return np.asarray(1 / (1 + np.exp(-z)))


def slope(cost: str, z: Floats | float, y: float) -> Floats:
    """The gradient of a sigmoid neuron's cost on its input z, for the target y."""
    a = sigmoid(z)
    return (a - y) * (a * (1 - a) if cost == "quadratic" else 1.0)


def learn(cost: str, start: str) -> Floats:
    """The neuron's output before each step of gradient descent, x = 1 and y = 0."""
    (w, b), outputs = NEURON_STARTS[start], np.empty(STEPS)
    for number in range(STEPS):
        outputs[number] = sigmoid(w + b)
        step = RATE * float(slope(cost, w + b, 0.0))
        w, b = w - step, b - step
    return outputs


def steps_to_halve(outputs: Floats) -> int:
    """How many steps until the error is half of what it was; as many as there are, if it never is."""
    return int(np.argmax(outputs < outputs[0] / 2)) or len(outputs)


def studies(data: str, batch: int, epochs: int, seeds: int) -> dict[str, Study]:
    """The costs side by side from each start."""
    plain = Recipe(Mlp((64,)), batch_size=batch, epochs=epochs)

    def arms(*start: Initialization) -> dict[str, Recipe]:
        return {name: plain.adding(*start, Cost(cost)) for name, cost in COSTS.items()}

    return {start: Study(DataSpec(data), arms(*given), seeds, RATES) for start, given in STARTS.items()}


def first_loss(study: Study) -> Measured:
    """The mean negative log-probability that untrained networks give to the right class, over the seeds."""
    recipe = study.arms["cross-entropy"]
    losses = [measure_layers(recipe, study.dataset(seed), seed).log_loss for seed in range(study.seeds)]
    return Measured.of(losses, "nats", signed=False)


def halving(neurons: Neurons) -> pd.DataFrame:
    """The neuron's learning in numbers."""
    rows = [
        (start, cost, outputs[0], steps_to_halve(outputs), outputs[-1])
        for (start, cost), outputs in neurons.items()
    ]
    columns = ["start", "cost", "first output", "steps until halved", f"output after {STEPS} steps"]
    return pd.DataFrame(rows, columns=columns)


def slowed(neurons: Neurons) -> Claim:
    """A worse start lowers the quadratic cost's gradient and slows it down, and raises cross-entropy's."""
    good, bad = NEURON_STARTS
    halved = {key: steps_to_halve(outputs) for key, outputs in neurons.items()}
    first = {
        (start, cost): float(slope(cost, np.log(outputs[0] / (1 - outputs[0])), 0.0))
        for (start, cost), outputs in neurons.items()
    }
    listed = [
        f"{cost}: from the good to the saturated start the first gradient goes from {first[good, cost]:.3f} "
        f"to {first[bad, cost]:.3f}, the steps that halve the error from {halved[good, cost]} to "
        f"{halved[bad, cost]}"
        for cost in NEURON_COSTS
    ]
    return Claim(
        "A sigmoid that is saturated and wrong starts to learn slowly under the quadratic cost; under "
        "cross-entropy its gradient grows with the error.",
        NIELSEN,
        f"{'; '.join(listed)}.",
        first[bad, "quadratic"] < first[good, "quadratic"]
        and halved[bad, "quadratic"] > halved[good, "quadratic"]
        and first[bad, "cross-entropy"] > first[good, "cross-entropy"],
    )


def better(comparison: Comparison, first: Measured, when: str = "") -> tuple[Claim, Claim]:
    """Both cross-entropies by the verdicts over the quadratic cost; `first`: the networks' first loss."""
    more = f"Before training, the loss is {first}; guessing among ten classes has 2.30."
    return (
        Claim.judged(
            f"Softmax outputs learn better with cross-entropy than with the quadratic cost{when}.",
            "Goodfellow, Bengio & Courville 2016, section 6.2.2", comparison, "cross-entropy", more=more,
        ),
        Claim.judged(
            f"Sigmoid outputs with J(θ) learn better than softmax outputs with the quadratic cost{when}.",
            f"the lecture; {NIELSEN}", comparison, "J(θ)", more=more,
        ),
    )  # fmt: skip


def draw(neurons: Neurons, compared: Mapping[str, Comparison]) -> Figure:
    """Slopes and one neuron; below, networks from both starts."""
    figure = Figure(figsize=(7.6, 8.2))
    (left, right), below = figure.subplots(2, 2)
    z = np.linspace(-6, 6, 241)
    curves(
        left, pd.DataFrame({cost: slope(cost, z, 0.0) for cost in NEURON_COSTS}, z), looks=LOOKS,
        title="Gradient on a neuron's input, target 0", xlabel="input z", ylabel="∂C/∂z", legend="upper left",
    )  # fmt: skip
    left.axvspan(2.2, 6, color="black", alpha=0.07, lw=0)
    left.text(4.1, 0.45, "saturated,\nand wrong", ha="center")
    dashes = dict(zip(NEURON_STARTS, (":", "-"), strict=True))
    curves(
        right, {f"{cost}, {start}": pd.Series(outputs) for (start, cost), outputs in neurons.items()},
        looks={f"{cost}, {start}": {**LOOKS[cost], "ls": dashes[start]} for start, cost in neurons},
        title="One neuron that should say 0", xlabel="steps", ylabel="output", ylim=(0, 1.4),
    )  # fmt: skip
    for axes, (start, comparison) in zip(below, compared.items(), strict=True):
        series = {
            f"{arm.name}, rate {arm.learning_rate:g}": curve(arm, "validation_error")
            for arm in comparison.arms
        }
        curves(
            axes, series, looks=dict(zip(series, LOOKS.values(), strict=True)),
            title=f"Networks, {start}", xlabel="steps", ylabel="validation error (%)", ylim=(0, None),
        )  # fmt: skip
    return figure
