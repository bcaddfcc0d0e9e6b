"""Pooling: one value for each window and channel, as values that can stand in a network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np

from trainwright.layers.window import Window


@dataclass(frozen=True)
class MaxPool:
    """The largest value in each window; padding is never the largest.

    >>> x = jnp.arange(16.0).reshape(1, 4, 4, 1)
    >>> MaxPool(Window(2, stride=2))(x).ravel().tolist()
    [5.0, 7.0, 13.0, 15.0]
    """

    window: Window
    """What moves over the image."""

    def __call__(self, x: jax.Array) -> jax.Array:
        # First down, then across: maxima of whole arrays, whose gradient is ten to twenty times as fast on a
        # CPU as that of XLA's reduce_window.
        for axis in (1, 2):
            x = reduce(jnp.maximum, self.window.along(x, axis, -math.inf))
        return x


@dataclass(frozen=True)
class AveragePool:
    """The mean of each window.

    >>> x = jnp.ones((1, 3, 3, 1))
    >>> AveragePool(Window(3, padding=1))(x).min(), AveragePool(Window(3, padding=1), True)(x).min().round(2)
    (Array(1., dtype=float32), Array(0.44, dtype=float32))
    """

    window: Window
    """What moves over the image."""
    count_padding: bool = False
    """Whether padding counts as zeros (what lies beyond it, with `ceil`, never counts)."""

    def __call__(self, x: jax.Array) -> jax.Array:
        down, across = (self._counts(side) for side in x.shape[1:3])
        for axis in (1, 2):
            x = reduce(jnp.add, self.window.along(x, axis))
        return x / jnp.asarray(down[:, None, None] * across[:, None], x.dtype)

    def _counts(self, length: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """How many pixels count along a side, at each place."""
        before, after = self.window.margins(length)
        low, high = 0, before + length + after
        if not self.count_padding:
            low, high = before, before + length
        elif self.window.padding != "same":
            high = min(high, length + 2 * self.window.padding)
        starts = self.window.stride * np.arange(self.window.output(length))
        return np.minimum(starts + self.window.size, high) - np.maximum(starts, low)


def global_average(x: jax.Array) -> jax.Array:
    """The mean over all places: (examples, height, width, channels) -> (examples, channels)."""
    return x.mean(axis=(1, 2))
