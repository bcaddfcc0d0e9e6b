"""Dataset: arrays with a task, splits and a fingerprint."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainwright.data.preparation import Preparation
from trainwright.data.splits import Splits
from trainwright.data.targets import Quantity, Task

__all__ = ["Dataset", "Splits", "Task"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples ready for a network, with what they are for and how they are split.

    `inputs`: float32, (examples, *shape): (examples, features) or (examples, height, width[, channels]).
    `targets`: int32 (examples,), the class's number; or, for regression, float32 (examples,),
    standardised on the training split.
    `preparation`: how inputs and targets were made from the raw data; None for arrays that came prepared.
    `source`: the file, folder or package that it was read from. `resample`: the seed of the split, None for
    the fixed one. `notes`: what was decided about the data and is worth saying.
    """

    name: str
    task: Task
    inputs: NDArray[np.float32]
    targets: NDArray[np.int32] | NDArray[np.float32]
    splits: Splits
    classes: tuple[str, ...] = ()
    preparation: Preparation | None = None
    source: str = ""
    resample: int | None = None
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        examples = " + ".join(
            str(len(getattr(self.splits, part))) for part in ("train", "validation", "test")
        )
        target = f"{len(self.classes)} classes" if self.task == "classification" else "regression"
        return f"<Dataset {self.name!r}: {examples} examples of shape {self.shape}, {target}>"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example's inputs."""
        return self.inputs.shape[1:]

    @property
    def outputs(self) -> int:
        """How many numbers a network has to put out: one per class, or one for regression."""
        return len(self.classes) if self.task == "classification" else 1

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over task, classes, a quantity's mean and deviation, inputs, targets and splits."""
        quantity = self._quantity
        unit = (quantity.mean, quantity.deviation) if quantity else ()
        digest = hashlib.sha256(repr((self.task, self.classes, unit)).encode())
        for array in (self.inputs, self.targets, self.splits.train, self.splits.validation, self.splits.test):
            digest.update(repr((array.dtype.str, array.shape)).encode())  # where one ends and the next begins
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    @property
    def deviation(self) -> float:
        """What one unit of the prepared targets is in the target's own: 1, or a regression's deviation."""
        return self._quantity.deviation if self._quantity else 1.0

    def decode(self, predicted: NDArray[np.float32]) -> NDArray[np.float32]:
        """A network's predictions (examples, outputs) in the target's own terms: log-probabilities as they
        are; a regression's values (examples,) in the target's unit."""
        if self.task == "classification":
            return predicted
        return self._in_unit(predicted[:, 0])

    def labels(self, rows: NDArray[np.int64]) -> NDArray[np.int32] | NDArray[np.float32]:
        """The targets of these examples in the target's own terms: class numbers, or values in its unit."""
        if self.task == "classification":
            return self.targets[rows].astype(np.int32)
        return self._in_unit(self.targets[rows].astype(np.float32))

    def _in_unit(self, standardised: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        quantity = self._quantity
        return (quantity.decode(standardised) if quantity else standardised).astype(np.float32)

    @property
    def _quantity(self) -> Quantity | None:
        target = self.preparation.target if self.preparation else None
        return target if isinstance(target, Quantity) else None
