"""Mirror: training images are flipped left to right, each with probability 1/2.

Source: Krizhevsky, Sutskever & Hinton 2012, section 4.1 (horizontal reflections, and predictions averaged
over them); Goodfellow, Bengio & Courville 2016, section 7.4.

It helps only where a mirror image keeps its class: on digits or letters it teaches something false.
"""

from __future__ import annotations

from typing import ClassVar

import jax
import jax.numpy as jnp

from trainwright.base import keys
from trainwright.base.config import config
from trainwright.images import check_images
from trainwright.strategy import Strategy


@config
class Mirror(Strategy):
    """Flip each training image left to right with probability 1/2, drawn afresh at every step.

    >>> Mirror(averaged=True)
    Mirror(averaged=True)
    """

    averaged: bool = False
    """Whether predictions are averaged over an image and its mirror image, at twice the cost."""

    example: ClassVar = {"averaged": True}

    def augment(self, x: jax.Array, key: jax.Array) -> jax.Array:
        flipped = jax.random.bernoulli(keys.fold(key, "mirror"), shape=(len(x), *[1] * (x.ndim - 1)))
        return jnp.where(flipped, mirrored(x), x)

    def views(self, x: jax.Array) -> list[jax.Array]:
        return [mirrored(x)] if self.averaged else []


def mirrored(x: jax.Array) -> jax.Array:
    """Images (examples, height, width[, channels]) flipped left to right."""
    check_images("mirror", x.shape[1:])
    return jnp.flip(x, axis=2)
