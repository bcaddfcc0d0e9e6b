"""Study: arms × seeds on one data set, each arm at its best learning rate.

The plan is a list of trainings, each with the digest of its run. What the store has is skipped, so a study
may be interrupted and repeated at any moment, and extended by more seeds, arms or rates at the cost of what
is new. The missing runs are grouped by program and given to worker processes; a run that another process
has claimed is left to it and waited for.
"""

from __future__ import annotations

import math
import os
import pickle
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import jax

from trainwright.base.environment import keep_compiled
from trainwright.base.errors import SettingError
from trainwright.comparison.compare import ArmRuns, Comparison, check_levels, compare
from trainwright.data.dataset import Dataset
from trainwright.data.loading import DataSpec
from trainwright.model import Model
from trainwright.recipe import Recipe
from trainwright.runs import store as stores
from trainwright.runs.run import Run
from trainwright.runs.score import score
from trainwright.runs.store import DamagedRun, Store
from trainwright.studies.workers import Report, run_tasks
from trainwright.training.building import Plan, Training, dry_run
from trainwright.training.checkpoints import StoredCheckpoints
from trainwright.training.fit import fit_all
from trainwright.training.progress import Progress as TrainingProgress

LARGEST_TASK = 256  # trainings: each holds a lock file open


class Planned(NamedTuple):
    """A training of the study and the name of the run that it leaves."""

    arm: str
    training: Training
    digest: str


@dataclass(frozen=True)
class Progress:
    """How far a study has come."""

    runs: int
    done: int
    diverged: int
    fraction: float
    """Of all steps of the missing runs, those that are made."""
    latest: str
    """The run that ended last, in words; empty if none has since the last report."""


@dataclass(frozen=True, eq=False)
class Study:
    """Recipes side by side on one data set, over the same seeds.

    `arms`: recipe by name. `rates`: the learning rates that every arm may choose from, on validation; none
    keeps each recipe's own. `reference`: the arm that the others are compared with, by default the first.
    `resample`: draw a new train/validation/test split for each seed. Raises `SettingError` for fewer than
    one seed, an unknown reference, a rate given twice, and arms that are the same recipe (at the same rate).

    >>> from trainwright.strategies import Dropout
    >>> arms = {"plain": Recipe(epochs=2), "dropout": Recipe(strategies=(Dropout(0.5),), epochs=2)}
    >>> study = Study(DataSpec("digits"), arms, seeds=3, rates=(0.03, 0.1))
    >>> len(study.plan)
    12
    """

    data: DataSpec
    arms: Mapping[str, Recipe]
    seeds: int = 10
    rates: tuple[float, ...] = ()
    reference: str = ""
    resample: bool = False
    _cache: dict[int | None, Dataset] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise SettingError(f"study: seeds = {self.seeds} is not allowed: give a whole number in [1, ∞)")
        if not self.arms:
            raise SettingError("study: no arms are given: name at least one recipe")
        if self.reference and self.reference not in self.arms:
            raise SettingError(
                f"study: the reference {self.reference!r} is not an arm: {', '.join(self.arms)}"
            )
        if len(set(self.rates)) < len(self.rates):
            raise SettingError(f"study: rates = {self.rates} has a rate twice: drop one")
        seen: dict[Recipe, str] = {}
        for name, recipe in self.arms.items():
            recipe = recipe.replace(learning_rate=self.rates[0]) if self.rates else recipe
            if (other := seen.setdefault(recipe, name)) != name:
                raise SettingError(f"study: the arms {other!r} and {name!r} are the same recipe: drop one")

    def dataset(self, seed: int | None = None) -> Dataset:
        """The data as this seed sees it."""
        split = seed if self.resample else None
        if None not in self._cache:
            self._cache[None] = self.data.load()
        if split not in self._cache:
            self._cache[split] = self._cache[None].fold(seed or 0)
        return self._cache[split]

    @cached_property
    def plan(self) -> list[Planned]:
        """Every training of the study, arm by arm and seed by seed."""
        planned = []
        for name, recipe in self.arms.items():
            for rate in self.rates or (recipe.learning_rate,):
                for seed in range(self.seeds):
                    training = Training(recipe.replace(learning_rate=rate), self.dataset(seed), seed)
                    fingerprint = training.data.fingerprint
                    planned.append(
                        Planned(name, training, stores.digest(training.recipe.to_json(), fingerprint, seed))
                    )
        return planned

    def run(
        self,
        folder: str | os.PathLike[str],
        *,
        workers: int | None = None,
        watch: Callable[[Progress], None] | None = None,
    ) -> list[ArmRuns]:
        """Train what the store in `folder` has not, and return every arm's runs by learning rate.

        `workers`: processes, one training per core each; by default as many as there are cores. `watch` is
        called with the progress. Damaged runs are moved aside and done again. Raises `SettingError` where a
        recipe does not suit the data, `StoreError` where the folder cannot be written, and `WorkerDied`.
        """
        return run_all([self], folder, workers=workers, watch=watch)[0]

    def compare(
        self,
        folder: str | os.PathLike[str],
        *,
        delta: float | None = None,
        level: float = 0.95,
        command: str = "",
        workers: int | None = None,
        watch: Callable[[Progress], None] | None = None,
    ) -> Comparison:
        """`run`, and the arms side by side: see `trainwright.comparison.compare.compare`."""
        check_levels(delta, level)  # before the work, not after it
        return compare(
            self.run(folder, workers=workers, watch=watch),
            reference=self.reference or next(iter(self.arms)),
            delta=delta,
            level=level,
            command=command,
        )

    def best_model(self, folder: str | os.PathLike[str], comparison: Comparison) -> Model:
        """The model of the arm, and of its seed, that did best on validation.

        Raises `SettingError` if every training of that arm diverged.
        """
        arm = min(comparison.arms, key=lambda arm: min(one.validation_error for one in arm.grid))
        runs = [
            (one, Store(Path(folder)).read(one.digest))
            for one in self.plan
            if one.arm == arm.name and one.training.recipe.learning_rate == arm.learning_rate
        ]
        scores = {one: score(run, "validation") for one, run in runs}
        finished = [one for one in scores if not scores[one].diverged]
        if not finished:
            raise SettingError("study: every training diverged, so there is no model: give smaller rates")
        chosen = min(finished, key=lambda one: (scores[one].error, scores[one].loss))
        return Model.of(Store(Path(folder)).read(chosen.digest, weights=True), chosen.training.data)

    def _collect(self, store: Store) -> list[ArmRuns]:
        arms: dict[str, dict[float, list[Run]]] = {name: {} for name in self.arms}
        for arm, training, digest in self.plan:
            try:
                run = store.read(digest)
            except DamagedRun:
                store.discard(digest)
                raise
            arms[arm].setdefault(training.recipe.learning_rate, []).append(run)
        return [
            ArmRuns(name, {rate: tuple(runs) for rate, runs in by_rate.items()})
            for name, by_rate in arms.items()
        ]


def run_all(
    studies: Sequence[Study],
    folder: str | os.PathLike[str],
    *,
    workers: int | None = None,
    watch: Callable[[Progress], None] | None = None,
) -> list[list[ArmRuns]]:
    """Run several studies, on several data sets perhaps, with one pool of workers; see `Study.run`.

    A program that they have in common is compiled once, and no core waits for another study's end.
    """
    workers = os.cpu_count() or 1 if workers is None else workers
    if workers < 1:
        raise SettingError(f"workers = {workers} is not allowed: give a whole number in [1, ∞)")
    store = Store(Path(folder))
    plan = {one.digest: one for study in studies for one in study.plan}
    begun = False
    while True:
        while missing := [one for digest, one in plan.items() if digest not in store]:
            if begun and not any(_is_free(store, one.digest) for one in missing):
                time.sleep(1)  # other processes are at all of them
            else:
                _train(store, len(plan), missing, workers, watch)
            begun = True
        try:
            return [study._collect(store) for study in studies]
        except DamagedRun:
            continue  # it has been moved aside, so it is missing now


def _is_free(store: Store, digest: str) -> bool:
    """Whether no other process is training this run."""
    if claim := store.claim(digest):
        claim.release()
    return claim is not None


def _train(
    store: Store,
    runs: int,
    missing: Sequence[Planned],
    workers: int,
    watch: Callable[[Progress], None] | None,
) -> None:
    with tempfile.TemporaryDirectory(prefix="trainwright-") as shared:
        tasks = [
            partial(_work, store.folder, _share(group[0].training.data, Path(shared)), _light(group))
            for group in _tasks(missing, workers)
        ]
        progress = ProgressCounter(runs, missing)
        for event in run_tasks(tasks, workers):
            progress.note(*event)
            if watch:
                watch(progress.now())


def _tasks(missing: Sequence[Planned], workers: int) -> list[list[Planned]]:
    """Groups of one program and one data set: large enough to fill a cohort, small enough to share out."""
    programs: dict[Any, list[Planned]] = {}
    graphs: dict[Any, Plan] = {}
    for one in missing:
        recipe, data = one.training.recipe, one.training.data
        kind = recipe.replace(learning_rate=1.0), data.fingerprint  # no network depends on the rate
        if kind not in graphs:
            graphs[kind] = dry_run(one.training)
        program = jax.tree.structure(recipe), graphs[kind], data.fingerprint
        programs.setdefault(program, []).append(one)
    share = math.ceil(len(missing) / (4 * workers))
    tasks = []
    for (_, plan, _), group in programs.items():
        size = min(max(plan.width, share), LARGEST_TASK)
        parts = math.ceil(len(group) / size)
        tasks += [group[part::parts] for part in range(parts)]
    return sorted(tasks, key=len, reverse=True)


class ProgressCounter:
    """Counts what the workers report."""

    def __init__(self, runs: int, missing: Sequence[Planned]):
        self.runs, self.missing = runs, len(missing)
        self.names = {
            one.digest: f"{one.arm}, rate {one.training.recipe.learning_rate:g}, seed {one.training.seed}"
            for one in missing
        }
        self.made = dict.fromkeys(self.names, 0.0)
        self.ended = self.diverged = 0
        self.latest = ""

    def note(self, digest: str, fraction: float, status: str | None) -> None:
        self.made[digest] = fraction
        self.latest = ""
        if status:
            self.ended += 1
            self.diverged += status == "diverged"
            self.latest = f"{self.names[digest]}: {status}"

    def now(self) -> Progress:
        done = self.runs - self.missing + self.ended
        return Progress(self.runs, done, self.diverged, sum(self.made.values()) / self.missing, self.latest)


# In the worker.

Light = list[tuple[Recipe, int, str]]  # recipe, seed, digest


def _light(group: Sequence[Planned]) -> Light:
    return [(one.training.recipe, one.training.seed, one.digest) for one in group]


def _share(data: Dataset, folder: Path) -> Path:
    """Write a data set where the workers find it, once."""
    path = folder / data.fingerprint
    if not path.exists():
        path.write_bytes(pickle.dumps(data, protocol=5))
    return path


@lru_cache(maxsize=1)
def _shared(path: Path) -> Dataset:
    data: Dataset = pickle.loads(path.read_bytes())
    return data


def _work(folder: Path, shared: Path, group: Light, report: Report) -> None:
    """Train those of a group that are neither in the store nor claimed by another process."""
    keep_compiled()
    store = Store(folder)
    digests, claims = {}, {}
    for recipe, seed, digest in group:
        if (claim := store.claim(digest)) is None:
            continue
        if digest in store:
            claim.release()
            continue
        digests[Training(recipe, _shared(shared), seed)] = digest
        claims[digest] = claim

    def watch(progress: TrainingProgress) -> None:
        made = min(1.0, progress.total / progress.length)  # added phases take longer
        report((digests[progress.training], made, None))

    if digests:
        checkpoints = StoredCheckpoints(store)
        for training, run in fit_all(list(digests), watch=watch, checkpoints=checkpoints):
            digest = digests[training]
            store.write(run)
            checkpoints.drop(training)
            claims.pop(digest).release()
            report((digest, 1.0, run.status))
