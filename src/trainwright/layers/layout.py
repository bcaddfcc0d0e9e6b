"""Layout: how images lie in memory. For what works on whole channels, their examples lie side by side.

A window's move is then one long copy, and the poolings and activations that follow run along examples, too.
To the rest of the package images are (examples, height, width, channels), wherever their values are.
"""

from __future__ import annotations

import jax
from jax.experimental.layout import Layout, with_layout_constraint

TURNED = (3, 1, 2, 0)  # the axes, there and back


def examples_last(x: jax.Array) -> jax.Array:
    """Images (examples, height, width, channels) as (channels, height, width, examples), in memory, too.

    >>> examples_last(jax.numpy.zeros((2, 5, 6, 3))).shape
    (3, 5, 6, 2)
    """
    return _laid_out(_laid_out(x, TURNED).transpose(TURNED), (0, 1, 2, 3))


def examples_first(x: jax.Array) -> jax.Array:
    """What `examples_last` made of images, turned back; in memory they stay as they are.

    >>> examples_first(jax.numpy.zeros((3, 5, 6, 2))).shape
    (2, 5, 6, 3)
    """
    return _laid_out(_laid_out(x, (0, 1, 2, 3)).transpose(TURNED), TURNED)


def _laid_out(x: jax.Array, order: tuple[int, ...]) -> jax.Array:
    """The same, on a CPU with its axes in this order in memory, the last one's values side by side.

    Without being told, XLA goes back to the usual order for each sum over a channel, and copies all images.
    """
    if jax.default_backend() != "cpu":
        return x
    same: jax.Array = with_layout_constraint(x, Layout(order))  # type: ignore[no-untyped-call]
    return same
