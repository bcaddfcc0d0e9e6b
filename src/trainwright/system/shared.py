"""Shared: systems that differ only in how they predict have their trainings in common.

One published network is often a row with one crop, a row with ten, and a member of an ensemble. Windows that
only predictions see leave the training as it is: so it is done once, and each row predicts with its weights.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from trainwright.data import Dataset
from trainwright.recipe import Recipe
from trainwright.runs.run import Run
from trainwright.strategy import Strategy, uses
from trainwright.training.building import Training, filled
from trainwright.training.cohort import Cohort

PREDICTING = frozenset({"views", "many_views"})
"""The hooks that no training hears of, where evaluations decide nothing."""
HOOKS = frozenset(name for name, hook in vars(Strategy).items() if callable(hook) and name[0] != "_")


def trained(recipe: Recipe) -> Recipe:
    """The recipe without strategies that only change how it predicts.

    >>> from trainwright.strategies import Crops, Mirror
    >>> [strategy.name for strategy in trained(Recipe(strategies=(Mirror(), Crops(10)))).strategies]
    ['mirror']
    """
    if any(uses(strategy, "stop") for strategy in recipe.strategies):
        return recipe  # what is predicted on validation decides which weights are kept
    return recipe.replace(strategies=tuple(s for s in recipe.strategies if not _only_predicts(s)))


def as_stored(recipe: Recipe) -> dict[str, Any]:
    """What a store calls the run of a recipe: the recipe, or the one that was trained and how it predicts."""
    plain = trained(recipe)
    if plain == recipe:
        return recipe.to_json()
    predicting = [strategy.to_json() for strategy in recipe.strategies if _only_predicts(strategy)]
    return plain.to_json() | {"predicting": predicting}


def predicted(recipe: Recipe, data: Dataset, run: Run) -> Run:
    """A run of `trained(recipe)` with the predictions that the recipe makes with its weights.

    It has no weights of its own; its history is that of the training. `seconds` are those of the training.
    """
    cohort = Cohort(Training(recipe, data, run.seed), width=1)
    progress = cohort.place(Training(recipe, data, run.seed))
    state = filled(cohort.state_of(progress), run.weights)
    splits = data.splits
    validation, test = cohort.predict(progress, state, splits.validation, splits.test)
    made = {"validation": data.decode(validation), "test": data.decode(test)}
    kept = {name: np.asarray(run.predictions[name]) for name in run.predictions}
    return replace(run, recipe=as_stored(recipe), predictions=kept | made, weights={})


def _only_predicts(strategy: Strategy) -> bool:
    """Whether a strategy acts on predictions, and on nothing else."""
    used = {hook for hook in HOOKS if uses(strategy, hook)}
    return bool(used) and used <= PREDICTING
