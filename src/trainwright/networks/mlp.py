"""Mlp: the multilayer perceptron, or feedforward network."""

from __future__ import annotations

import math
from typing import Annotated

import jax
from flax import nnx
from pydantic import Field

from trainwright.base.config import config
from trainwright.network import Chain, Network, NetworkBuilder
from trainwright.strategy import Part


@config
class Mlp(Network):
    """Fully connected layers: inputs flattened, hidden layers with an activation each, linear outputs.

    >>> Mlp((1024, 1024))
    Mlp(hidden=(1024, 1024))
    """

    hidden: tuple[Annotated[int, Field(ge=1)], ...] = (64, 64)
    """Units of each hidden layer, from the input on; none gives a linear (softmax or least squares) model."""

    def build(self, shape: tuple[int, ...], outputs: int, builder: NetworkBuilder) -> nnx.Module:
        width = math.prod(shape)
        parts: dict[str, Part] = {"flatten": flatten}
        for name, extension in builder.extension(width, self.hidden).items():
            parts[name] = extension
            width += extension.added
        parts |= builder.input(width, parts)
        for number, units in enumerate(self.hidden, start=1):
            parts |= builder.hidden(f"hidden{number}", width, units, parts)
            width = units
        return Chain(parts | builder.output(width, outputs, parts))


def flatten(x: jax.Array) -> jax.Array:
    """(examples, ...) -> (examples, features)."""
    return x.reshape(len(x), -1)
