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
from scipy.special import expit as sigmoid

from trainwright import exhibit as ex

NIELSEN, BOOK = "Nielsen 2015, chapter 3", "Goodfellow, Bengio & Courville 2016, section 6.2.2"
NEURON_STARTS = {"good start": (0.6, 0.9), "saturated start": (2.0, 2.0)}  # (w, b)
NEURON_COSTS = ("quadratic", "cross-entropy")
RATE = 0.15  # Nielsen's for the quadratic cost
COSTS = {"quadratic": "quadratic", "cross-entropy": "cross_entropy", "J(θ)": "sigmoid_cross_entropy"}
STARTS = {"usual start": "", "sure start": "initialization('normal', std=1.0),"}
SURE = " when the first outputs are sure of wrong answers"
Neurons = Mapping[tuple[str, str], ex.Floats]  # outputs along the steps, by start and cost
SCALES = ex.scales(data=("digits", "mnist"), batch=(32, 128), epochs=(12, 30), seeds=(15, 10))


@ex.config
class Costs(ex.Exhibit):
    """A saturated sigmoid learns slowly under the quadratic cost and not under cross-entropy."""

    title = "Quadratic cost or cross-entropy: how fast a network learns from being wrong"

    def make(self, budget: ex.Budget, store: Path) -> ex.ExhibitResult:
        neurons = {(start, cost): learn(cost, start) for start in NEURON_STARTS for cost in NEURON_COSTS}
        trained = studies(SCALES[budget])
        compared = ex.compare_all(trained, store)
        usual, sure = trained
        return self.result(
            draw(neurons, compared),
            {
                "One neuron: steps until its error is halved": halving(neurons),
                **{f"Networks, {start}": ex.overview(compared[start], "cost") for start in compared},
            },
            (
                slowed(neurons),
                *better(compared[usual], first_loss(trained[usual])),
                *better(compared[sure], first_loss(trained[sure]), SURE),
            ),
            (
                f"Networks of 64 rectified linear units; {ex.described(trained[usual])} "
                "Sure start: weights from N(0, 1).",
                "A training loss is that of the network's own cost, so these are not to be compared.",
                "The quadratic cost of the networks is over softmax outputs. Where they are not saturated, a "
                "larger learning rate makes up for its smaller gradient.",
                *ex.cautions(*compared.values()),
            ),
        )


def slope(cost: str, output: ex.Floats | float, target: float = 0.0) -> ex.Floats | float:
    """The gradient of a sigmoid neuron's cost on its input z, where its output is σ(z)."""
    return (output - target) * (output * (1 - output) if cost == "quadratic" else 1.0)


def learn(cost: str, start: str) -> ex.Floats:
    """The neuron's output before each of 300 steps of gradient descent, x = 1 and y = 0."""
    w, b = NEURON_STARTS[start]
    outputs = []
    for _ in range(300):
        outputs.append(float(sigmoid(w + b)))
        step = RATE * float(slope(cost, outputs[-1]))
        w, b = w - step, b - step
    return np.array(outputs)


def steps_to_halve(outputs: ex.Floats) -> int:
    """How many steps until the error is half of what it was; as many as there are, if it never is."""
    return int(np.argmax(outputs < outputs[0] / 2)) or len(outputs)


def halving(neurons: Neurons) -> pd.DataFrame:
    """The neuron's learning in numbers."""
    rows = [(*key, outputs[0], steps_to_halve(outputs), outputs[-1]) for key, outputs in neurons.items()]
    columns = ["start", "cost", "first output", "steps until halved", "output after 300 steps"]
    return pd.DataFrame(rows, columns=columns)


def studies(s: ex.Scale) -> dict[str, ex.Study]:
    """The costs side by side from each start."""
    data = ex.DataSpec(s.data)
    loaded = data.load()  # once for both studies
    base = ex.network(64, batch_size=s.batch, epochs=s.epochs)
    trained = {}
    for start, strategy in STARTS.items():
        arms = {name: ex.adding(base, f"{strategy} cost('{cost}')") for name, cost in COSTS.items()}
        trained[start] = ex.Study(data, arms, s.seeds, (0.1, 0.3, 1.0, 3.0, 10.0), loaded=loaded)
    return trained


def first_loss(study: ex.Study) -> ex.Measured:
    """The mean negative log-probability that untrained networks give to the right class, over the seeds."""
    recipe = study.arms["cross-entropy"]
    losses = [ex.measure_layers(recipe, study.dataset(seed), seed).log_loss for seed in range(study.seeds)]
    return ex.Measured.of(losses, "nats", signed=False)


@ex.claim(
    "A sigmoid that is saturated and wrong starts to learn slowly under the quadratic cost; under "
    "cross-entropy its gradient grows with the error.",
    NIELSEN,
)
def slowed(neurons: Neurons) -> ex.Judged:
    """A worse start lowers the quadratic cost's gradient and slows it down, and raises cross-entropy's."""
    good, bad = NEURON_STARTS
    halved = {key: steps_to_halve(outputs) for key, outputs in neurons.items()}
    first = {(start, cost): float(slope(cost, seen[0])) for (start, cost), seen in neurons.items()}
    listed = [
        f"{cost}: from the good to the saturated start the first gradient goes from {first[good, cost]:.3f} "
        f"to {first[bad, cost]:.3f}, the steps that halve the error from {halved[good, cost]} to "
        f"{halved[bad, cost]}"
        for cost in NEURON_COSTS
    ]
    weaker = first[bad, "quadratic"] < first[good, "quadratic"]
    slower = halved[bad, "quadratic"] > halved[good, "quadratic"]
    stronger = first[bad, "cross-entropy"] > first[good, "cross-entropy"]
    return f"{'; '.join(listed)}.", weaker and slower and stronger


def better(comparison: ex.Comparison, first: ex.Measured, when: str = "") -> tuple[ex.Claim, ex.Claim]:
    """Both cross-entropies by the verdicts over the quadratic cost; `first`: the networks' first loss."""
    softmax = f"Softmax outputs learn better with cross-entropy than with the quadratic cost{when}."
    sigmoid = f"Sigmoid outputs with J(θ) learn better than softmax outputs with the quadratic cost{when}."
    more = f"Before training, the loss is {first}; guessing among ten classes has 2.30."
    return (
        ex.Claim.judged(softmax, BOOK, comparison, "cross-entropy", more=more),
        ex.Claim.judged(sigmoid, f"the lecture; {NIELSEN}", comparison, "J(θ)", more=more),
    )


def draw(neurons: Neurons, compared: Mapping[str, ex.Comparison]) -> ex.Figure:
    """Slopes and one neuron; below, networks from both starts."""
    figure, panels = ex.sheet(8.2, "slopes neuron", "usual sure")
    z = np.linspace(-6, 6, 241)
    slopes = pd.DataFrame({cost: slope(cost, sigmoid(z)) for cost in NEURON_COSTS}, z)
    ex.curves(panels["slopes"], slopes, "Gradient on a neuron's input, target 0", "input z", "∂C/∂z")
    panels["slopes"].axvspan(2.2, 6, color=ex.BLACK, alpha=0.07, lw=0)
    panels["slopes"].text(4.1, 0.45, "saturated,\nand wrong", ha="center")
    outputs = {f"{cost}, {start}": pd.Series(seen) for (start, cost), seen in neurons.items()}
    colours = {"quadratic": ex.BLUE, "cross-entropy": ex.VERMILLION}
    dashes = {"good start": ":", "saturated start": "-"}
    looks = {f"{cost}, {start}": {"color": colours[cost], "ls": dashes[start]} for start, cost in neurons}
    title = "One neuron that should say 0"
    ex.curves(panels["neuron"], outputs, title, "steps", "output", looks=looks, ylim=(0, 1.4))
    for name, (start, comparison) in zip(("usual", "sure"), compared.items(), strict=True):
        rates = {f"{arm.name}, rate {arm.learning_rate:g}": arm for arm in comparison.arms}
        errors = {label: ex.curve(arm, "validation_error") for label, arm in rates.items()}
        ex.curves(panels[name], errors, f"Networks, {start}", "steps", "validation error (%)", ylim=(0, None))
    return figure
