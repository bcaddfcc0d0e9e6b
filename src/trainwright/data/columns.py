"""The columns of a table, each with how it is turned into numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainwright.base.errors import DataError
from trainwright.data.standardization import Standardization, measure
from trainwright.data.values import as_codes, as_numbers, found, some

FARTHEST = 1e30  # of the unit: beyond, float32 overflows

Unseen = Literal["error", "zeros"]
"""How a category not seen in training is treated: as an error, or as no category (zeros)."""


@dataclass(frozen=True)
class Number:
    """A number, less `mean` and divided by `deviation`."""

    name: str
    """The column's name in the table."""
    mean: float
    """What is subtracted, in the column's own unit: in a model, the training rows' mean."""
    deviation: float
    """What then divides, in the same unit: in a model, the training rows' standard deviation. 0 says that all
    of them have one value: then the input is 0 always."""
    indicator: bool
    """Whether a second input says where the value was missing, by 1."""
    kind: Literal["number"] = "number"
    """Which kind of column this is, in a stored model."""

    @property
    def width(self) -> int:
        return 1 + self.indicator

    def encode(self, column: pd.Series[Any], gap: float) -> NDArray[np.float32]:
        """The inputs (rows, width); a missing value becomes `gap`."""
        numbers = as_numbers(column)
        missing = np.isnan(numbers)
        wrong = missing & column.notna().to_numpy()
        if wrong.any():
            row = int(np.argmax(wrong))
            raise DataError(
                f"{found(column, row)} is not a number, unlike in training; correct it or leave it empty"
            )
        scale = 1 / self.deviation if self.deviation else 0.0
        standardised = (np.where(missing, self.mean, numbers) - self.mean) * scale
        far = np.abs(standardised) > FARTHEST
        if far.any():
            row = int(np.argmax(far))
            raise DataError(
                f"{found(column, row)} is too far from most other values (about {self.mean:.4g}, "
                f"some {self.deviation:.4g} apart); correct it or leave it empty"
            )
        standardised[missing] = gap
        parts = [standardised, missing] if self.indicator else [standardised]
        return np.stack(parts, axis=1).astype(np.float32)

    def in_fold(self, shift: float, scale: float) -> Number:
        """The number once more shifted and scaled, as a fold's training rows say."""
        mean = self.mean + self.deviation * shift
        return replace(self, mean=mean, deviation=self.deviation / scale if scale else 0.0)

    def treatment(self) -> str:
        done = f"standardised (mean {self.mean:.4g}, standard deviation {self.deviation:.4g})"
        if not self.deviation:
            done = f"only one value in the training split ({self.mean:.4g}), so set to 0"
        return done + ("; missing: the mean, and an indicator" if self.indicator else "")


@dataclass(frozen=True)
class Category:
    """One of a few texts, one-hot: one input per level. A missing value is zeros everywhere."""

    name: str
    """The column's name in the table."""
    levels: tuple[str, ...]
    """The texts that occur in the data, in alphabetical order: one input each."""
    indicator: bool
    """Whether a last input says where the value was missing, by 1."""
    kind: Literal["category"] = "category"
    """Which kind of column this is, in a stored model."""

    @property
    def width(self) -> int:
        return len(self.levels) + self.indicator

    def encode(self, column: pd.Series[Any], gap: float) -> NDArray[np.float32]:
        """The inputs (rows, width); a missing value is no category, whatever `gap`."""
        codes = as_codes(column, self.levels)
        inputs = np.zeros((len(column), self.width), dtype=np.float32)
        inputs[np.flatnonzero(codes >= 0), codes[codes >= 0]] = 1
        if self.indicator:
            inputs[:, -1] = column.isna()
        return inputs

    def refuse_unseen(self, column: pd.Series[Any]) -> None:
        """Raise DataError for a category not seen in training."""
        new = self.unseen(column)
        if new.any():
            row = int(np.argmax(new))
            raise DataError(
                f"{found(column, row)} is not a category seen in training ({some(self.levels)}); "
                "correct it, leave it empty if unknown, train with examples of it, or have it count as none "
                "of them (--unseen zeros)"
            )

    def unseen(self, column: pd.Series[Any]) -> NDArray[np.bool_]:
        """Where the column holds a category not seen in training, (rows,)."""
        return (as_codes(column, self.levels) < 0) & column.notna().to_numpy()

    def treatment(self) -> str:
        levels = f"one-hot, {len(self.levels)} categories ({some(self.levels)})"
        return levels + ("; missing: zeros, and an indicator" if self.indicator else "")


@dataclass(frozen=True)
class LeftOut:
    """A column that can't be used, why, and what would make it usable."""

    name: str
    """The column's name in the table."""
    reason: str
    """Why it can't be used, in a few words."""
    remedy: str
    """What would make it usable, as an instruction to the user."""
    kind: Literal["left out"] = "left out"
    """Which kind of column this is, in a stored model."""

    def treatment(self) -> str:
        return f"{self.reason}; {self.remedy}"


Column = Number | Category | LeftOut


@dataclass(frozen=True)
class Columns:
    """A table's columns in their order."""

    columns: tuple[Column, ...]
    """Each of them, also those that are left out."""
    kind: Literal["columns"] = "columns"
    """Which kind of inputs these are, in a stored model."""

    @property
    def left_out(self) -> list[LeftOut]:
        return [column for column in self.columns if isinstance(column, LeftOut)]

    @property
    def used(self) -> list[Number | Category]:
        return [column for column in self.columns if not isinstance(column, LeftOut)]

    def measure(self, inputs: NDArray[Any], rows: NDArray[np.int64]) -> Standardization:
        """Shift and scale (features,) of the training rows, `rows` of `inputs`; none where no column is a
        number."""
        numbers = [isinstance(column, Number) and i == 0 for column in self.used for i in range(column.width)]
        return (
            Standardization(*measure(inputs[rows], np.array(numbers))) if any(numbers) else Standardization()
        )

    def in_fold(self, shift: NDArray[np.float32], scale: NDArray[np.float32]) -> Columns:
        """The columns with a fold's shift and scale in their own numbers."""
        starts = dict(
            zip((c.name for c in self.used), np.cumsum([0, *(c.width for c in self.used)]), strict=False)
        )

        def moved(column: Column) -> Column:
            if not isinstance(column, Number):
                return column
            at = starts[column.name]
            return column.in_fold(float(shift[at]), float(scale[at]))

        return Columns(tuple(map(moved, self.columns)))

    def transform(
        self, table: pd.DataFrame, unseen: Unseen = "error", gap: float = 0.0
    ) -> NDArray[np.float32]:
        """A table's rows as float32 inputs (rows, features). See `Preparation.transform`."""
        absent = [column.name for column in self.used if column.name not in table.columns]
        if absent:
            raise DataError(f"missing column {some(map(repr, absent))}; found: {some(table.columns, 20)}")
        inputs = np.empty((len(table), sum(column.width for column in self.used)), dtype=np.float32)
        start = 0
        for column in self.used:
            values = table[column.name]
            if unseen == "error" and isinstance(column, Category):
                column.refuse_unseen(values)
            inputs[:, start : start + column.width] = column.encode(values, gap)
            start += column.width
        return inputs

    def notes(self, table: pd.DataFrame) -> tuple[str, ...]:
        """What in a table differs from training and is worth a note, but is no error."""
        known = {column.name for column in self.columns}
        extra = [name for name in table.columns if name not in known]
        said = [f"columns not used, because they were no inputs in training: {some(extra)}"] if extra else []
        for column in self.used:
            values = table[column.name]
            missing = int(values.isna().sum())
            if missing and not column.indicator:
                instead = "the mean is used" if isinstance(column, Number) else "no category is set"
                said.append(f"column {column.name!r}: {missing} missing, none in training; {instead}")
            new = int(column.unseen(values).sum()) if isinstance(column, Category) else 0
            if new:
                said.append(
                    f"column {column.name!r}: {new} with a category not in training; no category is set"
                )
        return tuple(said)

    def report(self) -> list[dict[str, str]]:
        """One line per column."""
        return [{"column": c.name, "kind": c.kind, "treatment": c.treatment()} for c in self.columns]
