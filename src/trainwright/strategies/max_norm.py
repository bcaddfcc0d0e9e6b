"""Max-norm: no unit's incoming weights may be longer than a fixed norm.

Source: Srivastava et al. 2014, section 5.1: ||w|| <= c for each hidden unit, w projected onto that ball
whenever an update has taken it out; Srebro & Shraibman 2005.

The output units' weights are held within the ball too, as the paper's own code does. Where units are dropped,
c depends on the convention: the paper's weights are multiplied by p when predicting, those of dropout's
`scaling="train"` are not, so the paper's c becomes c * p there (p of the layer's *inputs*: c = 2 becomes 1.6
after inputs kept with probability 0.8, and 1.0 after hidden units kept with 0.5).
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import jax
import jax.numpy as jnp
from pydantic import Field

from trainwright.base.config import config
from trainwright.strategy import NothingToActOn, Params, Strategy, kernels, map_kernels


@config
class MaxNorm(Strategy):
    """After each step, shorten each unit's incoming weight vector to the norm where it is longer.

    >>> MaxNorm(3.5)
    MaxNorm(norm=3.5)
    """

    norm: Annotated[float, Field(gt=0)] = 2.0
    """c: the largest Euclidean norm of the weights (not the bias) that come into one unit."""

    example: ClassVar = {"norm": 0.5}

    def project(self, params: Params) -> Params:
        if not any(True for _ in kernels(params)):
            raise NothingToActOn("max_norm", "the network has no weights")
        return map_kernels(self.shorten, params)

    def shorten(self, w: jax.Array) -> jax.Array:
        """Weights (..., fan_in, units) with each unit's norm at most c; shorter ones exactly as they were."""
        squares = jnp.sum(w**2, axis=tuple(range(w.ndim - 1)), keepdims=True)
        return jnp.where(squares > self.norm**2, w * (self.norm / jnp.sqrt(squares)), w)
