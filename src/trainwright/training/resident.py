"""Resident data: one copy of a data set on the device for all seeds, and what each fold adds to it."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from trainwright.base.arrays import ArrayCache
from trainwright.data.dataset import Dataset
from trainwright.data.standardization import Standardization


class Resident(NamedTuple):
    """A data set's arrays on the device, the same for all of its folds."""

    inputs: jax.Array
    """(examples, *shape), float32; uint8 of images that are kept as bytes."""
    targets: jax.Array
    """(examples,) or, of sequences, (examples, 6); int32, or float32 for a quantity."""


class Fold(NamedTuple):
    """What a training knows of its fold: data for the compiled program, of one structure in all folds."""

    standardization: Standardization
    """The fold's shifts and scales."""
    validation: NDArray[np.int32]
    """Rows of the validation split, padded to the data set's largest."""
    weights: NDArray[np.float32]
    """1 for each of these rows, 0 for padding."""
    added: NDArray[np.float32] | jax.Array | None = None
    """What the network adds to each example's inputs (`Extension`), (examples, values), where it does."""


def resident(data: Dataset) -> Resident:
    """The arrays on the device, put there once for as long as the data set lives.

    A worker's next cohort finds them there, and steps are faster on memory that is not new. Raises
    `DataError` for data that are streamed.
    """
    return Resident(_on_device(data.in_memory("this training")), _on_device(data.targets))


_on_device = ArrayCache(lambda array: jnp.array(array))  # a copy: a view would keep the array alive


def fold_of(data: Dataset) -> Fold:
    """The fold's numbers and its validation rows."""
    rows = data.splits.validation
    padded = pad(rows, data.splits.room)
    return Fold(data.standardization, padded, (np.arange(len(padded)) < len(rows)).astype(np.float32))


def pad(rows: NDArray[np.int64], room: int) -> NDArray[np.int32]:
    """Rows, followed by the first one again until there are as many as there is room for."""
    return np.pad(rows, (0, max(0, room - len(rows))), mode="wrap").astype(np.int32)
