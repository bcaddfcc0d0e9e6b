"""Differences of plain numbers, one per pair of trainings: the paired t-test."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainwright.comparison.estimate import Estimate, critical, holm
from trainwright.comparison.verdict import Judgement
from trainwright.comparison.verdict import judge as judge_estimates

__all__ = ["Estimate", "Judgement", "critical", "estimate", "holm", "judge"]


def estimate(differences: NDArray[Any]) -> Estimate:
    """What differences, (n,), say of their mean. Those that agree but for rounding have no spread.

    >>> estimate(np.array([0.1 + 0.2, 0.3])).spread
    0.0
    """
    count, mean = len(differences), float(np.mean(differences))
    if count == 1:
        return Estimate(mean, trainings=inf, examples=0.0, df=1, count=1)
    agree = np.ptp(differences) <= 1e-9 * abs(mean)
    variance = 0.0 if agree else float(np.var(differences, ddof=1)) / count
    return Estimate(mean, trainings=variance, examples=0.0, df=count - 1, count=count)


def judge(differences: NDArray[Any], *, delta: float, level: float = 0.95) -> tuple[Judgement, ...]:
    """Judge arms by their differences to one reference, (trainings, arms), negative where the arm is better.

    >>> rng = np.random.default_rng(0)
    >>> better, same = rng.normal(-0.01, 0.005, 20), rng.normal(0, 0.001, 20)
    >>> [judgement.verdict for judgement in judge(np.stack([better, same], axis=1), delta=0.002)]
    ['helps', 'no difference']
    """
    return judge_estimates([estimate(column) for column in differences.T], delta=delta, level=level)
