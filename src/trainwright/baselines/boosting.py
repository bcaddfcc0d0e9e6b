"""Gradient boosting of decision trees.

Source: Friedman 2001; scikit-learn's HistGradientBoosting, which bins each feature into 255 values
(Ke et al. 2017).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from trainwright.base.config import config
from trainwright.baseline import Baseline, Examples, Inputs, Predict, log_probabilities, loss
from trainwright.data.targets import TaskName

PATIENCE = 10  # trees
# Of the training examples. scikit-learn takes them as float64, and what is left of the work below makes more
# trees.
MOST_VALUES = 12_000_000
MOST_WORK = 5e9  # examples × features × trees that are affordable: about a minute on one core


@config
class Boosting(Baseline):
    """Trees added one after the other, each fitted to what the others leave over.

    The number of trees is the one of lowest validation loss; none are added once ten have not lowered it.
    Of very many examples with many features it learns from as many as hold 12 million values, drawn at
    random, and where there are many classes, too, fewer trees are tried.

    >>> Boosting(learning_rate=0.3).leaves
    31
    """

    learning_rate: Annotated[float, Field(gt=0)] = 0.1
    """What multiplies each tree's predictions."""
    leaves: Annotated[int, Field(ge=2)] = 31
    """The most leaves of a tree."""
    trees: Annotated[int, Field(ge=1)] = 200
    """The most trees; so many for each class, where there are more than two."""

    precision = np.float64

    def most_examples(self, features: int) -> int:
        return max(1, MOST_VALUES // features)

    def learn(self, train: Examples, validation: Examples, task: TaskName, outputs: int) -> Predict:
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        at_once = outputs if outputs > 2 else 1
        kind = HistGradientBoostingRegressor if task == "regression" else HistGradientBoostingClassifier
        # Trees cannot be stopped by the loss of a class that they know nothing of.
        known = np.isin(validation.targets, train.targets) | (task == "regression")
        model = kind(
            learning_rate=self.learning_rate,
            max_leaf_nodes=self.leaves,
            max_iter=min(self.trees, math.ceil(MOST_WORK / (train.inputs.size * at_once))),
            early_stopping=bool(known.any()),
            scoring="loss",
            n_iter_no_change=PATIENCE,
            tol=0.0,
            random_state=0,
        ).fit(*train, X_val=validation.inputs[known], y_val=validation.targets[known])

        def stages(inputs: Inputs) -> Iterator[NDArray[np.floating[Any]]]:
            """The predictions of the first tree, of the first two, and so on."""
            if task == "regression":
                return (predicted[:, None] for predicted in model.staged_predict(inputs))
            staged = model.staged_predict_proba(inputs)
            return (log_probabilities(probabilities, model.classes_, outputs) for probabilities in staged)

        losses = [loss(predicted, validation.targets, task) for predicted in stages(validation.inputs)]
        best = int(np.argmin(losses))
        return lambda inputs: next(islice(stages(inputs), best, None))
