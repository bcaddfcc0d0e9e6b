"""Cliff: the learning rate above which trainings fail, and why not to train right below it.

The best rate in a few trainings is often the largest that still works. There one training in ten or twenty
may fail, which a few do not show. So where the next rate up fails, the next one down takes its place, unless
it is worse by more than the standard error of the difference (the rule of one standard error, Breiman et al.
1984, section 3.4.3).
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from trainwright.comparison import paired
from trainwright.recipe import Recipe
from trainwright.studies.trials import Outcomes, differences, rank, trials_of

FAILS = 1.5  # times the best rate's error: further from it than neighbouring rates should be
NEXT = 2.0  # the largest factor between neighbours: a rung is a factor of 1.8, coarse ones are not


def safe_rate(best: Recipe, tried: Iterable[Recipe], outcomes: Outcomes) -> Recipe:
    """The best recipe, or the same at the next lower of the rates tried, where the next higher one fails."""
    rates = {
        recipe.learning_rate: recipe
        for recipe in tried
        if recipe.replace(learning_rate=best.learning_rate) == best
    }
    higher = [rate for rate in rates if best.learning_rate < rate < NEXT * best.learning_rate]
    lower = [rate for rate in rates if best.learning_rate / NEXT < rate < best.learning_rate]
    if not higher or not lower or not _fails(rates[min(higher)], best, outcomes):
        return best
    below = rates[max(lower)]
    return below if _as_good(below, best, outcomes) else best


def _fails(recipe: Recipe, best: Recipe, outcomes: Outcomes) -> bool:
    """Whether a recipe's error, in the trials that both had, is far from the best one's."""
    numbers = range(_both(recipe, best, outcomes))
    return bool(numbers) and rank(recipe, numbers, outcomes)[0] > FAILS * rank(best, numbers, outcomes)[0]


def _as_good(recipe: Recipe, best: Recipe, outcomes: Outcomes) -> bool:
    """Whether a recipe's error is within one standard error of the best one's; of one trial, no larger."""
    number = _both(recipe, best, outcomes)
    if not number:
        return False
    gaps = differences(recipe, best, number, outcomes)
    if not np.isfinite(gaps).all():  # one of them diverged
        return rank(recipe, range(number), outcomes) < rank(best, range(number), outcomes)
    estimate = paired.estimate(gaps)
    return estimate.mean <= (estimate.error if math.isfinite(estimate.error) else 0.0)


def _both(recipe: Recipe, other: Recipe, outcomes: Outcomes) -> int:
    return min(trials_of(recipe, outcomes), trials_of(other, outcomes))
