"""Local response normalisation: each unit's value is divided by a power of its neighbours' squares.

Source: Krizhevsky, Sutskever & Hinton 2012, "ImageNet Classification with Deep Convolutional Neural
Networks", section 3.3, with its constants: after the activation of its first two layers, over 5 neighbouring
channels at the same place.

By default it is added to every hidden layer. In a fully connected layer the neighbours are those by number,
which have nothing to do with one another until training makes it so. Caffe and the networks trained with it
divide alpha by the size: for theirs give alpha / size, and k = 1.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import jax
import jax.numpy as jnp
from pydantic import Field

from trainwright.base.config import config
from trainwright.base.errors import SettingError
from trainwright.layers import normalization
from trainwright.site import HyperParameter, Layer, Site
from trainwright.strategy import Strategy


@config
class LocalResponseNormalization(Strategy):
    """Let neighbouring channels compete: after the activation, divide by (k + alpha Σ a²)^beta.

    >>> LocalResponseNormalization(layers=("hidden1", "hidden2")).size
    5
    """

    size: Annotated[int, Field(ge=1)] = 5
    """n: over how many neighbouring channels the sum runs, the unit's own in their middle."""
    alpha: Annotated[float, Field(gt=0)] = 1e-4
    """What multiplies the sum of squares, in units of the activation to the power of -2."""
    beta: Annotated[float, Field(gt=0)] = 0.75
    """The power."""
    k: Annotated[float, Field(gt=0)] = 2.0
    """What is added to the sum, so that small activations are not divided by nothing."""
    layers: tuple[str, ...] = ()
    """The layers to which it is added, by name, such as `hidden1`; none stands for all hidden layers."""

    example: ClassVar = {"alpha": 0.5}

    def layer(self, site: Site) -> Layer | None:
        if site.name == "output" and (unknown := [name for name in self.layers if name not in site.before]):
            raise SettingError(
                f"local_response_normalization: there is no hidden layer {unknown[0]!r} before the output; "
                f"there are: {', '.join(name for name in site.before if '/' not in name)}"
            )
        if site.stage != "post_activation" or (self.layers and site.name not in self.layers):
            return None
        return LocalResponseNormalizationLayer(self.size, self.alpha, self.beta, self.k)


class LocalResponseNormalizationLayer(Layer):
    """Normalises (..., channels) over so many neighbouring channels, in training and when predicting."""

    def __init__(self, size: int, alpha: float, beta: float, k: float):
        self.size = size
        self.alpha, self.beta, self.k = (HyperParameter(jnp.float32(number)) for number in (alpha, beta, k))

    def __call__(self, x: jax.Array, *, key: jax.Array | None, training: bool) -> jax.Array:
        return normalization.local_response_normalization(
            x, self.size, self.alpha[...], self.beta[...], self.k[...]
        )
