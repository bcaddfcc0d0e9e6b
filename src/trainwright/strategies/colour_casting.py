"""Colour casting: the channels of each training image are made lighter or darker, each or not at random.

Source: Wu et al. 2015 (arXiv 1501.02876, Deep Image): three random Booleans say which of red,
green and blue are changed; to each of these a random whole number from -20 to 20 is added.

The numbers are 255ths of the pixels' range, from the darkest to the brightest value of the batch; what would
leave that range ends at its edge, as bytes do. A grey image has one channel, and is made lighter or darker.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import jax
import jax.numpy as jnp
from pydantic import Field

from trainwright.base import keys
from trainwright.base.config import config
from trainwright.images import check_images, pixel_range
from trainwright.strategy import Strategy


@config
class ColourCasting(Strategy):
    """Add a random number to each channel of an image with probability 1/2, drawn afresh at every step.

    >>> ColourCasting(levels=10)
    ColourCasting(levels=10)
    """

    levels: Annotated[int, Field(ge=1, le=255)] = 20
    """The largest change, up or down, in 255ths of the pixels' range."""

    example: ClassVar = {"levels": 80}

    def augment(self, x: jax.Array, key: jax.Array) -> jax.Array:
        check_images("colour_casting", x.shape[1:])
        channels = (len(x), 1, 1, *x.shape[3:])
        chosen, u = jax.random.uniform(keys.fold(key, "colour_casting"), (2, *channels))
        levels = jnp.floor((2 * self.levels + 1) * u) - self.levels
        return cast(x, jnp.where(chosen < 0.5, levels, 0))


def cast(x: jax.Array, levels: jax.Array) -> jax.Array:
    """Images with so many 255ths of their range added, and cut to that range."""
    black, white = pixel_range(x)
    return jnp.clip(x + levels / 255 * (white - black), black, white)
