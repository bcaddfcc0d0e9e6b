"""Guessing: the best prediction that looks at no input."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from trainwright.base.config import config
from trainwright.baseline import LEAST_PROBABILITY, Baseline, Examples, Inputs, Predict, log_probabilities
from trainwright.data import sequences
from trainwright.data.targets import TaskName


@config
class Guess(Baseline):
    """Each class (length, digit) as often as in training; in regression, the mean.

    >>> predict = Guess().learn(
    ...     Examples(np.zeros((4, 1)), np.array([0, 1, 1, 1])), Examples(np.zeros((0, 1)), np.zeros(0)),
    ...     "classification", 2)
    >>> np.exp(predict(np.zeros((1, 1)))).tolist()
    [[0.25, 0.75]]
    """

    reads_inputs: ClassVar[bool] = False
    """False: so it can be fitted to data of any kind, streamed images included."""

    def learn(self, train: Examples, validation: Examples, task: TaskName, outputs: int) -> Predict:
        if task == "sequence":
            guess = np.log(np.maximum(sequences.shares(train.targets), LEAST_PROBABILITY))[None]
        elif task == "classification":
            frequencies = np.bincount(train.targets, minlength=outputs) / len(train.targets)
            guess = log_probabilities(frequencies[None], np.arange(outputs), outputs)
        else:
            guess = np.mean(train.targets, keepdims=True)[None].astype(np.float64)

        def predict(inputs: Inputs) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
            return np.repeat(guess, len(inputs), axis=0)

        return predict
