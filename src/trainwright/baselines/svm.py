"""A support vector machine with a Gaussian kernel.

Source: Cortes & Vapnik 1995; scikit-learn's SVC and SVR. An SVM gives no probabilities: its decision
values, times the factor of lowest validation loss, are taken as logits (Platt 1999, with one parameter). The
factor changes no prediction of a class.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from trainwright.base.config import config
from trainwright.baseline import Baseline, Examples, Inputs, Predict, log_probabilities, loss
from trainwright.data.targets import TaskName


@config
class Svm(Baseline):
    """A Gaussian-kernel SVM; in regression, one with an insensitive zone of 0.1 standard deviations.

    >>> str(Svm(cost=10.0))
    'svm(cost=10.0)'
    """

    cost: Annotated[float, Field(gt=0)] = 1.0
    """C: what multiplies each example's hinge loss beside half the squared norm of the weights."""
    width: Annotated[float, Field(gt=0)] | None = None
    """gamma in exp(-gamma |x - x'|²); if not given, 1 / (features × variance of the inputs)."""
    examples: Annotated[int, Field(ge=2)] = 10_000
    """Training examples, drawn at random where there are more: time grows with their square."""

    def most_examples(self, features: int) -> int:
        return self.examples

    def learn(self, train: Examples, validation: Examples, task: TaskName, outputs: int) -> Predict:
        from sklearn.svm import SVC, SVR

        settings: dict[str, Any] = {"C": self.cost, "gamma": self.width or "scale"}
        if task == "regression":
            regressor = SVR(**settings).fit(*train)
            return lambda inputs: regressor.predict(inputs)[:, None]
        model = SVC(**settings).fit(*train)

        def logits(inputs: Inputs) -> NDArray[np.float64]:
            values = model.decision_function(inputs)
            return np.stack([-values, values], axis=1) / 2 if values.ndim == 1 else values

        def probabilities(logits: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
            return log_probabilities(softmax(factor * logits, axis=1), model.classes_, outputs)

        held_out = logits(validation.inputs)
        search = minimize_scalar(
            lambda power: loss(probabilities(held_out, np.exp(power)), validation.targets, task),
            bounds=(-5, 5),
            method="bounded",
        )
        factor = float(np.exp(search.x))
        return lambda inputs: probabilities(logits(inputs), factor)
