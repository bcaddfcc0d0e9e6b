"""A linear model: logistic regression, or ridge regression.

Source: Hastie, Tibshirani & Friedman 2009, sections 4.4 and 3.4.1; scikit-learn's
LogisticRegression and Ridge.
"""

from __future__ import annotations

import warnings
from typing import Annotated

from pydantic import Field

from trainwright.base.config import config
from trainwright.baseline import Baseline, Examples, Predict, log_probabilities
from trainwright.data.targets import TaskName


@config
class Linear(Baseline):
    """Logistic regression with an L2 penalty; in regression, ridge.

    >>> Linear(0.1).penalty
    0.1
    """

    penalty: Annotated[float, Field(gt=0)] = 1.0
    """What multiplies half the squared norm of the weights, beside the sum of the examples' losses (half the
    squared error in regression)."""

    def learn(self, train: Examples, validation: Examples, task: TaskName, outputs: int) -> Predict:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression, Ridge

        if task == "regression":
            ridge = Ridge(alpha=self.penalty).fit(*train)
            return lambda inputs: ridge.predict(inputs)[:, None]
        with warnings.catch_warnings():
            # A hundred steps of L-BFGS from 0: what is not converged by then hardly changes a prediction.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = LogisticRegression(C=1 / self.penalty).fit(*train)
        return lambda inputs: log_probabilities(model.predict_proba(inputs), model.classes_, outputs)
