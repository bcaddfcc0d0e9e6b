"""Estimates of several arms -> verdicts, and advice on how many more trainings would decide."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Literal

import numpy as np

from trainwright.comparison import looks as sequential
from trainwright.comparison.estimate import Estimate, holm, quantile

Verdict = Literal["helps", "hurts", "no difference", "inconclusive", "changed nothing"]

POWER = (
    0.9  # to be predicted before so many trainings are advised; comes true in 80 %, see results/looking.md
)
CHANCES = (0.1, 0.3, 0.5, 0.7, 0.9)  # at which a variance that is uncertain is looked at
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

    Neither the mean nor the variance is taken for the truth: the future mean is predicted from the present
    one, over the variances that it may have, and the next look is paid for. Differences that all agree are
    taken to go on so. None if a thousand trainings are not enough, as where examples make most of the
    variance, and for one training.
    """
    if not (estimate.error == 0 or 0 < estimate.trainings < inf):
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
    from scipy.special import chdtri, ndtr

    count = estimate.count + more
    past = _variances(estimate, looks)
    if estimate.error == 0:  # all agree, and go on so: the sign test decides, or does not
        later, history = replace(estimate, count=count), [*past, 1 / count]
        found = later.p() < sequential.nominal_level(alpha, history)
        near = 2 * later.p_beyond(delta) < sequential.nominal_level(2 * alpha_equivalence, history)
        return float(found or near)
    history = [*past, estimate.variance(count)]
    df = estimate.df + more
    outer = quantile(1 - sequential.nominal_level(alpha, history) / 2, df)
    inner = quantile(1 - sequential.nominal_level(2 * alpha_equivalence, history) / 2, df)
    # The trainings' variance is known by its degrees of freedom only: it may be larger or smaller.
    own = max(estimate.count - 1, 1)
    trainings = estimate.trainings * own / chdtri(own, CHANCES)
    shrunk = estimate.count / count
    move = np.sqrt(trainings * (1 - shrunk))  # how far the mean will go: its standard deviation
    mean, error = abs(estimate.mean), np.sqrt(estimate.examples + trainings * shrunk)
    found = ndtr((mean - outer * error) / move) + ndtr((-mean - outer * error) / move)
    room = np.maximum(delta - inner * error, 0.0)
    room = np.minimum(room, outer * error)  # what is found is not counted twice
    within = ndtr((room - mean) / move) - ndtr((-room - mean) / move)
    return float(np.mean(found + within))
