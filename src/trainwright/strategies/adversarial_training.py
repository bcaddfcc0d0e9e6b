"""Adversarial training: the loss counts examples changed against the network, too.

Source: Goodfellow, Shlens & Szegedy 2015 (arXiv 1412.6572), section 6: alpha J(theta, x, y) + (1 - alpha)
J(theta, x + epsilon sign(grad_x J(theta, x, y)), y), by the fast gradient sign method of section 4.

Both passes have the same dropout masks and the same noise, so that the step on the inputs follows the loss
that it is to raise. Changed inputs are not clipped to the range of the data.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import jax
import jax.numpy as jnp
from pydantic import Field

from trainwright.base.config import config
from trainwright.objective import Batch
from trainwright.strategy import Strategy


@config
class AdversarialTraining(Strategy):
    """Train on each example and on its adversarial version, made afresh at every step.

    >>> AdversarialTraining(epsilon=0.1)
    AdversarialTraining(epsilon=0.1, alpha=0.5)
    """

    epsilon: Annotated[float, Field(gt=0)] = 0.25
    """By how much each input is changed, up or down, in the inputs' units as the network sees them: pixels
    from 0 to 1, columns of a table in standard deviations."""
    alpha: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """The share of the loss on the examples as they are."""

    example: ClassVar = {"epsilon": 0.1}

    def objective(self, batch: Batch, key: jax.Array) -> jax.Array:
        against = batch.forward(adversarial(batch, self.epsilon))
        clean, changed = (batch.loss(outputs, batch.y).mean() for outputs in (batch.outputs, against))
        return (1 - self.alpha) * (changed - clean)


def adversarial(batch: Batch, epsilon: jax.Array | float) -> jax.Array:
    """The inputs after a step of epsilon in each value, in the direction in which the loss rises."""

    def total(x: jax.Array) -> jax.Array:
        return batch.loss(batch.forward(x, frozen=True), batch.y).sum()

    return batch.x + epsilon * jnp.sign(jax.grad(total)(batch.x))
