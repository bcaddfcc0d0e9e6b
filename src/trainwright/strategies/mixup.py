"""Mixup: training examples are mixed in pairs, and so are their targets.

Source: Zhang, Cisse, Dauphin & Lopez-Paz 2018 (arXiv 1710.09412), section 2: x = lambda x_i + (1 - lambda)
x_j and y = lambda y_i + (1 - lambda) y_j, with lambda from Beta(alpha, alpha), one for each batch.

An example is mixed with the next one of its batch, in place of one drawn at random: batches are drawn at
random already. The paper mixes classes; here a regression's values are mixed, too.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import jax
import jax.numpy as jnp
from pydantic import Field

from trainwright.base import keys
from trainwright.base.config import config
from trainwright.strategy import NothingToActOn, Strategy


@config
class Mixup(Strategy):
    """Train on weighted averages of two examples and of their targets, weighted afresh at every step.

    >>> Mixup(0.4)
    Mixup(alpha=0.4)
    """

    alpha: Annotated[float, Field(gt=0)] = 0.2
    """The smaller it is, the nearer most mixtures are to one of the two examples; at 1 all are as likely."""

    example: ClassVar = {"alpha": 1.0}

    def mix(self, x: jax.Array, y: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        if len(x) < 2:
            raise NothingToActOn("mixup", "a batch has one example only; give a larger batch_size")
        share = jax.random.beta(keys.fold(key, "mixup"), self.alpha, self.alpha)
        return mixed(x, share), mixed(y, share)


def mixed(batch: jax.Array, share: jax.Array | float) -> jax.Array:
    """A batch (examples, ...) of which each row has this share, and the row after it the rest.

    >>> mixed(jnp.array([0.0, 4.0, 8.0]), 0.75).tolist()
    [1.0, 5.0, 6.0]
    """
    return share * batch + (1 - share) * jnp.roll(batch, -1, axis=0)
