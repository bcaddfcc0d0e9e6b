"""From a source to its images, if it holds images in files of their own."""

from __future__ import annotations

import os
from pathlib import Path

from trainwright.base.errors import DataError, SettingError
from trainwright.data.idx import is_idx_folder
from trainwright.data.named import INDEXED, NAMED
from trainwright.data.readers.decoding import is_image
from trainwright.data.readers.folders import index_folder
from trainwright.data.readers.index import ImageIndex
from trainwright.data.readers.lists import index_list, read_list
from trainwright.data.readers.shards import is_shard


def open_images(source: object, size: int | None = None) -> ImageIndex | None:
    """The images of a set in `INDEXED`, a folder, a tar shard, or a list; None for any other source.

    `size`: the side in pixels of the squares that they are read in; None keeps the size that all of them
    have, or chooses one.

    Raises `DataError`, with the path and what to do, if they are images but can't be read, `SettingError` for
    a size below 1.
    """
    if size is not None and size < 1:
        raise SettingError(f"size={size} is not allowed: give the pixels of a side, such as 224")
    if not isinstance(source, str | os.PathLike):
        return None
    if str(source) in INDEXED:
        return INDEXED[str(source)](size)
    path = Path(source).expanduser()
    if str(source) in NAMED or not path.exists():
        return None
    if is_image(path.name) and path.is_file():
        raise DataError(
            f"{path}: a single image is not a data set; give a folder that has one folder for each class"
        )
    if holds_images(path):
        return index_folder(path, size=size)
    table = read_list(path)
    if table is None:
        return None
    try:
        return index_list(table, path.parent, name=path.name.split(".")[0], source=str(path), size=size)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def holds_images(path: Path) -> bool:
    """Whether a path is an image, a tar shard, or a folder that is not one of IDX files."""
    if path.is_dir():
        return not is_idx_folder(path)
    return path.is_file() and (is_image(path.name) or is_shard(path.name))
