"""Tree: the images in a folder or shard, and what their places say about them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from trainwright.base.errors import DataError
from trainwright.data.readers.decoding import ImageFile, is_image
from trainwright.data.readers.index import SplitName
from trainwright.data.readers.shards import is_shard, read_shard
from trainwright.data.values import readable

SPLIT_OF: dict[str, SplitName] = {
    "train": "train", "training": "train",
    "val": "validation", "valid": "validation", "validation": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip
"""Folders, and words in shards' names, that say which split it is."""

WNID = re.compile(r"n\d{8}")  # a WordNet noun: ImageNet comes as one tar file for each class, named so


@dataclass(frozen=True, slots=True)
class Place:
    """An image and what its place says about it."""

    file: ImageFile
    """Where the image is."""
    folders: tuple[str, ...]
    """The folders that it lies in, from what was given on."""
    label: str | None = None
    """What a file beside it says."""

    @property
    def top(self) -> str:
        """The outermost folder."""
        return self.folders[0] if self.folders else ""


@dataclass
class Tree:
    """What lies in a folder, at any depth; hidden files and folders are passed over."""

    path: Path
    """The folder, or the single shard."""
    images: list[Place] = field(default_factory=list)
    """The images in it, at any depth, in the order of their names."""
    folders: list[tuple[str, ...]] = field(default_factory=list)
    """The folders in it, each by the names that lead there."""
    others: list[str] = field(default_factory=list)
    """Names of files that are neither images nor shards."""

    @staticmethod
    def of(path: Path) -> Tree:
        """The contents of a folder or of a single shard, in the order of their names, links followed.

        Raises `DataError`, with the path, for a folder that can't be read and for a link that leads back to
        a folder it lies in.
        """
        tree = Tree(path)
        if path.is_dir():
            tree._add_folder(path, (), ())
        else:
            tree._add_shard(path, ())
        return tree

    def _add_folder(self, path: Path, folders: tuple[str, ...], above: tuple[tuple[int, int], ...]) -> None:
        try:
            entries = sorted(os.scandir(path), key=lambda entry: entry.name)
            status = path.stat()
        except OSError as error:
            raise DataError(f"{path}: {error.strerror or error}; make it readable or move it away") from error
        if (itself := (status.st_dev, status.st_ino)) in above:
            raise DataError(f"{path}: this link leads back to a folder that contains it; remove the link")
        for entry in entries:
            if entry.name.startswith(".") or entry.name == "__MACOSX":
                continue
            name = "/".join(within := (*folders, readable(entry.name)))
            if _is_folder(entry):
                self.folders.append(within)
                self._add_folder(path / entry.name, within, (*above, itself))
            elif is_image(entry.name):
                self.images.append(Place(ImageFile(name, path / entry.name), folders))
            elif is_shard(entry.name):
                self._add_shard(path / entry.name, folders)
            else:
                self.others.append(name)

    def _add_shard(self, path: Path, folders: tuple[str, ...]) -> None:
        """A shard's images, as if it were a folder, or in the split that its name tells."""
        words = re.split(r"[^a-z]+", path.stem.lower())
        told = tuple(word for word in words if word in SPLIT_OF)[:1]
        name = "/".join((*folders, readable(path.name)))
        for file, label in read_shard(path, name):
            within = PurePosixPath(file.name).relative_to(name).parent.parts
            if not within and label is None and WNID.fullmatch(path.stem):
                within = (path.stem,)
            outer = folders or (() if within and within[0].lower() in SPLIT_OF else told)
            self.images.append(Place(file, (*outer, *within), label))

    def unwrapped(self) -> Tree:
        """The same without a folder that all else lies in, as archives often have."""
        tops = {folders[0] for folders in self.folders} | {place.top for place in self.images}
        if len(tops) != 1 or any(len(place.folders) < 2 for place in self.images):
            return self
        (top,) = tops
        if top.lower() in SPLIT_OF:
            return self
        return Tree(
            self.path / top,
            [replace(place, folders=place.folders[1:]) for place in self.images],
            [folders[1:] for folders in self.folders if folders[1:]],
            self.others,
        ).unwrapped()


def _is_folder(entry: os.DirEntry[str]) -> bool:
    # A link to itself makes the entry's own method raise; as a file, it is refused with its path.
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()
