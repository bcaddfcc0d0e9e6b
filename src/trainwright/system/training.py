"""Training a system again, seed by seed, with its record kept up to date.

Trainings are kept in a store: one that is there already is not repeated, and one that was interrupted resumes
where it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from trainwright.base.errors import StoreError
from trainwright.baseline import Baseline
from trainwright.runs.run import Run
from trainwright.runs.store import DamagedRun, Store, digest
from trainwright.system import record
from trainwright.system.contract import Rerun
from trainwright.system.memory import within_memory
from trainwright.system.record import Record
from trainwright.training.building import Training
from trainwright.training.checkpoints import StoredCheckpoints
from trainwright.training.fit import WatchPretraining, fit
from trainwright.training.progress import Progress

PARTIAL_SECONDS = 60.0  # between two records of a first training that is under way

Watch = Callable[[Progress], None]


def train(
    rerun: Rerun,
    store: Store,
    results: Path,
    *,
    seeds: int = 1,
    command: str = "",
    watch: Watch = lambda progress: None,
    watch_pretraining: WatchPretraining | None = None,
) -> Record:
    """Train with the seeds 0 to `seeds` - 1, what the store has not, and return the record.

    The record is written into `results` after every training, and every minute while the first one is under
    way. One of the same recipe that is there already stays until there are more trainings than it has. A
    baseline is deterministic and runs once. Raises `StoreError` for a training that another process is busy
    with, and `TooLarge` for a system that does not fit the machine's memory.
    """
    before = record.read(results, rerun.system.name, rerun.budget, held_out=rerun.hold_out)
    recorded = before.outcomes if before and before.recipe == rerun.learner.to_json() else ()
    last = time.monotonic()

    def watch_and_record(progress: Progress) -> None:
        nonlocal last
        watch(progress)
        if not runs and not recorded and time.monotonic() - last >= PARTIAL_SECONDS:
            record.of_progress(rerun, progress, command).write(results)
            last = time.monotonic()

    runs: list[Run] = []
    for seed in _seeds(rerun, seeds):
        with within_memory():
            runs.append(_train(rerun, seed, store, watch_and_record, watch_pretraining))
        made = record.of_runs(rerun, runs, command)
        if recorded[: len(runs)] != made.outcomes:
            made.write(results)
    return made


def missing(rerun: Rerun, store: Store, seeds: int = 1) -> list[int]:
    """The seeds whose trainings the store has not."""
    return [seed for seed in _seeds(rerun, seeds) if _digest(rerun, seed) not in store]


def _seeds(rerun: Rerun, seeds: int) -> range:
    return range(1 if isinstance(rerun.learner, Baseline) else seeds)


def _digest(rerun: Rerun, seed: int) -> str:
    return digest(rerun.learner.to_json(), rerun.data.fingerprint, seed)


def _train(
    rerun: Rerun, seed: int, store: Store, watch: Watch, watch_pretraining: WatchPretraining | None
) -> Run:
    """The run from the store, or trained now and put there."""
    name = _digest(rerun, seed)
    if name in store:
        try:
            return store.read(name)
        except DamagedRun:
            store.discard(name)
    claim = store.claim(name)
    if claim is None:
        raise StoreError(
            f"{rerun.system.name}, seed {seed}: another process is training it in {store.folder}; "
            "wait for it, or give another folder with --store"
        )
    with claim:
        if isinstance(rerun.learner, Baseline):
            run = rerun.learner.fit(rerun.data)
            store.write(run)
        else:
            checkpoints = StoredCheckpoints(store)
            run = fit(
                rerun.learner,
                rerun.data,
                seed,
                watch=watch,
                watch_pretraining=watch_pretraining,
                checkpoints=checkpoints,
            )
            store.write(run)
            checkpoints.drop(Training(rerun.learner, rerun.data, seed))
    return run
