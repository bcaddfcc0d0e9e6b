"""Racing: recipes side by side on the same trials, clear losers dropped as soon as they are known.

Trials are paired: the same number is the same fold and seed for all. After each block the worse half goes,
and of the other half what the paired t-test tells from the leader; the rest goes on with twice as many trials
(successive halving, Karnin et al. 2013; races, Birattari et al. 2002, López-Ibáñez et al. 2016).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from trainwright.comparison import paired
from trainwright.recipe import Recipe
from trainwright.studies.trials import Outcomes, Procedure, Trial, differences, rank

ALPHA = 0.05  # of dropping a recipe that is as good as the leader, at each test


def race(
    field: Sequence[Recipe], first: int, most: int, incumbent: Recipe | None = None
) -> Procedure[Recipe]:
    """The best of these recipes after `first`, twice as many, ... and in the end `most` trials.

    An incumbent is never dropped. What has more strategies takes its place only if it is better by more than
    the standard error of the difference (Breiman et al. 1984, section 3.4.3: the simplest within one standard
    error); what has no more, if it is better.
    """
    running = list(dict.fromkeys([*([incumbent] if incumbent else []), *field]))
    trials = min(first, most)
    while True:
        outcomes = yield [Trial(recipe, number) for number in range(trials) for recipe in running]
        running.sort(key=lambda recipe: rank(recipe, range(trials), outcomes))
        if trials >= most or len(running) == 1:
            break
        leader, half = running[0], running[1 : max(2, math.ceil(len(running) / 2))]
        left = [recipe for recipe in half if not clearly_worse(recipe, leader, trials, outcomes)]
        kept = [incumbent] if incumbent and incumbent not in (leader, *left) else []
        running, trials = [leader, *left, *kept], min(2 * trials, most)
    if incumbent is None:
        return running[0]
    return next(recipe for recipe in running if replaces(recipe, incumbent, trials, outcomes))


def replaces(challenger: Recipe, incumbent: Recipe, trials: int, outcomes: Outcomes) -> bool:
    """Whether a recipe takes the incumbent's place after so many trials; the incumbent itself does."""
    if challenger == incumbent:
        return True
    numbers = range(trials)
    if rank(challenger, numbers, outcomes) >= rank(incumbent, numbers, outcomes):
        return False
    if len(challenger.strategies) <= len(incumbent.strategies):
        return True
    gaps = differences(challenger, incumbent, trials, outcomes)
    if not np.isfinite(gaps).all():  # the incumbent diverged: nothing else ranks behind
        return True
    estimate = paired.estimate(gaps)
    return not math.isfinite(estimate.error) or -estimate.mean > estimate.error


def clearly_worse(recipe: Recipe, leader: Recipe, trials: int, outcomes: Outcomes) -> bool:
    """Whether the paired t-test tells a recipe from the leader; one that diverges is clearly worse."""
    gaps = differences(recipe, leader, trials, outcomes)
    if not np.isfinite(gaps).all():
        return rank(leader, range(trials), outcomes) < rank(recipe, range(trials), outcomes)
    return paired.estimate(gaps).p_above() < ALPHA
