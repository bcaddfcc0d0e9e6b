"""Mlp: the multilayer perceptron, or feedforward network."""

from __future__ import annotations

from typing import Annotated

from flax import nnx
from pydantic import Field

from trainwright.base.config import config
from trainwright.flow import begin
from trainwright.network import Network, NetworkBuilder


@config
class Mlp(Network):
    """Fully connected layers: inputs flattened, hidden layers with an activation each, linear outputs.

    >>> Mlp((1024, 1024))
    Mlp(hidden=(1024, 1024))
    """

    hidden: tuple[Annotated[int, Field(ge=1)], ...] = (64, 64)
    """Units of each hidden layer, from the input on; none gives a linear (softmax or least squares) model."""

    def build(self, shape: tuple[int, ...], outputs: int, builder: NetworkBuilder) -> nnx.Module:
        flow = begin(shape, builder).flatten().extended(self.hidden).input()
        for number, units in enumerate(self.hidden, start=1):
            flow = flow.hidden(f"hidden{number}", units)
        return flow.output(outputs).network()
