"""Lens distortion: each training image is bent like one seen through a simple lens, barrel or pincushion.

Source: Wu et al. 2015 (arXiv 1501.02876, Deep Image), which gives no formula; Brown 1966,
"Decentering Distortion of Lenses", for the first term of the radial series: what appears at distance r from
the centre lies at r (1 + k r²), where r = 1 in the corners.

Pixels are resampled bilinearly; what moves in at the edges of a barrel repeats the nearest edge.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import jax
from pydantic import Field

from trainwright.base import keys
from trainwright.base.config import config
from trainwright.images import each_image, from_centre, sampled
from trainwright.strategy import Strategy


@config
class LensDistortion(Strategy):
    """Bend each training image outwards or inwards, by an amount drawn afresh at every step.

    >>> LensDistortion(strength=0.1)
    LensDistortion(strength=0.1)
    """

    strength: Annotated[float, Field(gt=0, le=0.33)] = 0.2
    """The largest k, which is uniform from minus (pincushion) to plus this (barrel); beyond a third an image
    would fold over itself."""

    example: ClassVar = {"strength": 0.33}

    def augment(self, x: jax.Array, key: jax.Array) -> jax.Array:
        k = self.strength * jax.random.uniform(
            keys.fold(key, "lens_distortion"), (len(x),), minval=-1, maxval=1
        )
        return each_image("lens_distortion", bent, x, k)


def bent(image: jax.Array, k: jax.Array) -> jax.Array:
    """An image (height, width, channels) distorted radially with the coefficient k."""
    down, right, squares = from_centre(image)
    return sampled(image, down * (1 + k * squares), right * (1 + k * squares))
