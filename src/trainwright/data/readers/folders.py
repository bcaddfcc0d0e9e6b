"""Folders of images, and of tar shards: `train/cat/1.jpg`, `validation/...`, `test/...`, or `cat/1.jpg`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from trainwright.base.errors import DataError
from trainwright.data.readers import memory
from trainwright.data.readers.decoding import SUFFIXES, WHOLE, ImageFile, Pixels, is_image, read_header
from trainwright.data.readers.index import Example, ImageIndex, choose_shape, make_index
from trainwright.data.readers.lists import listed_images, read_list
from trainwright.data.readers.tree import SPLIT_OF, Tree
from trainwright.data.streamed import Streamed
from trainwright.data.threads import in_threads
from trainwright.data.values import readable, some


def index_folder(path: Path, *, name: str | None = None, size: int | None = None) -> ImageIndex:
    """An index of the images in a folder or a tar shard.

    An image's class is what the file beside it says (in shards), else the folder that it lies in: the
    outermost one, or the one within `train`, `validation` (`val`) or `test`. A single folder around all
    others is passed through. A shard may say its split in its name (`photos-train-0001.tar`). `size`: see
    `make_index`.

    Raises `DataError`, with the path and what to do, for a class folder without images, images without a
    class, a link that leads back, and what can't be read.
    """
    tree = Tree.of(path).unwrapped()
    _refuse_none(tree)
    depth = _depth_of_classes(tree)
    _refuse_unlabelled(tree, depth)
    _refuse_empty(tree, depth)
    examples = [
        Example(
            place.file,
            {"class": place.label or place.folders[depth]},
            SPLIT_OF[place.folders[0].lower()] if depth else "train",
        )
        for place in tree.images
    ]
    others = len(tree.others)
    notes = [f"{others:,} other file{'s' * (others != 1)} not read: {some(tree.others, 3)}"] if others else []
    return make_index(
        name or readable(path.resolve().name).split(".")[0],
        examples,
        size=size,
        source=str(path),
        notes=notes,
    )


def read_images(
    folder: str | os.PathLike[str],
    shape: tuple[int, ...] | None = None,
    *,
    squeezed: bool = False,
    listed: pd.DataFrame | None = None,
) -> tuple[list[str], Pixels | Streamed]:
    """Names and pixels, (examples, *shape) as bytes, of the images in a folder, shard or list.

    More images than may be kept in memory are streamed: they are decoded when they are predicted for.

    For predicting, so labels are not asked for. `folder` may also be a CSV with a column of paths, or a
    single image. `shape`: what the model was trained on, (height, width, channels) or, for greyscale,
    (height, width); None chooses one as for training, see `make_index`. `squeezed`: all of an image is
    brought to this shape, whatever its proportions, in place of the largest part at its centre that has them.
    `listed`: what `read_list` gave, so that a list need not be read again.

    Raises `DataError` if there is no image, if the shape is no image's, and if any can't be decoded: the
    first is named, all are counted.
    """
    path = Path(folder).expanduser()
    if not path.exists():
        raise DataError(f"{path}: no such folder or file; correct the path")
    if shape is not None and not (len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3))):
        raise DataError(f"{path}: the model takes inputs of shape {shape}, which images don't have")
    files = _files(path, listed)
    height, width, channels = (
        (*shape, 1)[:3] if shape else choose_shape(in_threads(read_header, files), None)[0]
    )
    names = [file.name for file in files]
    images = ImageIndex(
        str(path),
        tuple(files),
        pd.DataFrame(index=names),
        (height, width, channels),
        boxes=(WHOLE,) * len(files) if squeezed else (),
    )
    if not memory.fits(len(files), images.shape) and len(shape or images.shape) == 3:
        return names, Streamed(images)
    pixels = images.read()
    return names, pixels.reshape(len(files), *shape) if shape else pixels


def _files(path: Path, listed: pd.DataFrame | None) -> list[ImageFile]:
    """A single image, those of a list in its order, or those of a folder or shard."""
    if path.is_file() and is_image(path.name):
        return [ImageFile(readable(path.name), path)]
    table = read_list(path) if listed is None else listed
    if table is not None:
        try:
            return listed_images(table, path.parent)
        except DataError as error:
            raise DataError(f"{path}: {error}") from error
    tree = Tree.of(path)
    _refuse_none(tree)
    return [place.file for place in tree.images]


def _refuse_none(tree: Tree) -> None:
    if not tree.images:
        others = f" (but {some(tree.others, 3)})" if tree.others else ""
        suffixes = some(sorted(SUFFIXES), len(SUFFIXES))
        raise DataError(f"{tree.path}: no image in it{others}; give files that end in {suffixes}")


def _depth_of_classes(tree: Tree) -> int:
    """0 if the outermost folders are classes, 1 if they are train, validation and test."""
    tops = {place.top for place in tree.images}
    splits = {SPLIT_OF[top.lower()] for top in tops if top.lower() in SPLIT_OF}
    strays = [place.file.place for place in tree.images if place.top.lower() not in SPLIT_OF]
    if splits and not strays:
        if "train" not in splits:
            raise DataError(
                f"{tree.path / 'train'}: no images to train on; put a folder for each class there"
            )
        return 1
    if len(splits) > 1:
        raise DataError(
            f"{strays[0]}: not in train, validation or test{_more(strays)}; move it into one of these, "
            "or away"
        )
    return 0  # a class may well be called "train"


def _refuse_unlabelled(tree: Tree, depth: int) -> None:
    strays = [p.file.place for p in tree.images if p.label is None and len(p.folders) <= depth]
    if not strays:
        return
    lists = [name for name in tree.others if "/" not in name and name.lower().endswith((".csv", ".tsv"))]
    remedy = "put the images of each class into a folder of its name, or give a CSV of paths and labels"
    if len(strays) == len(tree.images) and lists:
        remedy = f"is {tree.path / lists[0]} a list of them? then give that as the data"
    raise DataError(f"{strays[0]}: its class is not known{_more(strays)}; {remedy}")


def _refuse_empty(tree: Tree, depth: int) -> None:
    classes = {place.folders[: depth + 1] for place in tree.images}
    for folders in tree.folders:
        is_class = len(folders) == depth + 1 and (not depth or folders[0].lower() in SPLIT_OF)
        if is_class and folders not in classes:
            raise DataError(
                f"{tree.path.joinpath(*folders)}: a class folder without images; add some or remove it"
            )


def _more(strays: Sequence[str]) -> str:
    return f" (and {len(strays) - 1:,} more)" if len(strays) > 1 else ""
