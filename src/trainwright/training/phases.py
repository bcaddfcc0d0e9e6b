"""Phases: the list that a training consists of, and the examples that each trains on.

`trainwright.strategy.Phase` is the value. The training proper comes first; what strategies add after it
(Algorithms 7.2 and 7.3, say) is known once it has ended.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainwright.data.dataset import Dataset
from trainwright.strategy import Phase, users
from trainwright.training.building import Training


def training_proper(training: Training) -> Phase:
    """The phase that the recipe describes."""
    return Phase(training.recipe.length(training.data.splits.examples))


def added_phases(training: Training, best_step: int) -> list[Phase]:
    """What the recipe's strategies add after the training proper, which kept the weights of `best_step`."""
    length = training_proper(training).last
    strategies = users(training.recipe.strategies, "after_training")
    phases = [strategy.after_training(best_step, length) for strategy in strategies]
    return [phase for phase in phases if phase is not None]


def rows(phase: Phase, data: Dataset) -> NDArray[np.int64]:
    """The examples that a phase trains on."""
    if phase.rows == "train":
        return data.splits.train
    return np.concatenate([data.splits.train, data.splits.validation])
