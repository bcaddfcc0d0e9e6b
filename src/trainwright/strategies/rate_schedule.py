"""Rate schedule: the learning rate falls during training, optionally after a warm-up.

Source: Goodfellow, Bengio & Courville 2016, section 8.3.1 (linear); Bottou 2012 (inverse time); Loshchilov &
Hutter 2017 (arXiv 1608.03983, cosine, here without restarts); Smith & Topin 2018 (arXiv 1708.07120) for the
rise and fall of one cycle: `rate_schedule("linear", final=0.01, warmup=0.5, start=0.1)`.

Every shape goes from 1 to the same `final` factor at the recipe's length, so that shapes can be compared; the
learning rate itself stays the recipe's. A training that stops early has not seen the end of its schedule.
Schedules that are given per update convert with the recipe's length of N updates: a rate divided by d at
each update is `exponential` with final = d^-N; 1 / (1 + update / h) is `inverse_time` with final =
1 / (1 + N / h).
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import jax
import jax.numpy as jnp
from pydantic import Field

from trainwright.base.config import config
from trainwright.strategy import Strategy

Fraction = Annotated[float, Field(ge=0, lt=1)]


@config
class RateSchedule(Strategy):
    """Multiply the learning rate by a factor that depends on the progress of training.

    >>> RateSchedule("cosine", warmup=0.1)
    RateSchedule(shape='cosine', final=0.01, warmup=0.1, start=0.0)
    """

    shape: Literal["exponential", "inverse_time", "linear", "cosine"] = "cosine"
    """How the factor falls from 1 to `final` over the time after the warm-up, t in [0, 1]: final^t,
    1 / (1 + t (1/final - 1)), a straight line, or half a cosine wave."""
    final: Annotated[float, Field(gt=0, le=1)] = 0.01
    """The factor when training has reached the recipe's length."""
    warmup: Fraction = 0.0
    """The fraction of the recipe's length over which the factor first rises linearly to 1."""
    start: Annotated[float, Field(ge=0, le=1)] = 0.0
    """The factor from which the warm-up rises; with 1 the rate stays as it is until the fall begins."""

    example: ClassVar = {"shape": "cosine", "final": 0.01}

    def rate(self, step: jax.Array, steps: jax.Array) -> jax.Array:
        done, length = jnp.float32(step), jnp.float32(steps)
        warm = self.warmup * length
        rise = jnp.minimum((done + 1) / (warm + 1), 1)
        t = jnp.clip((done - warm) / (length - warm), 0, 1)
        return (self.start + (1 - self.start) * rise) * self._fall(t)

    def _fall(self, t: jax.Array) -> jax.Array:
        if self.shape == "exponential":
            return jnp.power(self.final, t)
        if self.shape == "inverse_time":
            return 1 / (1 + t * (1 / self.final - 1))
        if self.shape == "linear":
            return 1 - t * (1 - self.final)
        return self.final + (1 - self.final) * (1 + jnp.cos(jnp.pi * t)) / 2
