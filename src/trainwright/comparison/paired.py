"""Paired differences -> intervals, tests and verdicts, on plain arrays (seeds, arms).

The paired t-test; its correction for resampled splits (Nadeau and Bengio, Inference for the generalization
error, Machine Learning 52, 2003); Holm's correction for several arms (A simple sequentially rejective
multiple test procedure, Scandinavian Journal of Statistics 6, 1979); two one-sided tests for the absence of a
difference that matters (Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15, 1987).
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from math import copysign, inf, nan, sqrt
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Verdict = Literal["helps", "hurts", "no difference", "inconclusive"]

POWER = 0.8  # of the test that more seeds are to make
MOST_SEEDS = 1000  # a verdict that takes more is out of reach


@dataclass(frozen=True)
class Estimate:
    """What n paired differences say about the difference behind them."""

    mean: float
    spread: float  # their standard deviation; infinite for a single one
    count: int
    overlap: float  # n_test / n_train where splits are resampled, else 0

    def error(self, count: int) -> float:
        """The standard error of the mean of so many differences of this spread.

        Training sets that overlap make the differences of resampled splits depend on each other: Nadeau
        and Bengio's 1/n + n_test/n_train stands in for 1/n.
        """
        return self.spread * sqrt(1 / count + self.overlap)

    def interval(self, level: float) -> tuple[float, float]:
        """The t interval; infinite for a single difference.

        Without spread, t has nothing to go by. Differences that are all zero are taken at their word. If all
        are the same other number, the interval is that number once the sign test (see `p`) would accept
        nothing else at this level, and infinite before.
        """
        if self.spread == 0 and (self.mean == 0 or self.p() <= 1 - level):
            return self.mean, self.mean
        if self.spread == 0 or self.count == 1:
            return -inf, inf
        half = critical(self.count, level) * self.error(self.count)
        return self.mean - half, self.mean + half

    def p(self) -> float:
        """Two-sided p of "no difference": the t-test's; 1 for a single difference and if all are zero.

        If all are the same other number, which a small test set makes likely, t would claim certainty after
        two seeds. The sign test's 2^(1 - n) asks for six; where splits overlap it does not hold, and p is 1.
        """
        from scipy.special import stdtr

        if self.count == 1 or (self.spread == 0 and (self.mean == 0 or self.overlap)):
            return 1.0
        if self.spread == 0:
            return 2.0 ** (1 - self.count)
        return float(2 * stdtr(self.count - 1, -abs(self.mean) / self.error(self.count)))

    def effect(self) -> float:
        """Cohen's d: mean over spread."""
        if self.count == 1:
            return nan
        if self.spread == 0:
            return copysign(inf, self.mean) if self.mean else 0.0
        return self.mean / self.spread


@dataclass(frozen=True)
class Judgement:
    """An arm's differences, judged beside those of the other arms."""

    estimate: Estimate
    p_holm: float
    verdict: Verdict
    more_seeds: int | None  # about how many more would decide; None when decided or out of reach


def estimate(differences: NDArray[Any], overlap: float = 0.0) -> Estimate:
    """Mean and spread of differences, (n,). Differences that agree but for rounding have no spread.

    >>> estimate(np.array([0.1 + 0.2, 0.3])).spread
    0.0
    """
    count, mean = len(differences), float(np.mean(differences))
    if count == 1:
        return Estimate(mean, inf, count, overlap)
    agree = np.ptp(differences) <= 1e-9 * abs(mean)
    return Estimate(mean, 0.0 if agree else float(np.std(differences, ddof=1)), count, overlap)


def judge(
    differences: NDArray[Any], *, delta: float, level: float = 0.95, overlap: float = 0.0
) -> tuple[Judgement, ...]:
    """Judge arms by their differences to one reference, (seeds, arms), negative where the arm is better.

    helps, hurts: p after Holm's correction is below 1 - level.
    no difference: otherwise, if the interval at the level 2 level - 1 lies within (-delta, delta), which is
    what two one-sided tests at 1 - level ask, or if two or more differences are all zero.
    inconclusive: otherwise.

    >>> rng = np.random.default_rng(0)
    >>> better, same = rng.normal(-0.01, 0.005, 20), rng.normal(0, 0.001, 20)
    >>> [one.verdict for one in judge(np.stack([better, same], axis=1), delta=0.002)]
    ['helps', 'no difference']
    """
    estimates = [estimate(column, overlap) for column in differences.T]
    ps = np.array([one.p() for one in estimates])
    adjusted, factors = holm(ps)
    judgements = []
    for one, p_holm, factor in zip(estimates, adjusted.tolist(), factors.tolist(), strict=True):
        verdict = _verdict(one, p_holm, delta, level)
        more = more_seeds(one, (1 - level) / factor, delta, level) if verdict == "inconclusive" else None
        judgements.append(Judgement(one, p_holm, verdict, more))
    return tuple(judgements)


def holm(ps: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Holm's adjusted p-values, and the factor of each p: m for the smallest of m, then m - 1 ...

    statsmodels has it too, but takes a second to import and collects garbage on each call.

    >>> [values.tolist() for values in holm(np.array([0.04, 0.01, 0.03]))]
    [[0.06, 0.03, 0.06], [1, 3, 2]]
    """
    order = np.argsort(ps, kind="stable")
    factors = np.empty(len(ps), int)
    factors[order] = np.arange(len(ps), 0, -1)
    adjusted = np.empty(len(ps))
    adjusted[order] = np.minimum(np.maximum.accumulate((ps * factors)[order]), 1)
    return adjusted, factors


def _verdict(one: Estimate, p_holm: float, delta: float, level: float) -> Verdict:
    if p_holm < 1 - level:
        return "helps" if one.mean < 0 else "hurts"
    low, high = one.interval(2 * level - 1)
    if one.mean == one.spread == 0 or (-delta < low and high < delta):
        return "no difference"
    return "inconclusive"


def more_seeds(one: Estimate, alpha: float, delta: float, level: float) -> int | None:
    """About how many more seeds would decide, were mean and spread to stay as they are.

    The fewest with which the t-test at `alpha` (Holm's for this arm) has a power of 80 %, or the interval at
    the level 2 level - 1 lies within (-delta, delta). None if a thousand are not enough, and for a single
    difference, which shows no spread.
    """
    if one.count == 1:
        return None

    def decides(more: int) -> bool:
        count = one.count + more
        if one.spread == 0:
            return Estimate(one.mean, 0.0, count, one.overlap).p() < alpha
        within = abs(one.mean) + critical(count, 2 * level - 1) * one.error(count) < delta
        return within or power(one.mean / one.error(count), count, alpha) >= POWER

    # Whatever decides with n seeds decides with more, so bisection finds the fewest.
    candidates = range(1, MOST_SEEDS)
    found = bisect_left(candidates, True, key=decides)
    return candidates[found] if found < len(candidates) else None


def critical(count: int, level: float) -> float:
    """The t that a central interval of this level reaches, for the mean of so many differences."""
    from scipy.special import stdtrit

    return float(stdtrit(count - 1, (1 + level) / 2))


def power(standard_errors: float, count: int, alpha: float) -> float:
    """How probably the two-sided t-test at `alpha` finds a mean that is so many standard errors from zero.

    The other side's share, at most alpha / 2, is left out: to be sure of the wrong sign is no success.
    """
    from scipy.special import nctdtr

    return float(1 - nctdtr(count - 1, abs(standard_errors), critical(count, 1 - alpha)))
