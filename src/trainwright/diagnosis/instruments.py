"""Instruments: what can be read off a network at one moment of its training, layer by layer.

They look at a batch of the training split: how large the gradient is in each layer, how far a step moves the
weights, what the units receive and how much of it gets through. Many networks of one structure cost one
compilation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from flax import nnx
from numpy.typing import NDArray

from trainwright.chain import array_name
from trainwright.data import sequences
from trainwright.data.dataset import Dataset
from trainwright.diagnosis.layers import as_chain, layers_of, received
from trainwright.recipe import Recipe
from trainwright.task import task_of
from trainwright.training import step
from trainwright.training.batches import order
from trainwright.training.building import Training, build, filled
from trainwright.training.step import Program, State

EXAMPLES = 512  # looked at, at most: enough to tell a unit that is rarely active from one that never is
FLAT = 0.1  # of the activation's steepest slope: below it, next to nothing of the gradient gets through
FAR = 30.0  # from zero: where a bounded activation is flat


@dataclass(frozen=True, eq=False)
class LayerStats:
    """What the instruments show of one network at one moment.

    The columns of `layers`:
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
    """A row for each layer with weights, by name, from the input on; its columns are above."""
    gradients: dict[str, NDArray[np.float32]]
    """The gradient of each layer's weights, shaped as these."""


def measure_layers(
    recipe: Recipe,
    data: Dataset,
    seed: int = 0,
    *,
    weights: Mapping[str, NDArray[Any]] | None = None,
    at_step: int = 0,
) -> LayerStats:
    """Read the instruments on a recipe's network: at its first step, or with these weights at this step.

    `weights` are named as a run's, or as `Progress.weights()` gives them to a `watch` of `fit`. Up to 512
    training examples are looked at. Raises `SettingError` for weights that don't fit, and for a network that
    is no chain of layers.

    >>> from trainwright.data import load
    >>> stats = measure_layers(Recipe(), load("digits"))
    >>> list(stats.layers.index)
    ['hidden1', 'hidden2', 'output']
    """
    graphdef, state = build(Training(recipe, data, seed))
    if weights is not None:
        state = filled(state, weights)
    state = state._replace(step=jnp.int32(at_step))
    chain = as_chain(nnx.merge(graphdef, state.params, state.rest))
    examples = min(EXAMPLES, len(data.splits.train))
    rows = order(seed, "diagnosis", data.splits.train, examples, 0, 1)[0]
    program = Program(graphdef, recipe.network.task(task_of(data)), cohort=False, chunk=EXAMPLES)
    x, targets = map(jnp.asarray, data.standardized(rows))
    seen = _measure(program, jax.tree.map(jnp.float32, recipe), state, x, targets)
    return _stats(jax.tree.map(np.asarray, seen), layers_of(chain), data)


class Units(NamedTuple):
    """What a layer's activation receives and gives, its slopes there, near zero, and far out."""

    received: jax.Array
    """What the activation receives, float32 (examples, ..., units)."""
    given: jax.Array
    """What it puts out, of the same shape."""
    slopes: jax.Array
    """Its slopes there, of the same shape."""
    near: jax.Array
    """Its slopes at 1,601 places from -8 to 8, (1601,)."""
    far: jax.Array
    """Its slopes at -30 and 30, (2,)."""


class Seen(NamedTuple):
    """What the compiled part hands over; each mapping by the layer's name."""

    loss: jax.Array
    """The recipe's mean training loss, a float32 scalar."""
    log_loss: jax.Array
    """As `LayerStats.log_loss`, a float32 scalar."""
    gradient: dict[str, dict[str, jax.Array]]
    """For each layer the gradient of its "kernel" and its "bias", shaped as these."""
    moved: dict[str, jax.Array]
    """The step's norm over the weights' own."""
    units: dict[str, Units]
    """For each layer with an activation, what this receives and gives."""
    outputs: dict[str, jax.Array]
    """What layers without an activation put out."""


@partial(jax.jit, static_argnums=0)
def _measure(program: Program, recipe: Recipe, state: State, x: jax.Array, targets: jax.Array) -> Seen:
    gradients, loss, rest = step.gradient(program, recipe, state, x, program.task.encode(targets))
    after = step.descend(recipe, state, gradients, rest)
    weights, new, gradient = (_weights(tree) for tree in (state.params, after.params, gradients))
    moved = {
        layer: _ratio(new[layer]["kernel"] - weights[layer]["kernel"], weights[layer]["kernel"])
        for layer in weights
    }
    chain = as_chain(nnx.merge(program.graphdef, state.params, state.rest, copy=True))
    outputs = chain.outputs(x, training=True)
    units = {
        layer: _units(chain.parts[f"{layer}/activation"], received(chain, outputs, layer))
        for layer in layers_of(chain)
        if f"{layer}/activation" in outputs
    }
    last = outputs[chain.order[-1]]
    scores = program.task.score(program.task.predict(last), targets, jnp.ones(len(x), jnp.float32))
    plain = {layer: outputs[layer] for layer in layers_of(chain) if layer not in units}
    return Seen(loss, scores.loss, gradient, moved, units, plain)


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


def _stats(seen: Seen, layers: Sequence[str], data: Dataset) -> LayerStats:
    table = {}
    for layer in layers:
        units, gradient = seen.units.get(layer), seen.gradient[layer]
        received, given = (seen.outputs[layer], seen.outputs[layer]) if units is None else units[:2]
        low, middle, high = np.percentile(received, (15, 50, 85))
        table[layer] = {
            "gradient": np.linalg.norm(gradient["kernel"]),
            "bias_gradient": np.linalg.norm(gradient["bias"]) if "bias" in gradient else np.nan,
            "update": seen.moved[layer],
            "p15": low,
            "p50": middle,
            "p85": high,
            "mean": given.mean(),
            "deviation": given.std(),
            **_through(units),
        }
    frame = pd.DataFrame.from_dict(table, orient="index").astype(np.float64)
    frame.index.name = "layer"
    gradients = {layer: np.asarray(seen.gradient[layer]["kernel"]) for layer in layers}
    return LayerStats(float(seen.loss), float(seen.log_loss), guess(data), frame, gradients)


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

    The entropy of the training split's classes, or of its lengths and digits (nats), or half the variance of
    its values.

    >>> from trainwright.data import load
    >>> round(guess(load("digits")), 2), round(float(np.log(10)), 2)
    (2.3, 2.3)
    """
    targets = data.standardized_targets(data.splits.train)
    if data.task == "regression":
        return float(np.var(targets) / 2)
    if data.task == "sequence":
        return float(-np.mean(sequences.log_probability(sequences.guess(targets), targets)))
    shares = np.bincount(targets) / len(targets)
    return float(-np.sum(shares * np.log(np.where(shares > 0, shares, 1))))


def _weights(params: Any) -> dict[str, dict[str, jax.Array]]:
    """The arrays "kernel" and "bias" of each layer that has weights, by its name.

    A layer's kernel is its array of two dimensions or more, whatever its own name (a radial basis layer's
    are centres); what strategies added behind the layer's name is left out.
    """
    weights: dict[str, dict[str, jax.Array]] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        layer, _, own = array_name(path).partition("/")
        if "/" not in own:
            weights.setdefault(layer, {})["kernel" if leaf.ndim >= 2 else "bias"] = leaf
    return weights
