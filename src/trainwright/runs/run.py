"""Run: what one (recipe, data, seed) left behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
    """What weights, batches and all else that is random follow from."""
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
    pretraining: list[dict[str, Any]] = field(default_factory=list)
    """The facts of each pretraining that it starts from; see `Pretrained.facts`. `seconds` leaves its time
    out, for runs share it: count each digest once."""

    @property
    def seconds_from_scratch(self) -> float:
        """`seconds` with those of its pretrainings: what such a training costs that shares nothing."""
        before: dict[str, float] = {facts["digest"]: facts["seconds"] for facts in self.pretraining}
        return self.seconds + sum(before.values())


@dataclass(frozen=True, eq=False)
class Pretrained:
    """What one pretraining left behind, for all runs that start from it."""

    digest: str
    """Its name, made of all that decides it."""
    part: str
    """What was trained, such as `rbm1`."""
    steps: int
    """Weight updates in all epochs."""
    seconds: float
    """The time of its steps, compiling left out."""
    environment: dict[str, Any]
    """Versions, device and cores; see `trainwright.base.environment`."""
    history: dict[str, NDArray[Any]]
    """Per epoch, (epochs,): step; reconstruction_error (the squared error summed over units, mean over the
    epoch's examples); free_energy_gap (by how many nats validation examples fit worse than training ones)."""
    arrays: Mapping[str, NDArray[Any]]
    """What was learned, by name, such as `rbm1/weights1`."""

    def facts(self) -> dict[str, Any]:
        """All but the arrays, as plain values."""
        facts = {name: getattr(self, name) for name in ("digest", "part", "steps", "seconds")}
        return facts | {"history": {name: column.tolist() for name, column in self.history.items()}}


def arrays_of(pretrained: Sequence[Pretrained]) -> dict[str, NDArray[Any]]:
    """All arrays that these pretrainings left, by name."""
    return {name: array for pretraining in pretrained for name, array in pretraining.arrays.items()}
