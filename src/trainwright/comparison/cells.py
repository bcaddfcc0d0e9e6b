"""Which training judged which example, and what each such cell contributes to an arm's metric."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trainwright.comparison import examples, metrics
from trainwright.comparison.estimate import Estimate
from trainwright.comparison.metrics import Metric, Split
from trainwright.runs.run import Run
from trainwright.runs.score import score

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Layout:
    """What each training judges: the same for all arms, seed by seed."""

    rows: tuple[NDArray[Any], ...]
    """Per training, which examples, (judged,)."""
    units: tuple[NDArray[Any], ...]
    """Per training, which pieces of chance these are: the examples, or the groups they belong to."""
    targets: tuple[NDArray[Any], ...]
    """Per training, (judged,)."""
    repetitions: tuple[tuple[int, ...], ...]
    """Trainings that together judge each example at most once: a round of folds, or a single training."""

    @staticmethod
    def of(runs: Sequence[Run]) -> Layout:
        """The layout of these runs. Runs that do not say which rows they judge all judge the same."""
        targets = tuple(metrics.targets(run, "test") for run in runs)
        rows = tuple(
            np.asarray(run.predictions["test_rows"])
            if "test_rows" in run.predictions
            else np.arange(len(truth))
            for run, truth in zip(runs, targets, strict=True)
        )
        units = tuple(
            np.asarray(run.predictions["test_groups"]) if "test_groups" in run.predictions else judged
            for run, judged in zip(runs, rows, strict=True)
        )
        return Layout(rows, units, targets, _repetitions(rows))

    @property
    def design(self) -> Literal["folds", "test set"]:
        return "folds" if any(len(members) > 1 for members in self.repetitions) else "test set"

    @property
    def step(self) -> int:
        """How many seeds judge every example once."""
        return max(map(len, self.repetitions))

    @property
    def examples(self) -> int:
        """How many examples were judged."""
        return len(np.unique(np.concatenate(self.rows)))

    @property
    def groups(self) -> int:
        """How many pieces of chance these are."""
        return len(np.unique(np.concatenate(self.units)))

    def resolution(self, metric: Metric) -> float:
        """How much one example can change the metric."""
        return metric.resolution(self._joined(self.targets, max(self.repetitions, key=len)))

    def contributions(self, metric: Metric, losses: Sequence[Array]) -> list[Array]:
        """What each example contributes to the metric of its repetition, per training."""
        contributions: list[Array] = [np.empty(0)] * len(losses)
        for members in self.repetitions:
            joined = metric.contributions(self._joined(losses, members), self._joined(self.targets, members))
            cuts = np.cumsum([len(losses[member]) for member in members])[:-1]
            for member, part in zip(members, np.split(joined, cuts), strict=True):
                contributions[member] = part
        return contributions

    def estimate(self, values: Sequence[Array], resolution: float) -> Estimate:
        """The mean of these cells and its uncertainty."""
        return examples.estimate(values, self.units, resolution=resolution)

    @staticmethod
    def _joined(arrays: Sequence[NDArray[Any]], members: Sequence[int]) -> NDArray[Any]:
        return np.concatenate([arrays[member] for member in members])


def _repetitions(rows: Sequence[NDArray[Any]]) -> tuple[tuple[int, ...], ...]:
    """Trainings in their order, a new repetition where one judges what the present one has judged."""
    repetitions: list[list[int]] = []
    seen: set[int] = set()
    for training, judged in enumerate(rows):
        judges = set(judged.tolist())
        if not repetitions or judges & seen:
            repetitions.append([])
            seen = set()
        repetitions[-1].append(training)
        seen |= judges
    return tuple(map(tuple, repetitions))


@dataclass(frozen=True, eq=False)
class Cells:
    """An arm's contributions, per training and example."""

    values: tuple[Array, ...]
    diverged: tuple[bool, ...]
    """Per training."""
    guessed: tuple[bool, ...]
    """Per training: it diverged and kept no weights, so these cells are those of a constant guess."""

    @property
    def errors(self) -> tuple[float, ...]:
        """The metric per training."""
        return tuple(float(values.mean()) for values in self.values)

    def minus(self, other: Cells) -> list[Array]:
        """The differences, cell by cell."""
        return [mine - theirs for mine, theirs in zip(self.values, other.values, strict=True)]


def contrast(weighted: Sequence[tuple[float, Cells]]) -> list[Array]:
    """The weighted sum of several arms, cell by cell."""
    columns = zip(*(arm.values for _, arm in weighted), strict=True)
    weights = [weight for weight, _ in weighted]
    return [
        np.sum([weight * values for weight, values in zip(weights, column, strict=True)], axis=0)
        for column in columns
    ]


def of_arms(arms: Sequence[Sequence[Run]], layout: Layout, metric: Metric) -> list[Cells]:
    """Each arm's cells. Those of a guess are raised to the worst training's that finished, of any arm, where
    they are better: among rare classes, or noise, a constant guess may beat an honest network."""
    cells = [_of_runs(runs, layout, metric, metrics.losses) for runs in arms]
    finished = [
        error for arm in cells for error, guessed in zip(arm.errors, arm.guessed, strict=True) if not guessed
    ]
    worst = max(finished, default=-np.inf)
    return [
        Cells(
            tuple(
                values + max(0.0, worst - float(values.mean())) if guessed else values
                for values, guessed in zip(arm.values, arm.guessed, strict=True)
            ),
            arm.diverged,
            arm.guessed,
        )
        for arm in cells
    ]


def of_guessing(runs: Sequence[Run], layout: Layout, metric: Metric) -> Cells:
    """The cells of the best guess that looks at no input."""

    def losses(run: Run, split: Split, metric: Metric) -> Array:
        return metric.losses(metrics.guess(run, split), metrics.targets(run, split))

    return _of_runs(runs, layout, metric, losses)


def _of_runs(
    runs: Sequence[Run], layout: Layout, metric: Metric, losses: Callable[[Run, Split, Metric], Array]
) -> Cells:
    values = layout.contributions(metric, [losses(run, "test", metric) for run in runs])
    scores = [score(run, "test") for run in runs]
    return Cells(
        tuple(values), tuple(found.diverged for found in scores), tuple(found.guessed for found in scores)
    )
