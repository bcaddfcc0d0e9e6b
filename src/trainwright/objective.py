"""What an objective sees of a step: a batch, what the network made of it, and the network itself.

A strategy's `objective` hook adds a term to the loss that takes passes of its own, say on changed inputs.
Everything here is traced inside the step's gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax
from flax import nnx

from trainwright.task import Task


@dataclass(frozen=True, eq=False)
class Batch:
    """A batch in the middle of a step, after its loss is computed.

    Batch normalisation treats the passes of an objective like any in training, by the statistics of the batch
    it is given; but what layers note of these passes is forgotten.
    """

    x: jax.Array
    """Inputs, float32 (examples, *shape), as the loss's own pass had them."""
    y: jax.Array
    """Targets, float32 (examples, outputs), as the loss had them."""
    outputs: jax.Array
    """What the loss's own pass gave, float32 (examples, outputs)."""
    key: jax.Array
    """The step's key: with it random layers draw what they drew in the loss's own pass."""
    task: Task
    """What the outputs mean."""
    loss: Callable[[jax.Array, jax.Array], jax.Array]
    """The recipe's loss of each example (examples,), from outputs and targets (examples, outputs)."""
    model: Callable[[], nnx.Module]
    """Gives a copy of the network, called with (x, *, key, training)."""
    frozen: Callable[[], nnx.Module]
    """The same with weights that no gradient reaches: cheaper, for gradients with respect to inputs."""

    def forward(self, x: jax.Array, *, frozen: bool = False) -> jax.Array:
        """The network's outputs for inputs like `x`, with the dropout masks of the loss's own pass."""
        model = self.frozen() if frozen else self.model()
        outputs: jax.Array = model(x, key=self.key, training=True)
        return outputs
