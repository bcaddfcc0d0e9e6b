"""Random keys named by purpose, never drawn from a counter.

What a key is for decides its value: (seed, "init", layer), (seed, "order", epoch), (seed, "dropout",
site, step). So adding a strategy to a recipe changes nothing else at the same seed, and two arms of a
study start from the same weights and see the same batches.

Draws on the host (initial weights, batch order) use NumPy's Philox: they cost no compilation. Draws
inside the compiled step (masks, noise) use JAX's threefry, folded from the same kind of names.
"""

from __future__ import annotations

import hashlib
import zlib

import jax
import numpy as np


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """A NumPy generator that depends on the seed and the purpose alone.

    >>> one, other = generator(3, "init", "hidden1"), generator(3, "init", "hidden1")
    >>> bool(one.integers(100) == other.integers(100))
    True
    """
    digest = hashlib.sha256(repr((seed, *names)).encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))


def step_key(seed: int) -> jax.Array:
    """The JAX key from which a training folds the key of each of its steps."""
    return jax.random.key(int(generator(seed, "step").integers(2**31)), impl="threefry2x32")


def fold(key: jax.Array, *names: str) -> jax.Array:
    """The key for one purpose within a step, such as `fold(key, "dropout", "hidden1")`."""
    return jax.random.fold_in(key, zlib.crc32("/".join(names).encode()))
