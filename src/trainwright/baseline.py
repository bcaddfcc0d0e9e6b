"""Baseline: the base of all learners that are no networks, and how one of them leaves a run.

A study shows baselines beside its arms, so that its reader sees what the networks are worth. They see the
same folds and the same prepared inputs as the networks. A baseline is deterministic: it has one run on each
split of the data.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainwright.base.config import Config
from trainwright.base.environment import environment
from trainwright.base.errors import SettingError
from trainwright.base.keys import generator
from trainwright.data.dataset import Dataset
from trainwright.data.summary import facts
from trainwright.data.targets import TaskName
from trainwright.runs.run import Run

Inputs = NDArray[np.floating[Any]]
Targets = NDArray[np.int32] | NDArray[np.float32]
Predict = Callable[[Inputs], NDArray[np.floating[Any]]]

LEAST_PROBABILITY = 1e-6  # no class is impossible, or one example would make the log-loss infinite


class Examples(NamedTuple):
    """One split of the data: inputs (examples, features) and targets (examples,)."""

    inputs: Inputs
    """(examples, features), in the precision that the baseline computes in."""
    targets: Targets
    """Classes' numbers or standardised values, (examples,); of sequences a row for each."""


class Baseline(Config):
    """A learner that is no network, as a frozen value."""

    reads_inputs: ClassVar[bool] = True
    """Whether it looks at the inputs, which then have to be in memory."""
    precision: ClassVar[type[np.floating[Any]]] = np.float32
    """Of the inputs: what its library computes in, which would else make a copy beside them."""

    def most_examples(self, features: int) -> int | None:
        """From how many examples, with so many features each, it learns at most; None: from all. Where there
        are more, they are drawn at random."""
        return None

    def learn(self, train: Examples, validation: Examples, task: TaskName, outputs: int) -> Predict:
        """Learn from the training split and return what predicts.

        Inputs are as a network would get them. Targets are class numbers below `outputs`, or standardised
        values. Predictions are log-probabilities (examples, outputs), or standardised values (examples, 1).
        The validation split may choose a setting; the weights are learned without it.
        """
        raise NotImplementedError

    def fit(self, data: Dataset) -> Run:
        """The run of this baseline on a data set: predictions, time and environment; no weights, no curves.

        Unless it looks at no input, raises `DataError` for images that are streamed and `SettingError` for
        sequences.

        >>> from trainwright.baselines import Linear
        >>> from trainwright.data import load
        >>> from trainwright.runs.score import score
        >>> score(Linear().fit(load("digits")), "test").error < 0.1
        True
        """
        start = time.perf_counter()
        splits = data.splits
        train, validation = (
            self._examples(data, rows) for rows in (self._drawn(data, splits.train), splits.validation)
        )
        predict = self._certain(train, data) or self.learn(train, validation, data.task, data.outputs)
        seconds = time.perf_counter() - start
        test = predict(self._examples(data, splits.test).inputs)
        predictions = {
            "validation": data.decode(predict(validation.inputs).astype(np.float32)),
            "validation_targets": data.labels(splits.validation),
            "validation_rows": splits.validation,
            "test": data.decode(test.astype(np.float32)),
            "test_targets": data.labels(splits.test),
            "test_rows": splits.test,
        }
        if data.groups is not None:
            predictions["test_groups"] = data.groups[splits.test]
        return Run(
            recipe=self.to_json(),
            data=facts(data),
            seed=0,
            status="finished",
            steps=0,
            best_step=0,
            parameters=0,
            seconds=seconds,
            memory_bytes=0,
            environment=environment(),
            history={},
            predictions=predictions,
            weights={},
        )

    def _drawn(self, data: Dataset, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """As many of these examples as it learns from, and one of each class that would be missing."""
        most = self.most_examples(math.prod(data.shape))
        if most is None or most >= len(rows):
            return rows
        order = generator(0, self.name).permutation(rows)
        drawn, others = order[:most], order[most:]
        strata, first = np.unique(data.strata[others], return_index=True)
        return np.concatenate([drawn, others[first[~np.isin(strata, data.strata[drawn])]]])

    def _examples(self, data: Dataset, rows: NDArray[np.int64]) -> Examples:
        if not self.reads_inputs:
            return Examples(np.zeros((len(rows), 0), np.float32), data.standardized_targets(rows))
        data.in_memory(f"the baseline {self.name}")
        if data.task == "sequence":
            raise SettingError(f"the baseline {self.name} cannot predict sequences: choose guess, or none")
        inputs, targets = data.standardized(rows)
        return Examples(inputs.reshape(len(rows), -1).astype(self.precision, copy=False), targets)

    def _certain(self, train: Examples, data: Dataset) -> Predict | None:
        """What predicts the only class that training has examples of, if there is but one: a rare class may
        be missing from a fold, and learners refuse such data."""
        classes = np.unique(train.targets)
        if data.task != "classification" or len(classes) > 1:
            return None
        return lambda inputs: log_probabilities(np.ones((len(inputs), 1)), classes, data.outputs)


def log_probabilities(
    probabilities: NDArray[np.floating[Any]], classes: NDArray[Any], outputs: int
) -> NDArray[np.float64]:
    """Logarithms of probabilities (examples, classes) as (examples, outputs).

    `classes`: the number of each column's class. A class that training had no example of gets the least
    probability.
    """
    complete = np.zeros((len(probabilities), outputs))
    complete[:, classes.astype(int)] = probabilities
    complete = np.maximum(complete, LEAST_PROBABILITY)
    logarithms: NDArray[np.float64] = np.log(complete / complete.sum(axis=1, keepdims=True))
    return logarithms


def loss(predictions: NDArray[np.floating[Any]], targets: Targets, task: TaskName) -> float:
    """The mean loss of predictions as `Baseline.learn` gives them: log-loss, or half the squared error."""
    if task == "regression":
        return float(np.mean((predictions[:, 0] - targets) ** 2) / 2)
    return float(-np.mean(predictions[np.arange(len(targets)), targets.astype(int)]))
