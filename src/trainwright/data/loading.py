"""From a source to a Dataset: read, choose the task, split, prepare."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainwright.base.errors import DataError, SettingError
from trainwright.data.column_kinds import read_columns
from trainwright.data.columns import Columns
from trainwright.data.dataset import Dataset, strata_of
from trainwright.data.idx import is_idx, read_idx, read_idx_source
from trainwright.data.named import NAMED
from trainwright.data.npz import read_npz, read_npz_inputs
from trainwright.data.pixels import Pixels, read_pixels
from trainwright.data.preparation import Preparation
from trainwright.data.raw import Inputs, Raw, as_inputs, from_arrays, from_table, near
from trainwright.data.readers.opening import open_images
from trainwright.data.splits import fold, split, subset
from trainwright.data.streamed import Streamed
from trainwright.data.tables import notes_of, read_csv, read_parquet
from trainwright.data.targets import Classes, Numbers, Target, choose_task, find_classes, read_quantity

Source = str | os.PathLike[str] | pd.DataFrame | Sequence[Any]

TABLES = {".csv": read_csv, ".tsv": read_csv, ".txt": read_csv, ".parquet": read_parquet, ".pq": read_parquet}
READABLE = (
    "CSV (.csv, .tsv, .txt), Parquet (.parquet), NPZ (.npz), IDX (…-ubyte, .idx) or a folder of IDX files, "
    "a folder of images, a tar shard (.tar) of them or a CSV that lists them"
)


@dataclass(frozen=True, eq=False)
class DataSpec:
    """All that decides a data set; pickles well, so that another process can load the same.

    >>> DataSpec("digits", examples=100).load().fingerprint == load("digits", examples=100).fingerprint
    True
    """

    source: Source
    """A known name, a path, arrays or a data frame; see `load`."""
    target: str | None = None
    """The name of a table's column to predict."""
    task: str | None = None
    """"classification", "regression" or "sequence"; None guesses."""
    examples: int | None = None
    """How many of the training split's examples to train on; None for all."""
    group: str | None = None
    """The name of a table's column whose equal values mark rows that belong together."""
    size: int | None = None
    """The side in pixels of the squares that images in files are read in; None keeps or chooses one."""

    def load(self) -> Dataset:
        """See `load`."""
        return load(
            self.source,
            target=self.target,
            task=self.task,
            examples=self.examples,
            group=self.group,
            size=self.size,
        )

    def to_json(self) -> dict[str, Any]:
        """As plain values, paths absolute. Raises DataError for arrays: no name stands for them."""
        if not isinstance(self.source, str | os.PathLike):
            raise DataError(
                "arrays and data frames have no name to store; save them to a file and give its path"
            )
        source = str(self.source)
        source = source if source in NAMED else str(Path(source).expanduser().absolute())
        return asdict(replace(self, source=source))

    @staticmethod
    def from_json(plain: dict[str, Any]) -> DataSpec:
        """The inverse of `to_json`. Raises DataError if it isn't one."""
        try:
            return DataSpec(**plain)
        except TypeError as error:
            raise DataError(f"not a data set's specification: {error}") from error


def load(
    source: Source,
    *,
    target: str | None = None,
    task: str | None = None,
    examples: int | None = None,
    group: str | None = None,
    size: int | None = None,
) -> Dataset:
    """Read a data set, prepare it and split it; `Dataset.fold` gives other splits of the same arrays.

    `source`: a known name (see `NAMED`); the path of a CSV, Parquet, NPZ or IDX file or of a folder of IDX
    files; the path of a folder or tar shard of images, or of a CSV that lists them; arrays (x, y) or
    (x_train, y_train, x_test, y_test); or a data frame.
    `target`: the name of a table's column to predict.
    `task`: "classification", "regression" or "sequence" (numbers that are read digit by digit); None guesses,
    and the data set's notes say how.
    `examples`: train on so many of the training split's examples only, classes in proportion; the inputs are
    standardised by these alone. Validation and test stay as they are, so sizes can be compared.
    `group`: the name of a table's column (a patient, a storm); rows with the same value stay on one side of
    every split, and the column is no input.
    `size`: the side in pixels of the squares that images in files are read in; None keeps the size that all
    of them have, or chooses one and notes it.

    Raises DataError, with place and remedy, for data that can't be read or used; SettingError for an unknown
    task, and more examples than there are or fewer than one for each class.

    >>> load("digits").inputs.shape
    (1797, 8, 8)
    >>> x = np.random.default_rng(0).normal(size=(50, 3))
    >>> load((x, x @ [1, 2, 3])).task
    'regression'
    """
    raw = read(source, target, group, size)
    with _naming(raw.source or raw.name):
        return _prepare(raw, task, examples)


def read(source: Source, target: str | None = None, group: str | None = None, size: int | None = None) -> Raw:
    """Inputs and targets as the source has them.

    Raises DataError for what can't be read, SettingError for the name of a target or a group where there is
    no table, and for a size where there are no images in files.
    """
    images = open_images(source, size)
    if images is not None:
        return images.raw(target, group)
    if size is not None:
        if isinstance(source, str | os.PathLike) and str(source) not in NAMED:
            _existing(source)
        raise SettingError(f"size={size} applies to folders of image files; this source is none")
    if isinstance(source, pd.DataFrame):
        return from_table(source, target, "table", group=group)
    path = None
    if isinstance(source, str | os.PathLike) and str(source) not in NAMED:
        path = _existing(source)
    if path and path.suffix.lower() in TABLES:
        with _naming(path):
            table = TABLES[path.suffix.lower()](path)
            raw = from_table(table, target, _stem(path), str(path), group)
            return replace(raw, notes=(*notes_of(table), *raw.notes))
    if target is not None:
        raise SettingError(
            f"target={target!r} names a column of a table, but this source keeps its targets separately"
        )
    if group is not None:
        raise SettingError(f"group={group!r} names a column of a table, but this source is not a table")
    if path is None:
        return NAMED[str(source)]() if isinstance(source, str | os.PathLike) else from_arrays(source)
    with _naming(path):
        if path.suffix.lower() == ".npz":
            return from_arrays(read_npz(path), _stem(path), str(path))
        raw = from_arrays(read_idx_source(path), _stem(path), str(path))
        # The labels of IDX files are classes, however many there are.
        return replace(raw, targets=raw.targets.astype("category"))


def read_inputs(source: Source) -> Inputs:
    """Raw inputs alone, to predict for: a table or an array, for `Preparation.transform`.

    Images in files are read by `read_images`, which gives their names too. Raises DataError for a source that
    can't be read.
    """
    if isinstance(source, pd.DataFrame) or not isinstance(source, str | os.PathLike):
        return as_inputs(source)
    if str(source) in NAMED:
        return read(source).inputs
    path = _existing(source)
    with _naming(path):
        if path.suffix.lower() in TABLES:
            return TABLES[path.suffix.lower()](path)
        if path.suffix.lower() == ".npz":
            return as_inputs(read_npz_inputs(path))
        return np.concatenate(read_idx_source(path)[::2]) if path.is_dir() else read_idx(path)


def _stem(path: Path) -> str:
    return path.name.split(".")[0]


def _existing(source: str | os.PathLike[str]) -> Path:
    path = Path(source).expanduser()
    if not str(source) or not path.exists():
        raise DataError(
            f"no known data set or file {str(source)!r}{near(str(source), list(NAMED))}; "
            f"known: {', '.join(NAMED)}"
        )
    if not (path.is_dir() or path.suffix.lower() in {*TABLES, ".npz"} or is_idx(path)):
        raise DataError(f"{path}: unknown file format; give {READABLE}")
    return path


def _prepare(raw: Raw, task: str | None, examples: int | None) -> Dataset:
    chosen, guess = choose_task(raw.targets, task or raw.task)
    notes = [*raw.notes, *([guess] if guess else [])]
    target: Target
    match chosen:
        case "classification":
            target = find_classes(raw.targets, raw.own_test, raw.own_validation)
        case "regression":
            target = read_quantity(raw.targets)
        case "sequence":
            target = Numbers(str(raw.targets.name))
    targets = target.encode(raw.targets)
    strata = strata_of(chosen, targets)
    reading: Columns | Pixels
    inputs: NDArray[Any] | Streamed
    if isinstance(raw.inputs, pd.DataFrame):
        reading = read_columns(raw.inputs)
        inputs = reading.transform(raw.inputs, gap=np.nan)
        notes += [f"column {out.name!r} is left out: {out.treatment()}" for out in reading.left_out]
    else:
        reading = read_pixels(raw.inputs, raw.highest, raw.cut_out)
        inputs = reading.keep(raw.inputs)
    splits = (
        split(strata, raw.own_test, raw.own_validation) if raw.groups is None else fold(strata, raw.groups, 0)
    )
    data = Dataset(
        raw.name,
        chosen,
        inputs,
        targets,
        splits if examples is None else subset(splits, strata, examples, None),
        classes=target.names if isinstance(target, Classes) else (),
        encoding=Preparation(reading, target),
        source=raw.source,
        notes=tuple(notes),
        groups=raw.groups,
        own_test=raw.own_test > 0,
        subset=examples,
    )
    data.standardization  # noqa: B018  # raises here, where the source has a name
    return data


@contextmanager
def _naming(source: str | Path) -> Iterator[None]:
    """Put the source's name before messages of readers and preparation, which know lines and columns only;
    those about an image have its path."""
    try:
        yield
    except DataError as error:
        if str(error).startswith(str(source)):
            raise
        raise DataError(f"{source}: {error}") from error
    except OSError as error:
        raise DataError(f"{source}: {error.strerror or error}") from error
