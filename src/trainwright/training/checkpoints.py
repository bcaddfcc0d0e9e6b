"""Checkpoints: trainings under way, kept in a store, so that an interrupted study resumes where it was."""

from __future__ import annotations

import time
from typing import Any

from numpy.typing import NDArray

from trainwright.base import files, strict_json
from trainwright.base.environment import environment
from trainwright.runs.store import Store, digest
from trainwright.training.building import Training

CHECKPOINT_SECONDS = 30.0


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

    def read(self, training: Training) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
        """The arrays and notes written last for this training, if any."""
        return self.store.read_checkpoint(_name(training))

    def write(self, training: Training, arrays: dict[str, NDArray[Any]], notes: dict[str, Any]) -> None:
        """Keep arrays and notes in place of the last ones."""
        self.store.write_checkpoint(_name(training), arrays, notes)

    def drop(self, training: Training) -> None:
        """Forget a training that has ended."""
        self.store.drop_checkpoint(_name(training))


def _name(training: Training) -> str:
    run = digest(training.recipe.to_json(), training.data.fingerprint, training.seed)
    here = {name: part for name, part in environment().items() if name in ("device", "NPROC", "cores", "jax")}
    return f"{run}-{files.sha256(strict_json.canonical(here).encode())[:8]}"
