"""A sealed directory: files written together, once, with a manifest that a change of any byte contradicts.

`manifest.json` has the SHA-256 of each file, and of itself. The directory is written beside its place, on
the same disk, and renamed: it is there whole or not at all, whatever kills the writer.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from trainwright.base.errors import StoreError

FORMAT = 1  # raised when an older Trainwright could not read what this one writes


class Damaged(StoreError):
    """A file that is missing or is not what was written. The message names the file."""


def write(target: Path, files: Mapping[str, bytes], writing: Path, *, replace: bool = False) -> bool:
    """Write the directory `target` of these files and their manifest, by way of the folder `writing`.

    Where the target is there already it is replaced once the new one is whole, if it may be; else returns
    False and leaves it as it is. Raises `OSError` and leaves what was there.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with _part(writing, target.name) as part:
        for name, content in files.items():
            _write_file(part / name, content)
        sums = {name: sha256(content) for name, content in files.items()}
        _write_file(part / "manifest.json", _manifest(sums, FORMAT))
        renamed = _exchange(part, target, writing) if replace and target.exists() else rename(part, target)
    # Once for all names: a part's own names are not worth waiting for, as the manifest tells if one is lost.
    _sync_folder(target.parent)
    return renamed


def read(folder: Path, name: str) -> bytes:
    """A file of a sealed directory, compared with the manifest.

    Raises `Damaged` if either was changed, and `StoreError` if it may not be read or is in a newer format.
    """
    raw = _read_file(folder / "manifest.json")
    try:
        manifest = json.loads(raw)
        sums, version = manifest["files"], manifest["format"]
        whole = raw == _manifest(sums, version)
    except (ValueError, LookupError, TypeError):
        whole = False
    if not whole:
        raise Damaged(f"{folder / 'manifest.json'} is damaged")
    refuse_newer(version, folder)
    content = _read_file(folder / name)
    if sha256(content) != sums.get(name):
        raise Damaged(f"{folder / name} is damaged: its SHA-256 is not the one in manifest.json")
    return content


def replace_file(path: Path, content: bytes, writing: Path) -> None:
    """Write a single file, in place of one that is there, by way of the folder `writing`."""
    with _part(writing, path.name) as part:
        _write_file(part / path.name, content)
        (part / path.name).replace(path)


def probe(writing: Path) -> None:
    """Make a folder and write in it, to no effect: raises `OSError` now rather than when the work is done."""
    with _part(writing, "probe") as part:
        _write_file(part / "probe", b"")


def _exchange(part: Path, target: Path, writing: Path) -> bool:
    """Put a directory in the place of another, which goes only then."""
    with _part(writing, f"{target.name}-old") as folder:
        old = target.rename(folder / target.name)
        try:
            part.rename(target)
        except OSError:
            old.rename(target)
            raise
    return True


def rename(source: Path, target: Path) -> bool:
    """Rename a directory; False if the target is there already."""
    try:
        source.rename(target)
    except OSError as problem:
        if problem.errno in (errno.EEXIST, errno.ENOTEMPTY):
            return False
        raise
    return True


def sweep(writing: Path) -> None:
    """Remove what killed processes left unfinished: the parts whose lock the system has freed."""
    for path in writing.glob("*.lock"):
        lock = FileLock(path)
        try:
            lock.acquire(blocking=False)
        except Timeout:  # its writer lives
            continue
        shutil.rmtree(path.with_suffix(""), ignore_errors=True)
        path.unlink(missing_ok=True)
        lock.release()


def refuse_newer(version: Any, folder: Path) -> None:
    """Raise `StoreError` unless this version of Trainwright reads that format."""
    if version != FORMAT:
        raise StoreError(
            f"{folder} is in format {version}, this Trainwright reads format {FORMAT}: upgrade Trainwright"
        )


@contextmanager
def explained(place: Path) -> Iterator[None]:
    """Turn the system's refusal to write into a `StoreError` that names the file or folder and the remedy."""
    try:
        yield
    except OSError as problem:
        remedy = {
            errno.ENOSPC: "the disk is full; free some space",
            errno.EDQUOT: "the disk quota is used up; free some space",
            errno.EACCES: "permission denied; choose a folder that you may write to",
            errno.EPERM: "permission denied; choose a folder that you may write to",
            errno.EROFS: "the disk is read-only; choose another folder",
        }.get(problem.errno or 0, f"{problem.strerror or problem}; correct that")
        raise StoreError(
            f"cannot write to {place}: {remedy} and try again (nothing stored is lost)"
        ) from problem


def sha256(content: bytes) -> str:
    """The SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _manifest(sums: dict[str, str], version: int) -> bytes:
    body = {"format": version, "files": sums}
    return json.dumps(body | {"sha256": sha256(json.dumps(body).encode())}, indent=1).encode()


@contextmanager
def _part(writing: Path, name: str) -> Iterator[Path]:
    """A new directory in `writing` that is gone afterwards, with a lock that says that its writer lives."""
    part = writing / f"{name}-{secrets.token_hex(8)}"
    writing.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{part}.lock"):
        try:
            part.mkdir()
            yield part
        finally:
            shutil.rmtree(part, ignore_errors=True)
            Path(f"{part}.lock").unlink(missing_ok=True)


def _write_file(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except PermissionError:
        raise StoreError(f"{path} may not be read: ask its owner for permission") from None
    except OSError as problem:
        raise Damaged(f"{path} cannot be read: {problem.strerror}") from None


def _sync_folder(folder: Path) -> None:
    """Let the names in a folder outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
