"""Streamed: images that are read from their files whenever they are wanted, for sets larger than memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trainwright.data.readers import memory
from trainwright.data.threads import cores, in_threads

BLOCK_BYTES = 2**26  # of images that are handed over at a time, at most
BLOCKS = 8  # in the memory that images may take: some four are there at once, beside what is made of them
GROUP = 32  # images that a thread decodes at a time, at most


class Files(Protocol):
    """Images in files; see `trainwright.data.readers.index.ImageIndex`."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""

    def __len__(self) -> int: ...

    def decode(self, i: int) -> NDArray[np.uint8]:
        """One image as bytes of this shape."""

    def digest(self) -> bytes:
        """What tells this set of images from another."""


@dataclass(frozen=True, eq=False)
class Streamed:
    """Images in files that are used as an array of bytes (examples, height, width, channels).

    It pickles well: it holds the files' names, no image.
    """

    files: Files
    """The images where they are, decoded one by one."""
    dtype = np.dtype(np.uint8)
    ndim = 4

    @property
    def shape(self) -> tuple[int, ...]:
        """(examples, height, width, channels)."""
        return len(self.files), *self.files.shape

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        """The images of these rows (an array of row numbers, or a slice), decoded on all cores.

        Raises `DataError`, with the path, if one can't be decoded.
        """
        wanted = np.arange(len(self))[rows]
        images = np.empty((len(wanted), *self.files.shape), np.uint8)

        def fill(place: int) -> None:
            images[place] = self.files.decode(int(wanted[place]))

        in_threads(fill, range(len(wanted)))
        return images


def block_bytes() -> int:
    """The bytes of images that are handed over at a time. Raises `SettingError` as `memory.bound` does."""
    return min(BLOCK_BYTES, memory.bound() // BLOCKS)


def blocks(images: Streamed, parts: Sequence[NDArray[np.integer[Any]]]) -> Iterator[NDArray[np.uint8]]:
    """The images of each part's rows (rows,), one part after the other, the next ones decoded meanwhile.

    Threads read ahead by about a block (`block_bytes`), or a part where that is less, whatever the number of
    parts. The order is that of the rows, however many threads there are.

    Raises `DataError`, with the path, for an image that can't be decoded, when its part's turn comes.
    """
    import grain  # here: it takes a second to import, and only what is streamed needs it

    size = math.gcd(*(len(part) for part in parts))
    size = max(divisor for divisor in range(1, min(size, GROUP) + 1) if size % divisor == 0)
    groups = np.concatenate(parts).reshape(-1, size)

    def decode(number: int) -> NDArray[np.uint8]:
        return np.stack([images.files.decode(int(row)) for row in groups[number]])

    ahead = min(block_bytes() // (size * math.prod(images.files.shape)), max(map(len, parts)) // size)
    threads = min(cores(), max(ahead, 1))
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=max(ahead, 1))
    reader = iter(grain.MapDataset.source(range(len(groups))).map(decode).to_iter_dataset(options))
    for part in parts:
        yield np.concatenate([next(reader) for _ in range(len(part) // size)])


def in_blocks(rows: NDArray[Any], bytes_each: int, least: int = 2) -> list[NDArray[Any]]:
    """Items (items, ...) of so many bytes each in parts of a block at most, all of one length where that can
    be done at little cost, else of two; each has at least `least` items, if there are that many, even where
    these take more than a block.

    A program is compiled for each length. And a loop of one turn may be compiled to other last bits than one
    of more.

    >>> [len(part) for part in in_blocks(np.arange(12), block_bytes() // 5)]
    [4, 4, 4]
    >>> [len(part) for part in in_blocks(np.arange(7), block_bytes() // 5)]
    [4, 3]
    """
    most = max(block_bytes() // bytes_each, least)
    fewest = -(-len(rows) // most)
    even = [count for count in range(fewest, 2 * fewest) if len(rows) % count == 0]
    count = next((count for count in even if len(rows) // count >= least), fewest)
    count = max(1, min(count, len(rows) // least))
    return np.array_split(rows, count)
