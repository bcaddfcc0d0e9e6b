"""Mlp: the multilayer perceptron, or feedforward network."""

from __future__ import annotations

import math
from typing import Annotated

import jax
from flax import nnx
from pydantic import Field

from trainwright.base.config import config
from trainwright.network import Chain, Network, Part
from trainwright.sites import Sites


@config
class Mlp(Network):
    """Fully connected layers: inputs flattened, hidden layers with an activation each, linear outputs.

    >>> Mlp((1024, 1024))
    Mlp(hidden=(1024, 1024))
    """

    hidden: tuple[Annotated[int, Field(ge=1)], ...] = (64, 64)
    """Units of each hidden layer, from the input on; none gives a linear (softmax or least squares) model."""

    def build(self, shape: tuple[int, ...], outputs: int, sites: Sites) -> nnx.Module:
        width = math.prod(shape)
        parts: list[Part] = [flatten, *sites.layers(sites.site("input", "input", width, width))]
        for number, units in enumerate(self.hidden, start=1):
            parts += sites.hidden(f"hidden{number}", width, units)
            width = units
        output = sites.site("output", "output", width, outputs)
        return Chain([*parts, output.linear(outputs), *sites.layers(output)])


def flatten(x: jax.Array) -> jax.Array:
    """(examples, ...) -> (examples, features)."""
    return x.reshape(len(x), -1)
