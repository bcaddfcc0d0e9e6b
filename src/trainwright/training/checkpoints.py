"""Checkpoints: trainings under way, kept in a store, so that an interrupted study resumes where it was."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from numpy.typing import NDArray

from trainwright.base import files, strict_json
from trainwright.base.environment import environment
from trainwright.runs.run import Pretrained
from trainwright.runs.store import Store, digest
from trainwright.training.building import Training

CHECKPOINT_SECONDS = 30.0
WAIT_SECONDS = 0.5  # between two looks at a pretraining that another process is at

Key = Training | str
"""What is under way: a training, or a pretraining by its digest."""


class Checkpoints(Protocol):
    """Where trainings under way are kept, and pretrainings that have ended."""

    def read(self, key: Key) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
        """The arrays and notes written last for this training, if any."""

    def write(self, key: Key, arrays: dict[str, NDArray[Any]], notes: dict[str, Any]) -> None:
        """Keep arrays and notes in place of the last ones."""

    def due(self) -> bool:
        """Whether it is time to write."""

    def pretrained(self, digest: str, make: Callable[[], Pretrained]) -> Pretrained:
        """The pretraining of this digest: as it is kept, or else as it is made, and then kept."""


class StoredCheckpoints:
    """Trainings under way, in a store, by the runs that they will leave and by where they run.

    On another device, number of cores or version of JAX a training would not resume bit for bit: there it has
    no checkpoint.
    """

    def __init__(self, store: Store):
        self.store = store
        self.last = time.monotonic()

    def due(self) -> bool:
        """Every half minute: a short training leaves no trace of its own."""
        if time.monotonic() - self.last < CHECKPOINT_SECONDS:
            return False
        self.last = time.monotonic()
        return True

    def read(self, key: Key) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
        """The arrays and notes written last for this training, if any."""
        return self.store.read_checkpoint(_name(key))

    def write(self, key: Key, arrays: dict[str, NDArray[Any]], notes: dict[str, Any]) -> None:
        """Keep arrays and notes in place of the last ones."""
        self.store.write_checkpoint(_name(key), arrays, notes)

    def drop(self, key: Key) -> None:
        """Forget a training that has ended."""
        self.store.drop_checkpoint(_name(key))

    def pretrained(self, digest: str, make: Callable[[], Pretrained]) -> Pretrained:
        """The pretraining of this digest: as it is in the store, or else as it is made, and then stored.

        While another process makes it, it is waited for.
        """
        while True:
            if kept := self.store.read_pretrained(digest):
                return kept
            if claim := self.store.claim(digest):
                with claim:
                    made = self.store.read_pretrained(digest) or make()
                    self.store.write_pretrained(made)
                    self.drop(digest)
                    return made
            time.sleep(WAIT_SECONDS)


def _name(key: Key) -> str:
    run = key if isinstance(key, str) else digest(key.recipe.to_json(), key.data.fingerprint, key.seed)
    here = {name: part for name, part in environment().items() if name in ("device", "NPROC", "cores", "jax")}
    return f"{run}-{files.sha256(strict_json.canonical(here).encode())[:8]}"
