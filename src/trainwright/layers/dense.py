"""Fully connected layers of weights that are already drawn."""

from __future__ import annotations

from typing import Any

import jax
from flax import nnx

from trainwright.layers.product import DotGeneral, Product, exact


def dense(kernel: jax.Array, bias: jax.Array, product: Product = exact) -> nnx.Linear:
    """The affine map of these first weights, (fan_in, units), and biases, (units,)."""
    return nnx.Linear(
        *kernel.shape,
        rngs=_NO_DRAWS,
        kernel_init=lambda *_: kernel,
        bias_init=lambda *_: bias,
        dot_general=jax.lax.dot_general if product is exact else DotGeneral(product),
    )


def identity(z: jax.Array) -> jax.Array:
    """z: the activation of units whose map is nonlinear itself."""
    return z


class _NoDraws:
    """Stands for the stream of keys that `nnx.Linear` asks for: the weights are drawn on the host instead,
    and folding keys that nobody uses took a third of a network's building."""

    def params(self) -> None:
        pass


_NO_DRAWS: Any = _NoDraws()
