"""Activation: the nonlinearity of the hidden layers.

Source: Goodfellow, Bengio & Courville 2016, section 6.3: rectified linear units and their generalisations
(6.3.1), sigmoid and tanh (6.3.2), radial basis, softplus and hard tanh units (6.3.3); Goodfellow et al. 2013
(arXiv 1302.4389) for maxout.

Radial basis units have one sigma for all units, fixed and given in units of the square root of the fan-in:
squared distances grow with the dimension, and with a sigma that does not, no unit would respond. Their first
centres are the recipe's initial weights times sqrt(fan-in / 2): standard normal under the default rule, as
far apart as standardised inputs are. Maxout's pieces are compared before batch normalisation, not after.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from pydantic import Field

from trainwright.base.config import config
from trainwright.strategy import HyperParameter, Site, Strategy


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
    """maxout: affine pieces of each unit; a layer has so many times the weights."""
    width: Annotated[float, Field(gt=0)] = 1.0
    """rbf: sigma divided by the square root of the fan-in."""

    example: ClassVar = {"function": "tanh"}

    def dense(self, site: Site) -> nnx.Module | None:
        if self.function == "maxout":
            return Maxout(site.linear(site.units * self.pieces), self.pieces)
        if self.function == "rbf":
            centres = site.kernel(site.units) * np.float32(np.sqrt(site.fan_in / 2))
            return RadialBasis(centres, self.width * np.sqrt(site.fan_in))
        return None

    def activation(self, site: Site) -> Callable[[jax.Array], jax.Array]:
        return LeakyRelu(self.slope) if self.function == "leaky_relu" else _FUNCTIONS[self.function]


class LeakyRelu(nnx.Module):
    """max(0, z) + slope min(0, z)."""

    def __init__(self, slope: float):
        self.slope = HyperParameter(jnp.float32(slope))

    def __call__(self, z: jax.Array) -> jax.Array:
        return jnp.where(z > 0, z, self.slope[...] * z)


class Maxout(nnx.Module):
    """The largest of each unit's affine pieces: (examples, fan_in) -> (examples, units)."""

    def __init__(self, linear: nnx.Linear, pieces: int):
        self.linear = linear
        self.pieces = pieces

    def __call__(self, x: jax.Array) -> jax.Array:
        z = self.linear(x)
        return z.reshape(*z.shape[:-1], -1, self.pieces).max(axis=-1)


class RadialBasis(nnx.Module):
    """exp(-||W_:,i - x||^2 / sigma^2): (examples, fan_in) -> (examples, units)."""

    def __init__(self, centres: np.ndarray[tuple[int, ...], np.dtype[np.float32]], sigma: float):
        self.centres = nnx.Param(jnp.asarray(centres))
        self.sigma = HyperParameter(jnp.float32(sigma))

    def __call__(self, x: jax.Array) -> jax.Array:
        w = self.centres[...]
        # Multiplied out, so that no (examples, fan_in, units) array is ever made.
        squared = jnp.sum(x**2, axis=-1, keepdims=True) - 2 * x @ w + jnp.sum(w**2, axis=0)
        return jnp.exp(-squared / self.sigma[...] ** 2)


def identity(z: jax.Array) -> jax.Array:
    """z: where the dense layer already is nonlinear."""
    return z


_FUNCTIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "softplus": jax.nn.softplus,
    "hard_tanh": jax.nn.hard_tanh,
    "rbf": identity,
    "maxout": identity,
}
