"""Virtual adversarial training: predictions should stay the same under the worst small change of the inputs.

Added to the loss is the mean of D(x, r) = KL[p(y | x), p(y | x + r)], with r the vector of length epsilon for
which it is largest. No target enters.

Source: Miyato, Maeda, Koyama & Ishii 2018 (arXiv 1704.03976), section 3: r is epsilon times the dominant
eigenvector of D's Hessian H at r = 0, found by power iterations d <- H d / |H d| from a random d. The
defaults are theirs for MNIST.

The paper approximates H d by a finite difference, the gradient of D at r = xi d with xi = 1e-6. In float32
such a step is lost in rounding. Here H d is exact, the limit for xi -> 0: H = J' F J, with J the outputs'
Jacobian and F the divergence's Hessian with respect to the outputs, at no more than the finite difference's
cost. All passes have the same dropout masks and the same noise, without which D would not be smallest at
r = 0; the paper's network for MNIST has neither.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import jax
import jax.numpy as jnp
from pydantic import Field

from trainwright.base import keys
from trainwright.base.config import config
from trainwright.objective import Batch
from trainwright.strategy import Strategy


@config
class VirtualAdversarialTraining(Strategy):
    """Add to the loss how far predictions move under the worst small change of the inputs.

    >>> VirtualAdversarialTraining(epsilon=1.0).iterations
    1
    """

    epsilon: Annotated[float, Field(gt=0)] = 2.1
    """The Euclidean length of an example's change, in the inputs' units as the network sees them: pixels from
    0 to 1, columns of a table in standard deviations."""
    weight: Annotated[float, Field(gt=0)] = 1.0
    """lambda: what the divergence is multiplied by."""
    iterations: Annotated[int, Field(ge=1)] = 1
    """Power iterations towards the worst direction; each costs about two thirds of a step's arithmetic."""

    example: ClassVar = {"epsilon": 0.5}

    def objective(self, batch: Batch, key: jax.Array) -> jax.Array:
        start = jax.random.normal(keys.fold(key, "direction"), batch.x.shape)
        r = self.epsilon * worst_direction(batch, start, self.iterations)
        predicted = jax.lax.stop_gradient(batch.outputs)
        return self.weight * batch.task.divergence(predicted, batch.forward(batch.x + r)).mean()


def worst_direction(batch: Batch, start: jax.Array, iterations: int) -> jax.Array:
    """For each example the unit vector of its inputs' shape that so many power iterations make of `start`,
    (examples, *shape)."""
    outputs, jacobian = jax.linearize(lambda x: batch.forward(x, frozen=True), batch.x)
    transposed = jax.linear_transpose(jacobian, batch.x)

    def slope(others: jax.Array) -> jax.Array:
        gradient: jax.Array = jax.grad(lambda o: batch.task.divergence(outputs, o).sum())(others)
        return gradient

    d = unit(start)
    for _ in range(iterations):
        change = jacobian(d)
        d = unit(*transposed(jax.jvp(slope, (outputs,), (change,))[1]))
    return d


def unit(d: jax.Array) -> jax.Array:
    """Each example's vector (examples, ...) at length 1; one of zeros stays as it is.

    >>> unit(jnp.array([[3e-30, 4e-30], [0.0, 0.0]])).round(3).tolist()  # whose squares are too small
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    axes = tuple(range(1, d.ndim))
    largest = jnp.max(jnp.abs(d), axis=axes, keepdims=True)
    d = d / jnp.where(largest > 0, largest, 1)
    return d / jnp.sqrt(jnp.maximum(jnp.sum(d**2, axis=axes, keepdims=True), 1))
