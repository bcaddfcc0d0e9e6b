"""Rotation: each training image is turned about its centre by a random angle.

Source: Wu et al. 2015 (arXiv 1501.02876, Deep Image), which gives no angles; Simard, Steinkraus & Platt
2003 for handwritten digits.

Pixels are resampled bilinearly; what moves in at the corners repeats the nearest edge.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import jax
import jax.numpy as jnp
from pydantic import Field

from trainwright.base import keys
from trainwright.base.config import config
from trainwright.images import each_image, from_centre, sampled
from trainwright.strategy import Strategy


@config
class Rotation(Strategy):
    """Turn each training image by up to so many degrees either way, drawn afresh at every step.

    >>> Rotation(degrees=10)
    Rotation(degrees=10.0)
    """

    degrees: Annotated[float, Field(gt=0, le=180)] = 15.0
    """The largest angle, in degrees; the angle is uniform from minus to plus this."""

    example: ClassVar = {"degrees": 30.0}

    def augment(self, x: jax.Array, key: jax.Array) -> jax.Array:
        limit = jnp.deg2rad(self.degrees)
        angles = limit * jax.random.uniform(keys.fold(key, "rotation"), (len(x),), minval=-1, maxval=1)
        return each_image("rotation", turned, x, angles)


def turned(image: jax.Array, angle: jax.Array) -> jax.Array:
    """An image (height, width, channels) turned clockwise by an angle in radians."""
    down, right, _ = from_centre(image)
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return sampled(image, cos * down - sin * right, sin * down + cos * right)
