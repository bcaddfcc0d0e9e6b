"""Images in the compiled step: what the strategies that change them share.

Images reach a strategy as the network sees them: bytes in grey as fractions of 255, others standardised.
Where a setting is about brightness, it is a fraction of the pixels' range in the batch, from its darkest
value to its brightest, so that it means the same however the inputs were scaled. In colour, each channel is
standardised on its own, and black and white are the same for all: where the channels' means and spreads
differ, as in a data set with a cast, a change of light tints a little. Where an image is turned or bent, what
moves in repeats the nearest edge.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates

from trainwright.strategy import NothingToActOn


def check_images(strategy: str, shape: tuple[int, ...]) -> None:
    """Raise `NothingToActOn` unless an example of this shape is an image (height, width[, channels])."""
    if len(shape) not in (2, 3):
        raise NothingToActOn(
            strategy, f"an example is {shape}, not an image (height, width[, channels]); leave {strategy} out"
        )


def each_image(
    strategy: str, change: Callable[[jax.Array, jax.Array], jax.Array], x: jax.Array, drawn: jax.Array
) -> jax.Array:
    """Each image changed by its own random numbers.

    `x`: images (examples, height, width[, channels]). `drawn`: (examples, ...). `change`: one image (height,
    width, channels), its numbers -> the changed image. Raises `NothingToActOn` if these are no images.
    """
    check_images(strategy, x.shape[1:])
    return jax.vmap(change)(x.reshape(*x.shape[:3], -1), drawn).reshape(x.shape)


def pixel_range(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Black and white, each a scalar: the darkest and the brightest value of the batch."""
    return x.min(), x.max()


def from_centre(image: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """How far down and right of an image's centre its pixels lie, in pixels, and the squares of their
    distances from it, where a corner's is 1; each (height, width)."""
    height, width = image.shape[:2]
    rows, columns = (jnp.arange(size, dtype=jnp.float32) - (size - 1) / 2 for size in (height, width))
    down, right = jnp.meshgrid(rows, columns, indexing="ij")
    corner = max(((height - 1) ** 2 + (width - 1) ** 2) / 4, 1.0)
    return down, right, (down**2 + right**2) / corner


def sampled(image: jax.Array, down: jax.Array, right: jax.Array) -> jax.Array:
    """An image (height, width, channels) whose pixels are found so far from its centre, both (height, width):
    bilinear between pixels, the nearest edge beyond them."""
    height, width = image.shape[:2]
    places = [down + (height - 1) / 2, right + (width - 1) / 2]

    def one_channel(channel: jax.Array) -> jax.Array:
        values: jax.Array = map_coordinates(channel, places, order=1, mode="nearest")
        return values

    return jax.vmap(one_channel, in_axes=2, out_axes=2)(image)


def enlarged(image: jax.Array, window: jax.Array) -> jax.Array:
    """A window of an image (height, width, channels), enlarged to the image's own size, bilinearly.

    `window`: top, left, height and width, (4,), in pixels from the image's edge, fractions allowed; inside
    the image.
    """
    size = jnp.asarray(image.shape[:2], jnp.float32)
    scale = size / window[2:]
    resampled: jax.Array = jax.image.scale_and_translate(
        image, image.shape, (0, 1), scale, -window[:2] * scale, "linear", antialias=False
    )
    return resampled
