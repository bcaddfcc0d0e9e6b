"""Diagnose: what a run's measurements show, in plain sentences, with a strategy to treat each symptom.

The network is looked at before its first step and with the weights that it was left with. A symptom is a
reading beyond a bound; the bounds are rules of thumb, each named and explained here. A treatment is what to
try first: whether it helps on this data is what a study tells.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from trainwright.base.errors import SettingError
from trainwright.data.dataset import Dataset
from trainwright.diagnosis.instruments import LayerStats, measure_layers
from trainwright.recipe import Recipe
from trainwright.runs.run import Run

UNEVEN = 30  # one end's gradient over the other's, of the hidden layers: one rate can't suit both
EXCESS = 0.5  # of the entropy: a first loss above by more is a network that is sure of wrong answers
SHORT = 0.05  # nats between the entropy of the targets and that of equal classes: worth a first bias
SATURATED = 0.5  # of a layer's responses: more of them flat than not
DEAD = 0.2  # of a layer's units: a healthy narrow layer of rectified linear units has up to a tenth
LONG, SLOW = 0.1, 1e-5  # a step over the weights that it moves: too bold, and hardly any step
RISEN = 1.1  # the last validation loss over the lowest: it has been climbing for a while


@dataclass(frozen=True)
class Symptom:
    """Something that the measurements show and that is worth treating."""

    name: str
    """What it is called, such as "dead units"."""
    says: str
    """What was measured, where and when, as a sentence with its numbers."""
    treatment: str
    """What to try, with a strategy as it is written on the command line."""


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """A run's readings, before the first step and with the weights that were kept, and what they show."""

    start: LayerStats
    """The readings before the first step."""
    end: LayerStats
    """The readings with the weights that were kept."""
    symptoms: tuple[Symptom, ...]
    """What they show, in the order of looking; empty where all is well."""

    def to_json(self) -> dict[str, Any]:
        """As plain values: the symptoms, and each moment's readings; None for what is not a number."""
        return {
            "symptoms": [vars(symptom) for symptom in self.symptoms],
            "start": _plain(self.start),
            "end": _plain(self.end),
        }


def diagnose(run: Run, data: Dataset) -> Diagnosis:
    """Read the instruments on a run of this data, and name the symptoms.

    Raises `SettingError` for a run of other data, for one that was read without its weights, and for a
    network that is no chain of layers.

    >>> from trainwright.data import load
    >>> from trainwright.training.fit import fit
    >>> from trainwright.strategies import Activation, Initialization
    >>> data = load("digits")
    >>> recipe = Recipe(strategies=(Activation("tanh"), Initialization("zeros")), epochs=1)
    >>> run = fit(recipe, data)
    >>> [symptom.name for symptom in diagnose(run, data).symptoms]
    ['symmetry']
    """
    if run.data["fingerprint"] != data.fingerprint:
        raise SettingError(
            f"the run was made on different data from {data.name}: load the data as for the run"
        )
    recipe = Recipe.from_json(run.recipe)
    start = measure_layers(recipe, data, run.seed)
    end = measure_layers(recipe, data, run.seed, weights=run.weights, at_step=run.best_step)
    return Diagnosis(start, end, tuple(_symptoms(run, start, end)))


def _symptoms(run: Run, start: LayerStats, end: LayerStats) -> Iterator[Symptom]:
    yield from _first_loss(start, run)
    yield from _equal_units(start)
    if run.status == "diverged":
        yield _diverged(run)
    moments = [("before the first step", start)]
    if run.status != "diverged":
        moments.append(("after training", end))
        yield from _overfitted(run)
    for look in (_uneven_gradient, _saturated, _dead, _step_size):
        # What is there from the start is said once.
        first = next((symptom for when, stats in moments for symptom in look(stats, when)), None)
        if first:
            yield first


def _first_loss(start: LayerStats, run: Run) -> Iterator[Symptom]:
    if start.log_loss > (1 + EXCESS) * start.guess:
        yield Symptom(
            "first loss",
            f"The loss starts at {start.log_loss:.3g}; guessing without the inputs would have"
            f" {start.guess:.3g}. The first outputs are confident in wrong answers.",
            "initialization('glorot_uniform'), or another rule with smaller first weights",
        )
    elif run.data["task"] == "classification":
        equal = float(np.log(len(run.data["classes"])))
        if equal - start.guess > SHORT and start.log_loss > start.guess + SHORT:
            yield Symptom(
                "first loss",
                f"The classes are not equally frequent: their entropy is {start.guess:.3g} nats, and the loss"
                f" starts at {start.log_loss:.3g}. The first steps only learn these frequencies.",
                "initialization(output_bias='marginals')",
            )


def _diverged(run: Run) -> Symptom:
    rate = run.recipe["learning_rate"]
    return Symptom(
        "diverged",
        f"The loss stopped being finite within {run.steps} steps at the learning rate {rate:g}.",
        f"a learning rate below {rate:g}, or batch_norm",
    )


def _overfitted(run: Run) -> Iterator[Symptom]:
    losses = run.history["validation_loss"]
    best = int(np.argmin(losses))
    if losses[-1] > RISEN * losses[best] and run.best_step == run.history["step"][-1]:
        yield Symptom(
            "overfitting",
            f"The validation loss was lowest at step {run.history['step'][best]:g} ({losses[best]:.3g}) and"
            f" has risen to {losses[-1]:.3g} since; the training loss ended at"
            f" {run.history['train_loss'][-1]:.3g}.",
            "early_stopping; then dropout, or l2",
        )


def _equal_units(start: LayerStats) -> Iterator[Symptom]:
    for layer, gradient in start.gradients.items():
        units = gradient.reshape(-1, gradient.shape[-1])
        alike = units.shape[1] > 1 and np.ptp(units, axis=1).max() == 0
        zeros = start.layers["update"].isna()[layer]  # all weights are; else no gradient says nothing
        if layer != "output" and alike and (units.any() or zeros):
            yield Symptom(
                "symmetry",
                f"All units of {layer} have the same initial gradient, so they remain copies of each other.",
                "initialization('glorot_uniform')",
            )
            return


def _uneven_gradient(stats: LayerStats, when: str) -> Iterator[Symptom]:
    sizes = {  # per weight, so that large layers don't seem to learn faster
        layer: float(np.sqrt(np.mean(gradient.astype(np.float64) ** 2)))
        for layer, gradient in stats.gradients.items()
        if layer != "output"
    }
    if len(sizes) < 2:
        return
    (first, low), (last, high) = next(iter(sizes.items())), list(sizes.items())[-1]
    kind = "vanishing gradient" if low < high else "exploding gradient"
    if UNEVEN * min(low, high) < max(low, high):
        treatments = {
            "vanishing gradient": "activation('relu'), or batch_norm",
            "exploding gradient": "batch_norm, or initialization('glorot_uniform')",
        }
        yield Symptom(
            kind,
            f"The gradient of a weight is {low:.1e} in {first} and {high:.1e} in {last} {when} (root mean"
            f" squares): {'the first layers hardly learn' if low < high else 'it grows on its way back'}.",
            treatments[kind],
        )


def _saturated(stats: LayerStats, when: str) -> Iterator[Symptom]:
    bounded = stats.layers["saturated"]
    if (bounded > SATURATED).any():
        layer = str(bounded.idxmax())
        low, high = stats.layers.loc[layer, ["p15", "p85"]]
        yield Symptom(
            "saturation",
            f"{bounded[layer]:.0%} of the responses in {layer} are saturated {when} (70 % of its inputs lie"
            f" between {low:.3g} and {high:.3g}): hardly any gradient gets through.",
            "batch_norm, or activation('relu')",
        )


def _dead(stats: LayerStats, when: str) -> Iterator[Symptom]:
    dead = stats.layers["dead"]
    if (dead > DEAD).any():
        layer = str(dead.idxmax())
        yield Symptom(
            "dead units",
            f"{dead[layer]:.0%} of the units in {layer} pass no gradient for any of the examples {when}.",
            "initialization(hidden_bias=0.1), activation('leaky_relu'), or a smaller learning rate",
        )


def _step_size(stats: LayerStats, when: str) -> Iterator[Symptom]:
    moved = stats.layers["update"]
    if moved.max() > LONG:
        yield Symptom(
            "long steps",
            f"A step moves the weights of {moved.idxmax()} by {moved.max():.2g} of their size {when}.",
            "a smaller learning rate",
        )
    elif when == "before the first step" and moved.max() < SLOW:
        yield Symptom(
            "short steps",
            f"A step moves the weights by {moved.max():.1e} of their size at most, {when}.",
            "a larger learning rate, momentum(0.9), or adam",
        )


def _plain(stats: LayerStats) -> dict[str, Any]:
    layers = [
        {name: value if isinstance(value, str) or isfinite(value) else None for name, value in row.items()}
        for row in stats.layers.reset_index().to_dict("records")
    ]
    totals = {name: getattr(stats, name) for name in ("loss", "log_loss", "guess")}
    return {name: value if isfinite(value) else None for name, value in totals.items()} | {"layers": layers}
