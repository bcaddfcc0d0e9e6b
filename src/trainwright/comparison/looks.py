"""Looking again: what an error rate of alpha leaves for the test at this look, after those before it.

Whoever adds trainings until something is significant errs more often than stated. So alpha is spent: at the
k-th look 1 - 0.2 / k² of it may have been used up, 80 % of it at the first, and what later looks may reject
is computed from the joint distribution of all looks (Lan & DeMets, Biometrika 70, 1983; the integrals are
those of Armitage, McPherson & Rowe, Journal of the Royal Statistical Society A 132, 1969). Looks are as
correlated as their variances say: where examples make most of it, more trainings give hardly another chance,
and hardly anything has to be paid. The share for all further looks has no end: there may be any number.
`results/looking.md` shows by simulation what it holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Grid = NDArray[np.float64]
FIRST = 0.8  # of alpha may be spent at the first look
FEWEST, MOST = 101, 801  # points of the grid
LEAST_GAIN = 1e-3  # a look that adds less information is computed as if it added so much
LEAST = 1e-12  # below it, p-values are adjusted in proportion


def spent(look: int) -> float:
    """The share of alpha that may be used up at the look of this number, from 1.

    >>> [round(spent(look), 3) for look in (1, 2, 3, 10)]
    [0.8, 0.95, 0.978, 0.998]
    """
    return 1 - (1 - FIRST) / look**2


def nominal_level(alpha: float, variances: Sequence[float]) -> float:
    """The level at which to test, two-sided, at the last of these looks.

    `variances`: the mean's, at each look in order of time, the present one included.

    >>> round(nominal_level(0.05, [1.0]), 3), round(nominal_level(0.05, [1.0, 0.5]), 3)
    (0.04, 0.014)
    """
    from scipy.optimize import brentq
    from scipy.special import ndtr, ndtri

    level = alpha * spent(1)
    bound = float(-ndtri(level / 2))
    # The density of the standardised mean, weighted, on the grid where no look has rejected yet.
    steps = _steps(variances)
    narrowest = np.sqrt(1 - max(steps, default=0.0) ** 2)  # the kernel, which the grid must not miss
    points = 2 * round(min(max(FEWEST, 8 * bound / narrowest), MOST) / 2) + 1
    grid = np.linspace(-bound, bound, points)
    going_on = np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi) * _simpson(grid)
    for look, keep in enumerate(steps, 2):
        new = np.sqrt(1 - keep**2)
        target = alpha * (spent(look) - spent(look - 1))
        mean = keep * grid / new

        excess = partial(_excess, new=new, mean=mean, going_on=going_on, target=target)
        bound = float(brentq(excess, 0.0, 40.0))
        level = float(2 * ndtr(-bound))
        if look <= len(steps):
            grid = np.linspace(-bound, bound, points)
            kernel = np.exp(-((grid[:, None] / new - mean) ** 2) / 2) / (new * np.sqrt(2 * np.pi))
            going_on = kernel @ going_on * _simpson(grid)
    return float(level)


def _excess(c: float, new: float, mean: Grid, going_on: Grid, target: float) -> float:
    """The probability that this look is the first to lie beyond c, less what it should be."""
    from scipy.special import ndtr

    return float(going_on @ (ndtr(-c / new - mean) + ndtr(mean - c / new))) - target


def adjusted_p(p: float, variances: Sequence[float]) -> float:
    """The smallest error rate at which a p-value of the last look would count, looks before it paid for.

    >>> round(adjusted_p(0.04, [1.0]), 3), round(adjusted_p(0.0137, [1.0, 0.5]), 3)
    (0.05, 0.05)
    """
    from scipy.optimize import brentq

    if len(variances) == 1:
        return min(p / spent(1), 1.0)
    if nominal_level(1.0, variances) <= p:
        return 1.0
    if p < LEAST:
        return p / LEAST * adjusted_p(LEAST, variances)

    def excess(logarithm: float) -> float:
        return float(np.log(nominal_level(float(np.exp(logarithm)), variances) / p))

    return float(np.exp(brentq(excess, np.log(p), 0.0, xtol=1e-4)))


def _steps(variances: Sequence[float]) -> list[float]:
    """The correlation of each look's mean with the one before it: √(V2 / V1), trainings being nested."""
    most = np.sqrt(1 / (1 + LEAST_GAIN))
    return [min(float(np.sqrt(later / earlier)), most) for earlier, later in pairwise(variances)]


def _simpson(grid: Grid) -> Grid:
    weights = np.where(np.arange(len(grid)) % 2, 4.0, 2.0)
    weights[[0, -1]] = 1.0
    weights *= (grid[1] - grid[0]) / 3
    return weights
