"""Crops: predictions are averaged over many windows of an image and their mirror images.

Source: Krizhevsky, Sutskever & Hinton 2012, section 4.1, for 10 crops: the four corners and the centre, each
224 pixels of 256, and their mirror images. Szegedy et al. 2015 (arXiv 1409.4842, GoogLeNet), section 7, for
144: the image at four sizes, its shorter side 256, 288, 320 and 352; at each size three squares, at the
start, middle and end of its longer side; of each square the four corners and the centre at 224 pixels, and
the square itself brought to 224; of each its mirror image. Both average the softmax's probabilities.

A network here sees images of one size, so a window of 224 pixels in one of 256 becomes 7/8 of the stored
image's height and width, brought to its full size; at the larger sizes 7/9, 7/10 and 7/11. The stored image
stands for the square: the three squares are one, and of 144 crops the 48 of one square are computed, whose
mean is the same.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from trainwright.base.config import config
from trainwright.images import check_images, enlarged
from trainwright.strategy import Strategy, Views

SIDE = 224
"""The pixels of a crop's side."""
SHORTER_SIDES = {10: (256,), 144: (256, 288, 320, 352)}
"""To which the image's shorter side is brought, by the number of crops."""


@config
class Crops(Strategy):
    """Predict the mean over 10 or 144 windows of each image, in place of the whole image.

    Training goes on as without it; add `crop` to train on windows too.

    >>> Crops(144)
    Crops(number=144)
    """

    number: Literal[10, 144] = 10
    """How many crops the protocol has; predicting takes that many times as long (48 times for 144)."""

    example: ClassVar = {"number": 10}

    def many_views(self, shape: tuple[int, ...]) -> Views:
        check_images("crops", shape)
        square = windows(1, 1, self.number)[:, 0].reshape(-1, 5)
        places = jnp.asarray(square * np.array([*shape[:2], *shape[:2], 1], np.float32))

        def view(x: jax.Array, index: jax.Array) -> jax.Array:
            *place, mirrored = places[index]
            images = x.reshape(*x.shape[:3], -1)
            seen = jax.vmap(enlarged, in_axes=(0, None))(images, jnp.stack(place)).reshape(x.shape)
            return jnp.where(mirrored > 0, jnp.flip(seen, axis=2), seen)

        return Views(len(square), view)


PLACES = ((0, 0), (0, 1), (1, 0), (1, 1), (0.5, 0.5))
"""Of a window in a square: its share of the free room above it and to its left. Four corners, the centre."""


def windows(height: float, width: float, number: Literal[10, 144]) -> NDArray[np.float32]:
    """The crops of an image of this height and width, in its own pixels.

    Float32 (sizes, squares, crops, 5): (1, 1, 10, 5) or (4, 3, 12, 5); the last axis is top, left, height,
    width, and 1 if the window is mirrored.

    >>> windows(256, 300, 10)[0, 0, [0, 8]].tolist()
    [[0.0, 22.0, 224.0, 224.0, 0.0], [16.0, 38.0, 224.0, 224.0, 0.0]]
    """
    square = min(height, width)
    free = np.array([height - square, width - square])
    by_size = []
    for shorter in SHORTER_SIDES[number]:
        side = square * SIDE / shorter
        by_square = []
        for start in (0.0, 0.5, 1.0) if number == 144 else (0.5,):
            corner = start * free
            boxes = [(*(corner + np.array(place) * (square - side)), side, side) for place in PLACES]
            if number == 144:
                boxes.append((*corner, square, square))
            by_square.append([(*window, mirrored) for window in boxes for mirrored in (0, 1)])
        by_size.append(by_square)
    return np.array(by_size, np.float32)
