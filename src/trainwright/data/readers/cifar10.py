"""CIFAR-10 (Krizhevsky 2009) in its binary version: no pickle, which could run code when read.

A file is a row of records: one byte for the class, then 1,024 each for red, green and blue, row by row.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from trainwright.base.errors import DataError
from trainwright.data.raw import Raw

CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
TRAIN = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
TEST = "test_batch.bin"
RECORD = 1 + 3 * 32 * 32  # bytes


def read_batches(folder: Path) -> Raw:
    """Images (examples, 32, 32, 3) and classes from data_batch_1.bin ... data_batch_5.bin and test_batch.bin.

    Raises `DataError` for a file that is missing, cut short, or another.
    """
    batches = [_read_batch(folder / name) for name in (*TRAIN, TEST)]
    labels = np.concatenate([batch[:, 0] for batch in batches])
    pixels = np.concatenate([batch[:, 1:] for batch in batches])
    images = np.ascontiguousarray(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    classes = pd.Series(pd.Categorical.from_codes(labels.astype(int), pd.Index(CLASSES)), name="class")
    return Raw("cifar10", images, classes.rename_axis("image"), own_test=len(batches[-1]), source=str(folder))


def _read_batch(path: Path) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """(images, 3073)."""
    try:
        content = np.fromfile(path, np.uint8)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}; put it beside the others") from error
    if not len(content) or len(content) % RECORD:
        raise DataError(
            f"{path}: {len(content)} bytes, no whole number of {RECORD}-byte records; fetch it again"
        )
    records = content.reshape(-1, RECORD)
    if records[:, 0].max() >= len(CLASSES):
        row = int(records[:, 0].argmax())
        raise DataError(f"{path}: record {row}: class {records[row, 0]}, not 0 to 9; fetch it again")
    return records
