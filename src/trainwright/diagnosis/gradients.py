"""Gradients of batches: how exact the gradient of n examples is, and what it costs on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
from flax import nnx

from trainwright.base import keys
from trainwright.data.dataset import Dataset
from trainwright.model import Model
from trainwright.runs.run import Run

Loss = Callable[[Any, jax.Array, jax.Array], jax.Array]
SINGLE = 4000  # examples, at most, whose own gradients give the variance
CHEAP = 1000  # batches below this size are drawn ten times as often: they cost little, and scatter more


def mean_loss(network: nnx.Module) -> tuple[Any, Loss]:
    """A classifier's parameters, and its mean loss (nats) as a function of them, inputs and classes."""
    graphdef, params = nnx.split(network, nnx.Param)

    def loss(params: Any, x: jax.Array, y: jax.Array) -> jax.Array:
        outputs = nnx.merge(graphdef, params)(x)
        mean: jax.Array = optax.softmax_cross_entropy_with_integer_labels(outputs, y).mean()
        return mean

    return params, loss


def gradient_noise(run: Run, data: Dataset, sizes: Sequence[int], repeats: int) -> pd.DataFrame:
    """How far the gradient of n training examples, drawn with replacement, is from that of all of them.

    A row for each of `sizes`. n; error: the root mean square distance over `repeats` draws (ten times as many
    for small n); σ/√n: what theory says, with σ² the trace of the covariance of single examples' gradients;
    se: the standard error of the error's logarithm. The network is a classifier's, with the run's weights.

    >>> from trainwright.data import load
    >>> from trainwright.recipe import Recipe
    >>> from trainwright.training.fit import fit
    >>> data = load("digits")
    >>> noise = gradient_noise(fit(Recipe(epochs=1), data), data, (1, 100), repeats=5)
    >>> bool(noise["error"][0] > 5 * noise["error"][1])
    True
    """
    params, loss = mean_loss(Model.of(run, data).network())
    gradient, rows = jax.grad(loss), data.splits.train
    x, y = map(jnp.asarray, data.standardized(rows))
    exact = jax.jit(gradient)(params, x, y)

    def squared(i: jax.Array) -> Any:
        return optax.tree.norm(optax.tree.sub(gradient(params, x[i], y[i]), exact), squared=True)

    squared_errors = jax.jit(lambda draws: jax.lax.map(squared, draws))  # (repeats, n) -> (repeats,)
    single = keys.generator(0, "single").choice(len(rows), min(SINGLE, len(rows)), replace=False)
    variance, table = float(squared_errors(jnp.asarray(single[:, None])).mean()), []
    for size in sizes:
        count = repeats if size >= CHEAP else 10 * repeats
        draws = keys.generator(0, "noise", size).integers(len(rows), size=(count, size))
        squares = np.asarray(squared_errors(jnp.asarray(draws)), np.float64)
        relative = squares.std(ddof=1) / squares.mean() / np.sqrt(count)
        table.append((size, np.sqrt(squares.mean()), np.sqrt(variance / size), relative / 2))
    return pd.DataFrame(table, columns=["n", "error", "σ/√n", "se"])


def gradient_cost(run: Run, data: Dataset, sizes: Sequence[int]) -> pd.DataFrame:
    """The operations, the time, the cores at work and the memory of one gradient, by batch size.

    The time is the shortest of nine repeats, as what else runs can only lengthen it; the cores at work are
    over all. The memory is that of the batch and of what is kept to go back through the network.
    """
    params, loss = mean_loss(Model.of(run, data).network())
    table = []
    for size in sizes:
        x, y = map(jnp.asarray, data.standardized(np.arange(size)))
        compiled = jax.jit(jax.grad(loss)).lower(params, x, y).compile()
        calls, passed, worked = np.array([timed(compiled, params, x, y) for _ in range(9)]).T
        counted: Any = compiled.cost_analysis()
        kept: Any = compiled.memory_analysis()
        table.append(
            {
                "batch size": size,
                "operations, million": counted["flops"] / 1e6,
                "µs per example": 1e6 * (passed / calls).min() / size,
                "cores at work": worked.sum() / passed.sum(),
                "memory, MB": (x.nbytes + y.nbytes + kept.temp_size_in_bytes) / 1e6,
            }
        )
    return pd.DataFrame(table)


def timed(function: Callable[..., Any], *arguments: Any) -> tuple[int, float, float]:
    """Calls, and the seconds that they took by the clock and by the processor, all cores together."""
    calls, start, worked = 0, time.perf_counter(), time.process_time()
    while calls < 3 or time.perf_counter() - start < 0.01:
        jax.block_until_ready(function(*arguments))  # type: ignore[no-untyped-call]
        calls += 1
    return calls, time.perf_counter() - start, time.process_time() - worked
