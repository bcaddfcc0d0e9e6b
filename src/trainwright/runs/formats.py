"""Formats: a run's values as the content of a file, and back. Reading them takes nothing of Trainwright."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import numpy as safetensors

from trainwright.base import strict_json

Arrays = Mapping[str, NDArray[Any]]


def to_json(value: Any) -> bytes:
    """A value as strict JSON, on a line of its own."""
    return strict_json.dumps(value).encode() + b"\n"


def to_csv(columns: Arrays) -> bytes:
    """Columns of equal length, (rows,) each, under their names.

    >>> parse_csv(to_csv({"step": np.array([10, 20]), "loss": np.array([0.1, np.nan])}))["loss"]
    array([0.1, nan])
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(_column(name, values).tolist() for name, values in columns.items()), strict=True))
    return text.getvalue().encode()


def parse_csv(content: bytes) -> dict[str, NDArray[Any]]:
    """The columns that `to_csv` wrote, to the last bit."""
    header, *rows = csv.reader(io.StringIO(content.decode()))
    return {name: _column(name, [row[i] for row in rows]) for i, name in enumerate(header)}


def _column(name: str, values: Any) -> NDArray[Any]:
    """Counts for `step`; for all else float64, whose shortest decimal form gives back the same number."""
    return np.asarray(values, dtype=np.int64 if name == "step" else np.float64)


def to_npz(arrays: Arrays) -> bytes:
    """Arrays by name as NumPy's NPZ. Raises `TypeError` for Python objects, which would take pickle."""
    if any(array.dtype.hasobject for array in arrays.values()):
        raise TypeError("arrays of Python objects cannot be stored without pickle")
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]  # the stubs take the names for options
    return buffer.getvalue()


def parse_npz(content: bytes) -> dict[str, NDArray[Any]]:
    """The arrays that `to_npz` wrote."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return dict(arrays)


def to_safetensors(arrays: Arrays) -> bytes:
    """Arrays by name as safetensors."""
    # safetensors copies the memory as it lies: an array must lie in C order.
    return safetensors.save({name: np.asarray(array, order="C") for name, array in arrays.items()})


def parse_safetensors(content: bytes) -> dict[str, NDArray[Any]]:
    """The arrays that `to_safetensors` wrote."""
    arrays: dict[str, NDArray[Any]] = safetensors.load(content)
    return arrays
