"""Predictions: views of an input averaged, stochastic passes averaged, models averaged.

A classifier's predictions are log-probabilities (examples, classes), averaged as probabilities; a
regression's are values (examples, 1) in standard units, averaged as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from trainwright.data.dataset import Task
from trainwright.strategy import Strategy

CHUNK = 2048  # the most examples per forward pass: bounds the memory of activations


def predict(
    model: nnx.Module,
    strategies: Sequence[Strategy],
    x: jax.Array,
    task: Task,
    *,
    key: jax.Array | None = None,
) -> jax.Array:
    """Predictions (examples, outputs) for inputs (examples, *shape), averaged over the strategies' views.

    With a key, random layers such as dropout stay at work: one pass of Monte-Carlo averaging.
    """

    def views(x: jax.Array) -> jax.Array:
        seen = [x, *(view for strategy in strategies for view in strategy.views(x))]
        return average(jnp.stack([_outputs(model, one, task, key) for one in seen]), task)

    examples = len(x)
    chunks = -(-examples // CHUNK)
    if chunks <= 1:
        return views(x)
    size = -(-examples // chunks)
    padded = jnp.pad(x, [(0, chunks * size - examples)] + [(0, 0)] * (x.ndim - 1))
    predicted: jax.Array = jax.lax.map(views, padded.reshape(chunks, size, *x.shape[1:]))
    return predicted.reshape(chunks * size, -1)[:examples]


def monte_carlo(
    model: nnx.Module, strategies: Sequence[Strategy], x: jax.Array, task: Task, passes: int, key: jax.Array
) -> jax.Array:
    """Predictions averaged over `passes` random thinned networks (Srivastava et al. 2014, section 7.5)."""

    def one_pass(key: jax.Array) -> jax.Array:
        return predict(model, strategies, x, task, key=key)

    return average(jax.lax.map(one_pass, jax.random.split(key, passes)), task)


def average(predictions: jax.Array, task: Task) -> jax.Array:
    """The mean over the first axis: of probabilities given as logarithms, or of values."""
    if task == "regression":
        return predictions.mean(axis=0)
    averaged: jax.Array = jax.nn.logsumexp(predictions, axis=0) - jnp.log(len(predictions))
    return averaged


def _outputs(model: nnx.Module, x: jax.Array, task: Task, key: jax.Array | None) -> jax.Array:
    outputs: jax.Array = model(x, key=key, training=False)
    return jax.nn.log_softmax(outputs) if task == "classification" else outputs
