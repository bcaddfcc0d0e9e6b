"""Random keys named by purpose, never drawn from a counter.

A key's value depends only on what it is for: (seed, "init", layer), (seed, "order", epoch), (seed, "dropout",
site, step). So adding a strategy to a recipe changes nothing else at the same seed, and two arms of a study
start from the same weights and see the same batches.

Draws on the host (initial weights, batch order) use NumPy's Philox: they cost no compilation. Draws
inside the compiled step (masks, noise) use JAX's threefry, folded from the same kind of names.
"""

from __future__ import annotations

import hashlib
import math
import zlib

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.random import threefry_2x32


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """A NumPy generator determined by the seed and the purpose alone.

    >>> first, again = generator(3, "init", "hidden1"), generator(3, "init", "hidden1")
    >>> bool(first.integers(100) == again.integers(100))
    True
    """
    digest = hashlib.sha256(repr((seed, *names)).encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))


def step_key(seed: int) -> jax.Array:
    """The JAX key from which a training folds the key of each of its steps."""
    return jax.random.key(int(generator(seed, "step").integers(2**31)), impl="threefry2x32")


def fold(key: jax.Array, *names: str) -> jax.Array:
    """The key for one purpose within a step, such as `fold(key, "dropout", "hidden1")`."""
    return jax.random.fold_in(key, _number(names))


def bits(key: jax.Array, shape: tuple[int, ...], *names: str) -> jax.Array:
    """Sixteen random bits (uint16) for each value of an array, for one purpose within a step.

    A single threefry over the counters (value, purpose) yields 64 bits per block, and all of them are used.
    `fold` followed by `jax.random.bits` would compile two threefries and use 16 bits of each block.
    """
    size = math.prod(shape)
    blocks = -(-size // 4)
    counters = jnp.concatenate([jnp.arange(blocks, dtype=jnp.uint32), jnp.full(blocks, _number(names))])
    words = threefry_2x32(tuple(jax.random.key_data(key)), counters)
    return jax.lax.bitcast_convert_type(words, jnp.uint16).reshape(-1)[:size].reshape(shape)


def _number(names: tuple[str, ...]) -> np.uint32:
    return np.uint32(zlib.crc32("/".join(names).encode()))
