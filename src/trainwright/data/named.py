"""The data sets that are known by name."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from trainwright.data.dataset import Dataset, Splits


def digits() -> Dataset:
    """1,797 handwritten digits of 8×8 pixels, split 60/20/20 (Alpaydin & Kaynak 1998)."""
    bunch = load_digits()
    y = bunch.target.astype(np.int32)
    rest, test = train_test_split(np.arange(len(y)), test_size=0.2, stratify=y, random_state=0)
    train, validation = train_test_split(rest, test_size=0.25, stratify=y[rest], random_state=0)
    images = (bunch.images / 16).astype(np.float32)
    return Dataset(
        "digits",
        "classification",
        images,
        y,
        Splits(np.sort(train), np.sort(validation), np.sort(test)),
        tuple("0123456789"),
    )
