"""Source: where a cohort's examples come from, so that the loop need not know."""

from __future__ import annotations

from typing import Protocol

import jax

from trainwright.data.dataset import Dataset
from trainwright.data.streamed import Streamed
from trainwright.recipe import Recipe
from trainwright.task import Scores
from trainwright.training import step
from trainwright.training.feed import Feed
from trainwright.training.resident import Fold, resident
from trainwright.training.step import Program, State


class Source(Protocol):
    """The compiled programs of `step.py` with the examples that they ask for.

    In a cohort's program, states, recipes, folds, rows and results have a leading axis of slots.
    """

    def train_interval(
        self, program: Program, recipe: Recipe, state: State, order: jax.Array, fold: Fold
    ) -> tuple[State, jax.Array]:
        """Make the steps whose batches `order` (steps, batch) lists; the new state, the mean training
        loss."""

    def evaluate(
        self, program: Program, recipe: Recipe, state: State, population: jax.Array, fold: Fold
    ) -> tuple[State, Scores]:
        """Score the weights on the validation split; see `step.evaluate`."""

    def predictions(
        self, program: Program, recipe: Recipe, state: State, fold: Fold, rows: jax.Array
    ) -> jax.Array:
        """Predictions (rows, outputs) for these examples."""

    def added(self, program: Program, state: State, fold: Fold) -> jax.Array:
        """What one training's network adds to the inputs of all examples, (examples, values)."""


class InMemory:
    """All examples on the device."""

    def __init__(self, data: Dataset):
        self.data = resident(data)

    def train_interval(
        self, program: Program, recipe: Recipe, state: State, order: jax.Array, fold: Fold
    ) -> tuple[State, jax.Array]:
        """See `Source`."""
        trained: tuple[State, jax.Array] = step.train_interval(program, recipe, state, order, self.data, fold)
        return trained

    def evaluate(
        self, program: Program, recipe: Recipe, state: State, population: jax.Array, fold: Fold
    ) -> tuple[State, Scores]:
        """See `Source`."""
        scored: tuple[State, Scores] = step.evaluate(program, recipe, state, population, self.data, fold)
        return scored

    def predictions(
        self, program: Program, recipe: Recipe, state: State, fold: Fold, rows: jax.Array
    ) -> jax.Array:
        """See `Source`."""
        predicted: jax.Array = step.predictions(program, recipe, state, self.data, fold, rows)
        return predicted

    def added(self, program: Program, state: State, fold: Fold) -> jax.Array:
        """See `Source`."""
        values: jax.Array = step.added(program, state, self.data, fold)
        return values


def source_of(data: Dataset) -> Source:
    """The data set's examples: on the device, or fed to it from their files."""
    return Feed(data) if isinstance(data.inputs, Streamed) else InMemory(data)
