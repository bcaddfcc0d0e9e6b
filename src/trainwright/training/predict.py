"""Predictions: views of an input averaged, stochastic passes averaged, models averaged.

A classifier's predictions are log-probabilities (examples, classes), averaged as probabilities; a
regression's are values (examples, 1) in standard units, averaged as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from trainwright.strategy import Strategy, users
from trainwright.task import Task

CHUNK = 2048  # the most examples per forward pass: bounds the memory of activations


def predict(
    model: nnx.Module,
    strategies: Sequence[Strategy],
    x: jax.Array,
    task: Task,
    *,
    key: jax.Array | None = None,
    chunk: int = CHUNK,
) -> jax.Array:
    """Predictions (examples, outputs) for inputs (examples, *shape), averaged over the strategies' views, of
    at most `chunk` examples at a time.

    With a key, random layers such as dropout stay at work: one pass of Monte-Carlo averaging, in which every
    example has its own masks.
    """
    return in_chunks(lambda part, part_key: views(model, strategies, part, task, part_key), x, chunk, key)


def random_passes(
    model: nnx.Module, strategies: Sequence[Strategy], x: jax.Array, task: Task, passes: int, key: jax.Array
) -> jax.Array:
    """What each of `passes` random thinned networks predicts, (passes, examples, outputs); to be averaged
    (Monte-Carlo model averaging: Srivastava et al. 2014, section 7.5)."""

    def one_pass(key: jax.Array) -> jax.Array:
        return predict(model, strategies, x, task, key=key)

    predicted: jax.Array = jax.lax.map(one_pass, jax.random.split(key, passes))
    return predicted


def views(
    model: nnx.Module, strategies: Sequence[Strategy], x: jax.Array, task: Task, key: jax.Array | None = None
) -> jax.Array:
    """Predictions (examples, outputs) of one forward pass for each view, averaged.

    Where a strategy has many views, they are made and predicted one after the other: at a time there are one
    view's activations, and the predictions (views, examples, outputs).
    """

    def averaged(x: jax.Array) -> jax.Array:
        seen = [x, *(view for strategy in strategies for view in strategy.views(x))]
        return task.average(jnp.stack([task.predict(model(view, key=key, training=False)) for view in seen]))

    many = next((s.many_views(x.shape[1:]) for s in users(strategies, "many_views")), None)
    if many is None:
        return averaged(x)
    return task.average(jax.lax.map(lambda index: averaged(many.view(x, index)), jnp.arange(many.number)))


def chunks_of(count: int, chunk: int) -> tuple[int, int]:
    """How many chunks so many items are taken in, of at most `chunk` items each, and of how many.

    >>> chunks_of(1000, 300)
    (4, 250)
    """
    chunks = -(-count // min(chunk, CHUNK))
    return chunks, -(-count // max(chunks, 1))


def in_chunks(
    function: Callable[[jax.Array, jax.Array | None], jax.Array],
    items: jax.Array,
    chunk: int,
    key: jax.Array | None = None,
) -> jax.Array:
    """A function of (items, key) applied to at most `chunk` items at a time, the results joined.

    Each chunk has a key of its own.
    """
    count = len(items)
    chunks, size = chunks_of(count, chunk)
    if chunks <= 1:
        return function(items, key)
    padded = jnp.pad(items, [(0, chunks * size - count)] + [(0, 0)] * (items.ndim - 1))
    parts = padded.reshape(chunks, size, *items.shape[1:])
    if key is None:
        results: jax.Array = jax.lax.map(lambda part: function(part, None), parts)
    else:
        results = jax.lax.map(lambda given: function(*given), (parts, jax.random.split(key, chunks)))
    return results.reshape(chunks * size, *results.shape[2:])[:count]
