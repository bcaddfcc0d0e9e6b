"""One learning step of a Boltzmann machine: by contrastive divergence, or with persistent chains.

The numbers are arguments, so one compiled program serves every rate, cost and target.

Source: Hinton & Salakhutdinov 2006 and Salakhutdinov & Hinton 2009, with the programs published with them
(update, momentum, weight cost, sparsity); Tieleman 2008 (persistent chains).

Deviation from the DBM's program: there the products of hidden layers are averaged over the chains with
probabilities on both sides, which is biased; here one side is sampled (`gibbs`).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from trainwright.energy.dbm import mean_field
from trainwright.energy.machine import Layers, Machine, conditional, gibbs, sample
from trainwright.energy.rbm import ALONE, Doubling, mean_hiddens, reconstruct

Scalar = jax.Array | float


class StepNumbers(NamedTuple):
    """The numbers of a step."""

    learning_rate: Scalar
    """ε, of weights and biases alike."""
    momentum: Scalar = 0.0
    """How much of the velocity is kept at a step; see `ramp`."""
    weight_cost: Scalar = 0.0
    """λ of the penalty λ/2 Σ W²; biases carry none."""
    sparsity_target: tuple[Scalar, ...] | Scalar = 0.1
    """The mean activity wanted, for each hidden layer or for all."""
    sparsity_cost: Scalar = 0.0
    """The strength of the pull towards the target; 0 switches it off."""
    sparsity_damping: Scalar = 0.9
    """How much of the running mean of a unit's activity is kept at a step."""


class State(NamedTuple):
    """What learning steps change."""

    machine: Machine
    """The parameters, float32."""
    velocity: Machine
    """What momentum keeps of past steps, for each parameter."""
    activity: Layers
    """Each hidden layer's running mean of probabilities, (units,)."""
    chains: Layers
    """The persistent Markov chains, as `gibbs` has them; empty under contrastive divergence."""


def begin(machine: Machine, numbers: StepNumbers, chains: Layers = ()) -> State:
    """The state before the first step: no velocity, and running means at their targets."""
    targets = _of_layers(numbers.sparsity_target, machine)
    activity = tuple(
        jnp.full_like(bias, target) for bias, target in zip(machine.biases[1:], targets, strict=True)
    )
    return State(machine, jax.tree.map(jnp.zeros_like, machine), activity, chains)


def contrastive_step(
    state: State,
    x: jax.Array,
    key: jax.Array,
    numbers: StepNumbers,
    sweeps: jax.Array | int = 1,
    doubling: Doubling = ALONE,
    stochastic: bool = False,
) -> tuple[State, jax.Array]:
    """One step of an RBM by CD-k, k = `sweeps`, on a batch (examples, visible units) in [0, 1].

    `stochastic` samples the inputs anew and the reconstructions too, as in a DBM's pretraining; otherwise
    both stay probabilities, as in Hinton & Salakhutdinov 2006. Returns the new state and the squared error of
    the reconstruction, summed over units, mean over examples.
    """
    if stochastic:
        x = sample(key, x, "inputs")
    positive = x, mean_hiddens(state.machine, x, doubling)
    negative = reconstruct(state.machine, positive, key, sweeps, doubling, stochastic)
    return _learn(state, positive, negative, numbers), _distance(x, negative[0])


def persistent_step(
    state: State,
    x: jax.Array,
    key: jax.Array,
    numbers: StepNumbers,
    sweeps: jax.Array | int = 5,
    updates: jax.Array | int = 30,
    tolerance: Scalar = 1e-7,
    stochastic: bool = False,
) -> tuple[State, jax.Array]:
    """One step of a machine of any depth: the data's side by mean field, the model's by persistent chains.

    A batch is (examples, visible units) in [0, 1]; `stochastic` samples it anew. `sweeps` move the chains,
    `updates` and `tolerance` end the mean field. For an RBM this is persistent contrastive divergence.
    Returns the new state and the squared error of the reconstruction from the first hidden layer's
    probabilities, summed over units, mean over examples.
    """
    if stochastic:
        x = sample(key, x, "inputs")
    positive = mean_field(state.machine, x, updates, tolerance)
    chains = gibbs(state.machine, state.chains, key, sweeps)
    error = _distance(x, conditional(state.machine, positive, 0))
    return _learn(state._replace(chains=chains), positive, chains, numbers), error


def gradient(positive: Layers, negative: Layers) -> Machine:
    """The log-likelihood's ascent direction: mean products under the data minus those under the model.

    The two sides may differ in their number of examples. One matrix product gives both means.
    """
    shared = tuple(
        jnp.concatenate([data / len(data), -model / len(model)])
        for data, model in zip(positive[:-1], negative[:-1], strict=True)
    )
    upper = (jnp.concatenate([data, model]) for data, model in zip(positive[1:], negative[1:], strict=True))
    biases = (data.mean(axis=0) - model.mean(axis=0) for data, model in zip(positive, negative, strict=True))
    return Machine(tuple(low.T @ high for low, high in zip(shared, upper, strict=True)), tuple(biases))


def ramp(
    step: jax.Array, start: jax.Array | int, end: jax.Array | int, initial: Scalar, final: Scalar
) -> jax.Array:
    """A number that goes linearly from `initial` at step `start` to `final` at step `end`; constant outside.

    >>> steps = jnp.arange(5)
    >>> print(ramp(steps, 1, 3, 0.5, 0.9))
    [0.5 0.5 0.7 0.9 0.9]
    >>> print(ramp(steps, 2, 2, 0.5, 0.9))
    [0.5 0.5 0.9 0.9 0.9]
    """
    done = jnp.clip((step - start) / jnp.maximum(end - start, 1), 0, 1)
    return jnp.where(step >= end, final, initial + (final - initial) * done)


def decay(step: jax.Array, initial: Scalar, fall: Scalar, floor: Scalar) -> jax.Array:
    """A rate that is divided by 1 + `fall` before each step, down to a floor.

    >>> print(jnp.log2(decay(jnp.arange(3), 2.0, 1.0, 0.25)).round(3))
    [ 0. -1. -2.]
    """
    return jnp.maximum(initial * jnp.exp(-(step + 1) * jnp.log1p(fall)), floor)


def _learn(state: State, positive: Layers, negative: Layers, numbers: StepNumbers) -> State:
    machine, rate, decayed = state.machine, numbers.learning_rate, numbers.weight_cost
    slope = gradient(positive, negative)
    means = tuple(layer.mean(axis=0) for layer in positive)
    activity = tuple(
        numbers.sparsity_damping * old + (1 - numbers.sparsity_damping) * new
        for old, new in zip(state.activity, means[1:], strict=True)
    )
    excess = _excess(machine, activity, numbers)
    push = Machine(
        tuple(
            change
            - decayed * weight
            - jnp.outer(means[layer], excess[layer + 1])
            - jnp.outer(excess[layer], means[layer + 1])
            for layer, (change, weight) in enumerate(zip(slope.weights, machine.weights, strict=True))
        ),
        tuple(change - over for change, over in zip(slope.biases, excess, strict=True)),
    )
    velocity = jax.tree.map(lambda v, p: numbers.momentum * v + rate * p, state.velocity, push)
    machine = jax.tree.map(jnp.add, machine, velocity)
    return State(machine, velocity, activity, state.chains)


def _excess(machine: Machine, activity: Layers, numbers: StepNumbers) -> Layers:
    """By how much each layer's activity is above its target, times the cost; visible units have no target."""
    targets = _of_layers(numbers.sparsity_target, machine)
    of_hiddens = (
        numbers.sparsity_cost * (mean - target) for mean, target in zip(activity, targets, strict=True)
    )
    return (jnp.zeros_like(machine.biases[0]), *of_hiddens)


def _of_layers(setting: tuple[Scalar, ...] | Scalar, machine: Machine) -> tuple[Scalar, ...]:
    return setting if isinstance(setting, tuple) else (setting,) * len(machine.weights)


def _distance(x: jax.Array, reconstruction: jax.Array) -> jax.Array:
    return jnp.square(x - reconstruction).sum(axis=-1).mean()
