"""Cost: how long a system's training takes on this machine, from a few measured steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import jax

from trainwright.baseline import Baseline
from trainwright.data import Dataset
from trainwright.data.splits import subset
from trainwright.runs.store import pretraining_digest
from trainwright.system.contract import Rerun
from trainwright.system.memory import within_memory
from trainwright.training.building import Training
from trainwright.training.cohort import Cohort
from trainwright.training.pretraining import epoch_seconds

STEPS = 5  # timed, after as many while the program is compiled
EXAMPLES = 4_000  # of which a baseline is timed
FEWEST = 100  # of which it is first fitted, untimed


@dataclass(frozen=True)
class Cost:
    """What one training takes."""

    seconds: float
    """Of the training proper; an upper bound where it may stop early."""
    steps: int = 0
    """Weight updates; 0 for a baseline."""
    step_seconds: float = 0.0
    """For one of them."""
    pretraining: Mapping[str, float] = field(default_factory=dict)
    """Seconds of each pretraining before it, by what decides it: rows that have one in common share it."""

    @property
    def pretraining_seconds(self) -> float:
        """Of all of them together."""
        return sum(self.pretraining.values())


def total(costs: Sequence[tuple[Cost, int]]) -> float:
    """Seconds of so many trainings of each cost; a pretraining that several have in common counts once for
    each seed."""
    shared: dict[str, float] = {}
    for cost, trainings in costs:
        for name, seconds in cost.pretraining.items():
            shared[name] = max(shared.get(name, 0.0), trainings * seconds)
    return sum(trainings * cost.seconds for cost, trainings in costs) + sum(shared.values())


def measure(rerun: Rerun) -> Cost:
    """The cost of one training of a system, compiling left out. Raises `TooLarge` where its arrays find no
    room."""
    with within_memory():
        return _measure(rerun)


def _measure(rerun: Rerun) -> Cost:
    learner, data = rerun.learner, rerun.data
    if isinstance(learner, Baseline):
        return _baseline(learner, data)
    trial = Training(learner.replace(steps=rerun.length, evaluate_every=STEPS), data, 0)
    cohort = Cohort(trial, width=1)
    cohort.place(trial)
    step, evaluation = _second_time(cohort.train_interval) / STEPS, _second_time(cohort.evaluate)
    evaluations = rerun.length // learner.interval(data.splits.examples)
    seconds = rerun.length * step + evaluations * evaluation
    return Cost(seconds, rerun.length, step, _pretraining(Training(learner, data, 0)))


def _pretraining(training: Training) -> dict[str, float]:
    """Seconds of each of a training's pretrainings, by those up to it."""
    seconds, decided = {}, []
    for pretraining, epoch in epoch_seconds(training, STEPS):
        decided.append(pretraining.to_json())
        seconds[pretraining_digest(decided, training.data.fingerprint, 0)] = epoch * pretraining.epochs
    return seconds


def _second_time(function: Callable[[], object]) -> float:
    """Seconds that a function takes once it is compiled."""
    jax.block_until_ready(function())  # type: ignore[no-untyped-call]
    start = time.perf_counter()
    jax.block_until_ready(function())  # type: ignore[no-untyped-call]
    return time.perf_counter() - start


def _baseline(baseline: Baseline, data: Dataset) -> Cost:
    """From fewer examples: a kernel machine's time grows with the square of those that it learns from."""
    examples = min(len(data.splits.train), getattr(baseline, "examples", len(data.splits.train)))
    baseline.fit(_part(data, FEWEST))  # the first fit imports its library
    few = min(EXAMPLES, examples)
    return Cost(baseline.fit(_part(data, few)).seconds * (examples / few) ** 2)


def _part(data: Dataset, examples: int) -> Dataset:
    """The data with so many training examples, and no more to validate and to test."""
    splits = subset(data.splits, data.strata, examples, seed=0)
    few = replace(splits, validation=splits.validation[:examples], test=splits.test[:examples])
    return replace(data, splits=few)
