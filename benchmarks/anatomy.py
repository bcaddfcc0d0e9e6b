"""Where a training's time goes, per step: its matrix products alone, the whole step, evaluations, the rest.
Of the step what is no product, each part alone: dropout's masks, the descent, the max-norm projection.

Usage: NPROC=1 python benchmarks/anatomy.py [S M L digits]. It times one network, without a cohort, on as many
cores as NPROC says.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jobs import JOBS, Job
from trainwright_job import dataset, recipe

from trainwright.base.keys import step_key
from trainwright.strategies.dropout import DropoutLayer
from trainwright.strategies.max_norm import shorten
from trainwright.training import step
from trainwright.training.batches import order
from trainwright.training.building import Training
from trainwright.training.cohort import Cohort
from trainwright.training.fit import fit

REPEATS = 7


def fastest(turn: Callable[[], object]) -> float:
    """Milliseconds of the fastest of several turns, after one that compiles."""
    jax.block_until_ready(turn())
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        jax.block_until_ready(turn())
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


def products(job: Job, steps: int) -> float:
    """The step's matrix products and nothing else: a linear network's gradient, without data or update."""
    rng = np.random.default_rng(0)
    weights = [jnp.asarray(rng.normal(0, a**-0.5, (a, b)), jnp.float32) for a, b in _pairs(job)]
    x = jnp.asarray(rng.normal(size=(job.batch, job.sizes[0])), jnp.float32)

    def output(weights: list[jax.Array], x: jax.Array) -> jax.Array:
        for w in weights:
            x = x @ w
        return jnp.sum(x**2)

    @jax.jit
    def run(weights: list[jax.Array], x: jax.Array) -> jax.Array:
        def one(total: jax.Array, _: None) -> tuple[jax.Array, None]:
            # The sum keeps each product alive, and ties a step to the one before.
            gradients = jax.grad(output)(weights, x + 1e-30 * total)
            return total + sum(g[0, 0] for g in gradients), None

        return jax.lax.scan(one, jnp.float32(0), length=steps)[0]

    return fastest(lambda: run(weights, x)) / steps


def masks(job: Job, steps: int) -> float:
    """Dropout on the inputs and on the hidden layers' activations, and nothing else."""
    rates = [job.input_rate, *[job.hidden_rate] * (len(job.sizes) - 2)]
    layers = [DropoutLayer(rate, f"layer{n}", "train") for n, rate in enumerate(rates)]
    values = [jnp.ones((job.batch, units)) for units in job.sizes[:-1]]

    @jax.jit
    def run(values: list[jax.Array]) -> list[jax.Array]:
        def one(values: list[jax.Array], number: jax.Array) -> tuple[list[jax.Array], None]:
            key = jax.random.fold_in(step_key(0), number)
            pairs = zip(layers, values, strict=True)
            return [1 + layer(value, key=key, training=True) for layer, value in pairs], None

        return jax.lax.scan(one, values, jnp.arange(steps))[0]

    return fastest(lambda: run(values)) / steps


def descent(job: Job, steps: int, max_norm: float | None = None) -> float:
    """The weights' step along a gradient that is there already, projected if there is a norm."""
    rng = np.random.default_rng(0)
    weights = [jnp.asarray(rng.normal(0, a**-0.5, (a, b)), jnp.float32) for a, b in _pairs(job)]
    gradients = [0.01 * weight for weight in weights]

    @jax.jit
    def run(weights: list[jax.Array], gradients: list[jax.Array]) -> list[jax.Array]:
        def one(weights: list[jax.Array], _: None) -> tuple[list[jax.Array], None]:
            new = [w - 0.01 * g for w, g in zip(weights, gradients, strict=True)]
            return [shorten(w, max_norm) if max_norm else w for w in new], None

        return jax.lax.scan(one, weights, length=steps)[0]

    return fastest(lambda: run(weights, gradients)) / steps


def anatomy(job: Job) -> dict[str, float]:
    """Milliseconds per step of one training."""
    data, chosen = dataset(job), recipe(job)
    training = Training(chosen, data, 0)
    cohort = Cohort(training, 1)
    progress = cohort.place(training)
    batches = jnp.asarray(order(0, "order", progress.rows, progress.batch, 0, progress.interval))
    none = jnp.zeros((0, 0), jnp.int32)

    def train_interval() -> jax.Array:
        arrays = (batches, cohort.source.data, cohort.fold)
        cohort.state, loss = step.train_interval(cohort.program, cohort.recipe, cohort.state, *arrays)
        return loss

    def evaluate() -> jax.Array:
        arrays = (none, cohort.source.data, cohort.fold)
        cohort.state, scores = step.evaluate(cohort.program, cohort.recipe, cohort.state, *arrays)
        return scores.loss

    whole = fastest(lambda: fit(chosen, data, 0).seconds) / job.steps
    parts = {
        "matrix products alone": products(job, progress.interval),
        "step": fastest(train_interval) / progress.interval,
        **({"of it masks": masks(job, progress.interval)} if job.hidden_rate else {}),
        "of it descent": descent(job, progress.interval),
        **(
            {"of it descent, projected": descent(job, progress.interval, job.max_norm)}
            if job.max_norm
            else {}
        ),
        "evaluation": fastest(evaluate) / progress.interval,
    }
    return parts | {
        "begin and hand over": whole - parts["step"] - parts["evaluation"],
        "whole training": whole,
    }


def _pairs(job: Job) -> list[tuple[int, int]]:
    return list(zip(job.sizes[:-1], job.sizes[1:], strict=True))


if __name__ == "__main__":
    print(f"NPROC={os.environ.get('NPROC', 'unset')}, fastest of {REPEATS}, ms per step")
    for name in sys.argv[1:] or [job.name for job in JOBS.values() if not job.convolutions]:
        times = anatomy(JOBS[name])
        rate = JOBS[name].step_flops / 1e6
        print(name, *(f"  {part:24}{ms:8.4f}  {rate / ms:5.0f} GF/s" for part, ms in times.items()), sep="\n")
