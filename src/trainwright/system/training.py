"""Training a system again, seed by seed, with its record kept up to date.

An ensemble's members are trained one after the other, each with a seed of its own; one seed of the system is
one ensemble.

Trainings are kept in a store: one that is there already is not repeated, also where another row needs it (see
`shared`), and one that was interrupted resumes where it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from trainwright.base.errors import StoreError
from trainwright.baseline import Baseline
from trainwright.recipe import Recipe
from trainwright.runs.average import average
from trainwright.runs.run import Run
from trainwright.runs.store import DamagedRun, Store, digest
from trainwright.system import record, shared
from trainwright.system.contract import Rerun
from trainwright.system.memory import within_memory
from trainwright.system.record import SystemRecord
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
) -> SystemRecord:
    """Train with the seeds 0 to `seeds` - 1, what the store has not, and return the record.

    The record is written into `results` after every training, and every minute while the first one is under
    way. One of the same recipe on the same data that is there already stays until there are as many trainings
    as it has. A baseline is deterministic and runs once. Raises `StoreError` for a training that another
    process is busy with, and `TooLarge` for a system that does not fit the machine's memory.
    """
    before = record.read(results, rerun.system.name, rerun.budget, held_out=rerun.hold_out)
    recorded = before.outcomes if before and _same(before, rerun) else ()
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
            members = [
                _train(rerun, member, number, store, watch_and_record, watch_pretraining)
                for member, number in _trainings(rerun, seed)
            ]
        runs.append(_together(members, seed))
        made = record.of_runs(rerun, runs, command)
        if len(runs) >= len(recorded) and made.outcomes != recorded:
            made.write(results)
    return made


def missing(rerun: Rerun, store: Store, seeds: int = 1) -> list[int]:
    """The seeds with a training that the store has not."""
    return [
        seed
        for seed in _seeds(rerun, seeds)
        if any(_digest(rerun, *training) not in store for training in _trainings(rerun, seed))
    ]


def _same(kept: SystemRecord, rerun: Rerun) -> bool:
    """Whether a record is of this recipe and data: folders of other images may well have the same name."""
    known = kept.fingerprint or rerun.data.fingerprint  # old records have none
    there = (kept.recipe, kept.data, known)
    return there == (rerun.to_json(), rerun.data.name, rerun.data.fingerprint)


def _seeds(rerun: Rerun, seeds: int) -> range:
    return range(1 if isinstance(rerun.learner, Baseline) else seeds)


def _trainings(rerun: Rerun, seed: int) -> list[tuple[Recipe | Baseline, int]]:
    """The members of one ensemble, or the one learner, each with its own seed."""
    first = seed * len(rerun.members)
    return [(member, first + place) for place, member in enumerate(rerun.members)]


def _together(members: Sequence[Run], seed: int) -> Run:
    """The run of one seed: that of its only member, or the average of its members."""
    return replace(average(members, members[0].recipe), seed=seed)


def _digest(rerun: Rerun, learner: Recipe | Baseline, seed: int) -> str:
    stored = learner.to_json() if isinstance(learner, Baseline) else shared.as_stored(learner)
    return digest(stored, rerun.data.fingerprint, seed)


def _train(
    rerun: Rerun,
    learner: Recipe | Baseline,
    seed: int,
    store: Store,
    watch: Watch,
    watch_pretraining: WatchPretraining | None,
) -> Run:
    """The run from the store, or trained now and put there."""
    name = _digest(rerun, learner, seed)
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
        if isinstance(learner, Baseline):
            run = learner.fit(rerun.data)
            store.write(run)
        elif (plain := shared.trained(learner)) != learner:
            _train(rerun, plain, seed, store, watch, watch_pretraining)
            with_weights = store.read(_digest(rerun, plain, seed), weights=True)
            run = shared.predicted(learner, rerun.data, with_weights)
            store.write(run)
        else:
            checkpoints = StoredCheckpoints(store)
            run = fit(
                learner,
                rerun.data,
                seed,
                watch=watch,
                watch_pretraining=watch_pretraining,
                checkpoints=checkpoints,
            )
            store.write(run)
            checkpoints.drop(Training(learner, rerun.data, seed))
    return run
