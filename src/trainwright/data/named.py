"""The data sets known by name. Small ones are downloaded; large image sets you put in place yourself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from trainwright.base.cache import cache_folder
from trainwright.base.errors import DataError
from trainwright.data.fetching import SETS, fetch
from trainwright.data.idx import read_idx_source
from trainwright.data.raw import Raw, from_arrays
from trainwright.data.readers.cifar10 import TRAIN, read_batches
from trainwright.data.readers.folders import index_folder
from trainwright.data.readers.index import ImageIndex
from trainwright.data.readers.svhn import index_numbers, read_digits

NUMBER_SIDE = 64  # pixels, as Goodfellow et al. (2014) resize house numbers
IMAGENET_SIDE = 256  # pixels: room for the usual crops of 224

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


def svhn() -> Raw:
    """99,289 digits of house numbers, 32×32 in colour, 26,032 of them for testing (Netzer et al. 2011).

    Its `extra` digits, easier ones, are left out.
    """
    return read_digits(
        _folder("svhn", "train_32x32.mat and test_32x32.mat", "http://ufldl.stanford.edu/housenumbers/")
    )


def svhn_numbers(size: int | None = None) -> ImageIndex:
    """46,470 whole house numbers, 13,068 of them for testing, cut out in colour (SVHN, format 1), to be read
    digit by digit.

    `size`: the side that they are read in, 64 if not given.
    """
    folder = _folder(
        "svhn_numbers",
        "train.tar.gz and test.tar.gz, unpacked to train/ and test/",
        "http://ufldl.stanford.edu/housenumbers/",
    )
    return index_numbers(folder, size or NUMBER_SIDE)


def cifar10() -> Raw:
    """60,000 pictures of ten classes, 32×32 in colour, 10,000 of them for testing (Krizhevsky 2009).

    From the binary version's files, or from images in train/<class>/ and test/<class>/.
    """
    what = "the binary version, cifar-10-binary.tar.gz, unpacked"
    where = "https://www.cs.toronto.edu/~kriz/cifar.html"
    folder = _folder("cifar10", what, where)
    for batches in (folder, folder / "cifar-10-batches-bin"):
        if (batches / TRAIN[0]).is_file():
            return read_batches(batches)
    if (folder / "train").is_dir():
        return index_folder(folder, name="cifar10").raw()
    raise DataError(f"{folder}: neither {TRAIN[0]} nor train/ is there; put {what}, from {where} there")


def imagenet(size: int | None = None) -> ImageIndex:
    """1.28 million photographs of 1,000 classes, and 50,000 to test (Russakovsky et al. 2015, ILSVRC 2012).

    From train/<wnid>/ and val/<wnid>/, or from tar shards of these. Or a part of it. `size`: the side that
    images are read in, 256 if not given.
    """
    folder = _folder(
        "imagenet",
        "ILSVRC 2012 as train/<wnid>/*.JPEG and val/<wnid>/*.JPEG, or as tar shards,",
        "https://image-net.org (after registering)",
    )
    return index_folder(folder, name="imagenet", size=size or IMAGENET_SIDE)


def _folder(name: str, what: str, where: str) -> Path:
    """The cache's folder of a set that has to be got by hand."""
    folder = cache_folder() / name
    if not folder.is_dir():
        raise DataError(
            f"{name} has to be downloaded by hand: get {what} from {where} and put it in {folder} "
            "(or make that a link to it; TRAINWRIGHT_CACHE moves the cache)"
        )
    return folder


INDEXED: dict[str, Callable[[int | None], ImageIndex]] = {"svhn_numbers": svhn_numbers, "imagenet": imagenet}
"""The sets whose images are left in their files until they are wanted, by the size to read them in."""

NAMED: dict[str, Callable[[], Raw]] = {
    "digits": digits,
    "mnist": mnist,
    "fashion_mnist": fashion_mnist,
    "svhn": svhn,
    "svhn_numbers": lambda: svhn_numbers().raw(),
    "cifar10": cifar10,
    "imagenet": lambda: imagenet().raw(),
}
"""All sets, by what reads them into memory."""
