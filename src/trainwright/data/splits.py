"""Which examples are for training, which for validation and which for testing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainwright.base.errors import DataError, SettingError

Indices = NDArray[np.int64]

SHARE = 0.2  # of the examples, for validation and for test each
FOLDS = 5


@dataclass(frozen=True, eq=False)
class Splits:
    """Index arrays into the data, in ascending order and without overlap."""

    train: Indices
    """Rows to train on, int64."""
    validation: Indices
    """Rows to choose by: when to stop, which settings; int64."""
    test: Indices
    """Rows that the final error is measured on, int64."""
    nominal: int = 0
    """The number of training examples that counts as one pass over the data: the same in all folds of a data
    set, so that all train for the same number of steps; by default, how many there are."""
    room: int = 0
    """No fold of the data set has more validation or test examples, so that all fit one program; by default,
    as many as there are."""

    @property
    def examples(self) -> int:
        """How many training examples count as one pass over the data."""
        return self.nominal or len(self.train)


def split(strata: NDArray[np.integer[Any]], own_test: int = 0, own_validation: int = 0) -> Splits:
    """Split examples 60/20/20, every stratum (class) in the same proportions and present in each part.

    `strata`: (examples,), each example's class number; all zeros where there are no classes.
    `own_test`: so many examples at the end are the data's own test set and stay it; then the validation
    split is as large as the test split, but a quarter of the remaining examples at most.
    `own_validation`: so many before these are the data's own validation set and stay it.

    The order comes from the raw bits of a Philox generator, which NumPy promises never to change, so a
    split stays the same in every version. Every stratum needs three examples, two with an own test set.

    >>> parts = split(np.repeat([0, 1], [80, 20]))
    >>> [len(part) for part in (parts.train, parts.validation, parts.test)]
    [60, 20, 20]
    >>> int((parts.test >= 80).sum())
    4
    """
    own = len(strata) - own_test
    if own_validation:
        train, validation, test = np.split(np.arange(len(strata)), [own - own_validation, own])
        return Splits(train, validation, test)
    order = _shuffled(own, 0, 0)
    if own_test:
        test = np.arange(own, len(strata))
        held_out = min(own_test, own // 4)
    else:
        held_out = round(SHARE * own)
        order, test = _draw(order, strata, held_out)
    train, validation = _draw(order, strata, held_out)
    return Splits(np.sort(train), np.sort(validation), np.sort(test))


def fold(strata: NDArray[np.integer[Any]], groups: NDArray[np.integer[Any]] | None, seed: int) -> Splits:
    """The split of a seed in repeated 5-fold cross-validation: fold `seed mod 5` of repetition `seed div 5`.

    That fold is the test split, so in each repetition every example is judged once. A quarter of the others
    validates. Strata (classes) are spread evenly. `groups`: (examples,), each example's group number;
    the examples of one group stay together.

    Raises `SettingError` for a seed that is negative or longer than 64 bits, `DataError` for fewer examples
    or groups than there are folds.

    >>> folds = [fold(np.repeat([0, 1], [30, 10]), None, seed) for seed in range(5)]
    >>> sorted(np.concatenate([part.test for part in folds])) == list(range(40))
    True
    >>> [len(part) for part in (folds[0].train, folds[0].validation, folds[0].test)]
    [24, 8, 8]
    """
    _check_seed(seed)
    examples = len(strata)
    pieces, largest = examples, 1
    if groups is not None:
        sizes = np.bincount(groups)
        pieces, largest = int((sizes > 0).sum()), int(sizes.max())
    if pieces < FOLDS:
        what = "example" if groups is None else "group"
        raise DataError(
            f"{pieces} {what}{'s' * (pieces != 1)}, fewer than the {FOLDS} folds of cross-validation; "
            + ("add examples" if groups is None else "name a group column with more values, or none")
        )
    repetition, number = divmod(seed, FOLDS)
    part = _parts(strata, groups, FOLDS, _shuffled(examples, 1, repetition))
    test, others = np.flatnonzero(part == number), np.flatnonzero(part != number)
    group = None if groups is None else groups[others]
    part = _parts(strata[others], group, FOLDS - 1, _shuffled(len(others), 2, seed))
    room = -(-examples // FOLDS) if groups is None else min(examples, -(-examples // (FOLDS - 1)) + largest)
    return Splits(others[part != 0], others[part == 0], test, round((1 - 2 * SHARE) * examples), room)


def rotation(
    strata: NDArray[np.integer[Any]], groups: NDArray[np.integer[Any]] | None, test: Indices, number: int
) -> Splits:
    """A split of this test split's rest: fold `number mod 5` of repetition `number div 5` of it validates.

    All other examples train, so that in each repetition every example outside the test split validates once.
    Strata and groups are treated, and errors raised, as by `fold`.

    >>> parts = [rotation(np.zeros(40, int), None, np.arange(8), number) for number in range(5)]
    >>> sorted(np.concatenate([part.validation for part in parts])) == list(range(8, 40))
    True
    """
    rest = np.setdiff1d(np.arange(len(strata)), test)
    part = fold(strata[rest], None if groups is None else groups[rest], number)
    train = np.sort(np.concatenate([part.train, part.validation]))
    return Splits(
        rest[train], rest[part.test], test, round((1 - SHARE) * len(rest)), max(len(test), part.room)
    )


def subset(splits: Splits, strata: NDArray[np.integer[Any]], examples: int, seed: int | None) -> Splits:
    """The same split with so many of its training examples, strata in proportion, drawn anew for each seed.

    A few more are kept where small strata would lose all. Raises `SettingError` for more examples than there
    are, or fewer than one for each stratum.
    """
    fewest = len(np.unique(strata[splits.train]))
    if not fewest <= examples <= splits.examples:
        raise SettingError(
            f"examples={examples} is not allowed: give a whole number from {fewest} (one for each class) "
            f"to {splits.examples} (the training split)"
        )
    stream = (0, 0) if seed is None else (3, _check_seed(seed))
    _, train = _draw(splits.train[_shuffled(len(splits.train), *stream)], strata, examples)
    return Splits(np.sort(train), splits.validation, splits.test, examples, splits.room)


def _check_seed(seed: int) -> int:
    if not 0 <= seed < 2**64:
        raise SettingError(f"seed={seed} is not allowed: give a whole number from 0 to 2**64 - 1")
    return seed


def _shuffled(count: int, stream: int, seed: int) -> Indices:
    """The numbers below `count` in an order that the stream and the seed decide."""
    key = np.array([stream, seed], dtype=np.uint64)
    return np.argsort(np.random.Philox(key=key).random_raw(count), kind="stable")


def _parts(
    strata: NDArray[np.integer[Any]], groups: NDArray[np.integer[Any]] | None, count: int, order: Indices
) -> Indices:
    """Deal examples to so many parts of equal size, each stratum evenly: each example's part, (examples,)."""
    part = np.empty(len(strata), np.int64)
    if groups is None:
        by_stratum = order[np.argsort(strata[order], kind="stable")]
        part[by_stratum] = np.arange(len(strata)) % count
        return part
    return _deal_groups(strata, groups, count, order)


def _deal_groups(
    strata: NDArray[np.integer[Any]], groups: NDArray[np.integer[Any]], count: int, order: Indices
) -> Indices:
    """As `_parts`, but a group's examples go together: the largest first, each to the part where the strata
    are then most even, among those that it does not overfill."""
    names, first, member = np.unique(groups, return_index=True, return_inverse=True)
    classes = np.unique(strata, return_inverse=True)[1]
    table = np.zeros((len(names), int(classes.max()) + 1))
    np.add.at(table, (member, classes), 1)
    rank = np.empty(len(strata), np.int64)
    rank[order] = np.arange(len(strata))
    sizes = table.sum(axis=1)
    shares = table / table.sum(axis=0)
    filled, held = np.zeros(count), np.zeros((count, table.shape[1]))
    place = np.empty(len(names), np.int64)
    for group in np.lexsort((rank[first], -sizes)):
        uneven = 2 * held @ shares[group] + shares[group] @ shares[group]
        fits = filled + sizes[group] <= len(strata) / count + sizes.max()
        place[group] = np.lexsort((filled, np.where(fits, uneven, np.inf)))[0]
        filled[place[group]] += sizes[group]
        held[place[group]] += shares[group]
    return place[member]


def _draw(order: Indices, strata: NDArray[np.integer[Any]], count: int) -> tuple[Indices, Indices]:
    """The examples left and the `count` examples drawn, the first of each stratum in `order`."""
    present, member, sizes = np.unique(strata[order], return_inverse=True, return_counts=True)
    drawn = np.zeros(len(order), dtype=bool)
    for stratum, share in zip(range(len(present)), _apportion(sizes, count), strict=True):
        drawn[np.flatnonzero(member == stratum)[:share]] = True
    return order[~drawn], order[drawn]


def _apportion(sizes: Indices, count: int) -> Indices:
    """Share `count` among strata in proportion to their sizes: largest remainders, one at least for each."""
    quotas = sizes * count / sizes.sum()
    shares: Indices = np.maximum(np.floor(quotas).astype(np.int64), 1)
    left = max(count - int(shares.sum()), 0)
    shares[np.argsort(shares - quotas, kind="stable")[:left]] += 1
    return shares
