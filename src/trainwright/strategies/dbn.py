"""DBN: all hidden layers start as a deep belief network, a stack of restricted Boltzmann machines.

Before the training proper each hidden layer's weights and biases are learned from the inputs alone, greedily:
the first machine learns the inputs, the next one the first one's features, and so on. The output layer starts
as it would without it.

Source: Hinton, Osindero & Teh 2006, "A Fast Learning Algorithm for Deep Belief Nets"; Hinton & Salakhutdinov
2006, "Reducing the Dimensionality of Data with Neural Networks", and the programs published with it: the
defaults here, but for their 50 epochs. Their network is 784-500-500-2000-10.

Fine-tuning is the recipe's own training, of all layers from the start; theirs was by conjugate gradients, the
first five epochs on the output weights alone. What `rbm` says of units, inputs, dropout and cohorts holds
here, too.
"""

from __future__ import annotations

from typing import ClassVar

from flax import nnx

from trainwright.base.config import config
from trainwright.strategies.rbm import Rbm, logistic_layers


@config
class Dbn(Rbm):
    """Pretrain every hidden layer, of logistic units, as a stack of restricted Boltzmann machines.

    >>> Dbn(epochs=50).inputs
    'real'
    """

    example: ClassVar = {"epochs": 3, "batch_size": 12, "learning_rate": 0.2}

    def layers(self, model: nnx.Module) -> dict[str, tuple[int, int]]:
        return logistic_layers(self, model)
