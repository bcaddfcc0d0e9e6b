"""Races: after how many steps a training is as good as a goal, and which arm gets there sooner."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from trainwright.comparison.measured import Measured


class Race(NamedTuple):
    """Two arms on their way to a goal, paired by seed."""

    ratio: Measured
    """The first arm's steps over the second's."""
    medians: tuple[float, float]
    """Each arm's steps."""
    missed: tuple[int, int]
    """How many trainings of each never get there."""


def arrival(errors: pd.Series[float], goal: float) -> float:
    """The first step at which an error, by step, is `goal` or less; infinite if it never is.

    >>> errors = pd.Series([0.4, 0.2, 0.3], index=[50, 100, 150])
    >>> arrival(errors, 0.3), arrival(errors, 0.1)
    (100.0, inf)
    """
    return float(errors.index[errors <= goal].min()) if (errors <= goal).any() else np.inf


def race(arrivals: ArrayLike, others: ArrayLike, last: float) -> Race:
    """Two arms' arrivals, (seeds,) each: how much sooner the first is.

    A training that never gets there has an infinite arrival, and counts as if it did at its `last` step:
    which is to its arm's credit.

    >>> ratio, medians, missed = race([100, 200, 300], [400, 800, np.inf], last=1200)
    >>> round(ratio.mean, 3), medians, missed
    (0.25, (200.0, 800.0), (0, 1))
    """
    both = np.asarray([arrivals, others], np.float64)
    steps = np.minimum(both, last)
    first, second = np.median(steps, axis=1).tolist()
    missed, missed_by_other = np.isinf(both).sum(axis=1).tolist()
    return Race(Measured.ratio(*steps), (first, second), (missed, missed_by_other))
