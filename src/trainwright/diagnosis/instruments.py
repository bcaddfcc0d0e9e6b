"""Instruments: what can be read off a network at one moment of its training, layer by layer.

They look at a batch of the training split: how large the gradient is in each layer, how far a step moves the
weights, what the units receive and how much of it gets through. The readings of many networks of one
structure cost one compilation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from flax import nnx
from numpy.typing import NDArray

from trainwright.base.config import config
from trainwright.base.errors import SettingError
from trainwright.data.dataset import Dataset
from trainwright.network import Chain, Part
from trainwright.recipe import Recipe
from trainwright.strategy import Layer, Site, Strategy
from trainwright.training import step
from trainwright.training.cohort import named_arrays
from trainwright.training.progress import Training, build, order
from trainwright.training.step import Program, State

EXAMPLES = 512  # looked at, at most: enough to tell a unit that is rarely active from one that never is
FLAT = 0.1  # of the activation's steepest slope: below it, next to nothing of the gradient gets through
FAR = 30.0  # from zero: where a bounded activation is flat


@dataclass(frozen=True, eq=False)
class Reading:
    """The instruments' readings of one network at one moment.

    `layers` has a row for each layer with weights, by name, in their order, with these columns.
    gradient, bias_gradient: Euclidean norms of the gradient of weights and biases.
    update: how far the next step, made from rest, moves the weights: its norm over the weights' own.
    p15, p50, p85: percentiles of what the activations (at the output: the loss) receive, over examples and
    units, with batch normalisation by the batch and without dropout.
    mean, deviation: of the activations that go out, over examples and units.
    slope: of the activation function, the mean over examples and units.
    active: the fraction of responses whose slope is a tenth of the function's steepest, or more.
    dead: the fraction of units that are active for no example.
    saturated: for functions that are flat at both ends, such as the sigmoid, the fraction that is not active.
    update is NaN where all weights are zero; slope, active, dead and saturated where they don't apply.
    """

    loss: float
    """The mean training loss on the batch, penalties left out: what the recipe's cost says."""
    log_loss: float
    """The mean negative log-probability of the right class; half the squared error in regression."""
    guess: float
    """The log-loss of the best answer that looks at no input: the entropy of the targets (nats), or half
    their variance."""
    layers: pd.DataFrame
    gradients: dict[str, NDArray[np.float32]]
    """The gradient of each layer's weights, shaped as these."""


def examine(
    recipe: Recipe,
    data: Dataset,
    seed: int = 0,
    *,
    weights: Mapping[str, NDArray[Any]] | None = None,
    at_step: int = 0,
) -> Reading:
    """Read the instruments on a recipe's network: at its first step, or with these weights at this step.

    `weights` are named as a run's, or as `watch` of `fit` finds them in `slot.weights()`. Up to 512 training
    examples are looked at. Raises `SettingError` for weights that don't fit, and for a network that is no
    chain of layers.

    >>> from trainwright.data import load
    >>> reading = examine(Recipe(), load("digits"))
    >>> list(reading.layers.index)
    ['hidden1', 'hidden2', 'output']
    """
    marked = recipe.replace(strategies=(*recipe.strategies, Mark()))
    graphdef, state = build(Training(marked, data, seed))
    if weights is not None:
        state = _filled(state, weights, build(Training(recipe, data, seed))[1])
    state = state._replace(step=jnp.int32(at_step))
    parts = _parts(nnx.merge(graphdef, state.params, state.rest))
    examples = min(EXAMPLES, len(data.splits.train))
    rows = order(seed, "examine", data.splits.train, examples, 0, 1)[0]
    program = Program(graphdef, data.task, data.outputs, cohort=False)
    numbers = jax.tree.map(jnp.float32, marked)
    seen = _measure(program, numbers, state, jnp.asarray(data.inputs[rows]), jnp.asarray(data.targets[rows]))
    return _reading(jax.tree.map(np.asarray, seen), _layers(parts), data)


@config
class Mark(Strategy):
    """Mark the places before each hidden layer's activation and at the output; nothing else is changed."""

    def layer(self, site: Site) -> Layer | None:
        return Marked(site.name, site.stage == "before") if site.stage in ("before", "output") else None


class Marked(Layer):
    """Hands on what it gets."""

    def __init__(self, site: str, hidden: bool):
        self.site = site
        self.hidden = hidden

    def __call__(self, x: jax.Array, *, key: jax.Array | None, training: bool) -> jax.Array:
        return x


class Units(NamedTuple):
    """What a layer's activation receives and gives, its slopes there, near zero, and far out."""

    received: jax.Array
    given: jax.Array
    slopes: jax.Array
    near: jax.Array
    far: jax.Array


class Seen(NamedTuple):
    """What the compiled part hands over."""

    loss: jax.Array
    log_loss: jax.Array
    gradient: dict[int, dict[str, jax.Array]]
    moved: dict[int, jax.Array]
    """By part of the chain: the step's norm over the weights' own."""
    units: list[Units]
    """For each hidden layer."""
    outputs: jax.Array


@partial(jax.jit, static_argnums=0)
def _measure(program: Program, recipe: Recipe, state: State, x: jax.Array, targets: jax.Array) -> Seen:
    y = step.encode(program, targets)
    found, loss, rest = step.gradient(program, recipe, state, x, y)
    after = step.descend(recipe, state, found, rest)
    weights, new, gradient = (_weights(tree) for tree in (state.params, after.params, found))
    moved = {
        part: _ratio(new[part]["kernel"] - weights[part]["kernel"], weights[part]["kernel"])
        for part in weights
    }
    units: list[Units] = []
    z, parts = x, _parts(nnx.merge(program.graphdef, state.params, state.rest, copy=True))
    for part, following in zip(parts, [*parts[1:], None], strict=True):
        z = part(z, key=None, training=True) if isinstance(part, Layer) else part(z)
        if isinstance(part, Marked) and part.hidden:
            units.append(_units(following, z))
    predicted = jax.nn.log_softmax(z) if program.task == "classification" else z
    return Seen(loss, step.score(program, predicted, targets).loss, gradient, moved, units, z)


def _ratio(step: jax.Array, weights: jax.Array) -> jax.Array:
    """The norm of a step over that of the weights; NaN where these are all zero."""
    size = jnp.linalg.norm(weights)
    return jnp.where(size > 0, jnp.linalg.norm(step) / size, jnp.nan)


def _units(activation: Any, z: jax.Array) -> Units:
    def slopes(z: jax.Array) -> tuple[jax.Array, jax.Array]:
        values, slopes = jax.jvp(activation, (z,), (jnp.ones_like(z),))
        return values, slopes

    near, far = jnp.linspace(-8, 8, 1601), jnp.array([-FAR, FAR])
    return Units(z, *slopes(z), slopes(near)[1], slopes(far)[1])


def _reading(seen: Seen, layers: dict[str, int], data: Dataset) -> Reading:
    table = {}
    for name, units in zip(layers, [*seen.units, None], strict=True):
        part = layers[name]
        gradient = seen.gradient[part]
        received, given = (seen.outputs, seen.outputs) if units is None else units[:2]
        low, middle, high = np.percentile(received, (15, 50, 85))
        table[name] = {
            "gradient": np.linalg.norm(gradient["kernel"]),
            "bias_gradient": np.linalg.norm(gradient["bias"]) if "bias" in gradient else np.nan,
            "update": seen.moved[part],
            "p15": low,
            "p50": middle,
            "p85": high,
            "mean": given.mean(),
            "deviation": given.std(),
            **_through(units),
        }
    frame = pd.DataFrame.from_dict(table, orient="index").astype(np.float64)
    frame.index.name = "layer"
    gradients = {name: np.asarray(seen.gradient[part]["kernel"]) for name, part in layers.items()}
    return Reading(float(seen.loss), float(seen.log_loss), guess(data), frame, gradients)


def _through(units: Units | None) -> dict[str, float]:
    """How much of the gradient gets through a layer's activation."""
    if units is None:
        return dict.fromkeys(("slope", "active", "dead", "saturated"), np.nan)
    least = FLAT * np.abs(units.near).max()
    active = np.abs(units.slopes) >= least
    alive = active.any(axis=tuple(range(active.ndim - 1)))
    bounded = (np.abs(units.far) < least).all()
    return {
        "slope": float(units.slopes.mean()),
        "active": float(active.mean()),
        "dead": float(1 - alive.mean()),
        "saturated": float(1 - active.mean()) if bounded else np.nan,
    }


def guess(data: Dataset) -> float:
    """The training loss of the best answer that looks at no input.

    The entropy of the training split's classes (nats), or half the variance of its values.

    >>> from trainwright.data import load
    >>> round(guess(load("digits")), 2), round(float(np.log(10)), 2)
    (2.3, 2.3)
    """
    targets = data.targets[data.splits.train]
    if data.task == "regression":
        return float(np.var(targets) / 2)
    shares = np.bincount(targets) / len(targets)
    return float(-np.sum(shares * np.log(np.where(shares > 0, shares, 1))))


def _parts(model: nnx.Module) -> list[Part]:
    if not isinstance(model, Chain):
        raise SettingError(f"the instruments look into chains of layers; {type(model).__name__} is none")
    return list(model.parts)


def _layers(parts: list[Part]) -> dict[str, int]:
    """Each layer's name with the place of its weights in the chain."""
    names = [part.site for part in parts if isinstance(part, Marked)]
    return dict(zip(names, _weights(nnx.state(Chain(parts), nnx.Param)), strict=True))


def _weights(params: Any) -> dict[int, dict[str, jax.Array]]:
    """The arrays "kernel" and "bias" of each part of the chain that has weights, by its place."""
    leaves = [(path[1].key, leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(params)]
    found = {place: {"kernel": leaf} for place, leaf in leaves if leaf.ndim >= 2}
    for place, leaf in leaves:
        if place in found and leaf.ndim == 1:
            found[place]["bias"] = leaf
    return dict(sorted(found.items()))


def _filled(state: State, weights: Mapping[str, NDArray[Any]], plain: State) -> State:
    """The state with these weights; marks have none, so theirs come in the order of the plain network's."""
    known = named_arrays(plain)
    if {name: array.shape for name, array in weights.items()} != {n: a.shape for n, a in known.items()}:
        raise SettingError("the weights do not fit the recipe's network: give those of a run of this recipe")
    structure = jax.tree.structure((state.params, state.rest))
    params, rest = jax.tree.unflatten(structure, [jnp.asarray(weights[name]) for name in known])
    return state._replace(params=params, rest=rest)
