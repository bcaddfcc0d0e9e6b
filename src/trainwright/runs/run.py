"""Run: what one (recipe, data, seed) left behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Run:
    """Curves, predictions, weights and environment of one training; NumPy arrays and plain values only."""

    recipe: dict[str, Any]
    """What `Recipe.to_json` says."""
    data: dict[str, Any]
    """The data set's facts: name, task, classes, fingerprint, numbers of examples, preparation."""
    seed: int
    status: Literal["finished", "diverged"]
    """Diverged: a loss was no longer finite."""
    steps: int
    """All that were made, in all phases."""
    best_step: int
    """The step whose weights were kept: the last one, unless a strategy chose an earlier."""
    parameters: int
    """How many numbers were trained."""
    seconds: float
    """The time of its steps and evaluations, compiling left out; in a cohort, its share."""
    memory_bytes: int
    """The size of weights and optimiser state, and of the kept weights where training may stop early."""
    environment: dict[str, Any]
    """Versions, device and cores; see `trainwright.base.environment`."""
    history: dict[str, NDArray[Any]]
    """Per evaluation, (evaluations,): step, train_loss (mean over the steps since the last one),
    validation_loss, validation_error (a fraction; for regression the RMSE in the target's unit). Losses are
    nats, or half the squared error of the standardised target."""
    predictions: Mapping[str, NDArray[Any]]
    """`validation` and `test`: log-probabilities (examples, classes), or values (examples,) in the target's
    unit; `validation_targets` and `test_targets`: the classes' numbers or the values, (examples,);
    `validation_rows` and `test_rows`: which examples of the data set these are; `test_groups`: their groups,
    where the data has any."""
    weights: Mapping[str, NDArray[Any]]
    """The kept weights and statistics, by name, such as `hidden1/kernel`."""
