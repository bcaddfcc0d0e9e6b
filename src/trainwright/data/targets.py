"""The target: classes as numbers, or a quantity."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Number
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainwright.base.errors import DataError, SettingError
from trainwright.data import sequences
from trainwright.data.values import as_codes, as_numbers, as_text, centre_and_unit, found, place, some

TaskName = Literal["classification", "regression", "sequence"]
"""`sequence`: a number of up to five digits; see `trainwright.data.sequences`."""

MOST_CLASSES_GUESSED = 20  # whole numbers with more distinct values are taken to be a quantity


@dataclass(frozen=True)
class Classes:
    """The classes' names in the order of their numbers."""

    name: str
    """The target's name, such as its column's."""
    names: tuple[str, ...]
    """The classes, in the order of their numbers from 0."""
    kind: Literal["classes"] = "classes"
    """Which kind of target this is, in a stored model."""

    def encode(self, values: pd.Series[Any]) -> NDArray[np.int32]:
        """Each example's class number, (examples,). Raises DataError for a class that is not known."""
        codes = as_codes(values, self.names)
        if (codes < 0).any():
            row = int(np.argmax(codes < 0))
            raise DataError(
                f"{found(values, row)} is not a class seen in training ({some(self.names)}); "
                "correct it, or train with examples of it"
            )
        return codes.astype(np.int32)


@dataclass(frozen=True)
class Quantity:
    """A quantity, less `mean` and divided by `deviation`, both in its own unit."""

    name: str
    """The target's name, such as its column's."""
    mean: float
    """What is subtracted, in the quantity's own unit: in a model, the training rows' mean."""
    deviation: float
    """What then divides, in the same unit: in a model, the training rows' standard deviation."""
    kind: Literal["quantity"] = "quantity"
    """Which kind of target this is, in a stored model."""

    def encode(self, values: pd.Series[Any]) -> NDArray[np.float32]:
        """Standardised: (value - mean) / deviation, (examples,)."""
        return ((_quantities(values) - self.mean) / self.deviation).astype(np.float32)

    def in_fold(self, shift: float, scale: float) -> Quantity:
        """The quantity once more shifted and scaled, as a fold's training rows say."""
        return replace(self, mean=self.mean + self.deviation * shift, deviation=self.deviation / scale)

    def decode(self, standardised: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Back in the quantity's own unit.

        >>> Quantity("price", mean=100.0, deviation=20.0).decode(np.array([-1.0, 0.5])).tolist()
        [80.0, 110.0]
        """
        return np.asarray(standardised, dtype=np.float64) * self.deviation + self.mean


@dataclass(frozen=True)
class Numbers:
    """Whole numbers that are read digit by digit, as house numbers are; see `trainwright.data.sequences`."""

    name: str
    """The target's name, such as its column's."""
    kind: Literal["sequence"] = "sequence"
    """Which kind of target this is, in a stored model."""

    def encode(self, values: pd.Series[Any]) -> NDArray[np.int32]:
        """Each number's length and digits, (examples, 6). Raises DataError for what does not consist of
        digits."""
        for row, text in enumerate(texts := as_text(values)):
            if not (text.isascii() and text.isdecimal()):
                raise DataError(
                    f"{found(values, row)} is not made of digits, as the task sequence needs; "
                    "correct it, remove the row, or choose another task"
                )
        return sequences.from_texts(texts)


Target = Classes | Quantity | Numbers


def choose_task(values: pd.Series[Any], asked: str | None) -> tuple[TaskName, str | None]:
    """The task and, if none was asked for, how it was inferred.

    Categories are classes, which is no guess. Numbers with a fraction or with more than 20 distinct values
    are a quantity; anything else is classes.

    Raises DataError if a value is missing, SettingError for an unknown task.
    """
    if values.isna().any():
        row = int(np.argmax(values.isna()))
        raise DataError(
            f"{place(values, row)}: the target is missing ({int(values.isna().sum())} such rows; empty "
            "cells, NA, None and null count as missing); fill it in or remove the row"
        )
    if asked in get_args(TaskName):
        return asked, None  # type: ignore[return-value]  # narrowed by the tuple
    if asked is not None:
        raise SettingError(f"task={asked!r} is unknown; choose {', '.join(map(repr, get_args(TaskName)))}")
    if isinstance(values.dtype, pd.CategoricalDtype):
        return "classification", None
    if not _holds_numbers(values) or pd.api.types.is_bool_dtype(values):
        return "classification", f"task: classification, because {values.name!r} does not hold numbers"
    numbers = as_numbers(values)
    if (numbers != np.floor(numbers)).any():
        return "regression", f"task: regression, because {values.name!r} holds fractional numbers"
    distinct = len(np.unique(numbers))
    if distinct > MOST_CLASSES_GUESSED:
        return "regression", f"task: regression, because {values.name!r} has {distinct} distinct numbers"
    return (
        "classification",
        f"task: classification, because {values.name!r} has {distinct} distinct whole numbers",
    )


def find_classes(values: pd.Series[Any], own_test: int, own_validation: int = 0) -> Classes:
    """The classes of a target, in their own order if they have one, else numbers ascending and text
    alphabetically. The last examples are the source's own validation and test sets.

    Raises DataError for one class only, or a class too rare to be in each split.
    """
    try:
        present = values.unique().tolist()
    except TypeError as error:
        raise DataError(f"column {values.name!r}: holds lists or objects; give one class per row") from error
    if isinstance(values.dtype, pd.CategoricalDtype):
        present = [category for category in values.cat.categories if category in set(present)]
    else:
        present = sorted(present, key=lambda v: (isinstance(v, str), v))
    names = tuple(as_text(present))
    if len(set(names)) < len(names):
        raise DataError(
            f"column {values.name!r}: some classes occur both as a number and as text; write them alike"
        )
    if len(names) < 2:
        raise DataError(
            f"column {values.name!r}: only one class ({names[0]!r}), so there is nothing to classify; "
            "add examples of another class"
        )
    classes = Classes(str(values.name), names)
    trainable = classes.encode(values.iloc[: len(values) - own_test - own_validation])
    counts = np.bincount(trainable, minlength=len(names))
    needed = 1 + (not own_validation) + (not own_test)  # one for each split that is drawn
    if counts.min() < needed:
        rarest = int(np.argmin(counts))
        many = f" ({int((counts < needed).sum())} of {len(names)} classes are this rare)"
        raise DataError(
            f"column {values.name!r}: the class {names[rarest]!r} has {counts[rarest]} example(s), but "
            f"each split needs one, {needed} in all{many}; add examples, or merge or remove the class"
            + ("; if the target is a quantity, choose the task regression" if _holds_numbers(values) else "")
        )
    return classes


def read_quantity(values: pd.Series[Any]) -> Quantity:
    """A quantity in a unit that suits all rows; each fold standardises it by its own training rows.

    Raises DataError if it is not a number, not finite or has one value only.
    """
    quantities = _quantities(values)
    if np.ptp(quantities) == 0:
        raise DataError(
            f"column {values.name!r}: only one value, {quantities[0]:g}; there is nothing to predict"
        )
    return Quantity(str(values.name), *centre_and_unit(quantities))


def _holds_numbers(values: pd.Series[Any]) -> bool:
    """Numbers as such, also decimal ones; not texts that read as numbers, for those name classes."""
    return pd.api.types.is_numeric_dtype(values) or all(isinstance(v, Number) for v in values)


def _quantities(values: pd.Series[Any]) -> NDArray[np.float64]:
    numbers = as_numbers(values)
    if np.isnan(numbers).any():
        row = int(np.argmax(np.isnan(numbers)))
        raise DataError(
            f"{found(values, row)} is not a number, as regression needs; "
            "correct it, remove the row, or choose the task classification"
        )
    return numbers
