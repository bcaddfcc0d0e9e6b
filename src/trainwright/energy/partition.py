"""Annealed importance sampling: an estimate of a Boltzmann machine's log Z, with its standard error.

Source: Neal 2001; Salakhutdinov & Murray 2008, "On the Quantitative Analysis of Deep Belief Networks"; for
the DBM, Salakhutdinov & Hinton 2009, section 3.2.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from trainwright.energy.machine import Layers, Machine, put, sample, weighted_input


class LogPartition(NamedTuple):
    """An estimate of log Z."""

    value: jax.Array
    """log Ẑ: the log of the mean importance weight, in nats. Ẑ is unbiased, so log Ẑ is low on average."""
    standard_error: jax.Array
    """Of log Ẑ, from the spread of the weights over chains. Above about 0.5 it is unreliable: a few chains
    carry most of the weight, and more temperatures are needed."""


def log_partition(
    machine: Machine,
    base: Layers,
    temperatures: jax.Array,
    key: jax.Array,
    chains: int = 100,
) -> LogPartition:
    """Anneal independent chains from a machine without weights to this one.

    `base` are the biases where the chains start, (units,) for each layer: zeros, or `base_rate`. At inverse
    temperature β, from `temperatures` (0 to 1), the biases are (1 - β) base + β b and the weights β W. The
    chains are states of the odd layers; the even ones, the visible units among them, are summed out.

    >>> rbm = Machine((jnp.array([[1.0]]),), (jnp.array([0.0]), jnp.array([0.0])))
    >>> zeros = (jnp.zeros(1), jnp.zeros(1))
    >>> estimate = log_partition(rbm, zeros, jnp.linspace(0, 1, 101), jax.random.key(0), chains=1000)
    >>> bool(abs(estimate.value - np.log(3 + np.e)) < 4 * estimate.standard_error)
    True
    """
    layers = tuple(
        sample(key, jnp.broadcast_to(jax.nn.sigmoid(bias), (chains, bias.size)), "start", str(layer))
        for layer, bias in enumerate(base)
    )
    even, odd = range(0, len(layers), 2), range(1, len(layers), 2)
    rise = tuple(bias - start for bias, start in zip(machine.biases, base, strict=True))

    def total(layer: int, weighted: jax.Array, beta: jax.Array) -> jax.Array:
        return beta * (weighted + rise[layer]) + base[layer]

    def anneal(
        carry: tuple[Layers, jax.Array], stage: tuple[jax.Array, jax.Array, jax.Array]
    ) -> tuple[tuple[Layers, jax.Array], None]:
        (layers, log_weight), (number, earlier, later) = carry, stage
        step = jax.random.fold_in(key, number)
        for layer in odd:
            log_weight += (later - earlier) * (layers[layer] @ rise[layer])
        for layer in even:
            weighted = weighted_input(machine, layers, layer)
            before, after = (total(layer, weighted, beta) for beta in (earlier, later))
            # A sum of differences, not a difference of sums: its rounding stays small over many stages.
            log_weight += (jax.nn.softplus(after) - jax.nn.softplus(before)).sum(axis=-1)
            layers = put(layers, layer, sample(step, jax.nn.sigmoid(after), "layer", str(layer)))
        for layer in odd:
            on = jax.nn.sigmoid(total(layer, weighted_input(machine, layers, layer), later))
            layers = put(layers, layer, sample(step, on, "layer", str(layer)))
        return (layers, log_weight), None

    stages = jnp.arange(len(temperatures) - 1), temperatures[:-1], temperatures[1:]
    (_, log_weights), _ = jax.lax.scan(anneal, (layers, jnp.zeros(chains, base[0].dtype)), stages)
    log_base = sum(jax.nn.softplus(bias).sum() for bias in base)
    highest = log_weights.max()
    weights = jnp.exp(log_weights - highest)
    error = weights.std(ddof=1) / weights.mean() / np.sqrt(chains)
    return LogPartition(log_base + highest + jnp.log(weights.mean()), error)


def base_rate(machine: Machine, visibles: jax.Array) -> Layers:
    """Biases to start from that give the visible units their frequencies in the data, hidden units a half.

    An all-on and an all-off example are added to the data, so that no frequency is 0 or 1.
    """
    on = (visibles.sum(axis=0) + 1) / (len(visibles) + 2)
    return (jnp.log(on) - jnp.log1p(-on), *map(jnp.zeros_like, machine.biases[1:]))


def temperatures(steps: int) -> NDArray[np.float32]:
    """Inverse temperatures from 0 to 1 in `steps` steps, spaced as in Salakhutdinov & Murray: dense near 1.

    Of 14,500 steps, 500 lead up to 0.5, 4,000 on to 0.9 and 10,000 to 1.

    >>> print(temperatures(29)[[0, 1, 9, 29]])
    [0.  0.5 0.9 1. ]
    """
    share = np.linspace(0, 1, steps + 1)
    return np.interp(share, [0, 500 / 14500, 4500 / 14500, 1], [0, 0.5, 0.9, 1]).astype(np.float32)
