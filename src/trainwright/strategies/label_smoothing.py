"""Label smoothing: the targets are nearly one and nearly zero instead of one and zero.

Source: Szegedy et al. 2016 (arXiv 1512.00567), section 7: q' = (1 - amount) q + amount / classes;
Goodfellow, Bengio & Courville 2016, section 7.5.1.

The book's 1 - epsilon and epsilon / (k - 1) are the same with amount = epsilon k / (k - 1). Validation is
scored on the true classes.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import jax
from pydantic import Field

from trainwright.base.config import config
from trainwright.strategy import NothingToActOn, Strategy


@config
class LabelSmoothing(Strategy):
    """Mix the one-hot targets with the uniform distribution over the classes during training.

    >>> LabelSmoothing(0.1)
    LabelSmoothing(amount=0.1)
    """

    amount: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """The uniform distribution's share."""

    example: ClassVar = {"amount": 0.2}

    def targets(self, y: jax.Array) -> jax.Array:
        if (classes := y.shape[-1]) == 1:
            raise NothingToActOn("label_smoothing", "a regression has no classes; leave label_smoothing out")
        return (1 - self.amount) * y + self.amount / classes
