"""Sharing: a data set written once and mapped into every worker's memory."""

from __future__ import annotations

import pickle
from functools import lru_cache
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from trainwright.data.dataset import Dataset


def share(data: Dataset, folder: Path) -> Path:
    """Write a data set where the workers find it, once for all of its folds."""
    target = folder / arrays_of(data)
    if not target.exists():
        arrays: list[pickle.PickleBuffer] = []
        value = pickle.dumps(data, protocol=5, buffer_callback=arrays.append)
        target.mkdir()
        for number, array in enumerate(arrays):
            (target / str(number)).write_bytes(array.raw())
        (target / "value").write_bytes(value)
    return target


def arrays_of(data: Dataset) -> str:
    """A name for what `share` writes: the same for all folds of a data set, another for its fixed split, and
    for any other data set on the same arrays."""
    fixed = data.seed is None
    parts = [data.splits.train, data.splits.validation, data.splits.test] if fixed else []
    if not fixed and (data.own_test or data.rotating):
        parts = [data.splits.test]  # other folds are drawn from all rows
    told = (fixed, data.subset, data.own_test, data.rotating, *(part.tobytes() for part in parts))
    return f"{id(data.inputs)}-{id(data.targets)}-{hash(told):x}"


@lru_cache(maxsize=1)
def shared(target: Path) -> Dataset:
    """The data set that `share` wrote; its arrays are read-only, and the same memory for all processes."""
    buffers = [_mapped(target / str(number)) for number in range(len(list(target.iterdir())) - 1)]
    data: Dataset = pickle.loads((target / "value").read_bytes(), buffers=buffers)
    return data


@lru_cache(maxsize=64)
def folded(target: Path, seed: int) -> Dataset:
    """A fold of the data set that `share` wrote."""
    return shared(target).fold(seed)


def _mapped(path: Path) -> Any:
    if not path.stat().st_size:
        return b""
    with path.open("rb") as file:
        return mmap(file.fileno(), 0, access=ACCESS_READ)
