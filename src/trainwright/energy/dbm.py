"""The deep Boltzmann machine: mean field and its bound, composition from RBMs, the network to fine-tune.

Source: Salakhutdinov & Hinton 2009, "Deep Boltzmann Machines", section 3, and the programs published with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import entr

from trainwright.base.errors import SettingError
from trainwright.energy.machine import Layers, Machine, conditional, energy, put
from trainwright.energy.rbm import Doubling


def mean_field(
    machine: Machine,
    visibles: jax.Array,
    updates: jax.Array | int = 30,
    tolerance: jax.Array | float = 1e-7,
) -> Layers:
    """Fit a factorial q(h | v) to the posterior; returns all layers, the hidden ones as probabilities.

    Starts from a bottom-up pass with doubled weights. Each update sets the odd hidden layers to their optimum
    given the others, then the even ones, so the `bound` never falls. It stops after `updates`, or once the
    mean change of every layer is below `tolerance`. With one hidden layer the result is exact.
    """
    evidence = visibles @ machine.weights[0]
    posterior = Machine(machine.weights[1:], (machine.biases[1] + evidence, *machine.biases[2:]))
    order = (*range(0, len(posterior.biases), 2), *range(1, len(posterior.biases), 2))

    def going_on(carry: tuple[jax.Array, Layers, jax.Array]) -> jax.Array:
        number, _, change = carry
        return (number < updates) & (change >= tolerance)

    def update(carry: tuple[jax.Array, Layers, jax.Array]) -> tuple[jax.Array, Layers, jax.Array]:
        number, before, _ = carry
        hiddens = before
        for layer in order:
            hiddens = put(hiddens, layer, conditional(posterior, hiddens, layer))
        changes = [jnp.abs(new - old).mean() for new, old in zip(hiddens, before, strict=True)]
        return number + 1, hiddens, jnp.stack(changes).max()

    start = (jnp.int32(0), _upwards(machine, evidence), jnp.full((), jnp.inf, visibles.dtype))
    return (visibles, *jax.lax.while_loop(going_on, update, start)[1])


def bound(machine: Machine, layers: Layers) -> jax.Array:
    """E_q[-E] + H(q), a lower bound of log p(v) + log Z by q(h | v) as in `mean_field`; (examples,)."""
    entropy = sum((entr(mean) + entr(1 - mean)).sum(axis=-1) for mean in layers[1:])
    return jnp.asarray(entropy - energy(machine, layers))


def free_energy(machine: Machine, visibles: jax.Array) -> jax.Array:
    """The variational free energy -`bound` at the mean field, (examples,): exact for one hidden layer."""
    return -bound(machine, mean_field(machine, visibles))


def free_energy_gap(machine: Machine, train: jax.Array, validation: jax.Array) -> jax.Array:
    """Mean free energy of validation examples minus that of training examples, in nats.

    log Z cancels. The gap stays near zero while the machine fits both alike and grows as it overfits
    (Hinton 2010, "A Practical Guide to Training Restricted Boltzmann Machines", section 6).

    >>> rbm = Machine((jnp.zeros((2, 3)),), (jnp.array([1.0, 0.0]), jnp.zeros(3)))
    >>> gap = free_energy_gap(rbm, jnp.array([[1.0, 0.0]]), jnp.array([[0.0, 0.0], [1.0, 0.0]]))
    >>> round(float(gap), 4)
    0.5
    """
    return free_energy(machine, validation).mean() - free_energy(machine, train).mean()


def doublings(count: int) -> tuple[Doubling, ...]:
    """The doubling of each RBM in a stack of `count` that is to become a DBM.

    >>> [tuple(doubling) for doubling in doublings(3)]
    [(2.0, 1.0), (2.0, 2.0), (1.0, 2.0)]
    """
    return tuple(
        Doubling(up=2.0 if number < count - 1 else 1.0, down=2.0 if number > 0 else 1.0)
        for number in range(count)
    )


def compose(rbms: Sequence[Machine]) -> Machine:
    """Compose RBMs, each trained under its doubling, into one DBM.

    A layer between two RBMs gets the lower RBM's hidden bias plus the upper RBM's visible bias. A middle RBM
    was trained with both inputs doubled, so its weights need no halving.

    Raises `SettingError` if an RBM's hidden units are not as many as the next one's visible units.
    """
    for number, (lower, upper) in enumerate(pairwise(rbms), start=1):
        hiddens, visibles = lower.biases[1].size, upper.biases[0].size
        if hiddens != visibles:
            raise SettingError(
                f"RBM {number} has {hiddens} hidden units and RBM {number + 1} has {visibles} visible units: "
                "give RBMs of which each begins where the one below it ends"
            )
    between = (lower.biases[1] + upper.biases[0] for lower, upper in pairwise(rbms))
    biases = (rbms[0].biases[0], *between, rbms[-1].biases[1])
    return Machine(tuple(rbm.weights[0] for rbm in rbms), biases)


class Unrolled(NamedTuple):
    """One layer of the feed-forward network that fine-tuning starts from; its weights are no longer tied."""

    below: jax.Array
    """From the layer below, (units below, units)."""
    above: jax.Array | None
    """From the mean-field probabilities of the layer above, (units above, units); None for the top layer."""
    bias: jax.Array
    """(units,)."""


def unroll(machine: Machine) -> tuple[Unrolled, ...]:
    """The network that computes each hidden layer from the layer below and from the mean field above.

    Salakhutdinov & Hinton 2009, section 3.3 (discriminative fine-tuning).
    """
    above = (*(weight.T for weight in machine.weights[1:]), None)
    return tuple(map(Unrolled, machine.weights, above, machine.biases[1:]))


def feed_forward(network: tuple[Unrolled, ...], inputs: Layers) -> jax.Array:
    """The top layer's probabilities, (examples, units), from the visible units and q(h2), q(h3), ...

    `inputs` are what `mean_field` gave, without its first hidden layer: fixed while the network is trained.
    """
    activation, *fields = inputs
    for layer, field in zip(network, (*fields, None), strict=True):
        total = activation @ layer.below + layer.bias
        if field is not None and layer.above is not None:
            total += field @ layer.above
        activation = jax.nn.sigmoid(total)
    return activation


def _upwards(machine: Machine, weighted: jax.Array) -> Layers:
    """A bottom-up first guess of the hidden layers: the input from below is doubled, except at the top."""
    hiddens: Layers = ()
    for layer, bias in enumerate(machine.biases[1:]):
        if layer > 0:
            weighted = hiddens[-1] @ machine.weights[layer]
        top = layer == len(machine.weights) - 1
        hiddens = (*hiddens, jax.nn.sigmoid((1 if top else 2) * weighted + bias))
    return hiddens
