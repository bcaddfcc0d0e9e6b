"""Files that are written whole or not at all, and sealed directories of them.

A file or directory is written beside its place, on the same disk, flushed, and renamed: whatever kills the
writer, readers find the old one or the new one. A sealed directory also has a `manifest.json` with the
SHA-256 of each file and of itself, so that a change of any byte is detected on reading.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from trainwright.base.errors import StoreError

MANIFEST = "manifest.json"
FORMAT = 1  # raised when older versions cannot read what this one writes


class Damaged(StoreError):
    """A file that is missing or differs from what was written. The message names it."""


def write(target: Path, files: Mapping[str, bytes], writing: Path, *, replace: bool = False) -> bool:
    """Write the sealed directory `target` with these files; `writing` is the folder for unfinished parts.

    If the target exists it is replaced when `replace` is set, once the new one is complete; otherwise it is
    left alone and False is returned. Raises `OSError`, and then leaves what was there.
    """

    def fill(part: Path) -> None:
        for name, content in files.items():
            _write_file(part / name, content)
        sums = {name: sha256(content) for name, content in files.items()}
        _write_file(part / MANIFEST, _manifest(sums, FORMAT))

    return write_folder(target, fill, writing, replace=replace)


def read(folder: Path, name: str) -> bytes:
    """The content of a file in a sealed directory, checked against the manifest.

    Raises `Damaged` if either was changed, and `StoreError` if it cannot be read or has a newer format.
    """
    raw = _read_file(folder / MANIFEST)
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


def write_folder(target: Path, fill: Callable[[Path], None], writing: Path, *, replace: bool = False) -> bool:
    """`write` for a directory of directories: `fill` writes them into the folder that it is given."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with _part(writing, target.name) as part:
        fill(part)
        renamed = _exchange(part, target, writing) if replace and target.exists() else rename(part, target)
    # Once, for the directory itself: if the name of a file in it is lost, the manifest tells.
    _sync_folder(target.parent)
    return renamed


def replace_file(path: Path, content: bytes, writing: Path) -> None:
    """Write a single file, replacing any old one; `writing` is the folder for the unfinished part."""
    with _part(writing, path.name) as part:
        _write_file(part / path.name, content)
        (part / path.name).replace(path)


def write_to(place: Path, content: bytes) -> None:
    """Write what a user asked for where they said: a file is replaced as in `replace_file`, and so is the one
    that a link leads to; a pipe or a device is written to."""
    target = place.resolve()
    if target.exists() and not target.is_file():
        target.write_bytes(content)
    else:
        replace_file(target, content, target.parent)


def probe(writing: Path) -> None:
    """Try to write in a folder: raises `OSError` now rather than after hours of work."""
    with _part(writing, "probe") as part:
        _write_file(part / "probe", b"")


def _exchange(part: Path, target: Path, writing: Path) -> bool:
    """Swap a directory for another, and only then delete the old one."""
    with _part(writing, f"{target.name}-old") as folder:
        old = target.rename(folder / target.name)
        try:
            part.rename(target)
        except OSError:
            old.rename(target)
            raise
    return True


def rename(source: Path, target: Path) -> bool:
    """Rename a directory; False if the target already exists."""
    try:
        source.rename(target)
    except OSError as problem:
        if problem.errno in (errno.EEXIST, errno.ENOTEMPTY):
            return False
        raise
    return True


def sweep(writing: Path) -> None:
    """Remove unfinished parts of processes that were killed: those whose lock the system has released."""
    for path in writing.glob("*.lock"):
        lock = FileLock(path)
        try:
            lock.acquire(blocking=False)
        except Timeout:  # its writer is alive
            continue
        shutil.rmtree(path.with_suffix(""), ignore_errors=True)
        path.unlink(missing_ok=True)
        lock.release()


def refuse_newer(version: Any, folder: Path) -> None:
    """Raise `StoreError` unless this version of Trainwright can read that format."""
    if version != FORMAT:
        raise StoreError(
            f"{folder} has format {version}, but this version reads format {FORMAT}: upgrade Trainwright"
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
    """A temporary directory in `writing`, with a lock that shows that its writer is alive."""
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
        raise StoreError(f"{path}: permission denied; ask its owner for permission to read it") from None
    except OSError as problem:
        raise Damaged(f"{path} cannot be read: {problem.strerror}") from None


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
