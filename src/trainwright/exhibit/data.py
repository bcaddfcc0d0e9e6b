"""Images: pictures to train on, fewer and smaller where an exhibit is a model of the real experiment."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainwright.data import Dataset, DataSpec, load, pixels
from trainwright.data.dataset import Splits


def images(
    name: str,
    *,
    train: int | None = None,
    pool: int | None = None,
    test: int | None = None,
    halved: bool = False,
    binary: bool = False,
    without: tuple[int, ...] = (),
) -> DataSpec:
    """A known image set with so many training examples (all, if `train` is None).

    Which ones is decided by the fold: a study draws a subset for each seed (unless `folds=False`), so that
    its intervals cover the draw. It is made from the first `pool` of the set's training images, less the
    validation split; validation keeps its size whatever `train`. The test split is the first `test` of the
    set's test images (of its fixed split where it has none of its own), the same for all seeds.
    `halved`: each pixel is the mean of four. `binary`: it is 1 above one half, else 0. `without`: the numbers
    of classes to leave out.

    >>> images("digits", train=100, halved=True).load()
    <Dataset 'arrays': 100 + 359 + 359 examples of shape (4, 4), 10 classes>
    """
    if name != "digits" and pool is None and test is None and not (halved or binary or without):
        return DataSpec(name, examples=train)
    return DataSpec(_arrays(name, pool, test, halved, binary, without), task="classification", examples=train)


def whole(inputs: NDArray[np.float32], targets: NDArray[Any]) -> Dataset:
    """Prepared arrays as a data set all of whose splits are the same examples: to measure, not to judge.

    Integer targets are classes, others make a regression.

    >>> whole(np.zeros((3, 2), np.float32), np.array([0.5, 1.5, 2.5], np.float32)).task
    'regression'
    """
    rows = np.arange(len(inputs))
    splits = Splits(rows, rows, rows)
    if targets.dtype.kind == "f":
        return Dataset("examples", "regression", inputs, targets.astype(np.float32), splits)
    classes = tuple(map(str, range(int(targets.max()) + 1)))
    return Dataset("examples", "classification", inputs, targets.astype(np.int32), splits, classes=classes)


@lru_cache(maxsize=4)
def _arrays(
    name: str, pool: int | None, test: int | None, halved: bool, binary: bool, without: tuple[int, ...]
) -> tuple[NDArray[Any], ...]:
    """Training and test images, each with its classes; cached, for studies at several sizes share them."""
    data = load(name)
    training = np.sort(np.concatenate([data.splits.train, data.splits.validation]))
    arrays: list[NDArray[Any]] = []
    for split, count in ((training, pool), (data.splits.test, test)):
        rows = split[~np.isin(data.targets[split], without)][:count]
        pictures = data.standardized(rows)[0]
        pictures = pixels.halved(pictures) if halved else pictures
        arrays += [np.round(pictures) if binary else pictures, data.targets[rows]]
    return tuple(arrays)
