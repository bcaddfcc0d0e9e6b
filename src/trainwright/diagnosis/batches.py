"""Batches: what their order does to a training, and what their size does to a method.

The trainer shuffles, always, and steps as its recipe says. Here both are the caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
from flax import nnx
from numpy.typing import NDArray

from trainwright.base import keys
from trainwright.data.dataset import Dataset
from trainwright.diagnosis.gradients import Loss, mean_loss
from trainwright.recipe import Recipe
from trainwright.task import task_of
from trainwright.training.building import Training, build
from trainwright.training.predict import CHUNK
from trainwright.training.resident import fold_of, resident
from trainwright.training.step import Program, evaluate, train_interval

ORDERS = ("shuffled in each pass", "shuffled once", "sorted by class")
Method = Callable[[Any], optax.GradientTransformation]  # of a learning rate, such as `optax.sgd`


def order_errors(recipe: Recipe, data: Dataset, *, passes: int, seeds: int) -> pd.DataFrame:
    """The validation error (%) of a classifier after each pass, for each of `ORDERS` of its batches.

    A row for each seed, order and pass: seed, arm, pass, error. A seed has the same first weights in all
    orders. See `ordered` for the batches.
    """
    tables = []
    for seed, arm in product(range(seeds), ORDERS):
        batches = [ordered(data, arm, seed, number, recipe.batch_size) for number in range(passes)]
        errors = 100 * errors_by_pass(recipe, data, batches, seed)
        tables.append(pd.DataFrame({"seed": seed, "arm": arm, "pass": range(1, passes + 1), "error": errors}))
    return pd.concat(tables, ignore_index=True)


def ordered(data: Dataset, order: str, seed: int, number: int, size: int) -> NDArray[np.int32]:
    """The batches (steps, size) of pass `number`, from 0 on, in one of `ORDERS`.

    The last examples of the training split that would not fill a batch are left out.
    """
    each_pass, _, by_class = ORDERS
    rows = data.splits.train[: len(data.splits.train) // size * size]
    if order == by_class:
        rows = rows[np.argsort(data.targets[rows], kind="stable")]
    else:
        rows = keys.generator(seed, "order", number if order == each_pass else 0).permutation(rows)
    return rows.reshape(-1, size).astype(np.int32)


def errors_by_pass(
    recipe: Recipe, data: Dataset, passes: Iterable[NDArray[np.int32]], seed: int = 0
) -> NDArray[np.float64]:
    """The validation error, as in a run's history, after each pass over batches of one's own.

    Each of `passes` lists the examples that its steps see: rows of the data set, (steps, batch). All else is
    as in `fit`, but weights are not averaged, and batch statistics not taken anew.

    >>> from trainwright.data import load
    >>> data = load("digits")
    >>> in_order = data.splits.train[:1056].reshape(33, 32).astype(np.int32)
    >>> first, last = errors_by_pass(Recipe(), data, [in_order, in_order])
    >>> bool(first > last)
    True
    """
    graphdef, state = build(Training(recipe, data, seed))
    program = Program(graphdef, recipe.network.task(task_of(data)), cohort=False, chunk=CHUNK)
    numbers, none = jax.tree.map(jnp.float32, recipe), jnp.zeros((0, 0), jnp.int32)
    arrays, fold = resident(data), fold_of(data)
    errors = []
    for batches in passes:
        state, _ = train_interval(program, numbers, state, jnp.asarray(batches), arrays, fold)
        state, scores = evaluate(program, numbers, state, none, arrays, fold)
        errors.append(float(scores.error))
    return np.array(errors)


def method_losses(
    recipe: Recipe,
    data: Dataset,
    methods: Mapping[str, Method],
    sizes: Sequence[int],
    *,
    rates: Sequence[float],
    steps: int,
    seeds: int,
) -> pd.DataFrame:
    """The training loss (nats) that each method comes to with batches of each size, at its best rate.

    A row for each size, method and seed: n, arm, seed, loss. The recipe gives the network, a classifier, and
    each seed its first weights and its batches, drawn with replacement: the same for all methods. The best
    rate is that of the lowest mean over the seeds.

    >>> from trainwright.data import load
    >>> seen = {"descent": optax.sgd, "momentum": lambda rate: optax.sgd(rate, momentum=0.9)}
    >>> table = method_losses(Recipe(), load("digits"), seen, (32,), rates=(0.01, 0.1), steps=20, seeds=2)
    >>> table["arm"].tolist()
    ['descent', 'descent', 'momentum', 'momentum']
    """
    built = [build(Training(recipe, data, seed)) for seed in range(seeds)]
    starts, (loss, *_) = zip(
        *(mean_loss(nnx.merge(graph, state.params)) for graph, state in built), strict=True
    )
    first = jax.tree.map(lambda *arrays: jnp.stack(arrays), *starts)
    x, y = map(jnp.asarray, data.standardized(data.splits.train))
    table = []
    for size, (name, method) in product(sizes, methods.items()):
        draws = [
            keys.generator(n, "batches", size).integers(len(x), size=(steps, size)) for n in range(seeds)
        ]
        reached = _losses(method, loss, jnp.array(rates), first, jnp.array(draws), x, y)
        best = reached[reached.mean(axis=1).argmin()]
        table += [{"n": size, "arm": name, "seed": seed, "loss": value} for seed, value in enumerate(best)]
    return pd.DataFrame(table)


def _losses(
    method: Method, loss: Loss, rates: jax.Array, first: Any, draws: jax.Array, x: jax.Array, y: jax.Array
) -> NDArray[np.float64]:
    """The loss on all examples at the end, (rates, seeds), infinite where a training diverged.

    `first`: the first weights and `draws` the batches (steps, batch), each with a leading axis of seeds.
    """

    def trained(rate: jax.Array, params: Any, draws: jax.Array) -> jax.Array:
        update = method(rate)

        def step(carry: Any, rows: jax.Array) -> tuple[Any, None]:
            params, state = carry
            moves, state = update.update(jax.grad(loss)(params, x[rows], y[rows]), state, params)
            return (optax.apply_updates(params, moves), state), None

        (params, _), _ = jax.lax.scan(step, (params, update.init(params)), draws)
        return jnp.nan_to_num(loss(params, x, y), nan=jnp.inf)

    at_rates = jax.jit(jax.vmap(jax.vmap(trained, (None, 0, 0)), (0, None, None)))
    return np.asarray(at_rates(rates, first, draws), np.float64)
