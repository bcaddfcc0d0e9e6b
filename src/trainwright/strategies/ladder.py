"""Ladder: noise at every layer, and a decoder beside the network that learns to take it out again.

Every layer's values before its activation are standardised over the batch, and in training noise is added
to them and to the inputs. A decoder goes down from the output, layer by layer, and estimates each layer's
values without noise from the noisy ones and from its estimate of the layer above. Its squared errors are
added to the loss. The decoder takes no part in predicting.

Source: Rasmus, Berglund, Honkala, Valpola & Raiko 2015 (arXiv 1507.02672), Algorithm 1 and equation 2 (the
vanilla combinator); the costs for MNIST with all labels, and the decoder's first weights, from the programs
published with it (github.com/CuriousAI/ladder).

The decoder's costs see the labelled batch; the paper's program takes a second one of unlabelled examples.
Predictions are normalised by what training examples give without noise. It stands in for batch_norm, which
need not be added. Layers have to be fully connected.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from pydantic import Field

from trainwright.base import keys
from trainwright.base.config import config
from trainwright.chain import Chain
from trainwright.objective import Batch
from trainwright.site import HyperParameter, Layer, Site
from trainwright.strategies.batch_norm import BatchNormLayer
from trainwright.strategy import NothingToActOn, Strategy

EPSILON = 1e-5  # added to variances

Cost = Annotated[float, Field(ge=0)]


@config
class Ladder(Strategy):
    """Add noise to every layer in training, and the errors of a decoder that has to remove it.

    >>> Ladder(noise_std=0.5).input_cost
    1000.0
    """

    noise_std: Annotated[float, Field(gt=0)] = 0.3
    """Standard deviation of the noise: in the inputs' units at the input, in standard deviations above."""
    input_cost: Cost = 1000.0
    """lambda_0: what the decoder's mean squared error on the inputs is multiplied by."""
    first_cost: Cost = 1.0
    """lambda_1: the same for the first layer's values, in their variances."""
    upper_cost: Cost = 0.01
    """lambda_2 and so on: the same for each layer above, the output included."""

    example: ClassVar = {"noise_std": 0.3, "input_cost": 1.0}

    def layer(self, site: Site) -> Layer | None:
        if site.stage == "input":
            return Rung(site, self.noise_std)
        if site.stage not in ("pre_activation", "output"):
            return None
        if len(site.kernel_shape) != 2:
            raise NothingToActOn("ladder", f"{site.name} is not fully connected: take an mlp")
        return NormalizedRung(site, self.noise_std)

    def objective(self, batch: Batch, key: jax.Array) -> jax.Array:
        model = batch.model()
        assert isinstance(model, Chain)  # of any other network a layer is refused
        noisy, clean = (model.outputs(batch.x, key=chosen, training=True) for chosen in (batch.key, None))
        below = dict(zip(model.order[1:], model.order[:-1], strict=True))
        rungs = {name: part for name, part in model.parts.items() if isinstance(part, Rung)}
        outputs = noisy[model.order[-1]]
        above = jax.nn.softmax(outputs) if outputs.shape[-1] > 1 else outputs
        cost: jax.Array = jnp.float32(0)
        for level, name in reversed(list(enumerate(name for name in model.order if name in rungs))):
            rung = rungs[name]
            z, mean, deviation = rung.clean(clean[below[name]])
            estimate = rung.combine(rung.noisy(noisy[below[name]], batch.key), standardized(above))
            cost += self._weight(level) * jnp.mean((z - (estimate - mean) / deviation) ** 2)
            above = rung.downwards(estimate)
        return cost

    def needs_population_pass(self) -> bool:
        return True

    def reset_statistics(self, model: nnx.Module) -> None:
        for _, module in nnx.iter_modules(model):
            if isinstance(module, NormalizedRung):
                module.normalization.batches[...] = jnp.zeros_like(module.normalization.batches[...])

    def _weight(self, level: int) -> float:
        return (self.input_cost, self.first_cost, self.upper_cost)[min(level, 2)]


class Rung(Layer):
    """One layer's noise, and its share of the decoder: at the input, where nothing is normalised."""

    def __init__(self, site: Site, std: float):
        self.std = HyperParameter(jnp.float32(std))
        self.site = site.name
        # One row for each a_1 ... a_10 of equation 2, one column for each unit.
        self.combinator = nnx.Param(jnp.zeros((10, site.units)).at[jnp.array([1, 6])].set(1.0))

    def __call__(self, x: jax.Array, *, key: jax.Array | None, training: bool) -> jax.Array:
        return x if key is None or not training else self.noise(x, key)

    def noise(self, z: jax.Array, key: jax.Array) -> jax.Array:
        """Values with the noise of this step."""
        return z + self.std[...] * jax.random.normal(keys.fold(key, "ladder", self.site), z.shape)

    def noisy(self, x: jax.Array, key: jax.Array) -> jax.Array:
        """The values that the activation sees but for scale and shift, of what comes into the rung."""
        return self.noise(x, key)

    def clean(self, x: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """The values without noise, and by which mean and standard deviation they were normalised."""
        return x, jnp.float32(0), jnp.float32(1)

    def combine(self, z: jax.Array, u: jax.Array) -> jax.Array:
        """g(z, u) = (z - mu(u)) v(u) + mu(u): the estimate from noisy values and from the layer above."""
        a = self.combinator[...]
        mu = a[0] * jax.nn.sigmoid(a[1] * u + a[2]) + a[3] * u + a[4]
        v = a[5] * jax.nn.sigmoid(a[6] * u + a[7]) + a[8] * u + a[9]
        return (z - mu) * v + mu

    def downwards(self, estimate: jax.Array) -> jax.Array:
        """What the decoder hands to the layer below; nothing is below the input."""
        return estimate


class NormalizedRung(Rung):
    """A rung above the input: it standardises before the noise, and scales and shifts after it."""

    def __init__(self, site: Site, std: float):
        super().__init__(site, std)
        self.normalization = BatchNormLayer(site.units, EPSILON, None)
        drawn = site.rng("decoder").standard_normal((site.units, site.fan_in), np.float32)
        self.decoder = nnx.Param(jnp.asarray(drawn / np.float32(site.units**0.5)))

    def __call__(self, x: jax.Array, *, key: jax.Array | None, training: bool) -> jax.Array:
        z, _, _ = self._normalized(x, training)
        normalization = self.normalization
        return (
            normalization.gamma[...] * super().__call__(z, key=key, training=training)
            + normalization.beta[...]
        )

    def noisy(self, x: jax.Array, key: jax.Array) -> jax.Array:
        return self.noise(self.clean(x)[0], key)

    def clean(self, x: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        return self._normalized(x, training=True)

    def downwards(self, estimate: jax.Array) -> jax.Array:
        return estimate @ self.decoder[...]

    def _normalized(self, x: jax.Array, training: bool) -> tuple[jax.Array, jax.Array, jax.Array]:
        mean, variance = self.normalization.moments(x, training=training)
        deviation = jnp.sqrt(variance + EPSILON)
        return (x - mean) / deviation, mean, deviation


def standardized(u: jax.Array) -> jax.Array:
    """Values (examples, units) with mean 0 and variance 1 over the batch."""
    return (u - u.mean(axis=0)) / jnp.sqrt(u.var(axis=0) + EPSILON)
