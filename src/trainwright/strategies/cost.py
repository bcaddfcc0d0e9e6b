"""Cost: what the training minimises.

Source: Goodfellow, Bengio & Courville 2016, sections 6.2.1 and 6.2.2: the negative log-likelihood of a
softmax output (cross-entropy) or of a Gaussian one (squared error); Nielsen 2015, chapter 3, for the
quadratic cost of a classifier.
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
    """Cross-entropy, or the quadratic cost.

    >>> Cost("quadratic")
    Cost(function='quadratic')
    """

    function: Literal["cross_entropy", "quadratic"] = "cross_entropy"
    """cross_entropy: -sum y log softmax(z), for classes. quadratic: half the squared distance of the targets
    to softmax(z) for classes, and to z itself in regression."""

    example: ClassVar = {"function": "quadratic"}

    def loss(self, outputs: jax.Array, y: jax.Array) -> jax.Array:
        if self.function == "cross_entropy":
            if outputs.shape[-1] == 1:
                raise NothingToActOn("cost('cross_entropy')", "a regression has no classes; use 'quadratic'")
            loss: jax.Array = optax.losses.softmax_cross_entropy(outputs, y)
            return loss
        predicted = jax.nn.softmax(outputs) if outputs.shape[-1] > 1 else outputs
        return jnp.sum(optax.losses.squared_error(predicted, y), axis=-1) / 2
