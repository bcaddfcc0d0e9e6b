"""Which examples train, which choose and which judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainwright.base.errors import SettingError

Indices = NDArray[np.int64]

SHARE = 0.2  # of the examples, for validation and for test each


@dataclass(frozen=True, eq=False)
class Splits:
    """Index arrays into the data, in ascending order and without overlap."""

    train: Indices
    validation: Indices
    test: Indices


def split(
    groups: NDArray[np.integer[Any]],
    own_test: int = 0,
    seed: int | None = None,
    examples: int | None = None,
) -> Splits:
    """Split examples 60/20/20, every group (class) in the same proportions and present in each part.

    `groups`: (examples,), each example's class number; all zeros where there are no classes.
    `own_test`: so many examples at the end are the data's own test set and stay it; then the validation
    split is as large as the test split, but a quarter of the remaining examples at most.
    `seed`: another draw for each; None is the one fixed split.
    `examples`: keep so many of the training examples only (a few more where small groups would lose all).

    The order comes from the raw bits of a Philox generator, which NumPy promises never to change, so a
    split stays the same in every version.

    Every group needs three examples, two with an own test set. Raises SettingError for a seed that is
    negative or longer than 64 bits, and for more examples than there are or fewer than one for each group.

    >>> parts = split(np.repeat([0, 1], [80, 20]))
    >>> [len(part) for part in (parts.train, parts.validation, parts.test)]
    [60, 20, 20]
    >>> int((parts.test >= 80).sum())
    4
    """
    own = len(groups) - own_test
    if seed is not None and not 0 <= seed < 2**64:
        raise SettingError(f"resample={seed}: a seed is a whole number from 0 to 2**64 - 1")
    key = np.array([0, 0] if seed is None else [1, seed], dtype=np.uint64)
    order = np.argsort(np.random.Philox(key=key).random_raw(own), kind="stable")
    if own_test:
        test = np.arange(own, len(groups))
        held_out = min(own_test, own // 4)
    else:
        held_out = round(SHARE * own)
        order, test = _draw(order, groups, held_out)
    train, validation = _draw(order, groups, held_out)
    if examples is not None:
        fewest = len(np.unique(groups[train]))
        if not fewest <= examples <= len(train):
            raise SettingError(
                f"examples={examples} is not allowed: give a whole number from {fewest} (one for each class) "
                f"to {len(train)} (the training split)"
            )
        _, train = _draw(train, groups, examples)
    return Splits(np.sort(train), np.sort(validation), np.sort(test))


def _draw(order: Indices, groups: NDArray[np.integer[Any]], count: int) -> tuple[Indices, Indices]:
    """The examples left and the `count` examples drawn, the first of each group in `order`."""
    present, member, sizes = np.unique(groups[order], return_inverse=True, return_counts=True)
    drawn = np.zeros(len(order), dtype=bool)
    for group, share in zip(range(len(present)), _apportion(sizes, count), strict=True):
        drawn[np.flatnonzero(member == group)[:share]] = True
    return order[~drawn], order[drawn]


def _apportion(sizes: Indices, count: int) -> Indices:
    """Share `count` among groups in proportion to their sizes: largest remainders, one at least for each."""
    quotas = sizes * count / sizes.sum()
    shares: Indices = np.maximum(np.floor(quotas).astype(np.int64), 1)
    left = max(count - int(shares.sum()), 0)
    shares[np.argsort(shares - quotas, kind="stable")[:left]] += 1
    return shares
