"""Feed: examples that are read from their files while the device computes, for data larger than memory.

Which examples a step sees is decided as for data in memory (`batches.py`), and so are all numbers, to the
last bit: blocks of steps go through the same programs, with the rows counted within the block. Threads decode
the next block meanwhile. At most two blocks are on the device, and about two more wait for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from trainwright.data.dataset import Dataset
from trainwright.data.standardization import standardize_targets
from trainwright.data.streamed import Streamed, blocks, in_blocks
from trainwright.recipe import Recipe
from trainwright.task import Scores
from trainwright.training import step
from trainwright.training.predict import chunks_of
from trainwright.training.resident import Fold, Resident
from trainwright.training.step import Program, State

Rows = NDArray[np.int32]


class Feed:
    """A `Source` whose images stay in their files."""

    def __init__(self, data: Dataset):
        assert isinstance(data.inputs, Streamed)
        self._data = data
        self._images = data.inputs

    def train_interval(
        self, program: Program, recipe: Recipe, state: State, order: jax.Array, fold: Fold
    ) -> tuple[State, jax.Array]:
        """See `Source`."""
        losses: list[jax.Array] = []
        for data, rows in self._blocks(np.asarray(order), axis=-2):
            state, steps = _train(program, recipe, state, rows, data, fold)
            _wait(losses)
            losses.append(steps)
        return state, _mean(jnp.concatenate(losses, axis=-1))

    def evaluate(
        self, program: Program, recipe: Recipe, state: State, population: jax.Array, fold: Fold
    ) -> tuple[State, Scores]:
        """See `Source`."""
        if population.size:
            state = _forget(program, recipe, state)
            for data, rows in self._blocks(np.asarray(population), axis=-2):
                state = _see(program, state, rows, data, fold)
                _wait([state.step])
        judged = np.asarray(fold.validation)
        predicted = self.predictions(program, recipe, state, fold, jnp.asarray(judged))
        scores: Scores = _score(program, predicted, jnp.asarray(self._data.targets[judged]), fold)
        return state, scores

    def predictions(
        self, program: Program, recipe: Recipe, state: State, fold: Fold, rows: jax.Array
    ) -> jax.Array:
        """See `Source`."""
        count = rows.shape[-1]
        chunks, size = chunks_of(count, program.chunk)
        padding = np.broadcast_to(rows[..., :1], (*rows.shape[:-1], chunks * size - count))
        padded = np.concatenate([np.asarray(rows), padding], axis=-1)
        by_chunk = padded.reshape(*rows.shape[:-1], chunks, size)
        parts: list[jax.Array] = []
        for data, part in self._blocks(by_chunk, axis=-2):
            within = part.reshape(*rows.shape[:-1], -1)
            parts.append(step.predictions(program._replace(chunk=size), recipe, state, data, fold, within))
            _wait(parts)  # two at once would hold twice the activations
        return jnp.concatenate(parts, axis=-2)[..., :count, :]

    def added(self, program: Program, state: State, fold: Fold) -> jax.Array:
        """Raises `DataError`: what is added is computed for all examples beforehand."""
        self._data.in_memory("a network that adds to its inputs")
        raise AssertionError

    def _blocks(self, rows: Rows, axis: int) -> Iterator[tuple[Resident, jax.Array]]:
        """The rows in blocks along an axis: each block's examples, and where in it each row stands."""
        moved = np.moveaxis(rows, axis, 0)
        each = math.prod(moved.shape[1:]) * math.prod(self._images.shape[1:])
        parts = [np.moveaxis(part, 0, axis) for part in in_blocks(moved, each)]
        for part, images in zip(parts, self._read(parts), strict=True):
            within = np.arange(part.size, dtype=np.int32).reshape(part.shape)
            targets = self._data.targets[part.reshape(-1)]
            yield Resident(jnp.asarray(images), jnp.asarray(targets)), jnp.asarray(within)

    def _read(self, parts: Sequence[Rows]) -> Iterator[NDArray[np.uint8]]:
        return blocks(self._images, [part.reshape(-1) for part in parts])


def _wait(results: Sequence[Any]) -> None:
    """Wait for the last result but the one under way, so that no blocks pile up on the device."""
    if results:
        jax.block_until_ready(results[-1])  # type: ignore[no-untyped-call]


@partial(jax.jit, static_argnums=0, donate_argnums=2)
def _train(
    program: Program, recipe: Recipe, state: State, rows: jax.Array, data: Resident, fold: Fold
) -> tuple[State, jax.Array]:
    step.count_trace()

    def run(recipe: Recipe, state: State, rows: jax.Array, fold: Fold) -> tuple[State, jax.Array]:
        return step.steps(program, recipe, state, rows, data, fold)

    return (jax.vmap(run) if program.cohort else run)(recipe, state, rows, fold)


@jax.jit
def _mean(losses: jax.Array) -> jax.Array:
    return losses.mean(axis=-1)


@partial(jax.jit, static_argnums=0, donate_argnums=2)
def _forget(program: Program, recipe: Recipe, state: State) -> State:
    step.count_trace()
    run = partial(step.forget, program)
    return (jax.vmap(run) if program.cohort else run)(recipe, state)


@partial(jax.jit, static_argnums=0, donate_argnums=1)
def _see(program: Program, state: State, rows: jax.Array, data: Resident, fold: Fold) -> State:
    step.count_trace()

    def run(state: State, rows: jax.Array, fold: Fold) -> State:
        return step.see(program, state, rows, data, fold)

    return (jax.vmap(run) if program.cohort else run)(state, rows, fold)


@partial(jax.jit, static_argnums=0)
def _score(program: Program, predicted: jax.Array, targets: jax.Array, fold: Fold) -> Scores:
    step.count_trace()

    def run(predicted: jax.Array, targets: jax.Array, fold: Fold) -> Scores:
        y = standardize_targets(targets, fold.standardization)
        return program.task.score(predicted, y, jnp.asarray(fold.weights))

    return (jax.vmap(run) if program.cohort else run)(predicted, targets, fold)
