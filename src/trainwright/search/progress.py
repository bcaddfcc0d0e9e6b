"""How far a search has come: what it is at, the best so far, and what is left of the budget."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trainwright.comparison.metrics import Metric
from trainwright.recipe import Recipe
from trainwright.search.budget import SearchBudget
from trainwright.search.procedure import Standing
from trainwright.search.space import Space, spelled
from trainwright.studies.progress import StudyProgress


@dataclass(frozen=True)
class SearchProgress:
    """How far a search has come."""

    stage: str
    """What it is at, in words."""
    trainings: int
    """Those that have ended."""
    best: str
    """What the best recipe so far has beyond the plain one."""
    error: float
    """Its metric on validation; NaN before it is known."""
    plain: float
    """The plain recipe's."""
    metric: Metric
    """What `error` and `plain` are measured by."""
    seconds_left: float
    """Infinite where trainings are the bound."""
    fraction: float
    """Of the budget that is spent."""


def of_standing(
    standing: Standing, space: Space, metric: Metric, budget: SearchBudget, progress: StudyProgress
) -> SearchProgress:
    """The search's progress now."""
    parts = [0.0]
    if budget.trainings is not None:
        parts.append(progress.done / budget.trainings)
    if budget.minutes is not None:
        parts.append(budget.seconds / (60 * budget.minutes))
    return SearchProgress(
        standing.stage,
        progress.done,
        spelled(standing.best, space.plain),
        _seen(standing, standing.best),
        _seen(standing, standing.plain, standing.trials(standing.best)),
        metric,
        max(0.0, budget.seconds_left),
        min(1.0, max(parts)),
    )


def _seen(standing: Standing, recipe: Recipe, most: float = math.inf) -> float:
    """A recipe's mean error over its trials, or the first so many: those that another one had, too."""
    return standing.error(recipe, int(min(standing.trials(recipe), most)))
