"""Vignetting: each training image is darkened towards its corners, by a random amount.

Source: Wu et al. 2015 (arXiv 1501.02876, Deep Image), which makes the periphery dark against the
centre and gives no formula.

Here a pixel at distance r from the centre keeps 1 - s r² of its brightness, where r = 1 in the corners. Black
is the darkest value of the batch.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import jax
from pydantic import Field

from trainwright.base import keys
from trainwright.base.config import config
from trainwright.images import each_image, from_centre, pixel_range
from trainwright.strategy import Strategy


@config
class Vignetting(Strategy):
    """Darken each training image towards its corners, by an amount drawn afresh at every step.

    >>> Vignetting(strength=0.3)
    Vignetting(strength=0.3)
    """

    strength: Annotated[float, Field(gt=0, le=1)] = 0.5
    """The largest share s of the brightness that a corner loses; the share is uniform from 0 to this."""

    example: ClassVar = {"strength": 1.0}

    def augment(self, x: jax.Array, key: jax.Array) -> jax.Array:
        black, _ = pixel_range(x)
        lost = self.strength * jax.random.uniform(keys.fold(key, "vignetting"), (len(x),))

        def darkened(image: jax.Array, lost: jax.Array) -> jax.Array:
            kept = 1 - lost * from_centre(image)[2][..., None]
            return black + (image - black) * kept

        return each_image("vignetting", darkened, x, lost)
