"""The contract of a pretraining: part of a network is trained on inputs alone, before the training proper.

A strategy's `pretraining` hook gives the pretrainings of a network. They run one after the other, each on
what those before it left. What one leaves depends on the pretrainings up to it, the data and the seed, and on
nothing else of the recipe; so trainings that have these in common share it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Protocol, runtime_checkable

import jax
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from trainwright.base.config import Config, config

Arrays = Mapping[str, NDArray[np.float32]]


@runtime_checkable
class Machines(Protocol):
    """What a strategy can show of its pretraining; `arrays` are what that left."""

    def transform(self, arrays: Arrays, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """The features of inputs (examples, *shape), float32 (examples, units)."""

    def samples(self, arrays: Arrays, count: int, sweeps: int, seed: int) -> NDArray[np.float32]:
        """Inputs that it makes up, float32 (count, values) in [0, 1]."""

    def filters(self, arrays: Arrays) -> NDArray[np.float32]:
        """Each first hidden unit's weights to the inputs, float32 (units, values)."""


@config
class Pretraining(Config):
    """A frozen value. As with a strategy, floats are data for the compiled program, all else is structure.

    `state` is any pytree of arrays: whatever the steps change, and what they need beside.
    """

    part: str
    """What is trained, such as `rbm1`: it names the arrays, the batches and the random numbers."""
    epochs: Annotated[int, Field(ge=1)]
    """Passes over the training split."""
    batch_size: Annotated[int, Field(ge=1)]
    """Examples per step."""

    def begin(self, arrays: Arrays, rng: np.random.Generator) -> Any:
        """Host. The state before the first step; `arrays` are what the pretrainings before it left."""
        raise NotImplementedError

    def step(
        self, state: Any, x: jax.Array, key: jax.Array, step: jax.Array, epoch: jax.Array
    ) -> tuple[Any, jax.Array]:
        """Traced. One step on a batch of inputs, float32 (examples, values) in [0, 1]: the new state and the
        mean reconstruction error. `step` and `epoch`, int32, count from 0."""
        raise NotImplementedError

    def gap(self, state: Any, train: jax.Array, validation: jax.Array) -> jax.Array:
        """Traced. How much worse validation examples fit than training examples, both as in `step`: the
        difference of their mean free energies, in nats. It grows with overfitting."""
        raise NotImplementedError

    def result(self, state: Any) -> dict[str, jax.Array]:
        """Host. The arrays that it leaves, by names that begin with `part`."""
        raise NotImplementedError
