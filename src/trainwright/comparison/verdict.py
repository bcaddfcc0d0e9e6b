"""Estimates of several arms -> verdicts, and advice on how many more trainings would decide."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import Literal

import numpy as np

from trainwright.comparison import looks as sequential
from trainwright.comparison.estimate import Estimate, holm, quantile, tail

Verdict = Literal["helps", "hurts", "no difference", "inconclusive", "changed nothing"]

POWER = (
    0.9  # to be predicted before so many trainings are advised; comes true in 80 %, see results/looking.md
)
MOST_SEEDS = 1000  # a verdict that takes more is out of reach


@dataclass(frozen=True)
class Judgement:
    """An arm's difference, judged beside those of the other arms."""

    estimate: Estimate
    p_holm: float
    """p of "no difference", with earlier looks and the other arms paid for."""
    p_equivalence: float
    """p of "a difference of delta or more", with earlier looks and the other arms paid for."""
    verdict: Verdict
    leans: Literal["better", "worse"] | None
    """Inconclusive, but the mean lies more than a standard error from zero."""
    more_seeds: int | None
    """So many more trainings would probably decide; None when decided, or when none within reach would."""


def judge(
    estimates: Sequence[Estimate],
    *,
    delta: float,
    level: float = 0.95,
    looks: Sequence[int] = (),
    step: int = 1,
) -> tuple[Judgement, ...]:
    """Judge arms by their differences to one reference, negative where the arm is better.

    helps, hurts: the t-test's p is below 1 - level, after Holm's correction over the arms.
    no difference: otherwise, if two one-sided tests reject a difference of `delta` or more in either
    direction, at 1 - level after Holm's correction over the arms.
    inconclusive: otherwise.

    `looks`: with how many trainings the same arms were judged before. Both tests pay for them; see `looks`.
    Trainings come in multiples of `step`, and so does the advice.
    """
    alpha = 1 - level
    histories = [_variances(estimate, looks) for estimate in estimates]
    tests = [
        sequential.adjusted_p(estimate.p(), history)
        for estimate, history in zip(estimates, histories, strict=True)
    ]
    # A one-sided test at alpha is to its looks what a two-sided one is at twice alpha.
    margins = [
        sequential.adjusted_p(min(1.0, 2 * estimate.p_beyond(delta)), history) / 2
        if estimate.p_beyond(delta) < 0.5
        else 1.0
        for estimate, history in zip(estimates, histories, strict=True)
    ]
    p_holm, factors = holm(np.array(tests))
    p_equivalence, margin_factors = holm(np.array(margins))
    judgements = []
    for arm, estimate in enumerate(estimates):
        verdict: Verdict = "inconclusive"
        if p_holm[arm] < alpha:
            verdict = "helps" if estimate.mean < 0 else "hurts"
        elif p_equivalence[arm] < alpha:
            verdict = "no difference"
        open_ = verdict == "inconclusive"
        levels = alpha / int(factors[arm]), alpha / int(margin_factors[arm])
        judgements.append(
            Judgement(
                estimate,
                float(p_holm[arm]),
                float(p_equivalence[arm]),
                verdict,
                _leaning(estimate) if open_ else None,
                more_seeds(estimate, *levels, delta, looks, step) if open_ else None,
            )
        )
    return tuple(judgements)


def _variances(estimate: Estimate, looks: Sequence[int]) -> list[float]:
    """The mean's variance at every look, the present one last, by what is known of it now."""
    if not 0 < estimate.error < inf:
        return [1 / count for count in (*looks, estimate.count)]
    return [estimate.variance(count) for count in (*looks, estimate.count)]


def _leaning(estimate: Estimate) -> Literal["better", "worse"] | None:
    if abs(estimate.mean) <= estimate.error:
        return None
    return "better" if estimate.mean < 0 else "worse"


def more_seeds(
    estimate: Estimate,
    alpha: float,
    alpha_equivalence: float,
    delta: float,
    looks: Sequence[int] = (),
    step: int = 1,
) -> int | None:
    """About how many more trainings would decide, with a probability of 80 %.

    Neither mean nor variance is taken for the truth: what the mean will be is predicted from what it is, by
    a t distribution (the truth may lie anywhere around the mean), and the next look is paid for. None if a
    thousand trainings are not enough, as where examples make most of the variance, and for one training.
    """
    if not 0 < estimate.error < inf:
        return None

    def decides(steps: int) -> bool:
        return _decides(estimate, steps * step, alpha, alpha_equivalence, delta, looks) >= POWER

    # What decides with n trainings decides with more, so bisection finds the fewest.
    candidates = range(1, MOST_SEEDS // step + 1)
    fewest = bisect_left(candidates, True, key=decides)
    return candidates[fewest] * step if fewest < len(candidates) else None


def _decides(
    estimate: Estimate,
    more: int,
    alpha: float,
    alpha_equivalence: float,
    delta: float,
    looks: Sequence[int],
) -> float:
    """The probability that so many more trainings decide."""
    count = estimate.count + more
    variance = estimate.variance(count)
    move = sqrt(max(estimate.error**2 - variance, 0.0))  # how far the mean will go, as a standard deviation
    if move == 0:
        return 0.0
    history = [*_variances(estimate, looks), variance]
    df = estimate.df + more

    def reach(level: float) -> float:
        return quantile(1 - level / 2, df) * sqrt(variance)

    bound = reach(sequential.nominal_level(alpha, history))
    inner = delta - reach(sequential.nominal_level(2 * alpha_equivalence, history))

    def beyond(limit: float) -> float:
        """The probability that the mean will lie above the limit."""
        return tail((limit - abs(estimate.mean)) / move, estimate.df)

    decided = beyond(bound) + 1 - beyond(-bound)
    if inner > 0:
        decided += max(beyond(-inner) - beyond(inner), 0.0)
    return decided
