"""Preparation: what was done to the raw data, kept so that new data can be treated alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter, ValidationError

from trainwright.base.errors import DataError
from trainwright.data.columns import Columns, Unseen
from trainwright.data.pixels import Pixels
from trainwright.data.standardization import Standardization, measure
from trainwright.data.streamed import Streamed
from trainwright.data.targets import Classes, Numbers, Quantity, TaskName
from trainwright.data.values import some


@dataclass(frozen=True)
class Preparation:
    """How raw inputs become a network's inputs, and how its outputs translate back to the target's own terms.

    What a model keeps has the shifts and scales of its training rows alone (`in_fold`).

    >>> from trainwright.data.columns import Columns, Number
    >>> prepared = Preparation(Columns((Number("age", 40.0, 10.0, False),)), Quantity("income", 2e3, 500.0))
    >>> prepared.transform(pd.DataFrame({"age": [35, 50]})).tolist()
    [[-0.5], [1.0]]
    >>> Preparation.from_json(prepared.to_json()) == prepared
    True
    """

    inputs: Annotated[Columns | Pixels, Field(discriminator="kind")]
    """How a table's columns, or an image's pixels, become inputs."""
    target: Annotated[Classes | Quantity | Numbers, Field(discriminator="kind")]
    """How the target becomes numbers, and predictions the target's own terms."""

    def measure(self, inputs: Any, targets: NDArray[Any], rows: NDArray[np.int64]) -> Standardization:
        """What the training rows say of inputs (examples, *shape) and targets (examples,) that this
        preparation made."""
        fold = self.inputs.measure(inputs, rows)
        if not isinstance(self.target, Quantity):
            return fold
        target_shift, target_scale = (part[0] for part in measure(targets[rows, None]))
        if not target_scale:
            raise DataError(
                f"column {self.target.name!r}: only one value in the training split; add other examples"
            )
        return fold._replace(target_shift=target_shift, target_scale=target_scale)

    def in_fold(self, fold: Standardization) -> Preparation:
        """This preparation and a fold's standardization in one."""
        inputs, target = self.inputs, self.target
        if fold.shift is not None and fold.scale is not None:
            inputs = inputs.in_fold(fold.shift, fold.scale)
        if isinstance(target, Quantity):
            target = target.in_fold(float(fold.target_shift), float(fold.target_scale))  # type: ignore[arg-type]
        return Preparation(inputs, target)

    @property
    def task(self) -> TaskName:
        match self.target:
            case Classes():
                return "classification"
            case Quantity():
                return "regression"
            case Numbers():
                return "sequence"

    def transform(self, raw: pd.DataFrame | NDArray[Any], *, unseen: Unseen = "error") -> NDArray[np.float32]:
        """New raw inputs as float32 inputs (examples, *shape).

        A table's columns are found by name and may stand in any order; others are ignored (`notes` says
        so). A missing value becomes the mean, or no category. A category that training has not seen is an
        error, for it is as likely a misspelling; `unseen="zeros"` sets no category instead.

        Raises DataError, naming row, column, value and remedy, for a missing column, a text where training
        had numbers, an infinite value, an unseen category, or images of another shape.
        """
        if isinstance(self.inputs, Pixels):
            if isinstance(raw, pd.DataFrame):
                raise DataError(
                    f"this is a table, but the model was trained on arrays of shape {self.inputs.shape}"
                )
            return self.inputs.transform(np.asarray(raw))
        table, columns = as_table(raw), self.inputs.columns
        if not isinstance(raw, pd.DataFrame) and table.shape[1] != len(columns):
            # Without names, an extra column could be any of them.
            raise DataError(
                f"an array with {table.shape[1]} columns; the model needs {len(columns)}, as in training"
            )
        return self.inputs.transform(table, unseen)

    def notes(self, raw: pd.DataFrame | NDArray[Any] | Streamed) -> tuple[str, ...]:
        """What is worth saying about new raw inputs that `transform` takes, such as columns not used. Of
        images that are streamed, the first hundred are looked at."""
        if isinstance(raw, Streamed):
            raw = raw[:100]
        if isinstance(self.inputs, Pixels):
            return self.inputs.notes(np.asarray(raw))
        table, target = as_table(raw), self.target.name
        if target not in table.columns or target in {column.name for column in self.inputs.columns}:
            return self.inputs.notes(table)
        rest = self.inputs.notes(table.drop(columns=target))
        return (f"column {target!r} is the target, which is not used for predicting", *rest)

    def report(self) -> list[dict[str, str]]:
        """A line for each column, the target last: its name (`column`), its `kind` and its `treatment`."""
        match self.target:
            case Classes(_, names):
                done = f"{len(names)} classes ({some(names)})"
            case Quantity(_, mean, deviation):
                done = f"standardised (mean {mean:.4g}, standard deviation {deviation:.4g})"
            case Numbers():
                done = "read digit by digit: its length and up to five digits"
        return [*self.inputs.report(), {"column": self.target.name, "kind": "target", "treatment": done}]

    def to_json(self) -> dict[str, Any]:
        """As plain values that `json.dump` takes."""
        return _adapter().dump_python(self, mode="json")  # type: ignore[no-any-return]

    @staticmethod
    def from_json(plain: dict[str, Any]) -> Preparation:
        """The inverse of `to_json`. Raises DataError if it isn't one."""
        try:
            return _adapter().validate_python(plain)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise DataError(f"not a preparation of data: {where}: {first['msg']}") from error


def _adapter() -> TypeAdapter[Preparation]:
    return TypeAdapter(Preparation)


def as_table(raw: pd.DataFrame | NDArray[Any]) -> pd.DataFrame:
    """A table with text as column names, each once, and a named index, so that messages can name a place.

    An array (rows, columns), or (rows,), gets the columns x0, x1, ... Raises DataError for other arrays, or
    if two columns have one name.
    """
    if isinstance(raw, pd.DataFrame):
        table = raw.reset_index() if raw.index.nlevels > 1 else raw
    else:
        array = np.asarray(raw)
        array = array[:, None] if array.ndim == 1 else array
        if array.ndim != 2:
            raise DataError(f"an array of shape {array.shape}; give rows × columns")
        table = pd.DataFrame(array, columns=[f"x{i}" for i in range(array.shape[1])])
        table = table.infer_objects() if array.dtype == object else table
    table = table.rename(columns=str).rename_axis(index=str(table.index.name or "row"))
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise DataError(f"two columns are named {twice[0]!r}; rename one of them")
    return table
