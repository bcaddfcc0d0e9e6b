"""Network: the base of all architectures, and the module that most of them become."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
from flax import nnx

from trainwright.base.config import Config
from trainwright.sites import Sites
from trainwright.strategy import Layer

Part = nnx.Module | Callable[[jax.Array], jax.Array]


class Network(Config):
    """An architecture as a frozen value."""

    def build(self, shape: tuple[int, ...], outputs: int, sites: Sites) -> nnx.Module:
        """The network for inputs of this shape, called with (x, *, key, training) -> (examples, outputs)."""
        raise NotImplementedError


class Chain(nnx.Module):
    """Layers and functions, one after the other."""

    def __init__(self, parts: Sequence[Part]):
        self.parts = nnx.List(parts)

    def __call__(self, x: jax.Array, *, key: jax.Array | None = None, training: bool = False) -> jax.Array:
        for part in self.parts:
            x = part(x, key=key, training=training) if isinstance(part, Layer) else part(x)
        return x
