"""Affine maps of images: convolutions, the same at every place; and locally connected ones, each of its own.

On a CPU, XLA's convolution is ten to twenty times slower inside a compiled loop than outside it. So there it
is written as patches times one matrix, and on accelerators as the operation itself. The numbers are the same
up to rounding.

For the matrix, images are turned so that their examples lie side by side in memory (`layout.py`).
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx

from trainwright.layers.layout import examples_first, examples_last
from trainwright.layers.product import Product, exact
from trainwright.layers.window import Window


def convolve(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
    """The convolution (as all libraries have it: the correlation) of images with kernels, the examples last.

    (channels in, height, width, examples) and (size, size, channels in, channels out) give (channels out,
    rows, columns, examples).
    """
    return (
        by_product(x, kernel, window) if jax.default_backend() == "cpu" else by_operation(x, kernel, window)
    )


def by_product(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
    """`convolve` as one matrix times patches.

    The patches take size² times the images' memory, so they are made again for the gradient, not kept.
    """
    seen = (jax.checkpoint(window.patches) if window.size > 1 else window.patches)(x)
    z = kernel.reshape(-1, kernel.shape[-1]).T @ seen.reshape(len(seen), -1)
    return z.reshape(-1, *seen.shape[1:])


def by_operation(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
    """`convolve` as one operation of the compiler."""
    convolved: jax.Array = jax.lax.conv_general_dilated(
        x,
        kernel,
        window_strides=(window.stride, window.stride),
        padding=[window.margins(side) for side in x.shape[1:3]],
        dimension_numbers=("CHWN", "HWIO", "CHWN"),
    )
    return convolved


def affine(x: jax.Array, kernel: jax.Array, bias: jax.Array, window: Window, product: Product) -> jax.Array:
    """Images (examples, height, width, channels) convolved, and a number added for each channel."""
    z = product(partial(convolve, window=window), examples_last(x), kernel)
    return examples_first(z + bias[:, None, None, None])


class Convolution(nnx.Module):
    """An affine map of each window's pixels, the same at every place.

    `kernel` (size, size, channels in, channels out) and `bias` (channels out,): the first ones.
    """

    def __init__(self, kernel: jax.Array, bias: jax.Array, window: Window, product: Product = exact):
        self.kernel, self.bias = nnx.Param(kernel), nnx.Param(bias)
        self.shape, self.window, self.product = kernel.shape, window, product

    def __call__(self, x: jax.Array) -> jax.Array:
        return affine(x, self.kernel[...], self.bias[...], self.window, self.product)


class LocallyConnected(nnx.Module):
    """An affine map of each window's pixels, another one at every place, flattened.

    `kernel` (size² × channels in, units) and `bias` (units,), a unit for each place and channel: each column
    holds the weights that come into one unit, as in a fully connected layer.
    """

    def __init__(self, kernel: jax.Array, bias: jax.Array, window: Window, product: Product = exact):
        self.kernel, self.bias = nnx.Param(kernel), nnx.Param(bias)
        self.shape, self.window, self.product = kernel.shape, window, product

    def __call__(self, x: jax.Array) -> jax.Array:
        patches = self.window.patches(examples_last(x))
        patches = patches.reshape(len(patches), -1, len(x))
        kernel = self.kernel[...].reshape(*patches.shape[:2], -1)
        z = self.product(partial(jnp.einsum, "fpn,fpc->npc"), patches, kernel)
        return z.reshape(len(x), -1) + self.bias[...]


class Maxout(nnx.Module):
    """The largest of each unit's affine pieces (Goodfellow et al. 2013, arXiv 1302.4389).

    `affine` has `pieces` outputs for each unit (of a convolution: channel), side by side. Its weights become
    this layer's own.
    """

    def __init__(self, affine: nnx.Linear | Convolution, pieces: int, product: Product = exact):
        assert affine.bias is not None
        self.kernel, self.bias = affine.kernel, affine.bias
        self.window = affine.window if isinstance(affine, Convolution) else None
        self.pieces, self.product = pieces, product

    def __call__(self, x: jax.Array) -> jax.Array:
        kernel, bias = self.kernel[...], self.bias[...]
        if self.window is None:
            z = self.product(jnp.matmul, x, kernel) + bias
        else:
            z = affine(x, kernel, bias, self.window, self.product)
        return z.reshape(*z.shape[:-1], -1, self.pieces).max(axis=-1)
