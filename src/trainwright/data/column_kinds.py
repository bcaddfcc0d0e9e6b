"""Column kinds: what each column of a table is, decided from all its rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainwright.base.errors import DataError
from trainwright.data.columns import Category, Column, Columns, LeftOut, Number
from trainwright.data.values import as_numbers, as_text, centre_and_unit, row_name

MOST_CATEGORIES = 50
FEWEST_CATEGORIES = 10  # so many distinct texts are categories even in a small table
MOSTLY = 0.8  # from this share on, a column of texts is taken for what most of them look like
ROW_NUMBERS = 20  # so many consecutive numbers from 0 or 1 are taken for row numbers

DATE = re.compile(
    r"\s*(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})([ T]\d{1,2}:\d{2}.*)?\s*"
)
COMMA = re.compile(r"\s*[-+]?\d{1,3}(\.?\d{3})*,\d+\s*")
DATES = ("dates or durations", "convert them to numbers, such as days since a date, month or weekday")


def read_columns(table: pd.DataFrame) -> Columns:
    """Decide what each column of a table is, from all its rows.

    A number's `mean` and `deviation` are its median and the median distance from it here: any unit will do,
    since each fold standardises by its own training rows. Raises DataError for an infinite value, or if no
    column can be used.
    """
    columns = Columns(tuple(_choose(table[name], alone=table.shape[1] == 1) for name in table.columns))
    if not columns.used:
        reasons = "; ".join(f"{column.name!r}: {column.treatment()}" for column in columns.columns)
        raise DataError(f"no column can be used as input: {reasons or 'there is none besides the target'}")
    return columns


def _choose(column: pd.Series[Any], alone: bool) -> Column:
    name = str(column.name)
    present = column.dropna()
    indicator = len(present) < len(column)
    if present.empty:
        return LeftOut(name, "empty", "fill it in")
    if present.dtype.kind in "mM" or all(hasattr(v, "isoformat") for v in present):
        return LeftOut(name, *DATES)
    numbers = as_numbers(column)
    strays = np.isnan(numbers) & column.notna().to_numpy()
    if not strays.any():
        return _choose_number(column, numbers, indicator, alone)
    if strays.sum() <= (1 - MOSTLY) * column.notna().sum():
        row = int(np.argmax(strays))
        reason = f"text among the numbers ({column.iloc[row]!r} in {row_name(column, row)})"
        return LeftOut(name, reason, "write numbers with a decimal point and leave unknown cells empty")
    if not all(isinstance(v, str | int | float) for v in present.tolist()):
        return LeftOut(
            name,
            f"holds values of type {type(present.iloc[0]).__name__}",
            "give one number or text per row",
        )
    return _choose_text(name, present, indicator)


def _choose_number(
    column: pd.Series[Any], numbers: NDArray[np.float64], indicator: bool, alone: bool
) -> Number | LeftOut:
    name = str(column.name)
    if not alone and pd.api.types.is_integer_dtype(column) and _counts_rows(numbers):
        return LeftOut(name, "row numbers", "if it is meaningful, let it start at a number other than 0 or 1")
    known = numbers[~np.isnan(numbers)]
    if np.ptp(known) == 0 and not indicator:
        return LeftOut(name, f"only one value ({known[0]:g})", "remove it, or add examples")
    return Number(name, *centre_and_unit(known), indicator)


def _choose_text(name: str, present: pd.Series[Any], indicator: bool) -> Category | LeftOut:
    levels = tuple(sorted(set(as_text(present.unique()))))
    if _mostly(DATE, levels):
        return LeftOut(name, *DATES)
    if _mostly(COMMA, levels):
        return LeftOut(name, f"numbers with a decimal comma ({levels[0]!r})", "write a decimal point")
    if len(levels) == 1 and not indicator:
        return LeftOut(name, f"only one value ({levels[0]!r})", "remove it, or add examples")
    if len(levels) > min(MOST_CATEGORIES, max(FEWEST_CATEGORIES, len(present) // 2)):
        return LeftOut(
            name,
            f"free text or names: {len(levels)} distinct texts in {len(present)} rows",
            f"group it into at most {MOST_CATEGORIES} categories, or convert it to numbers",
        )
    return Category(name, levels, indicator)


def _mostly(pattern: re.Pattern[str], texts: Sequence[str]) -> bool:
    return sum(bool(pattern.fullmatch(text)) for text in texts) >= MOSTLY * len(texts)


def _counts_rows(numbers: NDArray[np.float64]) -> bool:
    """A row number says nothing about a new example, but in a sorted file it gives the target away."""
    return len(numbers) >= ROW_NUMBERS and numbers[0] in (0, 1) and bool((np.diff(numbers) == 1).all())
