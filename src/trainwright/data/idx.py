"""IDX files, the format of MNIST (LeCun, "The IDX file format").

Four bytes (0, 0, type, number of dimensions), four bytes for each dimension's size, then the values row by
row; all big-endian.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainwright.base.errors import DataError

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}

# The four files of a folder by how their names start; MNIST calls its test files t10k, others test.
PARTS = (("train-images",), ("train-labels",), ("t10k-images", "test-images"), ("t10k-labels", "test-labels"))


def read_idx(path: Path) -> NDArray[Any]:
    """The array in an IDX file, plain or gzipped.

    Raises DataError, with the byte, for a damaged file: bad magic number or type, too short, too long.
    """
    content = read_bytes(path)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in TYPES or content[3] == 0:
        raise DataError(
            f"{path.name}: byte 0: {content[:4].hex(' ') or 'nothing'} does not start an IDX file "
            "(00 00, type, dimensions); the file is damaged or in another format"
        )
    dtype, dimensions = np.dtype(TYPES[content[2]]), content[3]
    start = 4 + 4 * dimensions
    if len(content) < start:
        raise DataError(
            f"{path.name}: byte {len(content)}: the file ends within its header; download it again"
        )
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    expected = start + math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        short = "ends too early" if len(content) < expected else "continues after its last value"
        raise DataError(
            f"{path.name}: byte {min(len(content), expected)}: the file {short}: {len(content)} bytes, "
            f"but shape {shape} needs {expected}; download it again"
        )
    return (
        np.frombuffer(content, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="), copy=False)
    )


def read_bytes(path: Path) -> bytes:
    """A file's content, unpacked if it is gzipped. Raises DataError if that fails."""
    content = path.read_bytes()
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path.name}: damaged gzip file ({error}); download it again") from error


def is_idx(path: Path) -> bool:
    """Judged by name: MNIST's files end in `-idx3-ubyte`, others in `.idx`; either may be gzipped."""
    name = path.name.lower().removesuffix(".gz")
    return "ubyte" in name or name.endswith((".idx", ".idx1", ".idx3"))


def read_idx_source(path: Path) -> list[NDArray[Any]]:
    """Images and labels of a folder, with its test set if there is one, or of one file of images.

    Raises DataError if a file is missing, or if images and labels differ in number.
    """
    if path.is_dir():
        paths = _in_folder(path)
    elif "images" in path.name:
        paths = [path, _labels_of(path)]
    else:
        raise DataError(
            f"{path.name}: give the folder, or the file of images (…images…) with its labels beside it"
        )
    arrays = [read_idx(p) for p in paths]
    for images, labels, at in zip(arrays[::2], arrays[1::2], paths[1::2], strict=True):
        if labels.ndim != 1 or images.ndim < 2 or len(labels) != len(images):
            raise DataError(
                f"{at.name}: labels of shape {labels.shape} do not fit images of shape {images.shape}"
            )
    return arrays


def is_idx_folder(folder: Path) -> bool:
    """Whether any of a data set's four files is in a folder."""
    starts = tuple(start for part in PARTS for start in part)
    return folder.is_dir() and any(file.name.startswith(starts) for file in folder.iterdir())


def _in_folder(folder: Path) -> list[Path]:
    files = sorted(f for f in folder.iterdir() if f.is_file())
    chosen = [next((f for f in files if f.name.startswith(starts)), None) for starts in PARTS]
    # The whole test set may be missing, but not half of it.
    parts = list(zip(PARTS, chosen, strict=True))[: 4 if any(chosen[2:]) else 2]
    missing = " and ".join(starts[0] + "…" for starts, file in parts if file is None)
    if missing:
        names = ", ".join(f.name for f in files[:10]) or "nothing"
        raise DataError(f"no IDX files named {missing}; found: {names}")
    return [f for f in chosen if f is not None]


def _labels_of(images: Path) -> Path:
    stem = images.name.removesuffix(".gz").replace("images", "labels").replace("idx3", "idx1")
    for name in (stem, stem + ".gz"):
        if (images.parent / name).is_file():
            return images.parent / name
    raise DataError(f"{images.name}: its labels are missing; put {stem} beside it")
