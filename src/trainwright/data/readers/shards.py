"""Tar shards: images in tar files, read where they lie, nothing unpacked.

A label is a file beside the image, as in WebDataset (`0001.jpg` with `0001.cls` or `0001.txt`), or the folder
that the image lies in within the shard.
"""

from __future__ import annotations

import tarfile
from pathlib import Path, PurePosixPath

from trainwright.base.errors import DataError
from trainwright.data.readers.decoding import ImageFile, is_image
from trainwright.data.values import readable

LABELS = (".cls", ".txt")  # the first that is there counts
LONGEST = 1000  # bytes of a label


def is_shard(name: str) -> bool:
    """Whether a file's name is that of a tar file, compressed or not.

    >>> is_shard("train-0001.tar"), is_shard("train.tar.gz"), is_shard("train.zip")
    (True, True, False)
    """
    return name.lower().endswith((".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"))


def read_shard(path: Path, name: str) -> list[tuple[ImageFile, str | None]]:
    """The images of a tar file with the label beside each, None where there is none.

    `name`: what the shard is called in the images' names. Hidden members, links and folders are left out.
    Raises `DataError` if the file is damaged, compressed, or no tar file.
    """
    if not path.name.lower().endswith(".tar"):
        raise DataError(f"{path}: a compressed tar file can't be read at random; decompress it to .tar")
    try:
        # Only plain tar: what is compressed, or is no tar file at all, can't be read by offset.
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            members = [m for m in tar if m.isreg() and not m.issparse() and not _hidden(m.name)]
            labels = {m.name: _label(tar, m, path) for m in members if m.name.endswith(LABELS)}
    except (tarfile.TarError, EOFError) as error:
        raise DataError(f"{path}: not a whole tar file ({error}); copy or make it again") from error
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}; make it readable or remove it") from error
    return [
        (ImageFile(f"{name}/{readable(m.name)}", path, m.offset_data, m.size), _label_beside(m.name, labels))
        for m in sorted(members, key=lambda member: member.name)
        if is_image(m.name)
    ]


def _label(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> str:
    content = tar.extractfile(member)
    assert content is not None  # a regular member has one
    try:
        return content.read(LONGEST).decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: {member.name}: a label that is not UTF-8 text; correct it") from error


def _label_beside(image: str, labels: dict[str, str]) -> str | None:
    stem = PurePosixPath(image).with_suffix("")
    return next((labels[f"{stem}{suffix}"] for suffix in LABELS if labels.get(f"{stem}{suffix}")), None)


def _hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)
