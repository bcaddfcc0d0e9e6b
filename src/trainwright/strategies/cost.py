"""Cost: what the training minimises.

Source: Goodfellow, Bengio & Courville 2016, sections 6.2.1 and 6.2.2: the negative log-likelihood of a
softmax output (cross-entropy), of independent sigmoid outputs or of a Gaussian one (squared error); Nielsen
2015, chapter 3, for the quadratic cost of a classifier and for cross-entropy over sigmoid outputs.

The cost changes what is minimised, not how predictions are scored: probabilities and log-loss are always
those of the softmax. The predicted class is the same, since softmax and sigmoid both rank classes by z.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import jax
import jax.numpy as jnp
import optax

from trainwright.base.config import config
from trainwright.strategy import NothingToActOn, Strategy


@config
class Cost(Strategy):
    """Cross-entropy of softmax or of sigmoid outputs, or the quadratic cost.

    >>> Cost("quadratic")
    Cost(function='quadratic')
    """

    function: Literal["cross_entropy", "sigmoid_cross_entropy", "quadratic"] = "cross_entropy"
    """cross_entropy: -sum y log softmax(z), for classes. sigmoid_cross_entropy: -sum [y log h + (1 - y)
    log(1 - h)] with h = sigmoid(z), for classes, each of which is a yes or no of its own. quadratic: half the
    squared distance of the targets to softmax(z) for classes, and to z itself in regression."""

    example: ClassVar = {"function": "quadratic"}

    def loss(self, outputs: jax.Array, y: jax.Array) -> jax.Array:
        classes = outputs.shape[-1] > 1
        if self.function == "quadratic":
            predicted = jax.nn.softmax(outputs) if classes else outputs
            return jnp.sum(optax.losses.squared_error(predicted, y), axis=-1) / 2
        if not classes:
            raise NothingToActOn(f"cost('{self.function}')", "a regression has no classes; use 'quadratic'")
        if self.function == "sigmoid_cross_entropy":
            return jnp.sum(optax.losses.sigmoid_binary_cross_entropy(outputs, y), axis=-1)
        loss: jax.Array = optax.losses.softmax_cross_entropy(outputs, y)
        return loss
