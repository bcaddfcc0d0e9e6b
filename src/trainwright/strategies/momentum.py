"""Momentum: the step is a decaying sum of past gradient steps.

Source: Goodfellow, Bengio & Courville 2016, Algorithm 8.2 (v <- alpha v - epsilon g; theta <- theta + v) and
Algorithm 8.3 (Nesterov); Sutskever et al. 2013 for the ramp.

Because epsilon enters before v is accumulated, a changing learning rate acts on new gradients only.
Optax's `trace` accumulates g and multiplies by epsilon afterwards: the same while epsilon is constant.

Nesterov's gradient is taken at theta + alpha v. The weights kept here are that look-ahead point itself, from
which v follows at each step; so the weights handed over are theta + alpha v of Algorithm 8.3.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import optax
from pydantic import Field

from trainwright.base.config import config
from trainwright.strategy import Strategy

Decay = Annotated[float, Field(ge=0, lt=1)]


@config
class Momentum(Strategy):
    """Accumulate a velocity and move by it.

    >>> Momentum(0.9).decay
    0.9
    """

    decay: Decay = 0.9
    """alpha: how much of the velocity is kept per step; the terminal speed is epsilon |g| / (1 - alpha)."""
    nesterov: bool = False
    """Take the gradient where the velocity is about to lead (Algorithm 8.3)."""
    start: Decay | None = None
    """alpha at the first step, if it is to rise (or fall) linearly to `decay`."""
    ramp_steps: Annotated[int, Field(ge=1)] = 1000
    """Over how many steps alpha goes from `start` to `decay`."""

    example: ClassVar = {"decay": 0.9}

    def alpha(self, step: jax.Array) -> jax.Array | float:
        """alpha at a step, counted from 0."""
        if self.start is None:
            return self.decay
        return self.start + (self.decay - self.start) * jnp.minimum(step / self.ramp_steps, 1)

    def update(self) -> optax.GradientTransformation:
        def init(params: Any) -> Velocity:
            return Velocity(jnp.zeros((), jnp.int32), jax.tree.map(jnp.zeros_like, params))

        def step(scaled: Any, state: Velocity, params: Any = None) -> tuple[Any, Velocity]:
            """`scaled` is -epsilon g."""
            alpha = self.alpha(state.step)
            v = jax.tree.map(lambda v, s: alpha * v + s, state.v, scaled)
            move = v
            if self.nesterov:
                ahead = self.alpha(state.step + 1)
                move = jax.tree.map(lambda v, s: s + ahead * v, v, scaled)
            return move, Velocity(state.step + 1, v)

        return optax.GradientTransformation(init, step)


class Velocity(NamedTuple):
    """The optimiser's state."""

    step: jax.Array
    """Steps made, an int32 scalar."""
    v: Any
    """The velocity of each parameter, shaped as these."""
