"""RBM: the first hidden layer starts as the features of a restricted Boltzmann machine.

Before the training proper the layer's weights and biases are learned from the inputs alone, by contrastive
divergence. All other weights start as they would without it.

Source: Hinton & Salakhutdinov 2006, "Reducing the Dimensionality of Data with Neural Networks", and the
programs published with it: the defaults here, but for their 50 epochs; Hinton 2010, "A Practical Guide to
Training Restricted Boltzmann Machines" (sparsity, and the gap in free energy that shows overfitting).

The layer needs logistic units, and the inputs have to lie in [0, 1]. Trainings that differ only in what comes
after share one pretraining. A cohort pretrains one network at a time.

Under dropout in the paper's convention (`dropout(scaling='test')`) pretrained weights are divided by p
(Srivastava et al. 2014, section 5.2): the network that predicts starts as the one that was pretrained. Under
the default convention that holds without any scaling.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from trainwright.base import keys
from trainwright.base.config import config
from trainwright.chain import Chain
from trainwright.energy.pretraining import ContrastiveDivergence, Divergence, downwards, stack_of, upwards
from trainwright.pretraining import Arrays, Pretraining
from trainwright.site import Kernel
from trainwright.strategy import NothingToActOn, Strategy


@config
class Rbm(Divergence, Strategy):
    """Pretrain the first hidden layer, of logistic units, as a restricted Boltzmann machine.

    >>> Rbm(epochs=50).learning_rate
    0.1
    """

    example: ClassVar = {"epochs": 5, "batch_size": 12, "sparsity_cost": 0.1}
    companions: ClassVar = 'activation(function="sigmoid")'

    def pretraining(self, model: nnx.Module) -> tuple[Pretraining, ...]:
        return self.machines(model)

    def machines(self, model: nnx.Module) -> tuple[ContrastiveDivergence, ...]:
        """The training of a restricted Boltzmann machine for each layer that is pretrained."""
        settings = {field.name: getattr(self, field.name) for field in dataclasses.fields(Divergence)}
        return tuple(
            ContrastiveDivergence(part=f"rbm{below + 1}", sizes=sizes, below=below, **settings)
            for below, sizes in enumerate(self.layers(model).values())
        )

    def pretrained(self, model: nnx.Module, arrays: Arrays) -> dict[str, Kernel]:
        weights: dict[str, Kernel] = {}
        for name, trained in zip(self.layers(model), stack_of(arrays), strict=True):
            weights[f"{name}/kernel"] = np.asarray(trained.weights[0])
            weights[f"{name}/bias"] = np.asarray(trained.biases[1])
        return weights

    def layers(self, model: nnx.Module) -> dict[str, tuple[int, int]]:
        """The inputs and units of each layer that is pretrained, by name."""
        return dict(list(logistic_layers(self, model).items())[:1])

    def transform(self, arrays: Arrays, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """The features of inputs (examples, *shape) in [0, 1]: the probabilities of the top hidden units,
        float32 (examples, units). `arrays` are what the pretraining left."""
        return np.asarray(upwards(stack_of(arrays), jnp.asarray(x.reshape(len(x), -1))))

    def samples(self, arrays: Arrays, count: int, sweeps: int = 1000, seed: int = 0) -> NDArray[np.float32]:
        """Inputs that the machine makes up by Gibbs sampling from a random start, as probabilities, float32
        (count, values)."""
        return np.asarray(downwards(stack_of(arrays), count, sampling_key(seed), sweeps))

    def filters(self, arrays: Arrays) -> NDArray[np.float32]:
        """Each first hidden unit's weights to the inputs, float32 (units, values)."""
        return np.asarray(stack_of(arrays, 1)[0].weights[0].T)


def logistic_layers(strategy: Strategy, model: nnx.Module) -> dict[str, tuple[int, int]]:
    """The inputs and units of each hidden layer, from the input on, by name.

    Raises `NothingToActOn` unless there are some, and all are fully connected layers of logistic units.
    """
    order = model.order if isinstance(model, Chain) else ()
    layers: dict[str, tuple[int, int]] = {}
    for name in (name.removesuffix("/activation") for name in order if name.endswith("/activation")):
        part = model.parts[name]  # type: ignore[attr-defined]
        if model.parts[f"{name}/activation"] is not jax.nn.sigmoid:  # type: ignore[attr-defined]
            raise NothingToActOn(str(strategy), f"{name} has no logistic units: add activation('sigmoid')")
        if not isinstance(part, nnx.Linear):
            raise NothingToActOn(str(strategy), f"{name} is not fully connected: take an mlp")
        layers[name] = part.in_features, part.out_features
    if not layers:
        reason = "the network has no hidden layer to pretrain: take one that has, such as mlp((500,))"
        raise NothingToActOn(str(strategy), reason)
    return layers


def sampling_key(seed: int) -> jax.Array:
    """The key for samples of this seed."""
    return jax.random.key(int(keys.generator(seed, "samples").integers(2**31)), impl="threefry2x32")
