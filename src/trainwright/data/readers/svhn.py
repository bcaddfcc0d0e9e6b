"""SVHN: house numbers from street views (Netzer et al. 2011), its two formats.

Format 2 are single digits, cut to 32×32 pixels. Format 1 are whole photographs with a box for each digit,
prepared as by Goodfellow et al., "Multi-digit Number Recognition from Street View Imagery using Deep
Convolutional Neural Networks" (2014), section 5.1: the smallest box around all digits, made 30 % wider and
higher, is cut out and resized to a square, in the paper of 64×64 pixels.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from trainwright.base.errors import DataError
from trainwright.data.raw import Raw
from trainwright.data.readers.decoding import Box, ImageFile
from trainwright.data.readers.index import Example, ImageIndex, SplitName, make_index
from trainwright.data.sequences import from_texts

PARTS: tuple[SplitName, ...] = ("train", "test")
EXPANSION = 0.3  # of the box's width and height, half of it on each side

BY_HAND = "get it from http://ufldl.stanford.edu/housenumbers/ and put it there"


class Digit(NamedTuple):
    """A digit and its box in pixels."""

    label: int
    """The digit as the file has it: 1 to 9, and 10 for a 0."""
    left: float
    """Pixels from the photograph's left edge to the box."""
    top: float
    """Pixels from the photograph's upper edge to the box."""
    width: float
    """Of the box, in pixels."""
    height: float
    """Of the box, in pixels."""


def read_digits(folder: Path) -> Raw:
    """Format 2 (train_32x32.mat, test_32x32.mat): images (examples, 32, 32, 3), and each one's digit.

    The files call the digit 0 "10". Raises `DataError` for a file that is missing, damaged, or another.
    """
    (x_train, y_train), (x_test, y_test) = (_read_mat(folder / f"{split}_32x32.mat") for split in PARTS)
    digits = pd.Series(np.concatenate([y_train, y_test]), name="digit").rename_axis("image")
    return Raw(
        "svhn",
        np.concatenate([x_train, x_test]),
        digits.astype("category"),
        own_test=len(y_test),
        source=str(folder),
    )


def index_numbers(folder: Path, size: int) -> ImageIndex:
    """Format 1: `train/` and `test/` with images, and the digits' boxes in a digitStruct.mat each or in one
    labels.json.

    Labels: `number` is the whole number, predicted digit by digit; `length` is the number of digits, 6 for
    more than five; `digit1` ... `digit5`, -1 where the number has ended.

    labels.json: {"train": {"1.png": {"boxes": [{"label": 1, "left": 246, "top": 77, "width": 81, "height":
    219}, ...]}}, "test": ...}, digits from left to right.

    Raises `DataError` for a file that is missing, damaged, or another.
    """
    listed = folder / "labels.json"
    if listed.is_file():
        numbers = _read_json(listed)
    else:
        numbers = {split: dict(_read_digit_struct(folder / split / "digitStruct.mat")) for split in PARTS}
    examples = [
        Example(ImageFile(f"{split}/{file}", folder / split / file), labels(digits), split, expanded(digits))
        for split in PARTS
        for file, digits in numbers[split].items()
    ]
    index = make_index("svhn_numbers", examples, shape=(size, size, 3), source=str(folder))
    return replace(index, number="number")


def labels(digits: list[Digit]) -> dict[str, str | int]:
    """A number, its length and its digits.

    >>> labels([Digit(4, 0, 0, 1, 1), Digit(2, 1, 0, 1, 1)])
    {'number': '42', 'length': 2, 'digit1': 4, 'digit2': 2, 'digit3': -1, 'digit4': -1, 'digit5': -1}
    """
    number = "".join(str(digit.label % 10) for digit in digits)  # the files call the digit 0 "10"
    [(length, *first)] = from_texts([number]).tolist()
    return {"number": number, "length": length} | {f"digit{i}": d for i, d in enumerate(first, start=1)}


def expanded(digits: list[Digit]) -> Box:
    """The smallest box around all digits, 30 % wider and higher about its centre.

    >>> expanded([Digit(1, 10, 20, 20, 40), Digit(9, 30, 25, 20, 35)])
    (4.0, 14.0, 56.0, 66.0)
    """
    left, top = min(d.left for d in digits), min(d.top for d in digits)
    right, bottom = max(d.left + d.width for d in digits), max(d.top + d.height for d in digits)
    across, down = EXPANSION / 2 * (right - left), EXPANSION / 2 * (bottom - top)
    return left - across, top - down, right + across, bottom + down


def _read_mat(path: Path) -> tuple[np.ndarray[Any, np.dtype[np.uint8]], np.ndarray[Any, np.dtype[np.uint8]]]:
    from scipy.io import loadmat

    if not path.is_file():
        raise DataError(f"{path}: no such file; {BY_HAND}")
    try:
        content = loadmat(path, variable_names=["X", "y"])
        x, y = np.asarray(content["X"], np.uint8), np.asarray(content["y"]).reshape(-1)
    except Exception as error:  # SciPy raises whatever a damaged file leads it to
        raise DataError(f"{path}: not SVHN's, or damaged ({error}); fetch it again") from error
    if (
        x.ndim != 4
        or x.shape[:3] != (32, 32, 3)
        or x.shape[3] != len(y)
        or not np.isin(y, range(1, 11)).all()
    ):
        raise DataError(f"{path}: X {x.shape} and y {y.shape} are not SVHN's; fetch it again")
    return np.ascontiguousarray(x.transpose(3, 0, 1, 2)), (y % 10).astype(np.uint8)


def _read_json(path: Path) -> dict[SplitName, dict[str, list[Digit]]]:
    where = str(path)
    try:
        content = json.loads(path.read_text("utf-8"))
        numbers: dict[SplitName, dict[str, list[Digit]]] = {}
        for split in PARTS:
            where = f"{path}: {split}"
            numbers[split] = {}
            if not content[split]:
                raise ValueError("no image")
            for file, entry in content[split].items():
                where = f"{path}: {split}, {file}"
                numbers[split][file] = _checked([Digit(**box) for box in entry["boxes"]])
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        reason = f"no {error}" if isinstance(error, LookupError) else error
        raise DataError(f"{where}: not boxes of digits ({reason}); correct it") from error
    return numbers


def _read_digit_struct(path: Path) -> Iterator[tuple[str, list[Digit]]]:
    """A MATLAB 7.3 file, which is HDF5: for each image its name, and for each property of its boxes a number,
    or references to several."""
    try:
        import h5py
    except ImportError as error:
        raise DataError(f"{path}: reading it needs h5py: pip install 'trainwright[svhn]'") from error
    if not path.is_file():
        raise DataError(f"{path}: no such file; {BY_HAND}")
    try:
        with h5py.File(path, "r") as file:
            structure = file["digitStruct"]
            for name, boxes in zip(structure["name"][:, 0], structure["bbox"][:, 0], strict=True):
                columns = [_values(file, file[boxes][key]) for key in Digit._fields]
                text = "".join(map(chr, file[name][:, 0]))
                yield text, _checked([Digit(int(label), *box) for label, *box in zip(*columns, strict=True)])
    except (OSError, LookupError, ValueError, TypeError, RuntimeError) as error:
        raise DataError(f"{path}: not SVHN's, or damaged ({error})") from error


def _values(file: Any, dataset: Any) -> list[float]:
    values = dataset[:, 0]
    return [float(file[v][0, 0]) for v in values] if len(values) > 1 else [float(v) for v in values]


def _checked(digits: list[Digit]) -> list[Digit]:
    if not digits:
        raise ValueError("no box")
    for digit in digits:
        numbers = all(isinstance(value, int | float) and math.isfinite(value) for value in digit)
        if not numbers or digit.label not in range(11) or digit.width <= 0 or digit.height <= 0:
            raise ValueError(f"{digit} is no digit 0 to 9 with a box")
    return digits
