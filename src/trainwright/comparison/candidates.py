"""An arm's candidates, and the one that validation chooses. Nothing of the test split is read here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from trainwright.comparison import metrics
from trainwright.comparison.metrics import LOG_LOSS, Metric
from trainwright.comparison.results import CandidateResult
from trainwright.runs.run import Run
from trainwright.runs.score import score


@dataclass(frozen=True)
class ArmRuns:
    """An arm of a study, or a baseline: one run per seed for each learning rate, in the same order of seeds.

    Where tuning has chosen the candidate already, `runs` has its fresh runs alone, and `tuning` says how all
    candidates did on validation.
    """

    name: str
    runs: dict[float, tuple[Run, ...]]
    tuning: tuple[CandidateResult, ...] = ()


@dataclass(frozen=True)
class ChosenArm:
    """An arm with the candidate chosen for it."""

    name: str
    learning_rate: float
    grid: tuple[CandidateResult, ...]
    """All candidates, the chosen one first."""
    validation: float
    runs: tuple[Run, ...]

    @property
    def at_edge(self) -> bool:
        """Whether the chosen rate is the smallest or largest of two or more tried with its candidate."""
        chosen = self.grid[0].strategies
        rates = sorted({setting.learning_rate for setting in self.grid if setting.strategies == chosen})
        return len(rates) > 1 and self.learning_rate in (rates[0], rates[-1])


def choose(arms: Sequence[ArmRuns], metric: Metric) -> list[ChosenArm]:
    """Each arm at its candidate of lowest mean metric on validation; ties go to the lower log-loss, then to
    the smaller rate.

    A run that diverged and kept no weights counts as the best constant guess, or as the worst run that
    finished where that is worse: to diverge is never to win.
    """
    second = LOG_LOSS.get(metric.task, metric)
    scores = {
        (arm.name, rate): (_scores(runs, metric), _scores(runs, second))
        for arm in arms
        for rate, runs in arm.runs.items()
    }
    finished = [value for group, _ in scores.values() for value, guessed, _ in group if not guessed]
    worst = max(finished, default=0.0)
    choices = []
    for arm in arms:
        ranked = []
        for rate in sorted(arm.runs):
            first, ties = scores[arm.name, rate]
            mean = fmean(max(value, worst) if guessed else value for value, guessed, _ in first)
            loss = fmean(value for value, _, _ in ties)
            # Equal means must tie although they were summed from other numbers: 12 digits are the same.
            key = (float(f"{mean:.12g}"), float(f"{loss:.12g}"), rate)
            ranked.append((key, CandidateResult(rate, mean, sum(diverged for _, _, diverged in first))))
        best = min(ranked, key=lambda pair: pair[0])[1]
        grid = arm.tuning or (best, *(setting for _, setting in ranked if setting is not best))
        rate = best.learning_rate
        choices.append(ChosenArm(arm.name, rate, grid, best.validation_error, arm.runs[rate]))
    return choices


def _scores(runs: Sequence[Run], metric: Metric) -> list[tuple[float, bool, bool]]:
    """Each run's metric on validation, whether it is that of a guess, and whether the run diverged."""
    scores = [score(run, "validation") for run in runs]
    return [
        (metrics.measure(run, "validation", metric), found.guessed, found.diverged)
        for run, found in zip(runs, scores, strict=True)
    ]
