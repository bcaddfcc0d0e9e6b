"""Boltzmann machines small enough to be counted out, and the sums over all their states."""

from __future__ import annotations

from itertools import pairwise, product

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from trainwright.energy.machine import Layers, Machine

Array = NDArray[np.float64]
KEY = jax.random.key(5)
SIZES = [(6, 4), (5, 4, 3), (4, 3, 3, 2)]
MANY = 40_000
FIVE_DEVIATIONS = 5 * 0.5 / np.sqrt(MANY)  # of a mean of MANY values in [0, 1]


def made(sizes: tuple[int, ...], scale: float = 1.0, seed: int = 0) -> Machine:
    """A machine with weights and biases of some size, all different."""
    rng = np.random.default_rng(seed)
    shapes = pairwise(sizes)
    return Machine(
        tuple(jnp.asarray(rng.normal(0, scale, shape), jnp.float32) for shape in shapes),
        tuple(jnp.asarray(rng.normal(0, scale / 2, size), jnp.float32) for size in sizes),
    )


def doubles(arrays: Layers) -> list[Array]:
    return [np.asarray(array, np.float64) for array in arrays]


class Counted:
    """All joint states of a machine with their probabilities, in double precision."""

    def __init__(self, made: Machine):
        weights, biases = doubles(made.weights), doubles(made.biases)
        sizes = [bias.size for bias in biases]
        states = np.array(list(product([0.0, 1.0], repeat=sum(sizes))))
        self.layers = np.split(states, np.cumsum(sizes)[:-1], axis=1)
        goodness = sum(layer @ bias for layer, bias in zip(self.layers, biases, strict=True))
        for low, weight, high in zip(self.layers[:-1], weights, self.layers[1:], strict=True):
            goodness = goodness + np.einsum("ni,ij,nj->n", low, weight, high)
        self.energy = -np.asarray(goodness)
        self.log_z = float(np.log(np.exp(goodness).sum()))
        self.p = np.exp(goodness - self.log_z)

    def given(self, visible: Array) -> Array:
        """The probabilities of all joint states given the visible units."""
        p = self.p * (self.layers[0] == visible).all(axis=1)
        return np.asarray(p / p.sum())

    def products(self, p: Array) -> list[Array]:
        """The mean product of each pair of neighbouring layers."""
        pairs = zip(self.layers[:-1], self.layers[1:], strict=True)
        return [np.einsum("n,ni,nj->ij", p, low, high) for low, high in pairs]

    def means(self, p: Array) -> list[Array]:
        return [p @ layer for layer in self.layers]

    def log_p(self, visible: Array) -> float:
        return float(np.log(self.p[(self.layers[0] == visible).all(axis=1)].sum()))

    def drawn(self, count: int) -> Layers:
        """Exact samples."""
        rows = np.random.default_rng(1).choice(len(self.p), count, p=self.p)
        return tuple(jnp.asarray(layer[rows], jnp.float32) for layer in self.layers)


def visible_states(units: int) -> Array:
    return np.array(list(product([0.0, 1.0], repeat=units)))


def sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))
