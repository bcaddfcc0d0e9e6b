"""DBM: the hidden layers start as a deep Boltzmann machine, trained on the inputs alone.

Before the training proper a stack of restricted Boltzmann machines is trained, each as part of a deep one:
where a layer has one neighbour for now and two later, its input is doubled. Then all layers are trained
together, the data's side by mean field, the model's by persistent Markov chains. The network's inputs are
extended by q(h2), the second hidden layer's mean-field probabilities, which fine-tuning leaves as they are.
They are computed once for the training's data, and for new data as it comes.

Source: Salakhutdinov & Hinton 2009, "Deep Boltzmann Machines", and the programs published with it: the
defaults here, but for their 100 and 200 epochs of the machines, their 300 of the joint training, and a
standard deviation of 0.01 in the second machine. Their network is 784-500-1000-10.

The published top machine also sees the labels; here all of the pretraining is unsupervised. One sparsity
target stands for their 0.2 and 0.1. Fine-tuning is the recipe's own training, of all layers; theirs was by
conjugate gradients. The network may have two hidden layers at most. With one, the machine is an RBM that
persistent contrastive divergence goes on training, and the inputs are not extended. Augmentations of images
don't go with extended inputs. What `rbm` says of units, inputs, dropout and cohorts holds here, too.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray
from pydantic import Field

from trainwright.base.config import config
from trainwright.base.errors import SettingError
from trainwright.chain import Extension
from trainwright.energy import dbm, machine
from trainwright.energy.machine import Layers, Machine
from trainwright.energy.pretraining import Cost, JointTraining, Positive, Share, machine_of, named
from trainwright.pretraining import Arrays, Pretraining
from trainwright.site import HyperParameter, Kernel
from trainwright.strategies.rbm import Rbm, logistic_layers, sampling_key

UPDATES = 50  # of the mean field that gives the network's added inputs


@config
class Dbm(Rbm):
    """Pretrain the hidden layers, one or two of logistic units, as a deep Boltzmann machine.

    >>> Dbm(joint_epochs=300).chains
    100
    """

    learning_rate: Positive = 0.05
    """ε while the stack is trained, of weights and biases alike."""
    weight_cost: Cost = 0.001
    """λ of the penalty λ/2 Σ W² while the stack is trained."""
    std: Positive = 0.001
    """The standard deviation of a machine's first weights; its biases start at 0."""
    sweep_epochs: Annotated[int, Field(ge=0)] = 20
    """Top machine: every so many epochs CD-k gets another sweep, and the rate is divided by k; 0: never."""
    inputs: Literal["real", "binary"] = "binary"
    """binary: each step draws the inputs anew, 0 or 1. real: they stay the probabilities that they are."""
    joint_epochs: Annotated[int, Field(ge=1)] = 10
    """Passes over the training split for all layers together."""
    joint_learning_rate: Positive = 0.001
    """ε of the joint training's start."""
    rate_fall: Cost = 1.5e-5
    """ε is divided by 1 plus this at every step of the joint training."""
    rate_floor: Positive = 1e-4
    """What ε never falls below."""
    joint_weight_cost: Cost = 0.0002
    """λ of the penalty λ/2 Σ W² in the joint training."""
    joint_sparsity_target: Share = 0.2
    """How often a hidden unit should be on in the joint training."""
    joint_sparsity_cost: Cost = 0.001
    """How strongly hidden units are pulled to that target; 0 switches it off."""
    chains: Annotated[int, Field(ge=1)] = 100
    """Persistent Markov chains."""
    joint_sweeps: Annotated[int, Field(ge=1)] = 5
    """Sweeps of Gibbs sampling that the chains make at each step."""
    updates: Annotated[int, Field(ge=1)] = 30
    """Mean-field updates at each step, at most."""

    example: ClassVar = {"epochs": 3, "batch_size": 12, "joint_epochs": 2, "chains": 8, "std": 0.1}

    def pretraining(self, model: nnx.Module) -> tuple[Pretraining, ...]:
        *lower, top = self.machines(model)
        stack = [*lower, dataclasses.replace(top, sweep_epochs=self.sweep_epochs)]
        doubled = (
            dataclasses.replace(pretraining, up=float(doubling.up), down=float(doubling.down), up_below=2.0)
            for pretraining, doubling in zip(stack, dbm.doublings(len(stack)), strict=True)
        )
        joint = JointTraining(
            part="dbm",
            epochs=self.joint_epochs,
            batch_size=self.batch_size,
            layers=len(stack),
            learning_rate=self.joint_learning_rate,
            rate_fall=self.rate_fall,
            rate_floor=self.rate_floor,
            initial_momentum=self.initial_momentum,
            final_momentum=self.final_momentum,
            momentum_epochs=self.momentum_epochs,
            weight_cost=self.joint_weight_cost,
            sparsity_target=self.joint_sparsity_target,
            sparsity_cost=self.joint_sparsity_cost,
            chains=self.chains,
            sweeps=self.joint_sweeps,
            updates=self.updates,
            inputs=self.inputs,
        )
        return (*doubled, joint)

    def pretrained(self, model: nnx.Module, arrays: Arrays) -> dict[str, Kernel]:
        trained = machine_of(arrays, "dbm")
        weights: dict[str, Kernel] = {}
        for name, layer in zip(self.layers(model), dbm.unroll(trained), strict=True):
            kernel = layer.below if layer.above is None else jnp.concatenate([layer.below, layer.above])
            weights[f"{name}/kernel"] = np.asarray(kernel)
            weights[f"{name}/bias"] = np.asarray(layer.bias)
        if len(trained.weights) > 1:
            weights |= {f"input/{n}": np.asarray(array) for n, array in named(trained, "dbm").items()}
        return weights

    def extension(self, width: int, hidden: tuple[int, ...]) -> MeanField | None:
        if len(hidden) > 2:
            raise SettingError(
                f"dbm: the network has {len(hidden)} hidden layers: give it two at most, or pretrain with dbn"
            )
        return MeanField(width, *hidden) if len(hidden) == 2 else None

    def layers(self, model: nnx.Module) -> dict[str, tuple[int, int]]:
        layers = logistic_layers(self, model)
        (first, (inputs, units)), *upper = layers.items()
        added = sum(above for _, (_, above) in upper)
        return {first: (inputs - added, units), **dict(upper)}

    def transform(self, arrays: Arrays, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """The features of inputs (examples, *shape) in [0, 1]: the mean-field probabilities of all hidden
        layers side by side, float32 (examples, units). `arrays` are what the pretraining left."""
        visibles = jnp.asarray(x.reshape(len(x), -1))
        return np.asarray(jnp.concatenate(_mean_field(machine_of(arrays, "dbm"), visibles)[1:], axis=1))

    def samples(self, arrays: Arrays, count: int, sweeps: int = 1000, seed: int = 0) -> NDArray[np.float32]:
        trained, key = machine_of(arrays, "dbm"), sampling_key(seed)
        layers = machine.gibbs(trained, machine.chains(trained, count, key), key, sweeps)
        return np.asarray(machine.conditional(trained, layers, 0))

    def filters(self, arrays: Arrays) -> NDArray[np.float32]:
        return np.asarray(arrays["dbm/weights1"].T)


class MeanField(Extension):
    """Adds q(h2) to the inputs: the second hidden layer's mean-field probabilities."""

    def __init__(self, width: int, units: int, added: int):
        self.width, self.added = width, added
        blank = machine.initial((width, units, added), 0.0, np.random.default_rng(0))
        for name, array in named(blank, "dbm").items():
            setattr(self, name.removeprefix("dbm/"), HyperParameter(array))

    def values(self, x: jax.Array) -> jax.Array:
        q: jax.Array = _mean_field(self._machine(), x)[2]
        return q

    def _machine(self) -> Machine:
        weights = tuple(getattr(self, f"weights{n}")[...] for n in (1, 2))
        return Machine(weights, tuple(getattr(self, f"bias{n}")[...] for n in (0, 1, 2)))


@jax.jit
def _mean_field(trained: Machine, visibles: jax.Array) -> Layers:
    return dbm.mean_field(trained, visibles, UPDATES)
