"""NPZ files: several NumPy arrays in one archive."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainwright.base.errors import DataError

INPUTS = ("x", "X", "inputs", "images", "data")
TARGETS = ("y", "Y", "targets", "target", "labels", "label")

DAMAGE = (
    ValueError, OSError, EOFError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def read_npz(path: Path) -> list[NDArray[Any]]:
    """(x, y) or (x_train, y_train, x_test, y_test) from an NPZ file.

    Raises `DataError` for a damaged file, for arrays with other names, and for Python objects: reading those
    could run code from the file.
    """
    with _archive(path) as archive:
        return [_read(archive, name) for name in _names(archive.files)]


def read_npz_inputs(path: Path) -> NDArray[Any]:
    """The inputs alone, for predicting: the array named x (or as in training), or the only one there is."""
    with _archive(path) as archive:
        names = [name for name in INPUTS if name in archive.files] or archive.files
        if len(names) != 1:
            raise DataError(f"found the arrays {', '.join(archive.files)}; name the inputs x")
        return _read(archive, names[0])


@contextmanager
def _archive(path: Path) -> Iterator[Any]:
    try:
        # Opened here because NumPy leaves a damaged file open.
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if not isinstance(loaded, np.lib.npyio.NpzFile):
                raise DataError("a single array; save inputs and targets: np.savez(path, x=x, y=y)")
            with loaded:
                yield loaded
    except DAMAGE as error:
        # NumPy takes any unknown format for a pickle and says so, which would mislead here.
        reason = "it does not start as one" if "pickle" in str(error) else str(error) or type(error).__name__
        raise DataError(f"not a readable NPZ file ({reason}); save it again with np.savez") from error


def _names(stored: list[str]) -> list[str]:
    train = [_one_of(stored, names, "_train") for names in (INPUTS, TARGETS)]
    test = [_one_of(stored, names, "_test") for names in (INPUTS, TARGETS)]
    plain = [_one_of(stored, names, "") for names in (INPUTS, TARGETS)]
    for wanted in (train + test, plain):
        if all(wanted):
            return [name for name in wanted if name]
    raise DataError(
        f"found the arrays {', '.join(stored) or '(none)'}; "
        "name them x and y, or x_train, y_train, x_test, y_test"
    )


def _one_of(stored: list[str], names: tuple[str, ...], ending: str) -> str | None:
    return next((name + ending for name in names if name + ending in stored), None)


def _read(archive: Any, name: str) -> NDArray[Any]:
    try:
        return np.asarray(archive[name])
    except ValueError as error:
        if "pickle" not in str(error):
            raise
        raise DataError(
            f"the array {name!r} holds Python objects, which could run code when read, and is refused; "
            "save it as numbers or fixed-width text, such as x.astype(np.float32)"
        ) from error
