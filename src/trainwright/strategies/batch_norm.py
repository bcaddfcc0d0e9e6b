"""Batch norm: each hidden unit's values are standardised over the batch, then scaled and shifted.

Source: Ioffe & Szegedy 2015 (arXiv 1502.03167), Algorithm 1 (training) and Algorithm 2 (predicting).

population is Algorithm 2: with the weights fixed, the average of the means and of the unbiased variances of
one pass over the training examples (at most 100 batches), repeated before each evaluation. running is what
most libraries do: a decaying average over the training steps, here corrected for its start at zero, so that
early evaluations are right.
The affine map before it keeps its bias, which has no effect here (the paper leaves it out).
"""

from __future__ import annotations

from typing import Annotated, Literal

import jax
import jax.numpy as jnp
from flax import nnx
from pydantic import Field

from trainwright.base.config import config
from trainwright.base.errors import SettingError
from trainwright.layers.layout import examples_first, examples_last
from trainwright.site import HyperParameter, Layer, Site
from trainwright.strategy import Strategy


@config
class BatchNorm(Strategy):
    """Normalise each hidden unit over the batch in training, and by the population when predicting.

    >>> BatchNorm(statistics="running", decay=0.95).place
    'pre_activation'
    """

    place: Literal["pre_activation", "post_activation"] = "pre_activation"
    """Before the activation as in the paper, or after it."""
    statistics: Literal["population", "running"] = "population"
    """What predictions are normalised by: averages with fixed weights, or decaying ones during training."""
    decay: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """running: how much of the average is kept per step."""
    epsilon: Annotated[float, Field(gt=0)] = 1e-5
    """What is added to the variance, in squared units of what is normalised."""

    def layer(self, site: Site) -> Layer | None:
        if site.stage != self.place:
            return None
        return BatchNormLayer(site.units, self.epsilon, self.decay if self.statistics == "running" else None)

    def needs_population_pass(self) -> bool:
        return self.statistics == "population"

    def reset_statistics(self, model: nnx.Module) -> None:
        for _, module in nnx.iter_modules(model):
            if isinstance(module, BatchNormLayer):
                module.batches[...] = jnp.zeros_like(module.batches[...])


class BatchNormLayer(Layer):
    """Standardises (..., units) over all but the last axis.

    The statistics are averages over the batches seen since the start, or since `batches` was set to zero:
    each counts the same where `decay` is None.
    """

    def __init__(self, units: int, epsilon: float, decay: float | None):
        self.gamma, self.beta = nnx.Param(jnp.ones(units)), nnx.Param(jnp.zeros(units))
        self.mean, self.variance = nnx.BatchStat(jnp.zeros(units)), nnx.BatchStat(jnp.ones(units))
        self.batches = nnx.BatchStat(jnp.zeros(()))
        self.epsilon = HyperParameter(jnp.float32(epsilon))
        self.decay = None if decay is None else HyperParameter(jnp.float32(decay))

    def __call__(self, x: jax.Array, *, key: jax.Array | None, training: bool) -> jax.Array:
        if x.ndim < 4:
            return self._normalized(x, training)
        turned = examples_last(x)  # each channel's values side by side
        rows = turned.reshape(len(turned), -1).T
        return examples_first(self._normalized(rows, training).T.reshape(turned.shape))

    def _normalized(self, x: jax.Array, training: bool) -> jax.Array:
        mean, variance = self.moments(x, training=training)
        x_hat = (x - mean) / jnp.sqrt(variance + self.epsilon[...])
        return self.gamma[...] * x_hat + self.beta[...]

    def moments(self, x: jax.Array, *, training: bool) -> tuple[jax.Array, jax.Array]:
        """By which mean and variance it normalises, (units,) each: the batch's, or the population's."""
        return self._see(x) if training else (self.mean[...], self.variance[...])

    def _see(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The batch's mean and variance, which also enter the averages."""
        axes = tuple(range(x.ndim - 1))
        values = x.size // x.shape[-1]
        if values < 2:
            raise SettingError("batch_norm needs at least 2 examples per batch: give a larger batch_size")
        mean = x.mean(axis=axes)
        variance = jnp.mean((x - mean) ** 2, axis=axes)  # E[x²] - E[x]² would cancel at a large mean
        batches = self.batches[...] + 1
        share = 1 / batches
        if self.decay is not None:
            share = (1 - self.decay[...]) / (1 - self.decay[...] ** batches)
        self.batches[...] = batches
        self.mean[...] += share * (jax.lax.stop_gradient(mean) - self.mean[...])
        unbiased = jax.lax.stop_gradient(variance) * values / (values - 1)
        self.variance[...] += share * (unbiased - self.variance[...])
        return mean, variance
