"""L2 penalty (weight decay, ridge, Tikhonov): a cost on the squared weights keeps them small.

Source: Goodfellow, Bengio & Courville 2016, section 7.1.1: J + (coefficient/2) ||w||^2.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import jax
import jax.numpy as jnp
from pydantic import Field

from trainwright.base.config import config
from trainwright.strategy import NothingToActOn, Params, Strategy, kernels


@config
class L2(Strategy):
    """Add half the coefficient times the sum of all squared weights (not biases) to the mean loss.

    >>> L2(1e-4)
    L2(coefficient=0.0001)
    """

    coefficient: Annotated[float, Field(ge=0)] = 1e-4
    """Each step shrinks a weight by learning rate times coefficient times itself."""

    example: ClassVar = {"coefficient": 1e-2}

    def penalty(self, params: Params) -> jax.Array:
        weights = list(kernels(params))
        if not weights:
            raise NothingToActOn("l2", "the network has no weights")
        return self.coefficient / 2 * jnp.sum(jnp.stack([jnp.sum(w**2) for w in weights]))
