"""The store: one directory per run, written once, checked whenever it is read.

    STORE/store.json                the format of the store
    STORE/runs/<digest>/            run.json, history.csv, predictions.npz, model.safetensors, manifest.json
    STORE/checkpoints/<name>/<n>/   state.json, arrays.safetensors, manifest.json: trainings under way
    STORE/pretrained/<digest>/      pretrained.json, history.csv, arrays.safetensors, manifest.json
    STORE/claims/<digest>.lock      held by the process that is training that run
    STORE/damaged/                  runs moved aside because they did not match their manifest
    STORE/writing/                  directories not yet renamed into place

Everything is JSON (see `strict_json` for NaN), CSV, NPZ or safetensors: no pickle, and nothing of Trainwright
is needed to read it.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, FileLock, Timeout
from numpy.typing import NDArray

from trainwright.base import files, strict_json
from trainwright.base.errors import StoreError
from trainwright.runs import formats
from trainwright.runs.formats import Arrays
from trainwright.runs.run import Pretrained, Run
from trainwright.runs.stored_arrays import StoredArrays

SEMANTICS = 5  # raised when the same recipe, data and seed would give other numbers

logger = logging.getLogger(__name__)


class DamagedRun(files.Damaged):
    """A run with a file that is missing or is not what was written: discard it, and do it again."""


def digest(recipe: Mapping[str, Any], fingerprint: str, seed: int) -> str:
    """The name of the run that this recipe leaves on this data with this seed: 20 hexadecimal digits.

    >>> digest({"network": {"name": "mlp"}, "learning_rate": 0.1}, "ba89", seed=0)
    '...'
    >>> digest({"learning_rate": 0.1}, "ba89", 0) == digest({"learning_rate": 0.2}, "ba89", 0)
    False
    """
    return files.sha256(strict_json.canonical([SEMANTICS, recipe, fingerprint, seed]).encode())[:20]


def pretraining_digest(pretrainings: Sequence[Mapping[str, Any]], fingerprint: str, seed: int) -> str:
    """The name of what the last of these pretrainings leaves on this data with this seed."""
    return digest({"pretrainings": list(pretrainings)}, fingerprint, seed)


class Claim:
    """The right to train one run, until it is released or the process ends, however it ends."""

    def __init__(self, lock: BaseFileLock) -> None:
        self._lock = lock

    def release(self) -> None:
        """Give the run back to whoever wants it."""
        self._lock.release()

    def __enter__(self) -> Claim:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class Store:
    """Runs by digest, in a folder that may be copied, moved and shared.

    Opening writes nothing; the folder is made by the first write. Raises `StoreError` for a path that is
    not a folder, a store in a newer format, a full disk and a folder that may not be written.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = folder = Path(folder)
        self._ready = False
        form = folder / "store.json"
        try:
            if folder.exists() and not folder.is_dir():
                raise StoreError(f"{folder} is a file, not a store: name a folder")
            version = json.loads(form.read_bytes())["format"]
        except FileNotFoundError:  # a new store
            return
        except OSError as problem:
            raise StoreError(f"{form} cannot be read: {problem.strerror}; name another folder") from None
        except (ValueError, LookupError, TypeError):
            raise StoreError(f"{form} is damaged: delete it, the runs stay valid") from None
        files.refuse_newer(version, folder)

    def __contains__(self, digest: str) -> bool:
        return (self._run(digest) / "manifest.json").is_file()

    def write(self, run: Run) -> str:
        """Keep a run, whole or not at all, and return its digest. If it is there already, that one stays."""
        name = digest(run.recipe, run.data["fingerprint"], run.seed)
        if name in self:
            return name
        contents = {
            "run.json": formats.to_json({"digest": name} | {field: getattr(run, field) for field in _FACTS}),
            "history.csv": formats.to_csv(run.history),
            "predictions.npz": formats.to_npz(run.predictions),
            "model.safetensors": formats.to_safetensors(run.weights),
        }
        with files.explained(self.folder):
            self._prepare()
            if self._run(name).is_dir():  # it has no manifest, or it would be in the store
                self.discard(name)
            files.write(self._run(name), contents, self.folder / "writing")
        return name

    def read(self, digest: str, *, weights: bool = False) -> Run:
        """The run of that name, each file read compared with the manifest.

        Predictions are compared now, and loaded (and compared again) when one is asked for and is not among
        those read last, so that a study's runs fit in memory; weights likewise, unless `weights` asks for all
        of them at once.
        Raises `StoreError` if there is no such run and `DamagedRun` if a file is not what was written.
        """
        folder = self._run(digest)
        if not folder.is_dir():
            raise StoreError(f"{self.folder} has no run {digest}")
        _read(folder, "predictions.npz")
        facts = strict_json.loads(_read(folder, "run.json"))
        if facts.pop("digest") != digest:
            raise DamagedRun(f"{folder} holds another run than its name says")
        model = _arrays(folder, "model.safetensors", formats.parse_safetensors)
        return Run(
            **facts,
            history=formats.parse_csv(_read(folder, "history.csv")),
            predictions=_arrays(folder, "predictions.npz", formats.parse_npz),
            weights=dict(model.load()) if weights else model,
        )

    def write_pretrained(self, pretrained: Pretrained) -> None:
        """Keep what a pretraining left, whole or not at all. If it is there already, that one stays."""
        facts = {field: getattr(pretrained, field) for field in _PRETRAINED_FACTS}
        contents = {
            "pretrained.json": formats.to_json(facts),
            "history.csv": formats.to_csv(pretrained.history),
            "arrays.safetensors": formats.to_safetensors(pretrained.arrays),
        }
        with files.explained(self.folder):
            self._prepare()
            files.write(self._pretrained(pretrained.digest), contents, self.folder / "writing")

    def read_pretrained(self, digest: str) -> Pretrained | None:
        """What the pretraining of that name left; None if it is not there. A damaged one is moved aside, with
        a warning logged."""
        folder = self._pretrained(digest)
        if not folder.is_dir():
            return None
        try:
            facts = strict_json.loads(files.read(folder, "pretrained.json"))
            history = formats.parse_csv(files.read(folder, "history.csv"))
            arrays = formats.parse_safetensors(files.read(folder, "arrays.safetensors"))
        except files.Damaged as damage:
            logger.warning("%s; the pretraining is done again", damage)
            self._move_aside(folder)
            return None
        return Pretrained(**facts, history=history, arrays=arrays)

    def discard(self, digest: str) -> None:
        """Move a damaged run aside, into `damaged/`, so that it is done again."""
        self._move_aside(self._run(digest))

    def _move_aside(self, folder: Path) -> None:
        aside = self.folder / "damaged"
        with files.explained(self.folder):
            aside.mkdir(exist_ok=True)
            for n in itertools.count(1):
                try:
                    if files.rename(folder, aside / f"{folder.name}-{n}"):
                        return
                except FileNotFoundError:  # another process was quicker
                    return

    def claim(self, digest: str) -> Claim | None:
        """The right to train this run, or None while another process has it. Freed when its process ends."""
        with files.explained(self.folder):
            self._prepare()
            lock = FileLock(self.folder / "claims" / f"{digest}.lock", thread_local=False)
            try:
                lock.acquire(blocking=False)
            except Timeout:
                return None
        return Claim(lock)

    def write_checkpoint(self, name: str, arrays: Arrays, state: dict[str, Any]) -> None:
        """Keep a training under way in place of its last checkpoint, which stays until this one is whole."""
        with files.explained(self.folder):
            self._prepare()
            older = self._checkpoints(name)
            contents = {
                "state.json": formats.to_json(state),
                "arrays.safetensors": formats.to_safetensors(arrays),
            }
            number = int(older[0].name) + 1 if older else 1
            files.write(self.folder / "checkpoints" / name / str(number), contents, self.folder / "writing")
            for folder in older:
                shutil.rmtree(folder, ignore_errors=True)

    def read_checkpoint(self, name: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
        """The newest undamaged checkpoint's (arrays, state); None, and a logged warning, if there is none."""
        for folder in self._checkpoints(name):
            try:
                arrays = formats.parse_safetensors(files.read(folder, "arrays.safetensors"))
                return arrays, strict_json.loads(files.read(folder, "state.json"))
            except files.Damaged as damage:
                logger.warning("%s; the checkpoint is not used", damage)
        return None

    def drop_checkpoint(self, name: str) -> None:
        """Forget a training's checkpoints, if there are any."""
        shutil.rmtree(self.folder / "checkpoints" / name, ignore_errors=True)

    def _run(self, digest: str) -> Path:
        return self.folder / "runs" / digest

    def _pretrained(self, digest: str) -> Path:
        return self.folder / "pretrained" / digest

    def _checkpoints(self, name: str) -> list[Path]:
        folder = self.folder / "checkpoints" / name
        return sorted(folder.glob("[0-9]*"), key=lambda path: -int(path.name))

    def _prepare(self) -> None:
        """Before the first write: the folders, the format, and what killed processes left unfinished."""
        if self._ready:
            return
        for name in ("runs", "claims", "checkpoints", "writing"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        files.sweep(self.folder / "writing")
        if not (self.folder / "store.json").exists():
            form = formats.to_json({"format": files.FORMAT})
            files.replace_file(self.folder / "store.json", form, self.folder / "writing")
        self._ready = True


def _read(folder: Path, name: str) -> bytes:
    try:
        return files.read(folder, name)
    except files.Damaged as damage:
        raise DamagedRun(str(damage)) from None


def _arrays(folder: Path, name: str, parse: Callable[[bytes], dict[str, NDArray[Any]]]) -> StoredArrays:
    return StoredArrays(folder / name, lambda: parse(_read(folder, name)))


_FACTS = tuple(field.name for field in fields(Run) if field.name not in ("history", "predictions", "weights"))
_PRETRAINED_FACTS = tuple(f.name for f in fields(Pretrained) if f.name not in ("history", "arrays"))
