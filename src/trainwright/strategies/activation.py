"""Activation: the nonlinearity of the hidden layers.

Source: Goodfellow, Bengio & Courville 2016, section 6.3: rectified linear units and their generalisations
(6.3.1), sigmoid and tanh (6.3.2), radial basis, softplus and hard tanh units (6.3.3); Goodfellow et al. 2013
(arXiv 1302.4389) for maxout.

Radial basis units start as templates: their first centres are examples of what the layer receives, drawn at
random among up to 1,000 training examples as they come through the layers before it. All units of a layer
share one sigma, which is not trained: `width` times the root mean squared distance between two such examples
(Bishop 1995, section 5.9: subsets of the data as centres, widths from the distances between them). The book
leaves both open. Maxout takes the maximum of its pieces before batch normalisation, not after.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from pydantic import Field

from trainwright.base.config import config
from trainwright.base.errors import SettingError
from trainwright.layers.dense import identity
from trainwright.site import HyperParameter, Kernel, Site
from trainwright.strategy import Strategy


@config
class Activation(Strategy):
    """Use this nonlinearity in every hidden layer, in place of rectified linear units.

    >>> Activation("maxout", pieces=5)
    Activation(function='maxout', slope=0.01, pieces=5, width=1.0)
    """

    function: Literal["sigmoid", "tanh", "relu", "leaky_relu", "rbf", "softplus", "hard_tanh", "maxout"] = (
        "tanh"
    )
    """relu: max(0, z). leaky_relu: max(0, z) + slope min(0, z). rbf: exp(-||W - x||^2 / sigma^2). softplus:
    log(1 + exp z). hard_tanh: max(-1, min(1, z)). maxout: the largest of several affine pieces."""
    slope: Annotated[float, Field(ge=-1, lt=1)] = 0.01
    """leaky_relu: the slope where z < 0; -1 gives the absolute value."""
    pieces: Annotated[int, Field(ge=2)] = 2
    """maxout: affine pieces per unit; a layer has this many times the weights."""
    width: Annotated[float, Field(gt=0)] = 1.0
    """rbf: sigma over the root mean squared distance between two examples of what the layer receives."""

    example: ClassVar = {"function": "tanh"}

    def affine(self, site: Site) -> nnx.Module | None:
        if self.function == "maxout":
            return site.maxout(self.pieces)
        if self.function == "rbf":
            if site.window is not None:
                raise SettingError(f"activation: rbf units are fully connected, and {site.name} is not")
            examples = site.examples()
            rows = site.rng("centres").choice(len(examples), site.units, replace=site.units > len(examples))
            return RadialBasis(examples[rows].T, self.width * mean_distance(examples))
        return None

    def activation(self, site: Site) -> Callable[[jax.Array], jax.Array]:
        return LeakyRelu(self.slope) if self.function == "leaky_relu" else _FUNCTIONS[self.function]


class LeakyRelu(nnx.Module):
    """max(0, z) + slope min(0, z)."""

    def __init__(self, slope: float):
        self.slope = HyperParameter(jnp.float32(slope))

    def __call__(self, z: jax.Array) -> jax.Array:
        return jnp.where(z > 0, z, self.slope[...] * z)


class RadialBasis(nnx.Module):
    """exp(-||W_:,i - x||^2 / sigma^2): (examples, fan_in) -> (examples, units)."""

    def __init__(self, centres: Kernel, sigma: float):
        self.centres = nnx.Param(jnp.asarray(centres))
        self.sigma = HyperParameter(jnp.float32(sigma))

    def __call__(self, x: jax.Array) -> jax.Array:
        w = self.centres[...]
        # Multiplied out, so that no (examples, fan_in, units) array is ever made.
        squared = jnp.sum(x**2, axis=-1, keepdims=True) - 2 * x @ w + jnp.sum(w**2, axis=0)
        return jnp.exp(-squared / self.sigma[...] ** 2)


def mean_distance(x: Kernel) -> float:
    """The root mean squared Euclidean distance between two different rows of (rows, values); 1 if there are
    none.

    >>> mean_distance(np.float32([[0.0, 0.0], [3.0, 4.0]]))
    5.0
    """
    total = float(x.var(axis=0, ddof=1, dtype=np.float64).sum()) if len(x) > 1 else 0.0
    return math.sqrt(2 * total) or 1.0


_FUNCTIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "softplus": jax.nn.softplus,
    "hard_tanh": jax.nn.hard_tanh,
    "rbf": identity,
    "maxout": identity,
}
