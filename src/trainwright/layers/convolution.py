"""Affine maps of images: convolutions, the same at every place; and locally connected ones, each of its own.

On a CPU, XLA's convolution is ten to twenty times slower inside a compiled loop than outside it. So there it
is written as patches times one matrix, and on accelerators as the operation itself. The numbers are the same
up to rounding.

For the matrix, images lie in memory with their examples side by side, whatever the order of their axes: a
window's move is then one long copy, and all that follows, poolings and activations, runs along examples.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx
from jax.experimental.layout import Layout, with_layout_constraint

from trainwright.layers.product import Product, exact
from trainwright.layers.window import Window

EXAMPLES_LAST = (3, 1, 2, 0)
"""The axes (examples, height, width, channels) as (channels, height, width, examples), and back again."""


def convolve(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
    """The convolution (as all libraries have it: the correlation) of images with kernels.

    (examples, height, width, channels in) and (size, size, channels in, channels out) give (examples, rows,
    columns, channels out).
    """
    return (
        by_product(x, kernel, window) if jax.default_backend() == "cpu" else by_operation(x, kernel, window)
    )


def by_product(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
    """`convolve` as patches times one matrix.

    The patches take size² times the images' memory, so they are made again for the gradient, not kept.
    """
    patches = jax.checkpoint(window.patches) if window.size > 1 else window.patches
    seen = patches(_in_memory(x).transpose(EXAMPLES_LAST))
    z = kernel.reshape(-1, kernel.shape[-1]).T @ seen.reshape(len(seen), -1)
    return _in_memory(z.reshape(-1, *seen.shape[1:]).transpose(EXAMPLES_LAST))


def by_operation(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
    """`convolve` as one operation of the compiler."""
    convolved: jax.Array = jax.lax.conv_general_dilated(
        x,
        kernel,
        window_strides=(window.stride, window.stride),
        padding=[window.margins(side) for side in x.shape[1:3]],
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return convolved


def add_bias(z: jax.Array, bias: jax.Array) -> jax.Array:
    """Images (examples, rows, columns, channels) and a number for each channel."""
    # In the order in which they lie in memory, so that the bias's gradient is a sum over neighbours.
    return (z.transpose(EXAMPLES_LAST) + bias[:, None, None, None]).transpose(EXAMPLES_LAST)


def _in_memory(x: jax.Array) -> jax.Array:
    """Images (examples, height, width, channels) as they are, laid out with their examples side by side."""
    same: jax.Array = with_layout_constraint(x, Layout(EXAMPLES_LAST))  # type: ignore[no-untyped-call]
    return same


class Convolution(nnx.Module):
    """An affine map of each window's pixels, the same at every place.

    `kernel` (size, size, channels in, channels out) and `bias` (channels out,): the first ones.
    """

    def __init__(self, kernel: jax.Array, bias: jax.Array, window: Window, product: Product = exact):
        self.kernel, self.bias = nnx.Param(kernel), nnx.Param(bias)
        self.shape, self.window, self.product = kernel.shape, window, product

    def __call__(self, x: jax.Array) -> jax.Array:
        convolved = self.product(partial(convolve, window=self.window), x, self.kernel[...])
        return add_bias(convolved, self.bias[...])


class LocallyConnected(nnx.Module):
    """An affine map of each window's pixels, another one at every place, flattened.

    `kernel` (size² × channels in, units) and `bias` (units,), a unit for each place and channel: each column
    holds the weights that come into one unit, as in a fully connected layer.
    """

    def __init__(self, kernel: jax.Array, bias: jax.Array, window: Window, product: Product = exact):
        self.kernel, self.bias = nnx.Param(kernel), nnx.Param(bias)
        self.shape, self.window, self.product = kernel.shape, window, product

    def __call__(self, x: jax.Array) -> jax.Array:
        patches = self.window.patches(x.transpose(EXAMPLES_LAST))
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
        multiplied = jnp.matmul if self.window is None else partial(convolve, window=self.window)
        z = self.product(multiplied, x, self.kernel[...]) + self.bias[...]
        return z.reshape(*z.shape[:-1], -1, self.pieces).max(axis=-1)
