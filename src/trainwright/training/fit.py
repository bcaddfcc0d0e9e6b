"""The training loop: every training proper goes through it. What a strategy trains on inputs alone beforehand
has a loop of its own (`pretraining.py`).

A training is a list of phases (`phases.py`), each trained in intervals of n steps between two evaluations
(Algorithm 7.1's n). An interval is one compiled program (`step.py`) that scans over its steps with the data
resident on the device: no Python and no host transfer inside. Images that do not fit go through it block by
block (`feed.py`). Small networks train side by side (`cohort.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from trainwright.data.dataset import Dataset
from trainwright.data.loading import DataSpec
from trainwright.recipe import Recipe
from trainwright.runs.run import Pretrained, Run
from trainwright.strategy import Phase
from trainwright.training import step
from trainwright.training.building import Training, build
from trainwright.training.checkpoints import Checkpoints
from trainwright.training.cohort import Cohort, by_slot
from trainwright.training.handover import hand_over
from trainwright.training.pretraining import PretrainingProgress, pretrain
from trainwright.training.progress import Progress

WatchPretraining = Callable[[PretrainingProgress], None]


def fit(
    recipe: Recipe,
    data: Dataset | DataSpec,
    seed: int = 0,
    *,
    watch: Callable[[Progress], None] | None = None,
    watch_pretraining: WatchPretraining | None = None,
    checkpoints: Checkpoints | None = None,
) -> Run:
    """Train one network on all cores and return its run.

    `watch` is called after each evaluation, `watch_pretraining` after each epoch of what comes before.

    With `checkpoints` an interrupted training resumes where it was. Raises `SettingError` where the recipe
    does not suit the data, and what a strategy has to say against it.

    >>> from trainwright.data import load
    >>> run = fit(Recipe(epochs=2), load("digits"))
    >>> run.status, run.steps
    ('finished', 68)
    """
    training = Training(recipe, data.load() if isinstance(data, DataSpec) else data, seed)
    runs = fit_all(
        [training], width=1, watch=watch, watch_pretraining=watch_pretraining, checkpoints=checkpoints
    )
    return next(runs)[1]


def fit_all(
    trainings: Sequence[Training],
    *,
    width: int | None = None,
    watch: Callable[[Progress], None] | None = None,
    watch_pretraining: WatchPretraining | None = None,
    checkpoints: Checkpoints | None = None,
) -> Iterator[tuple[Training, Run]]:
    """Train many networks of one structure on folds of one data set; each run is yielded as it ends.

    The recipes may differ in their numbers only. `width` is how many train side by side (by default what
    suits the network). Raises `SettingError` for trainings that don't share a program.
    """
    waiting = list(reversed(trainings))
    cohort = Cohort(trainings[0], width)
    while waiting or cohort.running:
        while waiting and cohort.free:
            training = waiting.pop()
            _place(cohort, training, pretrain(training, checkpoints, watch_pretraining), checkpoints)
        _advance(cohort)
        _keep_best(cohort)
        _begin_next_phases(cohort)
        if checkpoints and checkpoints.due():
            _write(cohort, checkpoints)
        for progress in list(cohort.running):
            if watch:
                watch(progress)
            if progress.ended:
                yield progress.training, hand_over(cohort, progress)


def _place(
    cohort: Cohort,
    training: Training,
    pretrained: tuple[Pretrained, ...],
    checkpoints: Checkpoints | None,
) -> None:
    """Put a training into the cohort: at its start, pretrained, or where its checkpoint left it."""
    progress = cohort.place(training, pretrained)
    if checkpoints and (stored := checkpoints.read(training)):
        arrays, notes = stored
        cohort.resume(progress, arrays)
        progress.resume(notes)


def _advance(cohort: Cohort) -> None:
    """Train an interval, evaluate, record."""
    start, traces = time.perf_counter(), step.traces
    train_losses = cohort.train_interval()
    loss, error = cohort.evaluate()
    train_loss = by_slot(train_losses)
    seconds = (time.perf_counter() - start) / cohort.width  # an empty slot computes too
    for progress in cohort.running:
        slot = progress.slot
        progress.record(float(train_loss[slot]), float(loss[slot]), float(error[slot]))
        if step.traces == traces:  # compiling is not training
            progress.seconds += seconds
            progress.timed += progress.interval


def _keep_best(cohort: Cohort) -> None:
    cohort.keep([progress for progress in cohort.running if progress.improved])


def _begin_next_phases(cohort: Cohort) -> None:
    for progress in cohort.running:
        if progress.ended and not progress.diverged and (phase := progress.next_phase()):
            _begin(cohort, progress, phase)


def _begin(cohort: Cohort, progress: Progress, phase: Phase) -> None:
    """Give a training the weights that its phase starts from, and the loss at which it ends."""
    kept = cohort.kept_of(progress)
    if phase.until_kept_loss:
        rows = progress.training.data.splits.train
        progress.target_loss = float(cohort.score(progress, kept, rows).loss)
    first = build(progress.training, progress.pretrained)[1]
    cohort.put(progress, kept if phase.start == "kept" else first)


def _write(cohort: Cohort, checkpoints: Checkpoints) -> None:
    for progress in cohort.running:
        if not progress.ended:
            checkpoints.write(progress.training, cohort.arrays(progress), progress.to_json())
