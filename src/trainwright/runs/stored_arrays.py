"""The arrays of a stored file, read and checked when one is asked for. Those read last stay in memory.

A study looks at the same predictions again and again: for each metric, on validation and on test, to choose
and to judge. Reading a file means to hash and parse it, which takes longer than most of what is then done.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
CAPACITY = 64 * 2**20  # bytes of arrays that stay in memory, whatever the number of runs


class Recent:
    """The files read last, as long as their arrays take up to `capacity` bytes together."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity, self._bytes = capacity, 0
        self._kept: OrderedDict[tuple[Any, ...], Arrays] = OrderedDict()

    def read(self, path: Path, read: Callable[[], Arrays]) -> Arrays:
        """What `read` returns for the file; not read again while it is kept and the file is as it was."""
        key = _as_it_is(path)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        arrays = read()
        for array in arrays.values():
            array.flags.writeable = False  # others will be given it
        if _size(arrays) > self._capacity:
            return arrays
        self._kept[key] = arrays
        self._bytes += _size(arrays)
        while self._bytes > self._capacity:
            self._bytes -= _size(self._kept.popitem(last=False)[1])
        return arrays


class StoredArrays(Mapping[str, NDArray[Any]]):
    """The arrays of the file at `path`; `read` reads all of them."""

    def __init__(self, path: Path, read: Callable[[], Arrays]) -> None:
        self._path, self._read = path, read

    def load(self) -> Arrays:
        """All of them at once, however large they are."""
        return RECENT.read(self._path, self._read)

    def __getitem__(self, key: str) -> NDArray[Any]:
        return self.load()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.load())

    def __len__(self) -> int:
        return len(self.load())


RECENT = Recent()


def _as_it_is(path: Path) -> tuple[Any, ...]:
    """What changes when a file is written or replaced; the path alone for one that is not there."""
    try:
        facts = path.stat()
    except OSError:
        return (path,)
    return (path, facts.st_ino, facts.st_mtime_ns, facts.st_size)


def _size(arrays: Arrays) -> int:
    return sum(array.nbytes for array in arrays.values())
