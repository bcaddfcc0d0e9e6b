"""Adam: each weight's step is scaled by running averages of its gradient and of the gradient's square.

Source: Kingma & Ba 2015 (arXiv 1412.6980), Algorithm 1.

The step size is the recipe's learning rate; a sensible one is about 0.001, far below plain gradient
descent's. A penalty's gradient is averaged along with the loss's (no decoupled weight decay).
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import optax
from pydantic import Field

from trainwright.base.config import config
from trainwright.strategy import Strategy

Decay = Annotated[float, Field(ge=0, lt=1)]


@config
class Adam(Strategy):
    """Adaptive moment estimation; use it with a learning rate of about 0.001.

    >>> Adam(second_decay=0.99)
    Adam(first_decay=0.9, second_decay=0.99, epsilon=1e-08)
    """

    first_decay: Decay = 0.9
    """beta1: how much of the gradient's running average is kept per step."""
    second_decay: Decay = 0.999
    """beta2: how much of the squared gradient's running average is kept per step."""
    epsilon: Annotated[float, Field(gt=0)] = 1e-8
    """What is added to the root of the squared gradient's average, in the gradient's units."""

    example: ClassVar = {"first_decay": 0.9}

    def gradient(self) -> optax.GradientTransformation:
        transform: optax.GradientTransformation = optax.scale_by_adam(
            b1=self.first_decay, b2=self.second_decay, eps=self.epsilon
        )
        return transform
