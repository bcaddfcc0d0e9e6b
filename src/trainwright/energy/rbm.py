"""The restricted Boltzmann machine: free energy, conditionals, and contrastive divergence's reconstructions.

The visible units are probabilities or states, (examples, visible units), with values in [0, 1].

Source: Hinton 2002, "Training Products of Experts by Minimizing Contrastive Divergence"; Hinton &
Salakhutdinov 2006 and the programs published with it (hidden states sampled, reconstruction by
probabilities); Salakhutdinov & Hinton 2009, section 3.1 (doubled weights).
"""

from __future__ import annotations

from typing import NamedTuple

import jax

from trainwright.energy.machine import Layers, Machine, sample


class Doubling(NamedTuple):
    """Factors on a layer's total input while an RBM is trained to become part of a DBM.

    A hidden layer of a DBM gets input from both sides; its RBM sees one side only, so that input is doubled.
    The first RBM doubles upwards, the last downwards, those between both ways (Salakhutdinov & Hinton 2009,
    section 3.1).
    """

    up: jax.Array | float = 1.0
    """On the hidden units' input, bias included."""
    down: jax.Array | float = 1.0
    """On the visible units' input, bias included."""


ALONE = Doubling()


def free_energy(machine: Machine, visibles: jax.Array, doubling: Doubling = ALONE) -> jax.Array:
    """F(v) = -b·v - Σ_j log(1 + exp(c_j + (v W)_j)): the energy, hidden units summed out; (examples,).

    log p(v) = -F(v) - log Z. Under a doubling in one direction, v and hidden units of which one kind is there
    twice, with the same states in both copies of v.

    >>> import jax.numpy as jnp
    >>> rbm = Machine((jnp.zeros((2, 3)),), (jnp.zeros(2), jnp.zeros(3)))
    >>> free_energy(rbm, jnp.ones((1, 2)))  # eight states of equal energy: -3 log 2
    Array([-2.0794415], dtype=float32)
    """
    weighted = doubling.up * (visibles @ machine.weights[0] + machine.biases[1])
    of_hiddens = doubling.down * jax.nn.softplus(weighted).sum(axis=-1)
    return -doubling.up * doubling.down * (visibles @ machine.biases[0]) - of_hiddens


def mean_hiddens(machine: Machine, visibles: jax.Array, doubling: Doubling = ALONE) -> jax.Array:
    """P(h = 1 | v), (examples, hidden units)."""
    return jax.nn.sigmoid(doubling.up * (visibles @ machine.weights[0] + machine.biases[1]))


def mean_visibles(machine: Machine, hiddens: jax.Array, doubling: Doubling = ALONE) -> jax.Array:
    """P(v = 1 | h), (examples, visible units)."""
    return jax.nn.sigmoid(doubling.down * (hiddens @ machine.weights[0].T + machine.biases[0]))


def sample_hiddens(
    machine: Machine, visibles: jax.Array, key: jax.Array, doubling: Doubling = ALONE
) -> jax.Array:
    """States drawn from P(h | v), (examples, hidden units)."""
    return sample(key, mean_hiddens(machine, visibles, doubling), "hiddens")


def sample_visibles(
    machine: Machine, hiddens: jax.Array, key: jax.Array, doubling: Doubling = ALONE
) -> jax.Array:
    """States drawn from P(v | h), (examples, visible units)."""
    return sample(key, mean_visibles(machine, hiddens, doubling), "visibles")


def reconstruct(
    machine: Machine,
    data: Layers,
    key: jax.Array,
    sweeps: jax.Array | int = 1,
    doubling: Doubling = ALONE,
    stochastic: bool = False,
) -> Layers:
    """Contrastive divergence's negative phase: k = `sweeps` steps of Gibbs sampling that start at the data.

    `data` are visible units and `mean_hiddens` of them, and so is what comes back. Hidden units are
    sampled before they reconstruct; visible units are sampled if `stochastic`, else kept as probabilities.
    """

    def sweep(number: jax.Array, layers: Layers) -> Layers:
        step = jax.random.fold_in(key, number)
        hiddens = sample(step, layers[1], "hiddens")
        if stochastic:
            visibles = sample_visibles(machine, hiddens, step, doubling)
        else:
            visibles = mean_visibles(machine, hiddens, doubling)
        return visibles, mean_hiddens(machine, visibles, doubling)

    reconstruction: Layers = jax.lax.fori_loop(0, sweeps, sweep, data)
    return reconstruction
