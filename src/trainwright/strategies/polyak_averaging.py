"""Polyak averaging: evaluate and predict with an average of the weights that the steps pass through.

Source: Polyak & Juditsky 1992, "Acceleration of Stochastic Approximation by Averaging" (the uniform average);
Szegedy et al. 2015 (arXiv 1409.4842, GoogLeNet), section 6, which uses it; Szegedy et al. 2016 (arXiv
1512.00567), section 8 (a running average); Kingma & Ba 2015, section 3, for the correction of its start.

Training goes on from the weights themselves; the average is what validation judges, what early stopping
keeps, and what is handed over. The first weights have no part in it: the exponential average after t steps
is the sum of (1 - decay) decay^(t - i) θ_i over the steps i = 1 ... t, divided by 1 - decay^t. Where a
strategy's layers keep statistics, as batch norm's do, these are measured anew with the average before each
evaluation, by a pass over training batches.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import jax
import jax.numpy as jnp
from pydantic import Field

from trainwright.base.config import config
from trainwright.strategy import Params, Strategy


@config
class PolyakAveraging(Strategy):
    """Average the weights over the steps, and predict with the average.

    >>> PolyakAveraging("uniform", start=0.75)
    PolyakAveraging(average='uniform', decay=0.999, start=0.75)
    """

    average: Literal["exponential", "uniform"] = "exponential"
    """Later weights count more, or all from `start` on count alike."""
    decay: Annotated[float, Field(ge=0, lt=1)] = 0.999
    """exponential: how much of the average is kept per step; it reaches back about 1 / (1 - decay) steps."""
    start: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """uniform: the share of the training's steps after which the average begins; until then it is the last
    weights."""

    example: ClassVar = {"decay": 0.9}

    def averaged_weights(self, averaged: Params, params: Params, step: jax.Array, steps: jax.Array) -> Params:
        share = self._share(step.astype(jnp.float32), steps.astype(jnp.float32))
        mean: Params = jax.tree.map(lambda mean, now: mean + share * (now - mean), averaged, params)
        return mean

    def needs_population_pass(self) -> bool:
        return True

    def _share(self, step: jax.Array, steps: jax.Array) -> jax.Array:
        """The last weights' share of the average after `step` steps."""
        if self.average == "exponential":
            return (1 - self.decay) / -jnp.expm1(step * jnp.log(self.decay))
        return 1 / jnp.maximum(step - jnp.floor(self.start * steps), 1)
