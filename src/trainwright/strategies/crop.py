"""Crop: each training image is replaced by a window of it, at random in place, area and aspect, enlarged.

Source: Szegedy et al. 2015 (arXiv 1409.4842, GoogLeNet), section 6: windows of 8 % to 100 % of the image's
area, with an aspect ratio between 3/4 and 4/3.

The paper does not say how the aspect is distributed: here its logarithm is uniform, so that a window is as
likely to lie as to stand. A window that would be longer than the image is cut to it. Windows have real
coordinates, not whole pixels, and are resampled bilinearly (the paper varies the kind of interpolation).
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import jax
import jax.numpy as jnp
from pydantic import Field

from trainwright.base import keys
from trainwright.base.config import config
from trainwright.images import each_image, enlarged
from trainwright.strategy import Strategy


@config
class Crop(Strategy):
    """Train on random windows of the images, enlarged to the images' size, drawn afresh at every step.

    >>> Crop(least_area=0.5)
    Crop(least_area=0.5, aspect=1.3333333333333333)
    """

    least_area: Annotated[float, Field(gt=0, le=1)] = 0.08
    """The smallest window's share of the image's area; the share is uniform from here to 1."""
    aspect: Annotated[float, Field(ge=1)] = 4 / 3
    """The largest ratio of a window's width to its height, or of its height to its width, relative to the
    image's own."""

    example: ClassVar = {"least_area": 0.3}

    def augment(self, x: jax.Array, key: jax.Array) -> jax.Array:
        drawn = jax.random.uniform(keys.fold(key, "crop"), (len(x), 4))
        return each_image("crop", lambda image, u: enlarged(image, self.window(image.shape, u)), x, drawn)

    def window(self, shape: tuple[int, ...], u: jax.Array) -> jax.Array:
        """Top, left, height and width (4,) of a window in an image of this shape, from four uniform
        numbers."""
        size = jnp.asarray(shape[:2], jnp.float32)
        area = self.least_area + (1 - self.least_area) * u[0]
        stretch = self.aspect ** (u[1] - 0.5)  # the square root of the aspect
        extent = size * jnp.minimum(jnp.sqrt(area) * jnp.stack([1 / stretch, stretch]), 1)
        return jnp.concatenate([(size - extent) * u[2:], extent])
