"""The compiled part of a training: a step, an interval of steps, an evaluation.

Everything here is traced once for each structure. The recipe comes in as a pytree: its numbers are
arguments, its structure decides the program. So do a fold's numbers and rows.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from trainwright.base import keys
from trainwright.chain import extension_of
from trainwright.data.standardization import standardize, standardize_targets
from trainwright.objective import Batch
from trainwright.recipe import Recipe
from trainwright.strategy import Params, users
from trainwright.task import Scores, Task
from trainwright.training.predict import in_chunks, views
from trainwright.training.resident import Fold, Resident

traces = 0  # how many programs were traced in this process: tests and timings read it


class Program(NamedTuple):
    """What of a training is code and not numbers, besides the recipe's own structure."""

    graphdef: nnx.GraphDef[nnx.Module]
    """The network's structure."""
    task: Task
    """What it is trained for: the loss and what is scored."""
    cohort: bool
    """Whether states, recipes and folds have a leading axis of slots."""
    chunk: int
    """How many examples one forward pass takes at most."""


class State(NamedTuple):
    """What the steps of one training change, with its length and its seed's key."""

    params: Params
    """What the gradient moves: every `nnx.Param` of the network."""
    rest: Params
    """All else that the network holds: batch statistics, the numbers of strategies' layers
    (`HyperParameter`), and random state of a user's own layers."""
    gradient_state: tuple[Any, ...]
    """The states of the strategies' `gradient` transformations, in their order."""
    update_state: tuple[Any, ...]
    """The states of their `update` transformations."""
    averaged: Params | None
    """The weights to predict with where a strategy averages them; None where they are `params`."""
    step: jax.Array
    """Steps made, int32."""
    steps: jax.Array
    """The length of the training proper, int32."""
    key: jax.Array
    """The seed's key, from which each step's is folded."""

    @property
    def weights(self) -> Params:
        """The weights to evaluate and predict with."""
        return self.params if self.averaged is None else self.averaged


def begin(recipe: Recipe, model: nnx.Module, steps: int, key: jax.Array) -> tuple[nnx.GraphDef[Any], State]:
    """A model's graph and the state before its first step."""
    graphdef, params, rest = _split(model)
    gradient_state, update_state = (
        tuple(t.init(params) for t in _transforms(recipe, hook)) for hook in ("gradient", "update")
    )
    averaged = jax.tree.map(jnp.copy, params) if users(recipe.strategies, "averaged_weights") else None
    return graphdef, State(
        params, rest, gradient_state, update_state, averaged, jnp.int32(0), jnp.int32(steps), key
    )


@partial(jax.jit, static_argnums=0, donate_argnums=2)
def train_interval(
    program: Program, recipe: Recipe, state: State, order: jax.Array, data: Resident, fold: Fold
) -> tuple[State, jax.Array]:
    """Make the steps whose batches `order` (steps, batch) lists; the new state and the mean training loss."""

    def run(recipe: Recipe, state: State, order: jax.Array, fold: Fold) -> tuple[State, jax.Array]:
        state, losses = steps(program, recipe, state, order, data, fold)
        return state, losses.mean()

    count_trace()
    return (jax.vmap(run) if program.cohort else run)(recipe, state, order, fold)


def steps(
    program: Program, recipe: Recipe, state: State, order: jax.Array, data: Resident, fold: Fold
) -> tuple[State, jax.Array]:
    """One training's steps on the batches of `order` (steps, batch): the new state, the losses (steps,)."""

    def make_step(state: State, rows: jax.Array) -> tuple[State, jax.Array]:
        x = gather(data, fold, rows)
        y = program.task.encode(standardize_targets(data.targets[rows], fold.standardization))
        return step(program, recipe, state, x, y)

    state, losses = jax.lax.scan(make_step, state, order)
    return state, losses


def step(
    program: Program, recipe: Recipe, state: State, x: jax.Array, y: jax.Array
) -> tuple[State, jax.Array]:
    """One weight update on a batch: inputs (examples, *shape) and targets (examples, outputs)."""
    descent, cost, rest = gradient(program, recipe, state, x, y)
    if not program.cohort:  # which is of small networks
        recipe = _after(descent, recipe)
    return descend(recipe, state, descent, rest), cost


def gradient(
    program: Program, recipe: Recipe, state: State, x: jax.Array, y: jax.Array
) -> tuple[Params, jax.Array, Params]:
    """A batch's gradient of all that is minimised, the mean loss, and the layers' new statistics."""
    key = jax.random.fold_in(state.key, state.step)
    for strategy in users(recipe.strategies, "augment"):
        x = strategy.augment(x, keys.fold(key, "augment", strategy.name))
    for strategy in users(recipe.strategies, "targets"):
        y = strategy.targets(y)
    for strategy in users(recipe.strategies, "mix"):
        x, y = strategy.mix(x, y, keys.fold(key, "mix", strategy.name))

    def network(params: Params) -> nnx.Module:
        return nnx.merge(program.graphdef, params, state.rest, copy=True)

    def objective(params: Params) -> tuple[jax.Array, tuple[jax.Array, Params]]:
        model = network(params)
        outputs = model(x, key=key, training=True)
        cost = _loss(program, recipe, outputs, y).mean()
        added = sum(s.penalty(params) for s in users(recipe.strategies, "penalty"))
        models = (partial(network, weights) for weights in (params, jax.lax.stop_gradient(params)))
        batch = Batch(x, y, outputs, key, program.task, partial(_loss, program, recipe), *models)
        for strategy in users(recipe.strategies, "objective"):
            added += strategy.objective(batch, keys.fold(key, "objective", strategy.name))
        return cost + added, (cost, _split(model)[2])

    gradients, (cost, rest) = jax.grad(objective, has_aux=True)(state.params)
    return gradients, cost, rest


def descend(recipe: Recipe, state: State, gradient: Params, rest: Params) -> State:
    """The state after the step that the recipe makes of a gradient, with the layers' new statistics."""
    updates, gradient_state = _apply(recipe, "gradient", gradient, state.gradient_state, state.params)
    rate: jax.Array | float = recipe.learning_rate
    for strategy in users(recipe.strategies, "rate"):
        rate = rate * strategy.rate(state.step, state.steps)
    updates = jax.tree.map(lambda g: -rate * g, updates)
    updates, update_state = _apply(recipe, "update", updates, state.update_state, state.params)
    params = optax.apply_updates(state.params, updates)
    for strategy in users(recipe.strategies, "project"):
        params = strategy.project(params)
    step, averaged = state.step + 1, state.averaged
    for strategy in users(recipe.strategies, "averaged_weights"):
        averaged = strategy.averaged_weights(state.weights, params, step, state.steps)
    return State(params, rest, gradient_state, update_state, averaged, step, state.steps, state.key)


def _after(gradient: Params, recipe: Recipe) -> Recipe:
    """The recipe as it is, but known to XLA only once all of the gradient is.

    A layer's weights are needed for the gradient of the layers below. Where XLA cannot tell that this comes
    before their update, it copies them at every step: 67 MB of a 4,096 × 4,096 layer. No number is greater
    than infinity, but XLA does not know that.
    """
    never = jnp.stack([leaf.ravel()[0] > jnp.inf for leaf in jax.tree.leaves(gradient)]).any()
    same: Recipe = jax.lax.cond(never, partial(jax.tree.map, jnp.negative), lambda recipe: recipe, recipe)
    return same


@partial(jax.jit, static_argnums=0, donate_argnums=2)
def evaluate(
    program: Program, recipe: Recipe, state: State, population: jax.Array, data: Resident, fold: Fold
) -> tuple[State, Scores]:
    """Score the weights on the validation split.

    `population` (batches, batch): the training batches that the layers first see with fixed weights, where a
    strategy asks for it; the state comes back with the statistics. Empty otherwise.
    """

    def run(recipe: Recipe, state: State, population: jax.Array, fold: Fold) -> tuple[State, Scores]:
        if population.size:
            state = see(program, forget(program, recipe, state), population, data, fold)
        rows, weights = jnp.asarray(fold.validation), jnp.asarray(fold.weights)
        predicted = _predict(program, recipe, state, data, fold, rows)
        targets = standardize_targets(data.targets[rows], fold.standardization)
        return state, program.task.score(predicted, targets, weights)

    count_trace()
    return (jax.vmap(run) if program.cohort else run)(recipe, state, population, fold)


@partial(jax.jit, static_argnums=0)
def predictions(
    program: Program, recipe: Recipe, state: State, data: Resident, fold: Fold, rows: jax.Array
) -> jax.Array:
    """Predictions (rows, outputs) for these examples."""

    def run(recipe: Recipe, state: State, fold: Fold, rows: jax.Array) -> jax.Array:
        return _predict(program, recipe, state, data, fold, rows)

    return (jax.vmap(run) if program.cohort else run)(recipe, state, fold, rows)


def gather(data: Resident, fold: Fold, rows: jax.Array) -> jax.Array:
    """The inputs (rows, *shape) of these examples as the network sees them."""
    x = data.inputs.at[rows].get(mode="promise_in_bounds")  # valid by construction
    standardized: jax.Array = standardize(x, fold.standardization, jnp)
    if fold.added is None:
        return standardized
    return jnp.concatenate([standardized.reshape(len(rows), -1), fold.added[rows]], axis=1)


@partial(jax.jit, static_argnums=0)
def added(program: Program, state: State, data: Resident, fold: Fold) -> jax.Array:
    """What one training's network adds to the inputs of all examples, (examples, values)."""
    extension = extension_of(nnx.merge(program.graphdef, state.weights, state.rest, copy=True))
    assert extension is not None

    def values(rows: jax.Array, _: jax.Array | None) -> jax.Array:
        return extension.values(gather(data, fold, rows).reshape(len(rows), -1))

    return in_chunks(values, jnp.arange(len(data.targets)), program.chunk)


def _predict(
    program: Program, recipe: Recipe, state: State, data: Resident, fold: Fold, rows: jax.Array
) -> jax.Array:
    model = nnx.merge(program.graphdef, state.weights, state.rest, copy=True)

    def predict(rows: jax.Array, _: jax.Array | None) -> jax.Array:
        return views(model, recipe.strategies, gather(data, fold, rows), program.task)

    return in_chunks(predict, rows, program.chunk)


def forget(program: Program, recipe: Recipe, state: State) -> State:
    """The state before a pass of training batches with fixed weights: its layers have seen nothing."""
    model = nnx.merge(program.graphdef, state.weights, state.rest, copy=True)
    for strategy in users(recipe.strategies, "reset_statistics"):
        strategy.reset_statistics(model)
    return state._replace(rest=_split(model)[2])


def see(program: Program, state: State, population: jax.Array, data: Resident, fold: Fold) -> State:
    """The state with the statistics that these training batches (batches, batch) add, the weights fixed."""

    def see_batch(rest: Params, rows: jax.Array) -> tuple[Params, None]:
        model = nnx.merge(program.graphdef, state.weights, rest, copy=True)
        model(gather(data, fold, rows), key=None, training=True)
        return _split(model)[2], None

    rest, _ = jax.lax.scan(see_batch, state.rest, population)
    return state._replace(rest=rest)


def _split(model: nnx.Module) -> tuple[nnx.GraphDef[Any], Params, Params]:
    """The model's graph, its parameters, and all else that it holds."""
    graphdef, params, rest = nnx.split(model, nnx.Param, ...)  # type: ignore[misc]
    return graphdef, params, rest


def _loss(program: Program, recipe: Recipe, outputs: jax.Array, y: jax.Array) -> jax.Array:
    def loss(outputs: jax.Array) -> jax.Array:
        for strategy in users(recipe.strategies, "loss"):
            if (loss := strategy.loss(outputs, y)) is not None:
                return loss
        return program.task.loss(outputs, y)

    return program.task.objective(outputs, loss)


def _transforms(recipe: Recipe, hook: str) -> list[optax.GradientTransformation]:
    transforms = [getattr(strategy, hook)() for strategy in users(recipe.strategies, hook)]
    return [transform for transform in transforms if transform is not None]


def _apply(
    recipe: Recipe, hook: str, updates: Any, states: tuple[Any, ...], params: Params
) -> tuple[Any, tuple[Any, ...]]:
    new = []
    for transform, state in zip(_transforms(recipe, hook), states, strict=True):
        updates, state = transform.update(updates, state, params)
        new.append(state)
    return updates, tuple(new)


def count_trace() -> None:
    """Take note that a program is being traced."""
    global traces
    traces += 1
