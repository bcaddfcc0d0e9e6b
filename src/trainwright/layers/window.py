"""Window: a square that moves over an image, as convolutions and poolings use it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp


@dataclass(frozen=True)
class Window:
    """A square of pixels that moves down and right, and what is added around the image.

    >>> Window(5).output(28), Window(3, stride=2, padding=1).output(28), Window(3, padding="same").output(28)
    (24, 14, 28)
    >>> Window(3, stride=2).output(6), Window(3, stride=2, ceil=True).output(6)
    (2, 3)
    """

    size: int
    """Its side, in pixels."""
    stride: int = 1
    """How far it moves at a time."""
    padding: int | Literal["same"] = 0
    """Pixels added on each side. "same": as few as let it start at every `stride`-th pixel."""
    ceil: bool = False
    """Whether a last window that reaches beyond the padding counts, as long as it starts inside."""

    def output(self, length: int) -> int:
        """How many places there are along a side of so many pixels; less than 1 where it does not fit."""
        if self.padding == "same":
            return math.ceil(length / self.stride)
        room = length + 2 * self.padding - self.size
        if not self.ceil:
            return room // self.stride + 1
        places = math.ceil(room / self.stride) + 1
        return places - ((places - 1) * self.stride >= length + self.padding)

    def margins(self, length: int) -> tuple[int, int]:
        """Pixels to add before and after a side of so many."""
        needed = (self.output(length) - 1) * self.stride + self.size
        before = max(needed - length, 0) // 2 if self.padding == "same" else self.padding
        return before, max(needed - length - before, 0)

    def along(self, x: jax.Array, axis: int, fill: float = 0.0) -> list[jax.Array]:
        """What each pixel of the window's side sees along one axis, beyond the edge the value `fill`.

        `size` arrays shaped as x, but for that axis, on which they have `output` places.
        """
        length = x.shape[axis]
        margins = [(0, 0)] * x.ndim
        margins[axis] = self.margins(length)
        padded = jnp.pad(x, margins, constant_values=fill) if any(margins[axis]) else x
        last = self.stride * (self.output(length) - 1) + 1
        return [
            jax.lax.slice_in_dim(padded, first, first + last, self.stride, axis) for first in range(self.size)
        ]

    def patches(self, x: jax.Array) -> jax.Array:
        """All that the window sees at each place of images (channels, height, width, examples), row by row:
        (size² × channels, rows, columns, examples)."""
        rows = self.along(x, 1)
        return jnp.concatenate([seen for row in rows for seen in self.along(row, 2)])
