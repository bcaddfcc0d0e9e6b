"""Training: one recipe on one data set with one seed, and what the host notes of it while it runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import jax
import numpy as np
from numpy.typing import NDArray

from trainwright.base import keys
from trainwright.data.dataset import Dataset
from trainwright.recipe import Recipe
from trainwright.sites import Sites
from trainwright.strategy import History, users
from trainwright.training import step
from trainwright.training.step import State

HISTORY = ("step", "train_loss", "validation_loss", "validation_error")


@dataclass(frozen=True, eq=False)
class Training:
    """One recipe on one data set with one seed."""

    recipe: Recipe
    data: Dataset
    seed: int


def build(training: Training) -> tuple[Any, State]:
    """The network of a training with its first weights: its graph, and the state before the first step."""
    recipe, data = training.recipe, training.data
    marginals = None
    if data.task == "classification":
        labels = data.targets[data.splits.train]
        marginals = np.bincount(labels, minlength=data.outputs) / len(labels)
    sites = Sites(recipe.strategies, training.seed, marginals)
    model = recipe.network.build(data.shape, data.outputs, sites)
    sites.check()
    return step.begin(recipe, model, recipe.length(len(data.splits.train)), keys.step_key(training.seed))


def rehearse(training: Training) -> tuple[Any, int]:
    """Build the network and show each strategy the shapes that it will see.

    Returns the network's graph, and how many numbers are trained.

    Raises what the strategies have to say against this network and data, before anything is compiled.
    """
    recipe, data = training.recipe, training.data
    graphdef, state = build(training)
    batch = recipe.batch(len(data.splits.train))
    x = jax.ShapeDtypeStruct((batch, *data.shape), np.float32)  # type: ignore[no-untyped-call]
    y = jax.ShapeDtypeStruct((batch, data.outputs), np.float32)  # type: ignore[no-untyped-call]
    for strategy in recipe.strategies:
        jax.eval_shape(strategy.augment, x, state.key)
        jax.eval_shape(strategy.targets, y)
        jax.eval_shape(strategy.loss, y, y)
        jax.eval_shape(strategy.penalty, state.params)
        jax.eval_shape(strategy.project, state.params)
    return graphdef, count(state.params)


def count(params: Any) -> int:
    """How many numbers are trained."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def order(
    seed: int, purpose: str, rows: NDArray[np.int64], batch: int, first: int, steps: int
) -> NDArray[np.int32]:
    """The batches (steps, batch) of the steps from `first` on: rows of an endless sequence of permutations.

    A pure function of its arguments: a training that is stopped anywhere goes on with the same batches.
    """
    start, end = first * batch, (first + steps) * batch
    epochs = range(start // len(rows), -(-end // len(rows)))
    stream = np.concatenate([rows[_permutation(seed, purpose, epoch, len(rows))] for epoch in epochs])
    skipped = start - epochs[0] * len(rows)
    return stream[skipped : skipped + steps * batch].reshape(steps, batch).astype(np.int32)


@lru_cache(maxsize=64)
def _permutation(seed: int, purpose: str, epoch: int, examples: int) -> NDArray[np.int64]:
    return keys.generator(seed, purpose, epoch).permutation(examples)


class Slot:
    """One training's place in a cohort, and what the host knows of it."""

    def __init__(self, training: Training, number: int):
        recipe, data = training.recipe, training.data
        self.training = training
        self.number = number
        self.rows = data.splits.train
        self.batch = recipe.batch(len(self.rows))
        self.interval = recipe.interval(len(self.rows))
        self.length = recipe.length(len(self.rows))
        self.history: History = {name: [] for name in HISTORY}
        self.step = 0
        self.total = 0
        self.best_step = 0
        self.diverged = False
        self.ended = False
        self.retrain: Literal["no", "anew", "onward"] = "no"
        self.target_loss = -math.inf
        self.seconds, self.timed = 0.0, 0
        self.weights: Callable[[], dict[str, NDArray[Any]]] = dict
        """The weights and statistics as they are now, by path: for who watches a training."""

    def record(self, train_loss: float, loss: float, error: float) -> None:
        """Take note of an evaluation, and decide whether it was the last."""
        self.step += self.interval
        self.total += self.interval
        self.diverged = not all(map(math.isfinite, (train_loss, loss, error)))
        self.ended = self.diverged or self.step >= self.length or loss <= self.target_loss
        if self.retrain != "no":
            return
        for name, new in zip(HISTORY, (self.step, train_loss, loss, error), strict=True):
            self.history[name].append(new)
        self.best_step = self.step
        for strategy in users(self.training.recipe.strategies, "stop"):
            if decision := strategy.stop(self.history):
                self.best_step = decision.best_step
                self.ended |= decision.stop

    @property
    def keeps_best(self) -> bool:
        """Whether the weights just evaluated are the best so far, and a strategy wants these."""
        return self.retrain == "no" and self.best_step == self.step and stops_early(self.training.recipe)

    @property
    def notes(self) -> dict[str, Any]:
        """What a checkpoint needs besides the arrays."""
        names = (
            "history",
            "step",
            "total",
            "best_step",
            "length",
            "retrain",
            "target_loss",
            "seconds",
            "timed",
        )
        return {name: getattr(self, name) for name in names}


def stops_early(recipe: Recipe) -> bool:
    """Whether a strategy of the recipe decides which weights to keep."""
    return bool(users(recipe.strategies, "stop"))


def all_rows(data: Dataset) -> NDArray[np.int64]:
    """The examples that training may see once its length is known: training and validation split."""
    return np.concatenate([data.splits.train, data.splits.validation])
