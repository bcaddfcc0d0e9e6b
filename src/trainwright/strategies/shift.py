"""Shift: training images are moved at random by a few pixels.

Source: Goodfellow, Bengio & Courville 2016, section 7.4 (a few pixels in each direction); Simard,
Steinkraus & Platt 2003 for handwritten digits.

Each image moves down and right by two whole numbers of its own, uniform from -pixels to pixels; what moves in
is zero, so zero should be the inputs' background.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import jax
import jax.numpy as jnp
from pydantic import Field

from trainwright.base import keys
from trainwright.base.config import config
from trainwright.base.errors import SettingError
from trainwright.images import check_images
from trainwright.strategy import Strategy


@config
class Shift(Strategy):
    """Move each training image by up to so many pixels in each direction, drawn afresh at every step.

    >>> Shift(pixels=2)
    Shift(pixels=2)
    """

    pixels: Annotated[int, Field(ge=1)] = 1
    """The largest shift, up, down, left and right; less than the image's height and width."""

    example: ClassVar = {"pixels": 1}

    def augment(self, x: jax.Array, key: jax.Array) -> jax.Array:
        check_images("shift", x.shape[1:])
        if self.pixels >= (least := min(x.shape[1:3])):
            raise SettingError(
                f"shift: pixels = {self.pixels} moves images of {x.shape[1]}×{x.shape[2]} out of sight: "
                f"give a whole number in [1, {least})"
            )
        starts = jax.random.randint(keys.fold(key, "shift"), (len(x), 2), 0, 2 * self.pixels + 1)
        return jax.vmap(self._window)(x, starts)

    def _window(self, image: jax.Array, start: jax.Array) -> jax.Array:
        """The part of the padded image (height, width[, channels]) that begins at (row, column)."""
        margins = [(self.pixels, self.pixels)] * 2 + [(0, 0)] * (image.ndim - 2)
        begin = [*start, *[0] * (image.ndim - 2)]
        return jax.lax.dynamic_slice(jnp.pad(image, margins), begin, image.shape)
