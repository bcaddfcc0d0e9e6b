"""A column's values: as numbers, text or class numbers, and where they are in the source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainwright.base.errors import DataError

LARGEST = 1e100  # larger numbers are treated as infinite


def row_name(values: pd.Series[Any] | pd.DataFrame, row: int) -> str:
    """A row in its source's own terms, such as `line 7`."""
    return f"{values.index.name or 'row'} {values.index[row]}"


def place(values: pd.Series[Any], row: int) -> str:
    """A value's row and column, such as `line 7, column 'age'`."""
    return f"{row_name(values, row)}, column {values.name!r}"


def found(values: pd.Series[Any], row: int) -> str:
    """A value and its place, such as `line 7, column 'age': 'old'`."""
    # A list holds Python's own numbers, which print without NumPy's name for their type.
    return f"{place(values, row)}: {values.iloc[[row]].tolist()[0]!r}"


def readable(name: str) -> str:
    """A file's name as text that can be written anywhere: bytes in it that are no UTF-8, as older systems
    leave them in names with umlauts, are spelled out.

    >>> readable("caf\\udce9.png"), readable("café.png")
    ('caf\\\\xe9.png', 'café.png')
    """
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def some(names: Iterable[Any], most: int = 10) -> str:
    """The first names, and how many there are if there are more."""
    listed = [str(name) for name in names]
    return ", ".join(listed[:most]) + (f", ... ({len(listed)} in all)" if len(listed) > most else "")


def as_text(values: Iterable[Any]) -> list[str]:
    """Each value as it is named: whole numbers without a decimal point, so that 1.0 and 1 are the same.

    >>> as_text([1.0, 1, 0.5, "yes", True])
    ['1', '1', '0.5', 'yes', 'True']
    """
    return [str(int(v)) if isinstance(v, float | np.floating) and v.is_integer() else str(v) for v in values]


def centre_and_unit(numbers: NDArray[np.float64]) -> tuple[float, float]:
    """The median, and the median distance of the other values from it; 1 if there are no others.

    In these units float32 keeps the digits of most values, however far a few of them lie.

    >>> centre_and_unit(np.array([1.0, 2.0, 2.0, 3.0, 1e30]))
    (2.0, 1.0)
    """
    centre = float(np.median(numbers))
    away = np.abs(numbers - centre)
    return centre, float(np.median(away[away > 0])) if (away > 0).any() else 1.0


def as_codes(values: pd.Series[Any], names: Sequence[str]) -> NDArray[np.int64]:
    """For each value the position of its name, -1 if it is missing or has none, (rows,)."""
    try:
        which, distinct = pd.factorize(values)
    except TypeError as error:
        raise DataError(f"column {values.name!r}: holds lists or objects; give one text per row") from error
    position = pd.Index(list(names), dtype=object).get_indexer(pd.Index(as_text(distinct), dtype=object))
    # pandas marks a missing value as number -1, which finds the one appended at the end.
    return np.append(position, -1)[which].astype(np.int64)


def as_numbers(values: pd.Series[Any]) -> NDArray[np.float64]:
    """Each value as a number, NaN if it is missing or isn't one, (rows,). Raises DataError if infinite."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object)
    if pd.api.types.is_complex_dtype(values):
        return np.full(len(values), np.nan)
    try:
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    except TypeError:  # lists, bytes, ...
        return np.full(len(values), np.nan)
    infinite = np.abs(numbers) >= LARGEST
    if infinite.any() and not pd.api.types.is_numeric_dtype(values):
        # A text such as 72e19794, or Infinity, is a name.
        text = values.map(lambda value: isinstance(value, str)).to_numpy(dtype=bool, na_value=False)
        numbers = np.where(infinite & text, np.nan, numbers)
        infinite = np.abs(numbers) >= LARGEST
    if infinite.any():
        row = int(np.argmax(infinite))
        raise DataError(
            f"{found(values, row)} is infinite or too large to compute with; correct "
            "it, or leave the cell empty to treat it as missing"
        )
    return numbers
