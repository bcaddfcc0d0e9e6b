"""L1 penalty (lasso): a cost on the weights' absolute values makes many of them nearly zero.

Source: Goodfellow, Bengio & Courville 2016, section 7.1.2: J + coefficient ||w||_1.

The gradient step is the subgradient coefficient * sign(w), so weights hover around zero within a learning
rate times the coefficient, and do not reach it exactly as they would with a proximal step.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import jax
import jax.numpy as jnp
from pydantic import Field

from trainwright.base.config import config
from trainwright.strategy import NothingToActOn, Params, Strategy, kernels


@config
class L1(Strategy):
    """Add the coefficient times the sum of all weights' (not biases') absolute values to the mean loss.

    >>> L1(1e-5)
    L1(coefficient=1e-05)
    """

    coefficient: Annotated[float, Field(ge=0)] = 1e-5
    """Each step moves a weight towards zero by learning rate times coefficient."""

    example: ClassVar = {"coefficient": 1e-3}

    def penalty(self, params: Params) -> jax.Array:
        weights = list(kernels(params))
        if not weights:
            raise NothingToActOn("l1", "the network has no weights")
        return self.coefficient * jnp.sum(jnp.stack([jnp.sum(jnp.abs(w)) for w in weights]))
