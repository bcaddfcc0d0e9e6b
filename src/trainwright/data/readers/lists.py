"""Lists of images: a table with a column of paths, columns of labels, and perhaps a column `split`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from trainwright.base.errors import DataError
from trainwright.data.readers.decoding import ImageFile, is_image
from trainwright.data.readers.index import Example, ImageIndex, Part, make_index
from trainwright.data.readers.tree import PARTS
from trainwright.data.values import found, some

SPLIT = "split"
TRAIN: Part = "train"


def path_column(table: pd.DataFrame, folder: Path) -> str | None:
    """The column of a table that names images in a folder, None if it is no list of images.

    Every value must be named as an image, and one of the first ten be there: a table may well hold names of
    pictures that nobody has.
    """
    for name in table:
        values = table[name].tolist()
        named = all(isinstance(value, str) and is_image(value) for value in values)
        if named and any((folder / value).is_file() for value in values[:10]):
            return str(name)
    return None


def index_list(
    table: pd.DataFrame, folder: Path, *, name: str, source: str, size: int | None = None
) -> ImageIndex:
    """An index of the images that a table lists; paths are relative to `folder`, or absolute.

    A column `split`, if its values are train, validation (val) and test, says which split an image is in.
    All other columns are labels. `size`: see `make_index`.

    Raises `DataError`, with the table's line, for a file that isn't there or is listed twice.
    """
    column = path_column(table, folder)
    if column is None:
        raise DataError(f"no column of image paths; columns: {some(table.columns, 20)}")
    paths = table[column]
    for row, path in enumerate(paths):
        if not (folder / path).is_file():
            raise DataError(
                f"{found(paths, row)}: no such file in {folder}; correct the path or remove the row"
            )
    if paths.duplicated().any():
        row = int(paths.duplicated().to_numpy().argmax())
        raise DataError(f"{found(paths, row)} is listed a second time; remove one of the rows")
    parts = _parts(table)
    labels = table.drop(columns=[column, *([SPLIT] if parts else [])])
    rows: list[dict[str, Any]] = labels.to_dict("records")  # type: ignore[assignment]  # names are texts
    examples = [
        Example(ImageFile(path, folder / path), row, part)
        for path, row, part in zip(paths, rows, parts or [TRAIN] * len(rows), strict=True)
    ]
    return make_index(name, examples, size=size, source=source)


def _parts(table: pd.DataFrame) -> list[Part]:
    """Each row's part, none if there is no column that says so."""
    words = [str(value).lower() for value in table[SPLIT]] if SPLIT in table else []
    parts = [PARTS[word] for word in words if word in PARTS]
    return parts if len(parts) == len(words) and "train" in parts else []
