"""The executor: what of a plan is not in the store is grouped by program and given to worker processes.

A run that another process has claimed is left to it and waited for. The workers live as long as the executor,
so that a program compiled for one round of a study is there for the next.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import jax

from trainwright.base.environment import keep_compiled, schedulable_cores
from trainwright.base.errors import SettingError, StoreError
from trainwright.recipe import Recipe
from trainwright.runs.run import Run
from trainwright.runs.store import Claim, DamagedRun, Store
from trainwright.studies.arms import Candidate
from trainwright.studies.plan import Planned
from trainwright.studies.progress import ProgressCounter, StudyProgress
from trainwright.studies.sharing import arrays_of, folded, share, shared
from trainwright.studies.workers import Job, Pool, Report
from trainwright.training.building import ProgramFacts, Training, dry_run
from trainwright.training.checkpoints import StoredCheckpoints
from trainwright.training.fit import fit_all
from trainwright.training.progress import Progress

Result = TypeVar("Result")
Rounds = Generator[list[Planned], None, Result]
"""A study, round by round: it yields the trainings that it needs, and goes on when the store has them."""

LARGEST_JOB = 256  # trainings: each holds a lock file open


class Event(NamedTuple):
    """What a worker reports of a training: how much of it is done, and its status once it has ended."""

    digest: str
    """The name of the run that the training leaves in the store."""
    fraction: float
    """The share of its steps that is done, from 0 to 1."""
    status: str | None = None
    """finished or diverged; None while it is under way."""


def carry_out(
    studies: Sequence[Rounds[Result]],
    store: Store,
    *,
    most: int,
    workers: int | None = None,
    watch: Callable[[StudyProgress], None] | None = None,
) -> list[Result]:
    """Carry out several studies round by round with one pool of workers, and return what each comes to.

    A program that they have in common is compiled once, and no core waits for another study's end. `most` is
    how many trainings there may be, for the progress that `watch` is called with.

    Raises `SettingError` for fewer than one worker.
    """
    results: dict[int, Result] = {}
    counter = ProgressCounter(most)
    with Executor(store, workers) as executor:
        while len(results) < len(studies):
            plan: list[Planned] = []
            for number, study in enumerate(studies):
                if number not in results:
                    try:
                        plan += next(study)
                    except StopIteration as end:
                        results[number] = end.value
            counter.begin(plan, store)
            for event in executor.fill(plan):
                progress = counter.note(*event)
                if watch:
                    watch(progress)
    return [results[number] for number in range(len(studies))]


def trained(store: Store, plan: list[Planned]) -> Rounds[list[Run]]:
    """The runs of a plan, once they are in the store. Damaged ones are moved aside and done again."""
    while True:
        yield plan
        try:
            return [_read(store, planned.digest) for planned in plan]
        except DamagedRun:
            continue  # it has been moved aside, so it is missing now


def _read(store: Store, digest: str) -> Run:
    try:
        return store.read(digest)
    except DamagedRun:
        store.discard(digest)
        raise


class Executor:
    """Worker processes, and the store that they fill."""

    def __init__(self, store: Store, workers: int | None = None) -> None:
        workers = schedulable_cores() if workers is None else workers
        if workers < 1:
            raise SettingError(f"workers = {workers} is not allowed: give a whole number in [1, ∞)")
        self._store, self._workers = store, workers
        self._pool = Pool(workers)
        self._shared = tempfile.TemporaryDirectory(prefix="trainwright-")
        self._facts: dict[Any, ProgramFacts] = {}

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close()
        self._shared.cleanup()

    def fill(self, plan: Sequence[Planned]) -> Iterator[Event]:
        """Train what the store has not of the plan, and yield what the workers report."""
        wanted = {planned.digest: planned for planned in plan}
        begun = False
        while missing := [planned for digest, planned in wanted.items() if digest not in self._store]:
            if begun and not any(_is_free(self._store, planned.digest) for planned in missing):
                time.sleep(1)  # other processes are at all of them
                continue
            begun = True
            jobs = []
            for program, group in self._groups(missing):
                light = [
                    (planned.candidate, planned.seed, planned.data.seed, planned.digest) for planned in group
                ]
                data = share(group[0].data, Path(self._shared.name))
                jobs.append(Job(program, partial(_work, self._store.folder, data, light)))
            for event in self._pool.run(jobs):
                yield event
                if event.status and event.digest not in self._store:
                    raise StoreError(
                        f"{self._store.folder}: a training that has just finished is not there: was it "
                        "removed?"
                    )

    def _groups(self, missing: Sequence[Planned]) -> list[tuple[Any, list[Planned]]]:
        """Groups of one program and one data set, folds of it included, each with its program: large enough
        to fill a cohort, small enough to share out. A baseline is a group of its own."""
        programs: dict[Any, list[Planned]] = {}
        widths: dict[Any, int] = {}
        for planned in missing:
            program: Any = planned.digest
            if isinstance(planned.candidate, Recipe):
                facts, shapes = self._facts_of(planned)
                program = jax.tree.structure(planned.candidate), shapes, facts
                widths[program] = facts.width
            programs.setdefault(program, []).append(planned)
        share = math.ceil(len(missing) / (4 * self._workers))
        groups = []
        for program, group in programs.items():
            parts = math.ceil(len(group) / min(max(widths.get(program, 1), share), LARGEST_JOB))
            groups += [(program, group[part::parts]) for part in range(parts)]
        return sorted(groups, key=lambda group: len(group[1]), reverse=True)

    def _facts_of(self, planned: Planned) -> tuple[ProgramFacts, Any]:
        """What is known of a training's program, and what of its data decides shapes."""
        shapes = arrays_of(planned.data), planned.data.splits.examples, planned.data.splits.room
        kind = planned.training.recipe.replace(learning_rate=1.0), shapes  # no network depends on the rate
        if kind not in self._facts:
            self._facts[kind] = dry_run(planned.training)
        return self._facts[kind], shapes


def _is_free(store: Store, digest: str) -> bool:
    """Whether no other process is training this run."""
    if claim := store.claim(digest):
        claim.release()
    return claim is not None


# In the worker.

Light = tuple[Candidate, int, int | None, str]  # with the seed, the fold's seed, and the digest


def _work(folder: Path, data: Path, group: list[Light], report: Report) -> None:
    """Train those of a group that are neither in the store nor claimed by another process."""
    keep_compiled()
    store = Store(folder)
    claims: dict[str, Claim] = {}
    trainings: dict[Training, str] = {}
    for candidate, seed, fold, digest in group:
        if (claim := store.claim(digest)) is None:
            continue
        if digest in store:
            claim.release()
            continue
        split = shared(data) if fold is None else folded(data, fold)
        if isinstance(candidate, Recipe):
            claims[digest] = claim
            trainings[Training(candidate, split, seed)] = digest
        else:
            store.write(candidate.fit(split))
            claim.release()
            report(Event(digest, 1.0, "finished"))
    if trainings:
        _train(store, trainings, claims, report)


def _train(store: Store, digests: dict[Training, str], claims: dict[str, Claim], report: Report) -> None:
    def watch(progress: Progress) -> None:
        fraction = min(1.0, progress.total / progress.length)  # added phases take longer
        report(Event(digests[progress.training], fraction))

    checkpoints = StoredCheckpoints(store)
    for training, run in fit_all(list(digests), watch=watch, checkpoints=checkpoints):
        digest = digests[training]
        store.write(run)
        checkpoints.drop(training)
        claims.pop(digest).release()
        report(Event(digest, 1.0, run.status))
