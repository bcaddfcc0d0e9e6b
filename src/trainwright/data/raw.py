"""Raw data: as read from a source, before it is split and prepared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainwright.base.errors import DataError
from trainwright.data.preparation import as_table
from trainwright.data.streamed import Streamed
from trainwright.data.targets import TaskName
from trainwright.data.values import place, some

Inputs = pd.DataFrame | NDArray[Any] | Streamed

FEWEST = 10  # examples; with fewer, splits say nothing


@dataclass(frozen=True, eq=False)
class Raw:
    """Inputs and targets as given, example by example."""

    name: str
    """What the data set is called."""
    inputs: Inputs
    """A table, or an array (examples, *shape) of pixels, which may be streamed. A table's index says where an
    example came from, in its source's terms ("line 7")."""
    targets: pd.Series[Any]
    """What is to be predicted, (examples,); its index is as that of the inputs."""
    own_test: int = 0
    """So many examples at the end are the source's own test set."""
    own_validation: int = 0
    """So many before these are its own validation set."""
    highest: float | None = None
    """The pixels' highest possible value; None where it is not known."""
    groups: NDArray[np.int64] | None = None
    """Each example's group number, (examples,), where examples belong together."""
    source: str = ""
    """The file, folder or package that it was read from."""
    notes: tuple[str, ...] = ()
    """What was decided in reading and is worth saying."""
    task: TaskName | None = None
    """What the targets are for; None where the source does not say."""
    cut_out: bool = False
    """Whether each image is a part of its file, squeezed into one shape."""

    def __post_init__(self) -> None:
        own = len(self.targets) - self.own_test - self.own_validation
        if own < FEWEST:
            raise DataError(
                f"{own} example{'s' * (own != 1)} to train "
                f"{'on' if self.own_validation else 'and validate on, too few to split'}; "
                f"at least {FEWEST} are needed"
            )


def from_arrays(arrays: Sequence[Any], name: str = "arrays", source: str = "") -> Raw:
    """Raw data from (x, y), or from (x_train, y_train, x_test, y_test), whose test set is kept.

    x: a data frame, or an array. Two dimensions are rows × columns, prepared column by column; bytes (uint8)
    and arrays of more dimensions are pixels. y: (examples,) or (examples, 1).
    """
    if not isinstance(arrays, tuple | list):
        raise DataError(
            f"cannot read data from a {type(arrays).__name__}; give a name, a path, a data frame or arrays"
        )
    if len(arrays) not in (2, 4):
        raise DataError(f"{len(arrays)} arrays; give (x, y) or (x_train, y_train, x_test, y_test)")
    inputs, targets = as_inputs(arrays[0]), _targets(arrays[1])
    if len(inputs) != len(targets):
        raise DataError(f"x has {len(inputs)} examples but y has {len(targets)}; give one target per example")
    if len(arrays) == 2:
        return Raw(name, inputs, targets, source=source)
    test_inputs, test_targets = as_inputs(arrays[2]), _targets(arrays[3])
    if len(test_inputs) != len(test_targets):
        raise DataError(f"x_test has {len(test_inputs)} examples but y_test has {len(test_targets)}")
    if not len(test_targets):
        raise DataError("x_test has no examples; give only (x, y) to have a test split drawn")
    joined = _join(inputs, test_inputs)
    both = pd.concat([targets, test_targets], ignore_index=True)
    return Raw(name, joined, both.rename_axis("row"), own_test=len(test_targets), source=source)


def from_table(
    table: pd.DataFrame, target: str | None, name: str, source: str = "", group: str | None = None
) -> Raw:
    """Raw data from a table: `target` and `group` name the columns to predict, and of what belongs together.

    The group column is no input. Raises DataError if there is no such column, or two columns of one name, and
    for groups that are missing or all the same.
    """
    table = as_table(table)
    if target is None:
        raise DataError(
            f"name the column to predict (--target, in Python target=); columns: {some(table.columns, 20)}"
        )
    if target not in table.columns:
        raise DataError(
            f"no column {target!r} to predict{near(target, table.columns)}; "
            f"columns: {some(table.columns, 20)}"
        )
    groups: NDArray[np.int64] | None = None
    notes: tuple[str, ...] = ()
    if group is not None:
        groups = number_groups(table, group, target)
        table = table.drop(columns=group)
        notes = (f"column {group!r} groups the rows, and is no input",)
    return Raw(name, table.drop(columns=target), table[target], groups=groups, source=source, notes=notes)


def number_groups(table: pd.DataFrame, group: str, target: str) -> NDArray[np.int64]:
    """Each row's group as a number, in the order of appearance. Raises DataError, see `from_table`."""
    if group == target:
        raise DataError(f"column {group!r} is what is predicted: name another one to group by")
    if group not in table.columns:
        raise DataError(
            f"no column {group!r} to group by{near(group, table.columns)}; columns: {some(table.columns, 20)}"
        )
    codes, names = pd.factorize(table[group])
    if (codes < 0).any():
        row = int(np.argmax(codes < 0))
        raise DataError(f"{place(table[group], row)}: the group is missing; fill it in or remove the row")
    if len(names) < 2:
        raise DataError(
            f"column {group!r}: one group only ({names[0]!r}); name a column that tells groups apart, or none"
        )
    return codes.astype(np.int64)


def near(word: str, known: Sequence[Any] | pd.Index[Any]) -> str:
    """`; did you mean 'age'?` if some known word is close."""
    lowered = {str(k).lower(): str(k) for k in known}
    matches = get_close_matches(word.lower(), lowered, n=1)
    return f"; did you mean {lowered[matches[0]]!r}?" if matches else ""


def as_inputs(x: Any) -> Inputs:
    """A data frame as it is; bytes, and arrays of more than two dimensions, as pixels; others as a table."""
    if isinstance(x, pd.DataFrame):
        return as_table(x)
    array = np.asarray(x)
    if array.ndim == 0:
        raise DataError("x is a single value; give an array with one row per example")
    if array.ndim > 2 or (array.dtype == np.uint8 and array.ndim == 2):
        return array
    return as_table(array)


def _targets(y: Any) -> pd.Series[Any]:
    if isinstance(y, pd.Series):
        return y.rename("target" if y.name is None else str(y.name)).reset_index(drop=True).rename_axis("row")
    array = np.asarray(y)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise DataError(
            f"y has shape {array.shape}; give one target per example, shape (examples,)"
            + ("; for one-hot rows use y.argmax(axis=1)" if array.ndim == 2 else "")
        )
    return pd.Series(array, name="target").infer_objects().rename_axis("row")


def _join(train: Inputs, test: Inputs) -> Inputs:
    if isinstance(train, pd.DataFrame) and isinstance(test, pd.DataFrame):
        if list(train.columns) != list(test.columns):
            raise DataError(f"x_test has the columns {some(test.columns)}, x_train {some(train.columns)}")
        return pd.concat([train, test], ignore_index=True).rename_axis("row")
    if isinstance(train, pd.DataFrame) or isinstance(test, pd.DataFrame) or train.shape[1:] != test.shape[1:]:
        raise DataError(f"x_train has shape {train.shape} but x_test {test.shape}")
    return np.concatenate([train, test])
