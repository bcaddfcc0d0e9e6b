"""Products: how a layer multiplies what comes in by its weights.

A layer's affine map is a product (of matrices, or a convolution) and a bias. `exact` computes the product in
the numbers that it is given; `Rounded` rounds them first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax

Bilinear = Callable[[jax.Array, jax.Array], jax.Array]
"""Inputs and weights to what comes out."""

Product = Callable[[Bilinear, jax.Array, jax.Array], jax.Array]
"""A bilinear map, inputs and weights to what comes out: `exact`, or a `Rounded`. Hashable, and equal to one
that computes the same, as it is part of the compiled program's structure."""


def exact(product: Bilinear, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """The product as it is."""
    return product(x, kernel)


@dataclass(frozen=True)
class Rounded:
    """The product of inputs and weights that are rounded to a shorter type, in the inputs' own type.

    The gradients pass through the same type.

    >>> import jax.numpy as jnp
    >>> Rounded("bfloat16")(jnp.matmul, jnp.ones((1, 2)), jnp.array([[1.001], [2.0]]))
    Array([[3.]], dtype=float32)
    """

    dtype: str
    """The shorter type's name, such as "bfloat16"."""

    def __call__(self, product: Bilinear, x: jax.Array, kernel: jax.Array) -> jax.Array:
        return product(x.astype(self.dtype), kernel.astype(self.dtype)).astype(x.dtype)


@dataclass(frozen=True)
class DotGeneral:
    """A product in the place of `jax.lax.dot_general`, for Flax's layers."""

    product: Product
    """How inputs are multiplied by weights."""

    def __call__(self, x: jax.Array, kernel: jax.Array, *dimensions: Any, **options: Any) -> jax.Array:
        def dot(x: jax.Array, kernel: jax.Array) -> jax.Array:
            multiplied: jax.Array = jax.lax.dot_general(x, kernel, *dimensions, **options)
            return multiplied

        return self.product(dot, x, kernel)
