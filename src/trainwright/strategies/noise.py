"""Noise: Gaussian noise on the inputs and on the hidden units, drawn afresh for every example and step.

Source: Goodfellow, Bengio & Courville 2016, section 7.5; Sietsma & Dow 1991 for the inputs; Poole, Sohl-
Dickstein & Ganguli 2014 (arXiv 1406.1831) for the hidden units.

Predictions are made without noise, including those of Monte-Carlo averaging: the noise augments the data and
does not model the network's uncertainty.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import jax
import jax.numpy as jnp
from pydantic import Field

from trainwright.base import keys
from trainwright.base.config import config
from trainwright.site import HyperParameter, Layer, Site
from trainwright.strategy import Strategy

Std = Annotated[float, Field(ge=0)]


@config
class Noise(Strategy):
    """Add Gaussian noise during training.

    >>> Noise(input_std=0.3)
    Noise(input_std=0.3, hidden_std=0.0)
    """

    input_std: Std = 0.1
    """Standard deviation of what is added to each input, in the inputs' units; 0 leaves the inputs alone."""
    hidden_std: Std = 0.0
    """The same for each hidden unit, after its activation; 0 leaves hidden units alone."""

    example: ClassVar = {"input_std": 0.3, "hidden_std": 0.1}

    def layer(self, site: Site) -> Layer | None:
        std = {"input": self.input_std, "post_activation": self.hidden_std}.get(site.stage, 0.0)
        return NoiseLayer(std, site.name) if std > 0 else None


class NoiseLayer(Layer):
    """Adds normal noise of this standard deviation when training with a key."""

    def __init__(self, std: float, site: str):
        self.std = HyperParameter(jnp.float32(std))
        self.site = site

    def __call__(self, x: jax.Array, *, key: jax.Array | None, training: bool) -> jax.Array:
        if key is None or not training:
            return x
        return x + self.std[...] * jax.random.normal(keys.fold(key, "noise", self.site), x.shape)
