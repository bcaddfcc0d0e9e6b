"""ImageIndex: where each image is, what may be learnt from it, and the shape that it is read in."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainwright.base.errors import DataError
from trainwright.data.pixels import WHITE
from trainwright.data.raw import Raw, near, number_groups
from trainwright.data.readers import memory
from trainwright.data.readers.decoding import Box, Header, ImageFile, Pixels, Shape, decode, read_header
from trainwright.data.streamed import Streamed
from trainwright.data.threads import in_threads
from trainwright.data.values import some

SplitName = Literal["train", "validation", "test"]

USUAL = 224  # pixels; the side that networks for photographs were designed for


@dataclass(frozen=True, slots=True)
class Example:
    """One image of a source, before any is opened."""

    file: ImageFile
    """Where the image is."""
    labels: dict[str, Any]
    """What may be predicted, by name."""
    split: SplitName = "train"
    """The split that the source has put it into."""
    box: Box | None = None
    """The part of the image to read; None for all of it."""


@dataclass(frozen=True, eq=False)
class ImageIndex:
    """A set of images, none of them decoded: what a resident array is read from, or a stream.

    The source's own test set comes last. An index pickles well, so that other processes can decode too.
    """

    name: str
    """What the data set is called."""
    files: tuple[ImageFile, ...] = field(repr=False)
    """Where each image is."""
    labels: pd.DataFrame = field(repr=False)
    """A row for each image, named by its file, and a column for each thing that may be predicted."""
    shape: Shape
    """Height, width and channels that every image is read in."""
    own_test: int = 0
    """How many examples at the end are the source's own test set."""
    own_validation: int = 0
    """How many before these are its own validation set."""
    source: str = ""
    """The folder or file that the images come from."""
    notes: tuple[str, ...] = ()
    """What was decided about the images and is worth saying."""
    boxes: tuple[Box | None, ...] = field(default=(), repr=False)
    """For each image the part that is read; empty where that is all of it."""
    number: str | None = None
    """The label that is predicted digit by digit, and where none is named; None where there is no such."""

    def __len__(self) -> int:
        return len(self.files)

    def decode(self, i: int) -> Pixels:
        """Image i as bytes of `shape`. Raises `DataError`, with its path, if it can't be decoded."""
        return decode(self.files[i], self.shape, self.boxes[i] if self.boxes else None)

    def read(self) -> Pixels:
        """All images as bytes, (examples, height, width, channels), decoded on all cores.

        Raises `DataError` if any can't be decoded: the first is named, all are counted.
        """
        images = np.empty((len(self), *self.shape), np.uint8)

        def fill(i: int) -> None:
            images[i] = self.decode(i)

        in_threads(fill, range(len(self)))
        return images

    def digest(self) -> bytes:
        """SHA-256 over each file's name and length, its box and the shape: what tells this set from another
        without reading it."""
        digest = hashlib.sha256(repr(self.shape).encode())
        for i, file in enumerate(self.files):
            digest.update(repr((file.name, file.size(), self.boxes[i] if self.boxes else None)).encode())
        return digest.digest()

    def raw(self, target: str | None = None, group: str | None = None) -> Raw:
        """The images and one column of their labels: in memory, or, where they take more of it than they may
        (`memory.bound`), read from their files whenever they are wanted.

        `group`: the column whose equal values mark images that belong together.

        Raises `DataError` if `target` does not say which of several columns, and for a group where the source
        has a test set of its own.
        """
        column = self._column(target, group)
        groups = None if group is None else self._groups(group, column)
        streamed = memory.note_if_streamed(len(self), self.shape)
        return Raw(
            self.name,
            Streamed(self) if streamed else self.read(),
            self.labels[column],
            own_test=self.own_test,
            own_validation=self.own_validation,
            highest=WHITE,
            groups=groups,
            source=self.source,
            notes=(*self.notes, *streamed),
            task="sequence" if column == self.number else None,
            cut_out=bool(self.boxes),
        )

    def _groups(self, group: str, target: str) -> NDArray[np.int64]:
        if self.own_test:
            raise DataError(
                f"{self.source}: it comes with a test set, so groups can't be kept together; "
                "drop the group or the split"
            )
        try:
            return number_groups(self.labels, group, target)
        except DataError as error:
            raise DataError(f"{self.source}: {error}") from error

    def _column(self, target: str | None, group: str | None) -> str:
        names = [str(name) for name in self.labels.columns if name != group]
        if not names:
            raise DataError(f"{self.source}: no column of labels beside the images' paths; add one")
        if target is None and len(names) == 1:
            return names[0]
        if target is None and self.number in names:
            return self.number
        if target is None:
            raise DataError(
                f"{self.source}: which label is to be predicted? name it as target; labels: {some(names, 20)}"
            )
        if target not in names:
            raise DataError(
                f"{self.source}: no label {target!r}{near(target, names)}; labels: {some(names, 20)}"
            )
        return target


def make_index(
    name: str,
    examples: Iterable[Example],
    *,
    shape: Shape | None = None,
    size: int | None = None,
    source: str = "",
    notes: Sequence[str] = (),
) -> ImageIndex:
    """An index of these images, in one shape.

    `shape`: the shape, where the source has one. None: it is chosen after a look at each image's header.
    `size`: every image is read as a square of so many pixels. None: images of one size keep it; those of
    several are read as squares of the median shorter side, 224 pixels at most.
    The source's own validation and test sets come last, in this order. Where there is only one of these, it
    is the test set, and a validation split is drawn from the training images.

    Raises `DataError` if a header can't be read.
    """
    ordered = sorted(examples, key=lambda example: ("train", "validation", "test").index(example.split))
    files = tuple(example.file for example in ordered)
    treatment: list[str] = []
    if shape is None:
        shape, treatment = choose_shape(in_threads(read_header, files), size)
    parts = Counter(example.split for example in ordered)
    labels = pd.DataFrame.from_records(
        [example.labels for example in ordered], index=pd.Index([file.name for file in files], name="image")
    )
    boxes = tuple(example.box for example in ordered)
    return ImageIndex(
        name,
        files,
        pd.DataFrame({column: as_classes(labels[column]) for column in labels}),
        shape,
        parts["test"] or parts["validation"],
        parts["validation"] if parts["test"] else 0,
        source,
        (*notes, *_splits(parts), *treatment),
        boxes if any(boxes) else (),
    )


def choose_shape(headers: Sequence[Header], size: int | None) -> tuple[Shape, list[str]]:
    """The shape to read images in, and what is worth saying about that. See `make_index`.

    >>> choose_shape([Header(40, 30, grey=True)] * 9, size=None)
    ((30, 40, 1), [])
    """
    notes = []
    grey = sum(header.grey for header in headers)
    channels = 1 if grey == len(headers) else 3
    if channels == 3 and grey:
        notes.append(
            f"grey images ({grey:,} of {len(headers):,}) are read as colour, with three equal channels"
        )
    sizes = sorted({(header.width, header.height) for header in headers}, key=math.prod)
    if size is None and len(sizes) == 1:
        return (sizes[0][1], sizes[0][0], channels), notes
    shorter = np.array([min(header.width, header.height) for header in headers])
    side = size or min(int(np.median(shorter)), USUAL)
    if sizes != [(side, side)]:
        enlarged = int((shorter < side).sum())
        notes.append(
            f"images of {_span(sizes)} pixels: the shorter side is scaled to {side}, the square at the "
            "centre is kept" + (f"; smaller ones ({enlarged:,}) are enlarged" if enlarged else "")
        )
    return (side, side, channels), notes


def _span(sizes: Sequence[tuple[int, int]]) -> str:
    first, last = (f"{width}×{height}" for width, height in (sizes[0], sizes[-1]))
    return first if len(sizes) == 1 else f"{first} ... {last}"


def as_classes(column: pd.Series[Any]) -> pd.Series[Any]:
    """Texts as classes, in alphabetical order, numbers first and in theirs. Anything else as it is.

    >>> list(as_classes(pd.Series(["10", "9", "b", "a"])).cat.categories)
    ['9', '10', 'a', 'b']
    """
    if not all(isinstance(value, str) for value in column):
        return column
    names = sorted(set(column), key=lambda text: (not text.isdecimal(), len(text) * text.isdecimal(), text))
    return column.astype(pd.CategoricalDtype(names))


def _splits(parts: Counter[SplitName]) -> Iterator[str]:
    if parts["validation"] and not parts["test"]:
        yield (
            f"the {parts['validation']:,} validation images are the test set, for there is no other; "
            "a validation split is drawn from the training images"
        )
