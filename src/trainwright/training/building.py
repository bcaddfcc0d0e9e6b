"""Building: a training's network with its first weights, and what can be told before anything is compiled."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from trainwright.base import keys
from trainwright.base.errors import DataError, SettingError
from trainwright.chain import Chain, array_name, extension_of, prediction_scale
from trainwright.data.dataset import Dataset
from trainwright.network import NetworkBuilder
from trainwright.pretraining import Pretraining
from trainwright.recipe import Recipe
from trainwright.runs.run import Pretrained, arrays_of
from trainwright.strategy import NothingToActOn, users
from trainwright.training import step
from trainwright.training.step import State

EXAMPLES_BYTES = 2**27  # of examples that are shown to strategies at most
EXAMPLES = 1000  # at most so many are shown to the strategies that look at what a layer receives
CACHED_BYTES = 2**22  # of activations a cohort may hold at a step, so that they stay in a core's cache
FOR_ONE_SOFTMAX = ("targets", "loss")  # hooks that see targets and outputs, and cannot tell softmaxes apart
SAME_VALUES = ("transpose", "layout_constraint")  # operations that compute nothing
CHUNK_BYTES = 2**28  # of activations that predicting may hold


@dataclass(frozen=True, eq=False)
class Training:
    """One recipe on one data set with one seed."""

    recipe: Recipe
    """What is trained, and how."""
    data: Dataset
    """What it is trained on, with its splits."""
    seed: int
    """Decides the initial weights, the batches and all else that is drawn."""


class ProgramFacts(NamedTuple):
    """What is known of a training before its program is compiled."""

    graphdef: nnx.GraphDef[Any]
    """The network's structure: with equal graphs, and recipes equal but for numbers, programs are shared."""
    parameters: int
    """How many numbers are trained."""
    width: int
    """How many such networks train fastest side by side on one CPU core."""
    chunk: int
    """How many examples one forward pass takes at most."""


def build(training: Training, pretrained: Sequence[Pretrained] = ()) -> tuple[nnx.GraphDef[Any], State]:
    """The network of a training with its first weights: its graph, and the state before the first step.

    `pretrained` is what pretrainings left, from which the recipe's strategy takes first weights.

    Raises what the strategies have to say against this network.
    """
    recipe, data, seed = training.recipe, training.data, training.seed
    marginals = None
    if data.task == "classification":
        labels = data.targets[data.splits.train]
        marginals = np.bincount(labels, minlength=data.outputs) / len(labels)

    def examples() -> NDArray[np.float32]:
        most = max(1, min(EXAMPLES, EXAMPLES_BYTES // (4 * math.prod(data.shape))))
        rows = keys.generator(seed, "init", "examples").permutation(data.splits.train)[:most]
        return data.standardized(rows)[0]

    if data.task == "sequence":
        for strategy in (s for hook in FOR_ONE_SOFTMAX for s in users(recipe.strategies, hook)):
            raise NothingToActOn(
                str(strategy), "it is for classes or values, and these targets are sequences"
            )

    builder = NetworkBuilder(recipe.strategies, seed, marginals=marginals, inputs=examples)
    model = recipe.network.build(data.shape, data.outputs, builder)
    builder.check()
    if pretrained:
        for strategy in users(recipe.strategies, "pretrained"):
            _set_pretrained(model, strategy.pretrained(model, arrays_of(pretrained)))
    return step.begin(recipe, model, recipe.length(data.splits.examples), keys.step_key(seed))


def pretrainings(training: Training) -> tuple[Pretraining, ...]:
    """What is trained on inputs alone before the training proper.

    Raises what the strategy has to say against the network, and `DataError` for inputs outside [0, 1].
    """
    chosen = users(training.recipe.strategies, "pretraining")
    if not chosen:
        return ()
    training.data.in_memory(chosen[0].name)
    graphdef, state = build(training)
    model = nnx.merge(graphdef, state.params, state.rest)
    x, _ = training.data.standardized(training.data.splits.train)
    low, high = float(x.min()), float(x.max())
    if low < 0 or high > 1:
        raise DataError(
            f"{training.data.name}: {chosen[0].name} needs inputs in [0, 1], and these go from {low:.4g} to "
            f"{high:.4g}: give images in grey, or fractions as an array (examples, height, width)"
        )
    return tuple(pretraining for strategy in chosen for pretraining in strategy.pretraining(model))


def program_facts(training: Training, graphdef: nnx.GraphDef[Any], state: State) -> ProgramFacts:
    """How a network that was built is best trained, by its size and the memory of its activations."""
    parameters = count(state.params)
    activations = _activation_bytes(training.data.shape, graphdef, state.params, state.rest)
    batch = training.recipe.batch(training.data.splits.examples)
    width = cohort_width(parameters, activations * batch)
    return ProgramFacts(graphdef, parameters, width, max(1, CHUNK_BYTES // (activations * width)))


def chunk_of(shape: tuple[int, ...], graphdef: nnx.GraphDef[Any], state: Any) -> int:
    """How many examples of this shape a network takes in one forward pass at most, alone."""
    return max(1, CHUNK_BYTES // _activation_bytes(shape, graphdef, state))


def dry_run(training: Training) -> ProgramFacts:
    """Build the network and show each strategy the shapes that it will see.

    Raises what the strategies have to say against this network and data, before anything is compiled.
    """
    recipe, data = training.recipe, training.data
    graphdef, state = build(training)
    pretrainings(training)
    batch = recipe.batch(data.splits.examples)
    extension = extension_of(nnx.merge(graphdef, state.params, state.rest))
    shape = data.shape if extension is None else (extension.width + extension.added,)
    x = jax.ShapeDtypeStruct((batch, *shape), np.float32)  # type: ignore[no-untyped-call]
    y = jax.ShapeDtypeStruct((batch, data.outputs), np.float32)  # type: ignore[no-untyped-call]
    for strategy in recipe.strategies:
        jax.eval_shape(strategy.augment, x, state.key)
        jax.eval_shape(strategy.targets, y)
        jax.eval_shape(strategy.mix, x, y, state.key)
        jax.eval_shape(strategy.loss, y, y)
        jax.eval_shape(strategy.penalty, state.params)
        jax.eval_shape(strategy.project, state.params)
        strategy.many_views(shape)
    return program_facts(training, graphdef, state)


def cohort_width(parameters: int, activation_bytes: int) -> int:
    """How many networks train fastest side by side on one CPU core; see `benchmarks/`.

    `activation_bytes`: what one network's step holds. Small networks share the cost of each operation's
    start; larger ones only compete for the cache. The width depends on the network alone, never on how many
    trainings there are, since a run's last bits depend on it; so it is no wider than pays, and a cohort that
    is not full wastes little: eight at a time cost 5 % more for each network than sixteen.
    """
    width = 8 if parameters <= 30_000 else 4 if parameters <= 150_000 else 1
    while width > 1 and width * activation_bytes > CACHED_BYTES:
        width //= 2
    return width


def count(params: Any) -> int:
    """How many numbers are trained."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def named_arrays(state: State) -> dict[str, NDArray[Any]]:
    """The weights to predict with, statistics and layers' numbers by name, such as `hidden1/kernel`; keys as
    their data."""
    leaves = jax.tree_util.tree_leaves_with_path((state.weights, state.rest))
    return {array_name(path[1:]): to_host(leaf) for path, leaf in leaves}


def filled(state: State, weights: Mapping[str, NDArray[Any]]) -> State:
    """The state with these weights, named as `named_arrays` does.

    Raises `SettingError` for weights of another network.
    """
    known = named_arrays(state)
    if {name: np.shape(array) for name, array in weights.items()} != {n: a.shape for n, a in known.items()}:
        raise SettingError("the weights do not fit the recipe's network: give those of a run of this recipe")
    paths, structure = jax.tree_util.tree_flatten_with_path((state.params, state.rest))
    leaves = [to_device(weights[array_name(path[1:])], leaf) for path, leaf in paths]
    params, rest = jax.tree.unflatten(structure, leaves)
    averaged = None if state.averaged is None else params
    return state._replace(params=params, rest=rest, averaged=averaged)


def to_host(leaf: jax.Array) -> NDArray[Any]:
    """An array of a state as NumPy's; of a random key, the numbers that it consists of."""
    return np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)


def to_device(array: NDArray[Any], like: jax.Array) -> jax.Array:
    """The array of a state that `to_host` made this of; `like` says of what kind it is."""
    if _is_key(like):
        key: jax.Array = jax.random.wrap_key_data(jnp.asarray(array), impl=jax.random.key_impl(like))
        return key
    return jnp.asarray(array)


def _set_pretrained(model: nnx.Module, weights: Mapping[str, NDArray[np.float32]]) -> None:
    """Let a network start from pretrained weights, named as `named_arrays` does; others stay as they are.

    Where a layer's inputs are scaled when predicting, its weights make up for it, so that the network that
    predicts is the one that was pretrained (Srivastava et al. 2014, section 5.2).
    """
    given = dict(weights)
    for name, array in weights.items():
        layer, _, kind = name.rpartition("/")
        if kind == "kernel" and isinstance(model, Chain):
            given[name] = array / np.float32(prediction_scale(model, layer))
    paths, structure = jax.tree_util.tree_flatten_with_path(nnx.state(model))
    known = {array_name(path): np.shape(leaf) for path, leaf in paths}
    for name, array in given.items():
        if known.get(name) != array.shape:
            raise SettingError(f"the network has no array {name} of shape {array.shape} to be pretrained")
    leaves = [jnp.asarray(given.get(array_name(path), leaf)) for path, leaf in paths]
    nnx.update(model, jax.tree.unflatten(structure, leaves))


def _is_key(leaf: jax.Array) -> bool:
    return bool(jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key))


def _activation_bytes(shape: tuple[int, ...], graphdef: nnx.GraphDef[Any], *states: Any) -> int:
    """The bytes of all numbers that one example's forward pass computes."""
    x = jax.ShapeDtypeStruct((1, *shape), np.float32)  # type: ignore[no-untyped-call]

    def forward(states: tuple[Any, ...], x: jax.Array) -> jax.Array:
        outputs: jax.Array = nnx.merge(graphdef, *states, copy=True)(x, key=None, training=False)
        return outputs

    program = jax.make_jaxpr(forward)(states, x)
    lines = [line for line in program.eqns if line.primitive.name not in SAME_VALUES]
    shapes: list[tuple[int, ...]] = [out.aval.shape for line in lines for out in line.outvars]
    return 4 * sum(map(math.prod, (shape, *shapes)))
