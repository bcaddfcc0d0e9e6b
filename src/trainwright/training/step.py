"""The compiled part of a training: a step, a stretch of steps, an evaluation.

Everything here is traced once for each structure. The recipe comes in as a pytree: its numbers are
arguments, its structure decides the program.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from trainwright.base import keys
from trainwright.data.dataset import Task
from trainwright.recipe import Recipe
from trainwright.strategies.cost import Cost
from trainwright.strategy import Params, users
from trainwright.training.predict import predict

traces = 0  # how many programs were traced in this process: tests and timings read it


class Program(NamedTuple):
    """What of a training is code and not numbers, besides the recipe's own structure."""

    graphdef: nnx.GraphDef[nnx.Module]
    task: Task
    outputs: int
    cohort: bool
    """Whether states and recipes have a leading axis of slots."""


class State(NamedTuple):
    """What the steps of one training change, with its length and its seed's key."""

    params: Params
    rest: Params
    """Batch normalisation's statistics, and the numbers that layers hold."""
    before: tuple[Any, ...]
    after: tuple[Any, ...]
    """The states of the transformations before and after the learning rate."""
    step: jax.Array
    steps: jax.Array
    key: jax.Array


class Scores(NamedTuple):
    """Validation results: the mean log-loss (or half squared error) and the error."""

    loss: jax.Array
    error: jax.Array


def begin(recipe: Recipe, model: nnx.Module, steps: int, key: jax.Array) -> tuple[Any, State]:
    """A model's graph and the state before its first step."""
    graphdef, params, rest = _split(model)
    before, after = (
        tuple(t.init(params) for t in _transforms(recipe, hook)) for hook in ("gradient", "update")
    )
    return graphdef, State(params, rest, before, after, jnp.int32(0), jnp.int32(steps), key)


@partial(jax.jit, static_argnums=0, donate_argnums=2)
def stretch(
    program: Program, recipe: Recipe, state: State, order: jax.Array, inputs: jax.Array, targets: jax.Array
) -> tuple[State, jax.Array]:
    """Make the steps whose batches `order` (steps, batch) lists; the new state and the mean training loss."""

    def run(recipe: Recipe, state: State, order: jax.Array) -> tuple[State, jax.Array]:
        def one(state: State, rows: jax.Array) -> tuple[State, jax.Array]:
            x = inputs.at[rows].get(mode="promise_in_bounds")  # valid by construction
            return step(program, recipe, state, x, encode(program, targets[rows]))

        state, losses = jax.lax.scan(one, state, order)
        return state, losses.mean()

    _count_trace()
    return (jax.vmap(run) if program.cohort else run)(recipe, state, order)


def step(
    program: Program, recipe: Recipe, state: State, x: jax.Array, y: jax.Array
) -> tuple[State, jax.Array]:
    """One weight update on a batch: inputs (examples, *shape) and targets (examples, outputs)."""
    found, cost, rest = gradient(program, recipe, state, x, y)
    return descend(recipe, state, found, rest), cost


def gradient(
    program: Program, recipe: Recipe, state: State, x: jax.Array, y: jax.Array
) -> tuple[Params, jax.Array, Params]:
    """A batch's gradient of mean loss plus penalties, the mean loss, and the layers' new statistics."""
    key = jax.random.fold_in(state.key, state.step)
    for strategy in users(recipe.strategies, "augment"):
        x = strategy.augment(x, keys.fold(key, "augment", strategy.name))
    for strategy in users(recipe.strategies, "targets"):
        y = strategy.targets(y)

    def objective(params: Params) -> tuple[jax.Array, tuple[jax.Array, Params]]:
        model = nnx.merge(program.graphdef, params, state.rest, copy=True)
        outputs = model(x, key=key, training=True)
        cost = _loss(program, recipe, outputs, y).mean()
        penalty = sum(s.penalty(params) for s in users(recipe.strategies, "penalty"))
        return cost + penalty, (cost, _split(model)[2])

    found, (cost, rest) = jax.grad(objective, has_aux=True)(state.params)
    return found, cost, rest


def descend(recipe: Recipe, state: State, gradient: Params, rest: Params) -> State:
    """The state after the step that the recipe makes of a gradient, with the layers' new statistics."""
    updates, before = _apply(recipe, "gradient", gradient, state.before, state.params)
    rate: jax.Array | float = recipe.learning_rate
    for strategy in users(recipe.strategies, "rate"):
        rate = rate * strategy.rate(state.step, state.steps)
    updates = jax.tree.map(lambda g: -rate * g, updates)
    updates, after = _apply(recipe, "update", updates, state.after, state.params)
    params = optax.apply_updates(state.params, updates)
    for strategy in users(recipe.strategies, "project"):
        params = strategy.project(params)
    return State(params, rest, before, after, state.step + 1, state.steps, state.key)


@partial(jax.jit, static_argnums=0, donate_argnums=2)
def evaluate(
    program: Program,
    recipe: Recipe,
    state: State,
    settling: jax.Array,
    inputs: jax.Array,
    validation: tuple[jax.Array, jax.Array],
) -> tuple[State, Scores]:
    """Score the weights on validation inputs and targets.

    Where a strategy asks for it, the layers first see the training batches that `settling` lists, with
    fixed weights; the state comes back with what they learned.
    """

    def run(recipe: Recipe, state: State, settling: jax.Array) -> tuple[State, Scores]:
        state = _settle(program, recipe, state, settling, inputs)
        model = nnx.merge(program.graphdef, state.params, state.rest, copy=True)
        predicted = predict(model, recipe.strategies, validation[0], program.task)
        return state, score(program, predicted, validation[1])

    _count_trace()
    return (jax.vmap(run) if program.cohort else run)(recipe, state, settling)


@partial(jax.jit, static_argnums=0)
def predictions(program: Program, recipe: Recipe, state: State, inputs: jax.Array) -> jax.Array:
    """One training's predictions (examples, outputs)."""
    model = nnx.merge(program.graphdef, state.params, state.rest, copy=True)
    return predict(model, recipe.strategies, inputs, program.task)


def score(program: Program, predicted: jax.Array, targets: jax.Array) -> Scores:
    """Loss and error of predictions: log-loss and fraction wrong, or half squared error and its root mean."""
    y = encode(program, targets)
    if program.task == "classification":
        wrong = predicted.argmax(axis=-1) != targets
        return Scores(-(y * predicted).sum(axis=-1).mean(), wrong.astype(jnp.float32).mean())
    squared = jnp.square(predicted - y).mean()
    return Scores(squared / 2, jnp.sqrt(squared))


def encode(program: Program, targets: jax.Array) -> jax.Array:
    """Targets (examples, outputs): one-hot classes, or the values."""
    if program.task == "classification":
        return jax.nn.one_hot(targets, program.outputs)
    return targets[:, None]


def _split(model: nnx.Module) -> tuple[Any, Params, Params]:
    """The model's graph, its parameters, and all else that it holds."""
    graphdef, params, rest = nnx.split(model, nnx.Param, ...)  # type: ignore[misc]
    return graphdef, params, rest


def _settle(program: Program, recipe: Recipe, state: State, settling: jax.Array, inputs: jax.Array) -> State:
    model = nnx.merge(program.graphdef, state.params, state.rest, copy=True)
    wanted = [strategy.settle(model) for strategy in users(recipe.strategies, "settle")]
    if not any(wanted):
        return state

    def see(rest: Params, rows: jax.Array) -> tuple[Params, None]:
        model = nnx.merge(program.graphdef, state.params, rest, copy=True)
        model(inputs[rows], key=None, training=True)
        return _split(model)[2], None

    rest, _ = jax.lax.scan(see, _split(model)[2], settling)
    return state._replace(rest=rest)


def _loss(program: Program, recipe: Recipe, outputs: jax.Array, y: jax.Array) -> jax.Array:
    for strategy in users(recipe.strategies, "loss"):
        if (loss := strategy.loss(outputs, y)) is not None:
            return loss
    return Cost("cross_entropy" if program.task == "classification" else "quadratic").loss(outputs, y)


def _transforms(recipe: Recipe, hook: str) -> list[optax.GradientTransformation]:
    made = [getattr(strategy, hook)() for strategy in users(recipe.strategies, hook)]
    return [transform for transform in made if transform is not None]


def _apply(
    recipe: Recipe, hook: str, updates: Any, states: tuple[Any, ...], params: Params
) -> tuple[Any, tuple[Any, ...]]:
    new = []
    for transform, state in zip(_transforms(recipe, hook), states, strict=True):
        updates, state = transform.update(updates, state, params)
        new.append(state)
    return updates, tuple(new)


def _count_trace() -> None:
    global traces
    traces += 1
