"""Photometric: brightness, contrast and saturation of each training image are changed, in random order.

Source: Howard 2013 (arXiv 1312.5402): each is multiplied by a random number from 0.5 to 1.5, one
after the other in an order drawn at random, as the Python Imaging Library's `ImageEnhance` does it (the image
is blended with black, with its mean grey, and with its own grey version). GoogLeNet takes these from there
(arXiv 1409.4842, section 6). The turn of the hue is not in Howard: it comes from the Inception networks'
published code, and is off unless asked for.

Black and white are the darkest and the brightest value of the batch, of all channels together; what would
leave that range ends at its edge. Channels are standardised each on its own before, so that grey is grey only
where they have about the same mean and spread. Howard's noise along the colours' principal axes is left out.
A hue is turned about the grey axis of YIQ colours. Grey is 0.299 red + 0.587 green + 0.114 blue; of images
that have not three channels it is their mean, and they have neither saturation nor hue.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field

from trainwright.base import keys
from trainwright.base.config import config
from trainwright.images import check_images, each_image, pixel_range
from trainwright.strategy import NothingToActOn, Strategy

YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]], np.float32)
"""Red, green and blue to brightness and the two axes of colour (the American television standard)."""

Change = Annotated[float, Field(gt=0, le=1)]
Blend = Callable[[jax.Array, jax.Array], jax.Array]
"""An image whose black is 0, and a uniform number from -1 to 1 -> the changed image."""


@config
class Photometric(Strategy):
    """Change the light and colours of each training image, by amounts drawn afresh at every step.

    >>> Photometric(brightness=0.3, saturation=None)
    Photometric(brightness=0.3, contrast=0.5, saturation=None, hue=None)
    """

    brightness: Change | None = 0.5
    """The factor on the brightness is uniform from 1 - this to 1 + this; None leaves it alone."""
    contrast: Change | None = 0.5
    """The same for the distance of all pixels from the image's mean grey."""
    saturation: Change | None = 0.5
    """The same for the distance of each pixel from its own grey."""
    hue: Annotated[float, Field(gt=0, le=180)] | None = None
    """The largest angle by which colours are turned either way, in degrees; None leaves them alone."""

    example: ClassVar = {"brightness": 0.8, "contrast": 0.8}

    def augment(self, x: jax.Array, key: jax.Array) -> jax.Array:
        check_images("photometric", x.shape[1:])
        blends = self.blends(coloured=x.shape[3:] == (3,))
        black, white = pixel_range(x)
        stages = len(blends)

        def changed(image: jax.Array, u: jax.Array) -> jax.Array:
            image = image - black
            for stage in jnp.argsort(u[:stages]):
                image = jax.lax.switch(stage, blends, image, 2 * u[stages + stage] - 1)
                image = jnp.clip(image, 0, white - black)
            return image + black

        drawn = jax.random.uniform(keys.fold(key, "photometric"), (len(x), 2 * stages))
        return each_image("photometric", changed, x, drawn)

    def blends(self, *, coloured: bool) -> list[Blend]:
        """What is done to an image, one after the other. Raises `NothingToActOn` if that is nothing."""
        brightness, contrast, saturation, hue = self.brightness, self.contrast, self.saturation, self.hue
        blends: list[Blend] = []
        if brightness is not None:
            blends.append(lambda image, u: (1 + brightness * u) * image)
        if contrast is not None:
            blends.append(lambda image, u: blended(grey(image).mean(), image, 1 + contrast * u))
        if saturation is not None and coloured:
            blends.append(lambda image, u: blended(grey(image), image, 1 + saturation * u))
        if hue is not None and coloured:
            blends.append(lambda image, u: turned(image, jnp.deg2rad(hue) * u))
        if not blends:
            reason = "there is nothing to change" if coloured else "images that have no colours"
            raise NothingToActOn(str(self), f"{reason}: give brightness or contrast")
        return blends


def blended(start: jax.Array, image: jax.Array, factor: jax.Array) -> jax.Array:
    """From `start` so many times the way to the image."""
    return start + factor * (image - start)


def grey(image: jax.Array) -> jax.Array:
    """An image's brightness, (height, width, 1)."""
    channels = image.shape[-1]
    weights = YIQ[0] if channels == 3 else np.full(channels, 1 / channels, np.float32)
    return (image * weights).sum(axis=-1, keepdims=True)


def turned(image: jax.Array, angle: jax.Array) -> jax.Array:
    """A colour image with its hues turned by an angle in radians; brightness stays."""
    cos, sin, zero, one = jnp.cos(angle), jnp.sin(angle), jnp.zeros_like(angle), jnp.ones_like(angle)
    turn = jnp.stack([one, zero, zero, zero, cos, -sin, zero, sin, cos]).reshape(3, 3)
    matrix = np.linalg.inv(YIQ) @ turn @ YIQ
    return jnp.einsum("hwc,dc->hwd", image, matrix)
