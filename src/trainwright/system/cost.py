"""Cost: how long a system's training takes on this machine, from a few measured steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import jax
import numpy as np

from trainwright.base.errors import SettingError
from trainwright.baseline import Baseline
from trainwright.data import Dataset, sequences
from trainwright.data.dataset import Splits
from trainwright.data.splits import subset
from trainwright.recipe import Recipe
from trainwright.runs.store import pretraining_digest
from trainwright.system.contract import Extent, Rerun, System, Table
from trainwright.system.memory import TooLarge, within_memory
from trainwright.system.shared import trained
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
    """The cost of one training of a system, compiling left out; of an ensemble, of all its members. What
    systems share (`shared`) counts for each, and predicting by many views at the end is left out. Raises
    `TooLarge` where its arrays find no room."""
    with within_memory():
        return _measure(rerun)


def published_step(system: System) -> float:
    """Seconds of a training step under budget paper on this machine, compiling left out; of an ensemble, of
    its first member. The images are noise of the published size, so the published data need not be here.

    Raises `TooLarge` where its arrays find no room, and `SettingError` where no size is given.
    """
    if system.extent is None:
        raise SettingError(
            f"{system.name}: the size of its data is not given; `trainwright system {system.name}` measures"
            " its cost"
        )
    recipe = system.recipe("paper")
    with within_memory():
        data = _noise(system.extent, recipe.batch_size)
        return _timed(_cohort(recipe.replace(steps=1, evaluate_every=1), data).train_interval)


def published_steps(table: Table, watch: Callable[[str], object]) -> Iterator[tuple[str, float | None]]:
    """The `published_step` of each system that has an extent, as it comes; None where it finds no room.

    Systems that train the same are measured once. `watch` is told which is measured.
    """
    measured: dict[tuple[Recipe, Extent], float | None] = {}
    for system in table.systems:
        if system.extent is None:
            continue
        training = system.recipe("paper"), system.extent
        if training not in measured:
            watch(system.name)
            try:
                measured[training] = published_step(system)
            except TooLarge:
                measured[training] = None
        yield system.name, measured[training]


def _measure(rerun: Rerun) -> Cost:
    each = {member: _member(rerun, member) for member in set(rerun.members)}
    costs = [each[member] for member in rerun.members]
    steps = sum(cost.steps for cost in costs)
    return Cost(
        sum(cost.seconds for cost in costs),
        steps,
        sum(cost.steps * cost.step_seconds for cost in costs) / max(steps, 1),
        {name: seconds for cost in costs for name, seconds in cost.pretraining.items()},
    )


def _member(rerun: Rerun, learner: Recipe | Baseline) -> Cost:
    data = rerun.data
    if isinstance(learner, Baseline):
        return _baseline(learner, data)
    learner = trained(learner)
    examples = data.splits.examples
    length = learner.length(examples)
    cohort = _cohort(learner.replace(steps=length, evaluate_every=STEPS), data)
    step, evaluation = _timed(cohort.train_interval) / STEPS, _timed(cohort.evaluate)
    seconds = length * step + length // learner.interval(examples) * evaluation
    return Cost(seconds, length, step, _pretraining(Training(learner, data, 0)))


def _cohort(recipe: Recipe, data: Dataset) -> Cohort:
    """A training that is about to begin."""
    trial = Training(recipe, data, 0)
    cohort = Cohort(trial, width=1)
    cohort.place(trial)
    return cohort


def _noise(extent: Extent, batch: int) -> Dataset:
    """One batch of images of the published size, and a few more."""
    rng = np.random.default_rng(0)
    images = rng.random((batch + 2, *extent.shape), np.float32)
    splits = Splits(np.arange(batch), np.array([batch]), np.array([batch + 1]))
    if extent.outputs == sequences.OUTPUTS:
        return Dataset("noise", "sequence", images, sequences.from_texts(["1"] * len(images)), splits)
    classes = tuple(map(str, range(extent.outputs)))
    targets = np.arange(len(images), dtype=np.int32) % extent.outputs
    return Dataset("noise", "classification", images, targets, splits, classes)


def _pretraining(training: Training) -> dict[str, float]:
    """Seconds of each of a training's pretrainings, by those up to it."""
    seconds, decided = {}, []
    for pretraining, epoch in epoch_seconds(training, STEPS):
        decided.append(pretraining.to_json())
        seconds[pretraining_digest(decided, training.data.fingerprint, 0)] = epoch * pretraining.epochs
    return seconds


def _timed(function: Callable[[], object]) -> float:
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
