"""The data sets known by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from trainwright.data.fetching import SETS, fetch
from trainwright.data.idx import read_idx_source
from trainwright.data.raw import Raw, from_arrays

FASHION = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


def digits() -> Raw:
    """1,797 handwritten digits of 8×8 pixels from 0 to 16 (Alpaydin & Kaynak 1998)."""
    # Imported here: scikit-learn takes a second to import, and only this set needs it.
    from sklearn.datasets import load_digits

    bunch = load_digits()
    raw = from_arrays((bunch.images, bunch.target), "digits", "scikit-learn's sklearn.datasets.load_digits")
    return replace(raw, highest=16.0, targets=raw.targets.astype("category"))


def mnist() -> Raw:
    """70,000 handwritten digits of 28×28 pixels, 10,000 of them for testing (LeCun et al. 1998)."""
    folder = fetch(SETS["mnist"])
    raw = from_arrays(read_idx_source(folder), "mnist", str(folder))
    return replace(raw, targets=raw.targets.astype("category"))


def fashion_mnist() -> Raw:
    """70,000 pictures of clothes, of MNIST's size and split (Xiao, Rasul & Vollgraf 2017)."""
    folder = fetch(SETS["fashion_mnist"])
    raw = from_arrays(read_idx_source(folder), "fashion_mnist", str(folder))
    return replace(raw, targets=raw.targets.astype("category").cat.rename_categories(list(FASHION)))


NAMED: dict[str, Callable[[], Raw]] = {"digits": digits, "mnist": mnist, "fashion_mnist": fashion_mnist}
