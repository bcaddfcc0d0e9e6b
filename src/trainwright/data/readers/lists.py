"""Lists of images: a table with a column of paths, columns of labels, and perhaps a column `split`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pandas as pd

from trainwright.base.errors import DataError
from trainwright.data.readers.decoding import SUFFIXES, ImageFile, is_image
from trainwright.data.readers.index import Example, ImageIndex, SplitName, make_index
from trainwright.data.readers.tree import SPLIT_OF
from trainwright.data.tables import read_csv
from trainwright.data.values import found, place, some

LISTS = (".csv", ".tsv", ".txt")
MOSTLY = 0.8  # from this share of names of images on, a column lists images, and the rest are mistakes
HEAD = 1 << 16  # bytes of a list that are looked at before it is read as one
SPLIT = "split"
TRAIN: SplitName = "train"


def read_list(path: Path) -> pd.DataFrame | None:
    """The table in a file that lists images, None for any other file.

    Raises `DataError` if it is damaged, or begins with an image where the columns' names belong.
    """
    if path.suffix.lower() not in LISTS or not path.is_file():
        return None
    with path.open("rb") as file:
        head = file.read(HEAD).lower()
    if not any(suffix.encode() in head for suffix in SUFFIXES):  # most tables are no lists of images
        return None
    try:
        table = read_csv(path)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    # Taken for a column's name, the first image would be lost without a word.
    first = next((name for name in map(str, table) if _is_there(name, path.parent)), None)
    if first is not None:
        raise DataError(
            f"{path}: line 1: {first!r} is an image where the names of the columns belong; add a line of "
            f"names above it, such as {'image,label' if table.shape[1] > 1 else 'image'}"
        )
    return None if path_column(table, path.parent) is None else table


def path_column(table: pd.DataFrame, folder: Path) -> str | None:
    """The column of a table that names images in a folder, None if it is no list of images.

    Most of the values must be named as images, and one of the first ten of these be there: a table may well
    hold names of pictures that nobody has.
    """
    for name in table:
        images = [value for value in table[name].tolist() if _is_named(value)]
        if len(images) >= MOSTLY * len(table) and any(_is_there(image, folder) for image in images[:10]):
            return str(name)
    return None


def _is_named(value: Any) -> bool:
    """Whether a cell holds the name of an image."""
    return isinstance(value, str) and is_image(value)


def _is_there(name: str, folder: Path) -> bool:
    """Whether a text names an image in a folder, as one that is too long for a file's name does not."""
    return is_image(name) and os.path.isfile(folder / name)


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
    paths, files = table[column], listed_images(table, folder)
    again = pd.Series([os.path.normpath(file.path) for file in files]).duplicated()  # a.png is ./a.png
    if again.any():
        row = int(again.to_numpy().argmax())
        raise DataError(f"{found(paths, row)} is listed a second time; remove one of the rows")
    splits = _splits(table)
    labels = table.drop(columns=[column, *([SPLIT] if splits else [])])
    rows: list[dict[str, Any]] = labels.to_dict("records")  # type: ignore[assignment]  # names are texts
    examples = [
        Example(file, row, split)
        for file, row, split in zip(files, rows, splits or [TRAIN] * len(rows), strict=True)
    ]
    return make_index(name, examples, size=size, source=source)


def listed_images(table: pd.DataFrame, folder: Path) -> list[ImageFile]:
    """The images that a table lists, in its order, whatever else it says of them; see `index_list`."""
    paths = table[path_column(table, folder)]
    for row, path in enumerate(paths):
        if not _is_named(path):
            seen = f"{place(paths, row)}: an empty cell" if pd.isna(path) else found(paths, row)
            raise DataError(f"{seen} where the name of an image belongs; correct it or remove the row")
        if not os.path.isfile(folder / path):  # unlike Path's, it allows for names that no file can have
            raise DataError(
                f"{found(paths, row)}: no such file in {folder}; correct the path or remove the row"
            )
    return [ImageFile(path, folder / path) for path in paths]


def _splits(table: pd.DataFrame) -> list[SplitName]:
    """Each row's split, none if there is no column that says so."""
    words = [str(value).lower() for value in table[SPLIT]] if SPLIT in table else []
    splits = [SPLIT_OF[word] for word in words if word in SPLIT_OF]
    return splits if len(splits) == len(words) and "train" in splits else []
