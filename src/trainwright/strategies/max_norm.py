"""Max-norm: no unit's incoming weights may be longer than a fixed norm.

Source: Srivastava et al. 2014, section 5.1: ||w|| <= c for each hidden unit, w projected onto that ball
whenever an update has taken it out; Srebro & Shraibman 2005.

The output units' weights are held within the ball too, as in the authors' own code. Where units are dropped,
c depends on the convention: the paper multiplies weights by p when predicting, dropout's `scaling="train"`
does not, so there the paper's c becomes c * p, with the p of the layer's *inputs*. The paper's c = 2 becomes
1.6 for the first layer, whose inputs are kept with probability 0.8, and 1.0 for the others, whose inputs are
kept with 0.5: `max_norm(norm=1.0, first=1.6)`.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import jax
import jax.numpy as jnp
from pydantic import Field

from trainwright.base.config import config
from trainwright.chain import array_name
from trainwright.strategy import NothingToActOn, Params, Strategy, kernels, map_kernels

FIRST = "hidden1/"
"""What the names of the first layer's arrays begin with."""

Norm = Annotated[float, Field(gt=0)]


@config
class MaxNorm(Strategy):
    """After each step, shorten each unit's incoming weight vector to the norm where it is longer.

    >>> MaxNorm(3.5)
    MaxNorm(norm=3.5, first=None)
    """

    norm: Norm = 2.0
    """c: the largest Euclidean norm of the weights (not the bias) that come into one unit."""
    first: Norm | None = None
    """c of the first hidden layer, if it differs from that of the others."""

    example: ClassVar = {"norm": 0.5}

    def project(self, params: Params) -> Params:
        if not any(True for _ in kernels(params)):
            raise NothingToActOn("max_norm", "the network has no weights")
        projected = map_kernels(lambda w: shorten(w, self.norm), params)
        if self.first is None:
            return projected
        if not any(_in_first_layer(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)):
            raise NothingToActOn(f"max_norm(first={self.first})", "the network has no layer 'hidden1'")
        first = self.first
        other = map_kernels(lambda w: shorten(w, first), params)
        chosen: Params = jax.tree_util.tree_map_with_path(
            lambda path, w, first: first if _in_first_layer(path) else w, projected, other
        )
        return chosen


def shorten(w: jax.Array, norm: jax.Array | float) -> jax.Array:
    """Weights (..., fan_in, units), each unit's norm at most `norm`; shorter ones exactly as they were."""
    squares = jnp.sum(w**2, axis=tuple(range(w.ndim - 1)), keepdims=True)
    return jnp.where(squares > norm**2, w * (norm / jnp.sqrt(squares)), w)


def _in_first_layer(path: tuple[object, ...]) -> bool:
    return array_name(path).startswith(FIRST)
