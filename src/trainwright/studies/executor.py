"""The executor: what of a plan is not in the store is grouped by program and given to worker processes.

A run that another process has claimed is left to it and waited for. The workers live as long as the executor,
so that a program compiled for one round of a study is there for the next.
"""

from __future__ import annotations

import math
import os
import pickle
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import lru_cache, partial
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import jax

from trainwright.base.environment import keep_compiled
from trainwright.base.errors import SettingError
from trainwright.baseline import Baseline
from trainwright.data.dataset import Dataset
from trainwright.recipe import Recipe
from trainwright.runs.run import Run
from trainwright.runs.store import Claim, DamagedRun, Store
from trainwright.studies.arms import Candidate
from trainwright.studies.plan import Planned
from trainwright.studies.progress import ProgressCounter, StudyProgress
from trainwright.studies.workers import Pool, Report, Task
from trainwright.training.checkpoints import StoredCheckpoints
from trainwright.training.cohort import cohort_width
from trainwright.training.fit import fit_all
from trainwright.training.progress import Slot, Training, rehearse

Result = TypeVar("Result")
Rounds = Generator[list[Planned], None, Result]
"""A study, round by round: it yields the trainings that it needs, and goes on when the store has them."""

LARGEST_TASK = 256  # trainings: each holds a lock file open


class Event(NamedTuple):
    """What a worker reports of a training: how much of it is done, and its status once it has ended."""

    digest: str
    fraction: float
    status: str | None = None


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
    workers = os.cpu_count() or 1 if workers is None else workers
    if workers < 1:
        raise SettingError(f"workers = {workers} is not allowed: give a whole number in [1, ∞)")
    results: dict[int, Result] = {}
    counter = ProgressCounter(most)
    with Pool(workers) as pool, tempfile.TemporaryDirectory(prefix="trainwright-") as shared:
        while len(results) < len(studies):
            plan: list[Planned] = []
            for number, study in enumerate(studies):
                if number not in results:
                    try:
                        plan += next(study)
                    except StopIteration as end:
                        results[number] = end.value
            counter.begin(plan, store)
            for event in _fill(store, plan, pool, workers, Path(shared)):
                progress = counter.note(*event)
                if watch:
                    watch(progress)
    return [results[number] for number in range(len(studies))]


def trained(store: Store, plan: list[Planned]) -> Rounds[list[Run]]:
    """The runs of a plan, once they are in the store. Damaged ones are moved aside and done again."""
    while True:
        yield plan
        try:
            return [_read(store, one.digest) for one in plan]
        except DamagedRun:
            continue  # it has been moved aside, so it is missing now


def _read(store: Store, digest: str) -> Run:
    try:
        return store.read(digest)
    except DamagedRun:
        store.discard(digest)
        raise


def _fill(store: Store, plan: Sequence[Planned], pool: Pool, workers: int, shared: Path) -> Iterator[Event]:
    """Train what the store has not of the plan, and yield what the workers report."""
    wanted = {one.digest: one for one in plan}
    begun = False
    while missing := [one for digest, one in wanted.items() if digest not in store]:
        if begun and not any(_is_free(store, one.digest) for one in missing):
            time.sleep(1)  # other processes are at all of them
            continue
        begun = True
        tasks = []
        for program, group in groups(missing, workers):
            light = [(one.candidate, one.seed, one.digest) for one in group]
            data = share(group[0].data, shared)
            tasks.append(Task(program, partial(_work, store.folder, data, light)))
        yield from pool.run(tasks)


def groups(missing: Sequence[Planned], workers: int) -> list[tuple[Any, list[Planned]]]:
    """Groups of one program and one data set, and the program: large enough to fill a cohort, small enough to
    share out. A baseline is a group of its own."""
    programs: dict[Any, list[Planned]] = {}
    widths: dict[Any, int] = {}
    graphs: dict[Any, tuple[Any, int]] = {}
    for one in missing:
        if isinstance(one.candidate, Baseline):
            program: Any = one.digest
            widths[program] = 1
        else:
            kind = (
                one.candidate.replace(learning_rate=1.0),
                one.data.fingerprint,
            )  # the rate builds no network
            if kind not in graphs:
                graphs[kind] = rehearse(one.training)
            graph, parameters = graphs[kind]
            program = jax.tree.structure(one.candidate), graph, one.data.fingerprint
            widths[program] = cohort_width(parameters)
        programs.setdefault(program, []).append(one)
    share = math.ceil(len(missing) / (4 * workers))
    tasks = []
    for program, group in programs.items():
        parts = math.ceil(len(group) / min(max(widths[program], share), LARGEST_TASK))
        tasks += [(program, group[part::parts]) for part in range(parts)]
    return sorted(tasks, key=lambda task: len(task[1]), reverse=True)


def _is_free(store: Store, digest: str) -> bool:
    """Whether no other process is training this run."""
    if claim := store.claim(digest):
        claim.release()
    return claim is not None


# The data, written once and mapped into every worker's memory.


def share(data: Dataset, folder: Path) -> Path:
    """Write a data set where the workers find it, once."""
    target = folder / data.fingerprint
    if not target.exists():
        arrays: list[pickle.PickleBuffer] = []
        value = pickle.dumps(data, protocol=5, buffer_callback=arrays.append)
        target.mkdir()
        for number, array in enumerate(arrays):
            (target / str(number)).write_bytes(array.raw())
        (target / "value").write_bytes(value)
    return target


@lru_cache(maxsize=1)
def shared(target: Path) -> Dataset:
    """The data set that `share` wrote; its arrays are read-only, and the same memory for all processes."""
    buffers = [_mapped(target / str(number)) for number in range(len(list(target.iterdir())) - 1)]
    data: Dataset = pickle.loads((target / "value").read_bytes(), buffers=buffers)
    return data


def _mapped(path: Path) -> Any:
    if not path.stat().st_size:
        return b""
    with path.open("rb") as file:
        return mmap(file.fileno(), 0, access=ACCESS_READ)


# In the worker.


def _work(folder: Path, data: Path, group: list[tuple[Candidate, int, str]], report: Report) -> None:
    """Train those of a group that are neither in the store nor claimed by another process."""
    keep_compiled()
    store = Store(folder)
    claimed: list[tuple[Candidate, int, str]] = []
    claims: dict[str, Claim] = {}
    for candidate, seed, digest in group:
        if (claim := store.claim(digest)) is None:
            continue
        if digest in store:
            claim.release()
            continue
        claims[digest] = claim
        claimed.append((candidate, seed, digest))
    for candidate, _, digest in claimed:
        if isinstance(candidate, Baseline):
            store.write(candidate.fit(shared(data)))
            claims.pop(digest).release()
            report(Event(digest, 1.0, "finished"))
    trainings = {
        Training(candidate, shared(data), seed): digest
        for candidate, seed, digest in claimed
        if isinstance(candidate, Recipe)
    }
    if trainings:
        _train(store, trainings, claims, report)


def _train(store: Store, digests: dict[Training, str], claims: dict[str, Claim], report: Report) -> None:
    def watch(slot: Slot) -> None:
        fraction = min(1.0, slot.total / slot.length)  # more phases take longer
        report(Event(digests[slot.training], fraction))

    checkpoints = StoredCheckpoints(store)
    for training, run in fit_all(list(digests), watch=watch, checkpoints=checkpoints):
        digest = digests[training]
        store.write(run)
        checkpoints.drop(training)
        claims.pop(digest).release()
        report(Event(digest, 1.0, run.status))
