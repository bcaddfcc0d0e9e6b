"""Dropout: each unit is left out with some probability, drawn afresh for every example and step.

Source: Srivastava et al. 2014, "Dropout: A Simple Way to Prevent Neural Networks from Overfitting",
section 4; Hinton et al. 2012 (arXiv 1207.0580).

The paper's p is the probability to *retain* a unit; the rates here are the probability to *drop* it:
rate = 1 - p. The paper multiplies the weights by p at test time; scaling the kept units by 1/p in
training ("inverted dropout") is the same model with a different learning rate and different initial weights.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import jax
import jax.numpy as jnp
from pydantic import Field

from trainwright.base import keys
from trainwright.base.config import config
from trainwright.base.errors import SettingError
from trainwright.site import HyperParameter, Layer, Site
from trainwright.strategy import Strategy

FINEST = 2.0**-16  # masks are drawn with 16 bits a unit, which tell no finer rates from none or all

Rate = Annotated[float, Field(ge=0, lt=1)]


@config
class Dropout(Strategy):
    """Leave out units at random during training, and use all of them, scaled, when predicting.

    >>> Dropout(hidden_rate=0.5, input_rate=0.2)  # the paper's p = 0.5 and 0.8
    Dropout(hidden_rate=0.5, input_rate=0.2, scaling='train')
    """

    hidden_rate: Rate = 0.5
    """Probability to drop a hidden unit, after its activation; 0 leaves hidden units alone."""
    input_rate: Rate = 0.0
    """Probability to drop an input; 0 leaves the inputs alone."""
    scaling: Literal["train", "test"] = "train"
    """When units are scaled: by 1/p in training, or by p when predicting as in the paper's figure 2."""

    example: ClassVar = {"hidden_rate": 0.5, "input_rate": 0.2}

    def layer(self, site: Site) -> Layer | None:
        rate = {"input": self.input_rate, "post_activation": self.hidden_rate}.get(site.stage, 0.0)
        if rate and not FINEST <= rate <= 1 - FINEST:
            raise SettingError(
                f"dropout: a rate of {rate!r} is as good as none or all: give 0 or 2e-5 to 0.9999"
            )
        return DropoutLayer(rate, site.name, self.scaling) if rate > 0 else None


class DropoutLayer(Layer):
    """Zeroes each value with probability `rate` when given a key.

    The mask is drawn with 16 bits a unit, so the rate is exact to 1/65,536: half the random bits of the
    usual 32, which cost as much as the arithmetic in a small network.
    """

    def __init__(self, rate: float, site: str, scaling: str):
        self.rate = HyperParameter(jnp.float32(rate))
        self.site = site
        self.scaling = scaling

    def __call__(self, x: jax.Array, *, key: jax.Array | None, training: bool) -> jax.Array:
        retain = 1 - self.rate[...]
        if key is None:
            return x * retain if self.scaling == "test" else x
        bits = keys.bits(key, x.shape, "dropout", self.site)
        kept = bits >= (self.rate[...] * 65536).astype(jnp.uint16)
        return jnp.where(kept, x / retain if self.scaling == "train" else x, 0)

    def prediction_scale(self) -> float:
        return 1 - float(self.rate[...]) if self.scaling == "test" else 1.0
