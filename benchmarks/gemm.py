"""The ceiling: products of a 128 x 1024 with a 1024 x 1024 matrix by JAX, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jobs import Job
from turns import contestant

SIZE = (128, 1024, 1024)
PRODUCTS = 400  # in one turn
FLOPS = 2 * SIZE[0] * SIZE[1] * SIZE[2] * PRODUCTS


def prepare(job: Job) -> Callable[[], None]:
    a, b = jnp.ones(SIZE[:2]), jnp.full(SIZE[1:], 1 / SIZE[1])
    product = jax.jit(jnp.matmul)

    def turn() -> None:
        c = a
        for _ in range(PRODUCTS):
            c = product(c, b)
        c.block_until_ready()

    return turn


if __name__ == "__main__":
    contestant(prepare, ("jax",))
