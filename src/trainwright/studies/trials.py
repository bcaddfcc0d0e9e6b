"""Trials: the trainings that tuning and searching ask for, how they ended, and settings compared on them.

A procedure is a generator: it yields the trials that it needs and is sent their outcomes, and in the end
returns what it found. It depends on nothing else; so it can be interrupted, and begun again from stored runs.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from trainwright.studies.arms import Candidate

Result = TypeVar("Result")


class Trial(NamedTuple):
    """A training that a procedure needs: of a candidate, on the tuning's split and seed of this number."""

    candidate: Candidate
    """What is trained, at the learning rate that is tried."""
    number: int
    """Which split and seed it has; trials of the same number are paired."""


class Outcome(NamedTuple):
    """How a trial did on validation."""

    error: float
    """By the metric that decides, in its unit; less is better."""
    loss: float
    """As `runs.score.Score.loss`; it decides between equal errors."""
    diverged: bool = False
    """Whether the training diverged and kept no weights from before."""
    curve: tuple[float, ...] = ()
    """The validation error at each evaluation."""


Outcomes = Mapping[Trial, Outcome]
Procedure = Generator[list[Trial], Outcomes, Result]


def side_by_side(procedures: Mapping[str, Procedure[Result]]) -> Procedure[dict[str, Result]]:
    """Several procedures at once; each is sent the outcomes when all that are asked for are known."""
    results: dict[str, Result] = {}
    asks: dict[str, list[Trial]] = {}

    def advance(name: str, outcomes: Outcomes | None) -> None:
        try:
            asks[name] = procedures[name].send(outcomes)  # type: ignore[arg-type]  # None begins it
        except StopIteration as end:
            asks.pop(name, None)
            results[name] = end.value

    for name in procedures:
        advance(name, None)
    while asks:
        outcomes = yield list(dict.fromkeys(trial for ask in asks.values() for trial in ask))
        for name in list(asks):
            advance(name, outcomes)
    return {name: results[name] for name in procedures}


def trials_of(candidate: Candidate, outcomes: Outcomes) -> int:
    """How many trials a candidate has had."""
    number = 0
    while Trial(candidate, number) in outcomes:
        number += 1
    return number


def rank(candidate: Candidate, numbers: Sequence[int], outcomes: Outcomes) -> tuple[float, float]:
    """By mean error, then mean loss. A candidate that diverged once comes last."""
    trials = [outcomes[Trial(candidate, number)] for number in numbers]
    error = fmean(map(_error, trials))
    loss = fmean(math.inf if trial.diverged else trial.loss for trial in trials)
    # Equal means must tie although they were summed from other numbers: 12 digits are the same.
    return float(f"{error:.12g}"), float(f"{loss:.12g}")


def differences(
    candidate: Candidate, other: Candidate, trials: int, outcomes: Outcomes
) -> NDArray[np.float64]:
    """A candidate's errors minus another's, trial by trial, (trials,)."""
    mine, theirs = (
        [_error(outcomes[Trial(setting, n)]) for n in range(trials)] for setting in (candidate, other)
    )
    with np.errstate(invalid="ignore"):  # two that diverge are told apart by nothing
        return np.subtract(mine, theirs, dtype=np.float64)


def _error(outcome: Outcome) -> float:
    return math.inf if outcome.diverged else outcome.error
