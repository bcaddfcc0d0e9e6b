"""Batches: which examples each step sees, a pure function of seed, purpose and step."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from trainwright.base import keys


def order(
    seed: int, purpose: str, rows: NDArray[np.int64], batch: int, first: int, steps: int
) -> NDArray[np.int32]:
    """The batches (steps, batch) of the steps from `first` on: rows of an endless sequence of permutations.

    A pure function of its arguments: a training that is stopped anywhere resumes with the same batches.

    >>> order(0, "order", np.arange(4), batch=2, first=0, steps=2).shape
    (2, 2)
    """
    start, end = first * batch, (first + steps) * batch
    epochs = range(start // len(rows), -(-end // len(rows)))
    stream = np.concatenate([rows[_permutation(seed, purpose, epoch, len(rows))] for epoch in epochs])
    skipped = start - epochs[0] * len(rows)
    return stream[skipped : skipped + steps * batch].reshape(steps, batch).astype(np.int32)


@lru_cache(maxsize=64)
def _permutation(seed: int, purpose: str, epoch: int, examples: int) -> NDArray[np.int64]:
    return keys.generator(seed, purpose, epoch).permutation(examples)
