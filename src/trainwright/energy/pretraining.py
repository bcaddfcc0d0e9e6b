"""Pretrainings: the machines of a stack one after the other, and a deep Boltzmann machine as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field

from trainwright.base.config import Config, config
from trainwright.energy import dbm, learning, machine, rbm
from trainwright.energy.learning import State, StepNumbers
from trainwright.energy.machine import Machine
from trainwright.energy.rbm import Doubling
from trainwright.pretraining import Arrays, Pretraining

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
Cost = Annotated[float, Field(ge=0)]


@config
class Divergence(Config):
    """The settings of contrastive divergence; the defaults are those of Hinton & Salakhutdinov 2006, but for
    the epochs (50 there)."""

    epochs: Annotated[int, Field(ge=1)] = 10
    """Passes over the training split, for each restricted Boltzmann machine."""
    batch_size: Annotated[int, Field(ge=1)] = 100
    """Examples per step of the pretraining."""
    learning_rate: Positive = 0.1
    """ε of the pretraining, of weights and biases alike; the recipe's own rate is for fine-tuning."""
    sweeps: Annotated[int, Field(ge=1)] = 1
    """k of CD-k: sweeps of Gibbs sampling that start at the data."""
    initial_momentum: Share = 0.5
    """How much of the velocity a step keeps in the first epochs."""
    final_momentum: Share = 0.9
    """How much of the velocity a step keeps after them."""
    momentum_epochs: Annotated[int, Field(ge=0)] = 5
    """How many epochs the initial momentum lasts."""
    weight_cost: Cost = 0.0002
    """λ of the penalty λ/2 Σ W²."""
    std: Positive = 0.1
    """The standard deviation of a machine's first weights; its biases start at 0."""
    sparsity_target: Share = 0.1
    """How often a hidden unit should be on; without effect unless the cost is positive."""
    sparsity_cost: Cost = 0.0
    """How strongly hidden units are pulled to the target; 0 switches it off."""
    inputs: Literal["real", "binary"] = "real"
    """real: inputs stay the probabilities that they are. binary: each step draws them anew, 0 or 1."""


@config
class ContrastiveDivergence(Divergence, Pretraining):
    """One machine of a stack, trained on the features of those below it."""

    sizes: tuple[int, ...] = ()
    """Visible and hidden units."""
    below: int = 0
    """How many machines stand below it."""
    up: float = 1.0
    """The factor on the hidden units' input; see `trainwright.energy.rbm.Doubling`."""
    down: float = 1.0
    """The factor on the visible units' input."""
    up_below: float = 1.0
    """The factor on the hidden units' input in the machines below."""
    sweep_epochs: int = 0
    """After every so many epochs a sweep is added, and the learning rate divided by the number of them; 0:
    never."""

    def begin(self, arrays: Arrays, rng: np.random.Generator) -> tuple[State, tuple[Machine, ...]]:
        first = machine.initial(self.sizes, self.std, rng)
        return learning.begin(first, numbers_of(self, 0.0, 0.0)), stack_of(arrays, self.below)

    def step(
        self, state: Any, x: jax.Array, key: jax.Array, step: jax.Array, epoch: jax.Array
    ) -> tuple[Any, jax.Array]:
        learned, lower = state
        sweeps = self.sweeps + (epoch // self.sweep_epochs if self.sweep_epochs else jnp.int32(0))
        rate = self.learning_rate * self.sweeps / sweeps.astype(jnp.float32)
        momentum = jnp.where(epoch < self.momentum_epochs, self.initial_momentum, self.final_momentum)
        learned, error = learning.contrastive_step(
            learned,
            upwards(lower, x, self.up_below),
            key,
            numbers_of(self, rate, momentum),
            sweeps,
            Doubling(self.up, self.down),
            stochastic=self.inputs == "binary",
        )
        return (learned, lower), error

    def gap(self, state: Any, train: jax.Array, validation: jax.Array) -> jax.Array:
        learned, lower = state
        doubling = Doubling(self.up, self.down)
        fits, fits_new = (
            rbm.free_energy(learned.machine, upwards(lower, x, self.up_below), doubling)
            for x in (train, validation)
        )
        return fits_new.mean() - fits.mean()

    def result(self, state: Any) -> dict[str, jax.Array]:
        return named(state[0].machine, self.part)


@config
class JointTraining(Pretraining):
    """All layers of a deep Boltzmann machine together, composed from the machines of a stack: the data's side
    by mean field, the model's by persistent chains."""

    layers: int
    """How many machines the stack has."""
    learning_rate: float
    """ε at the first step, of weights and biases alike."""
    rate_fall: float
    """ε is divided by 1 plus this at every step."""
    rate_floor: float
    """What ε never falls below."""
    initial_momentum: float
    """How much of the velocity a step keeps in the first epochs."""
    final_momentum: float
    """How much of the velocity a step keeps after them."""
    momentum_epochs: int
    """How many epochs the initial momentum lasts."""
    weight_cost: float
    """λ of the penalty λ/2 Σ W²."""
    sparsity_target: float
    """How often a hidden unit should be on."""
    sparsity_cost: float
    """How strongly hidden units are pulled to the target; 0 switches it off."""
    chains: int
    """How many persistent Markov chains there are."""
    sweeps: int
    """Sweeps of Gibbs sampling that the chains make at each step."""
    updates: int
    """Mean-field updates at each step, at most."""
    inputs: Literal["real", "binary"]
    """real: inputs stay the probabilities that they are. binary: each step draws them anew, 0 or 1."""

    def begin(self, arrays: Arrays, rng: np.random.Generator) -> State:
        composed = dbm.compose(stack_of(arrays, self.layers))
        key = jax.random.key(int(rng.integers(2**31)), impl="threefry2x32")
        chains = machine.chains(composed, self.chains, key)
        return learning.begin(composed, numbers_of(self, 0.0, 0.0), chains)

    def step(
        self, state: State, x: jax.Array, key: jax.Array, step: jax.Array, epoch: jax.Array
    ) -> tuple[State, jax.Array]:
        steps = step.astype(jnp.float32)
        rate = learning.decay(steps, self.learning_rate, self.rate_fall, self.rate_floor)
        momentum = jnp.where(epoch < self.momentum_epochs, self.initial_momentum, self.final_momentum)
        numbers = numbers_of(self, rate, momentum)
        binary = self.inputs == "binary"
        return learning.persistent_step(state, x, key, numbers, self.sweeps, self.updates, stochastic=binary)

    def gap(self, state: State, train: jax.Array, validation: jax.Array) -> jax.Array:
        return dbm.free_energy_gap(state.machine, train, validation)

    def result(self, state: State) -> dict[str, jax.Array]:
        return named(state.machine, self.part)


def numbers_of(training: ContrastiveDivergence | JointTraining, rate: Any, momentum: Any) -> StepNumbers:
    """What a step of gradient learning takes, at this rate and momentum."""
    return StepNumbers(
        rate,
        momentum,
        training.weight_cost,
        sparsity_target=training.sparsity_target,
        sparsity_cost=training.sparsity_cost,
    )


def named(trained: Machine, part: str) -> dict[str, jax.Array]:
    """A machine's arrays by name: `rbm1/weights1`, `rbm1/bias0` (of the visible units), `rbm1/bias1`."""
    weights = {f"{part}/weights{n}": array for n, array in enumerate(trained.weights, start=1)}
    return weights | {f"{part}/bias{n}": array for n, array in enumerate(trained.biases)}


def machine_of(arrays: Arrays, part: str) -> Machine:
    """The machine whose arrays `named` gave."""
    depth = sum(name.startswith(f"{part}/weights") for name in arrays)
    weights = tuple(jnp.asarray(arrays[f"{part}/weights{n}"]) for n in range(1, depth + 1))
    return Machine(weights, tuple(jnp.asarray(arrays[f"{part}/bias{n}"]) for n in range(depth + 1)))


def stack_of(arrays: Arrays, count: int | None = None) -> tuple[Machine, ...]:
    """The first `count` restricted Boltzmann machines of a stack, or all of them."""
    if count is None:
        count = sum(name.startswith("rbm") and name.endswith("/weights1") for name in arrays)
    return tuple(machine_of(arrays, f"rbm{number}") for number in range(1, count + 1))


@jax.jit
def upwards(stack: Sequence[Machine], x: jax.Array, up: jax.Array | float = 1.0) -> jax.Array:
    """The probabilities of the last machine's hidden units (examples, units), from the inputs up through the
    stack; `up` is the factor on the hidden units' input."""
    for trained in stack:
        x = rbm.mean_hiddens(trained, x, Doubling(up=up))
    return x


@partial(jax.jit, static_argnums=1)
def downwards(stack: Sequence[Machine], count: int, key: jax.Array, sweeps: jax.Array | int) -> jax.Array:
    """Inputs that a deep belief network makes up, (count, values), as probabilities: Gibbs sampling in the
    top machine from a random start, then one pass down."""
    *lower, top = stack
    layers = machine.gibbs(top, machine.chains(top, count, key), key, sweeps)
    x = machine.conditional(top, layers, 0)
    for number, trained in reversed(list(enumerate(lower))):
        x = rbm.mean_visibles(trained, machine.sample(key, x, "down", str(number)))
    return x
