"""Layered Boltzmann machines of binary units: energy, conditionals and block Gibbs sampling.

Each layer is connected to its neighbours only. One hidden layer makes a restricted Boltzmann machine (RBM),
several make a deep one (DBM). Every function is pure and can be traced under `jit`, `scan` and `vmap`.

Source: Smolensky 1986 and Hinton 2002 (RBM); Salakhutdinov & Hinton 2009, "Deep Boltzmann Machines",
section 3 (DBM).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from trainwright.base import keys

Layers = tuple[jax.Array, ...]
"""An array (examples, units) for each layer, visible units first: states, or probabilities of being on."""


class Machine(NamedTuple):
    """The parameters; also the shape of their gradient and velocity."""

    weights: tuple[jax.Array, ...]
    """Between each layer and the next, (units, units of the next)."""
    biases: tuple[jax.Array, ...]
    """Of each layer, (units,), visible units first."""


def initial(sizes: Sequence[int], std: float, rng: np.random.Generator) -> Machine:
    """A machine with layers of these sizes, weights drawn from N(0, std²) and biases of zero.

    >>> machine = initial((784, 500), 0.1, np.random.default_rng(0))
    >>> machine.weights[0].shape, [bias.shape for bias in machine.biases]
    ((784, 500), [(784,), (500,)])
    """
    shapes = pairwise(sizes)
    weights = (rng.normal(0, std, shape).astype(np.float32) for shape in shapes)
    return Machine(tuple(map(jnp.asarray, weights)), tuple(jnp.zeros(size, jnp.float32) for size in sizes))


def energy(machine: Machine, layers: Layers) -> jax.Array:
    """E = -Σ b·s - Σ s W s', summed over layers and over neighbours; (examples,).

    The energy is linear in each layer, so at the probabilities of independent units it is the mean energy.

    >>> rbm = Machine((jnp.array([[2.0]]),), (jnp.array([0.5]), jnp.array([-1.0])))
    >>> energy(rbm, (jnp.array([[1.0], [1.0]]), jnp.array([[0.0], [1.0]]))).tolist()
    [-0.5, -1.5]
    """
    of_biases = sum(layer @ bias for layer, bias in zip(layers, machine.biases, strict=True))
    of_weights = sum(
        ((lower @ weight) * upper).sum(axis=-1)
        for lower, weight, upper in zip(layers[:-1], machine.weights, layers[1:], strict=True)
    )
    return jnp.asarray(-of_biases - of_weights)


def weighted_input(machine: Machine, layers: Layers, layer: int) -> jax.Array:
    """A layer's total input less its bias, from the neighbours on both sides; (examples, units)."""
    below = layers[layer - 1] @ machine.weights[layer - 1] if layer > 0 else 0
    above = layers[layer + 1] @ machine.weights[layer].T if layer < len(machine.weights) else 0
    return jnp.asarray(below + above)


def conditional(machine: Machine, layers: Layers, layer: int) -> jax.Array:
    """The probability of each unit of a layer to be on, given the neighbouring layers; (examples, units)."""
    return jax.nn.sigmoid(weighted_input(machine, layers, layer) + machine.biases[layer])


def sample(key: jax.Array, probabilities: jax.Array, *names: str) -> jax.Array:
    """Independent binary states, on with these probabilities; `names` say what the key is used for.

    They are drawn with 16 bits a unit: a probability is rounded to a multiple of 1/65,536.
    """
    bits = keys.bits(key, probabilities.shape, *names).astype(probabilities.dtype)
    return (bits + 0.5 < probabilities * 65536).astype(probabilities.dtype)


def chains(machine: Machine, count: int, key: jax.Array) -> Layers:
    """Markov chains for `gibbs`: every unit starts on or off with equal probability."""
    halves = (jnp.full((count, bias.size), 0.5, bias.dtype) for bias in machine.biases)
    layers = tuple(sample(key, half, "chains", str(layer)) for layer, half in enumerate(halves))
    return _odd_layers(machine, layers)


def gibbs(machine: Machine, layers: Layers, key: jax.Array, sweeps: jax.Array | int) -> Layers:
    """The Markov chains after this many sweeps of block Gibbs sampling.

    Given the even layers (visible units, second hidden layer), the units of the odd layers are independent,
    and vice versa. Odd layers go in and come out as probabilities given the even ones, not as states: mean
    products of neighbouring layers then keep their expectation and lose variance.
    """

    def sweep(number: jax.Array, layers: Layers) -> Layers:
        step = jax.random.fold_in(key, number)
        for layer in range(1, len(layers), 2):
            layers = put(layers, layer, sample(step, layers[layer], "layer", str(layer)))
        for layer in range(0, len(layers), 2):
            probabilities = conditional(machine, layers, layer)
            layers = put(layers, layer, sample(step, probabilities, "layer", str(layer)))
        return _odd_layers(machine, layers)

    after: Layers = jax.lax.fori_loop(0, sweeps, sweep, layers)
    return after


def put(layers: Layers, layer: int, values: jax.Array) -> Layers:
    """The layers with one replaced."""
    return (*layers[:layer], values, *layers[layer + 1 :])


def _odd_layers(machine: Machine, layers: Layers) -> Layers:
    for layer in range(1, len(layers), 2):
        layers = put(layers, layer, conditional(machine, layers, layer))
    return layers
