"""Normalisations that learn nothing: local response normalisation, and subtractive normalisation."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from trainwright.layers.pooling import AveragePool
from trainwright.layers.window import Window


def local_response_normalization(
    x: jax.Array,
    size: int = 5,
    alpha: jax.Array | float = 1e-4,
    beta: jax.Array | float = 0.75,
    k: jax.Array | float = 2.0,
) -> jax.Array:
    """b_i = a_i / (k + alpha Σ_j a_j²)^beta, over `size` neighbouring channels j about i, (..., channels).

    Source: Krizhevsky, Sutskever & Hinton 2012, section 3.3, with its constants. Caffe and PyTorch divide
    alpha by the size: for their networks give `alpha / size`, and k = 1.

    >>> x = jnp.array([[3.0, 4.0]])
    >>> local_response_normalization(x, size=3, alpha=1.0, beta=0.5, k=0.0)
    Array([[0.6, 0.8]], dtype=float32)
    """
    before, channels = size // 2, x.shape[-1]
    squares = jnp.pad(x**2, [(0, 0)] * (x.ndim - 1) + [(before, size - 1 - before)])
    neighbours = sum((squares[..., i : i + channels] for i in range(size)), jnp.zeros((), x.dtype))
    return x / (k + alpha * neighbours) ** beta


@dataclass(frozen=True)
class LocalResponseNormalization:
    """`local_response_normalization` with fixed constants, as a part of a network."""

    size: int = 5
    """How many neighbouring channels compete, the own one included."""
    alpha: float = 1e-4
    """What multiplies the sum of their squares."""
    beta: float = 0.75
    """The power that divides."""
    k: float = 2.0
    """What is added to the sum, so that it is never 0."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return local_response_normalization(x, self.size, self.alpha, self.beta, self.k)


@dataclass(frozen=True)
class SubtractiveNormalization:
    """Each value less the mean of its neighbourhood, over all channels.

    Source: Jarrett et al. 2009, "What is the Best Multi-Stage Architecture for Object Recognition?", section
    3.1, with equal weights in place of their Gaussian ones; beyond the edge nothing counts.
    """

    size: int = 3
    """The side of the square neighbourhood, in pixels."""

    def __call__(self, x: jax.Array) -> jax.Array:
        neighbourhood = AveragePool(Window(self.size, padding="same"))
        return x - neighbourhood(x.mean(axis=-1, keepdims=True))
