"""Tuning: which of its candidates speaks for an arm, at which learning rate, and how long all train.

Every arm, the reference included, may use the same number of trainings and is tuned by the same rule:

1. Each candidate is trained at three learning rates, a factor of about 3 apart.
2. While the best rate is the smallest or the largest tried, the grid is widened.
3. The better half of the settings, and the rates between the best one and its neighbours, are trained on
   twice as many seeds, and so on until the trainings are used up (successive halving, Karnin et al. 2013).
   Settings are compared on the same seeds and splits.
4. A few trainings are kept back: where the last of these steps leaves the best rate at the edge, the grid is
   widened around it alone.
5. Where trainings fail at the next rate above the best one, the next one below may take its place: see
   `cliff`.

The reference is tuned first and decides how long all train: the length is doubled while the reference still
improves in the last quarter, so that no strategy is praised for learning faster in a training that is too
short.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from trainwright.base.errors import SettingError
from trainwright.baseline import Baseline
from trainwright.recipe import Recipe
from trainwright.studies.arms import Arm, Candidate
from trainwright.studies.cliff import safe_rate
from trainwright.studies.ladder import RateLadder
from trainwright.studies.length import Length, lengthened, still_improves
from trainwright.studies.trials import Outcome, Outcomes, Procedure, Trial, rank, side_by_side


@dataclass(frozen=True)
class Tuning:
    """How much is spent on choosing.

    Raises `SettingError` for numbers below one.
    """

    trainings: int = 24
    """The most trainings for each arm, at the length that is decided for all; more, for every
    arm, where one has very many candidates: see `allowance`."""
    first: int = 2
    """Trainings of each setting before the worse half is dropped."""
    longest: int = 4
    """How many times the recipes' own length all may be lengthened to; 1 keeps it."""
    rates: tuple[float, ...] = ()
    """The only learning rates to try; if none, the grid starts at the reference's best and widens itself."""

    def __post_init__(self) -> None:
        for name in ("trainings", "first", "longest"):
            if (number := getattr(self, name)) < 1:
                raise SettingError(f"tuning: {name} = {number} is not allowed: give a whole number in [1, ∞)")
        if list(self.rates) != sorted(set(self.rates)) or any(rate <= 0 for rate in self.rates):
            raise SettingError(f"tuning: rates = {self.rates}: give positive rates in ascending order")


class Validated(NamedTuple):
    """A candidate at a learning rate that was tried, and its means on validation."""

    candidate: Candidate
    """What was tried, at its learning rate and length."""
    error: float
    """The mean over its trainings, by the metric that decides."""
    loss: float
    """The mean validation loss over its trainings."""
    trainings: int
    """How many seeds it was tried with."""
    diverged: int
    """How many of these trainings diverged and kept no weights."""


@dataclass(frozen=True)
class Choice:
    """The candidate that speaks for an arm, at its learning rate and length, and all that were tried."""

    candidate: Candidate
    """What the verdict is about."""
    tried: tuple[Validated, ...]
    """In the order in which they were dropped, the chosen one first."""
    at_edge: bool
    """Whether the chosen learning rate is the smallest or the largest that its candidate was tried at."""
    improving: bool
    """Whether validation still improves in the last quarter of the training."""


class Point(NamedTuple):
    """A candidate at a rung of the ladder; a baseline has no learning rate."""

    origin: Candidate
    """The candidate at its own learning rate."""
    rung: int
    """The learning rate's place on the ladder; 0 for a baseline."""
    candidate: Candidate
    """The candidate at that learning rate."""


def choose(
    arms: Sequence[Arm], reference: Arm, tuning: Tuning, splits: int
) -> Procedure[tuple[Length, dict[str, Choice]]]:
    """Decide the length of all trainings, then tune every arm. `splits`: how many the tuning alternates."""
    most = allowance(arms, tuning)
    length, chosen = yield from settle_length(reference, tuning, most)
    others = {
        arm.name: Arm(arm.name, tuple(lengthened(candidate, length.factor) for candidate in arm.candidates))
        for arm in arms
        if arm.name != reference.name
    }
    choices = yield from side_by_side(
        {name: tune(arm, tuning, length.start, most, splits) for name, arm in others.items()}
    )
    return length, {arm.name: choices.get(arm.name, chosen) for arm in arms}


def allowance(arms: Sequence[Arm], tuning: Tuning) -> int:
    """The most trainings of each arm: what was asked for, or twice the first grid of the largest arm."""
    return max(tuning.trainings, *(2 * _grid_size(arm, tuning) for arm in arms))


def settle_length(reference: Arm, tuning: Tuning, allowance: int) -> Procedure[tuple[Length, Choice]]:
    """Double the length while the reference still improves in the last quarter; it is tuned at each length.

    Where few trainings see it improve, no more are spent on a length that is too short. That it does not is
    believed only once all are spent.
    """
    factor, start = 1, _own_rate(reference)
    while True:
        arm = Arm(reference.name, tuple(lengthened(candidate, factor) for candidate in reference.candidates))
        for trainings in (2 * _grid_size(arm, tuning), allowance):
            choice = yield from tune(arm, tuning, start, trainings)
            if isinstance(choice.candidate, Recipe):
                start = choice.candidate.learning_rate
            if choice.improving and 2 * factor <= tuning.longest:
                break
        else:
            return Length(factor, start, not choice.improving), choice
        factor *= 2


def tune(
    arm: Arm, tuning: Tuning, start: float, allowance: int, splits: int | None = None
) -> Procedure[Choice]:
    """Choose an arm's candidate and learning rate, with at most so many trainings; see the module."""
    ladder = RateLadder(tuning.rates)
    settings = [
        point for candidate in arm.candidates for point in _points(candidate, ladder, ladder.begin(start))
    ]
    tried = list(settings)
    baseline = isinstance(arm.candidates[0], Baseline)
    most = splits if splits and baseline else allowance  # see Baseline
    trainings = min(tuning.first, most)
    kept = ladder.widening * trainings
    ask = _trials(settings, trainings)
    asked = set(ask)
    while True:
        outcomes = yield ask
        settings.sort(key=lambda point: _rank(point, range(trainings), outcomes))
        best, left = settings[0], allowance - len(asked)
        rungs = {point.rung for point in tried if point.origin == best.origin}
        outside, inside = (
            [point for point in _points(best.origin, ladder, more) if point not in tried]
            for more in (ladder.beyond(best.rung, rungs), ladder.between(best.rung, rungs))
        )
        half = settings[: max(2, math.ceil(len(settings) / 2))]
        if outside:
            plans = [
                (settings + outside, trainings),
                ([best, *outside], min(trainings, left // len(outside))),
            ]
        else:
            left -= kept if any(_at_edge(point, tried) for point in half) else 0  # one of them may win
            plans = [
                (half + inside, 2 * trainings),
                (half, trainings + min(trainings, left // len(half))),
                (half[:2], trainings + min(trainings, left // 2)),
            ]
        for field, number in plans:
            ask = [trial for trial in _trials(field, min(number, most)) if trial not in asked]
            if ask and len(ask) <= left and len(field) > 1:
                break
        else:
            return _choice(settings, tried, outcomes, asked, ladder)
        tried += [point for point in field if point not in tried]
        settings, trainings = field, min(number, most)
        asked.update(ask)


def _points(candidate: Candidate, ladder: RateLadder, rungs: Sequence[int]) -> list[Point]:
    if not isinstance(candidate, Recipe):
        return [Point(candidate, 0, candidate)] if rungs else []
    return [Point(candidate, rung, candidate.replace(learning_rate=ladder.rate(rung))) for rung in rungs]


def _trials(points: Sequence[Point], trainings: int) -> list[Trial]:
    return [Trial(point.candidate, number) for number in range(trainings) for point in points]


def _rank(point: Point, numbers: Sequence[int], outcomes: Outcomes) -> tuple[float, float, float]:
    """Equal candidates go by the smaller rate."""
    return *rank(point.candidate, numbers, outcomes), point.rung


def _choice(
    settings: Sequence[Point],
    tried: Sequence[Point],
    outcomes: Outcomes,
    asked: set[Trial],
    ladder: RateLadder,
) -> Choice:
    best = _safe(settings[0], tried, {trial: outcomes[trial] for trial in asked})
    numbers = {point: [n for n in range(len(asked)) if Trial(point.candidate, n) in asked] for point in tried}
    order = sorted(tried, key=lambda point: (-len(numbers[point]), _rank(point, numbers[point], outcomes)))
    order.sort(key=lambda point: point != best)
    curves = [outcomes[Trial(best.candidate, number)].curve for number in numbers[best]]
    return Choice(
        candidate=best.candidate,
        tried=tuple(
            _validated(point, [outcomes[Trial(point.candidate, n)] for n in numbers[point]])
            for point in order
        ),
        at_edge=_at_edge(best, tried),
        improving=still_improves(curves),
    )


def _at_edge(point: Point, tried: Sequence[Point]) -> bool:
    """Whether its rate is the smallest or the largest of several that its candidate was tried at."""
    rungs = {other.rung for other in tried if other.origin == point.origin}
    return len(rungs) > 1 and point.rung in (min(rungs), max(rungs))


def _safe(best: Point, tried: Sequence[Point], outcomes: Outcomes) -> Point:
    """The best point, or one a little lower, where the next higher rate fails."""
    if not isinstance(best.candidate, Recipe):
        return best
    recipes = [point.candidate for point in tried if isinstance(point.candidate, Recipe)]
    chosen = safe_rate(best.candidate, recipes, outcomes)
    return next(point for point in tried if point.candidate == chosen)


def _validated(point: Point, outcomes: Sequence[Outcome]) -> Validated:
    return Validated(
        point.candidate,
        fmean(outcome.error for outcome in outcomes),
        fmean(outcome.loss for outcome in outcomes),
        len(outcomes),
        sum(outcome.diverged for outcome in outcomes),
    )


def _grid_size(arm: Arm, tuning: Tuning) -> int:
    """Trainings of an arm's first grid."""
    rates = len(RateLadder(tuning.rates).begin(1.0)) if isinstance(arm.candidates[0], Recipe) else 1
    return tuning.first * rates * len(arm.candidates)


def _own_rate(arm: Arm) -> float:
    first = arm.candidates[0]
    return first.learning_rate if isinstance(first, Recipe) else 1.0
