"""What an objective sees of a step, and that its passes leave no trace."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from small import digits, recipe
from trainwright.base.config import config
from trainwright.objective import Batch
from trainwright.strategies import BatchNorm, Cost, Dropout, LabelSmoothing, Noise
from trainwright.strategy import Strategy
from trainwright.task import Classification, Regression, task_of
from trainwright.training import step
from trainwright.training.building import Training, build
from trainwright.training.cohort import numbers
from trainwright.training.step import Program

DATA = digits()
RANDOM = (Dropout(0.4, input_rate=0.2), Noise(0.3, 0.1), BatchNorm(statistics="running"))
X = jnp.asarray(DATA.inputs[:12])


@config
class Probe(Strategy):
    """Adds the mean outputs of a pass on other inputs."""

    frozen: bool = False
    """Whether weights are held still in that pass."""

    def objective(self, batch: Batch, key: jax.Array) -> jax.Array:
        return batch.forward(batch.x + 1, frozen=self.frozen).mean()


@config
class Same(Strategy):
    """Makes the loss infinite unless a second pass on the same inputs gives the same outputs."""

    def objective(self, batch: Batch, key: jax.Array) -> jax.Array:
        same = jnp.all(batch.forward(batch.x) == batch.outputs)
        return jnp.where(same, 0.0, jnp.inf) * batch.outputs.sum()


@config
class Quadratic(Strategy):
    """Takes away the quadratic cost by its formula."""

    def objective(self, batch: Batch, key: jax.Array) -> jax.Array:
        return -jnp.sum((jax.nn.softmax(batch.outputs) - batch.y) ** 2, axis=-1).mean() / 2


def gradient(*strategies: Strategy):
    """The first step's gradient, loss and statistics, outside a compiled program."""
    graphdef, state = build(Training(recipe(*strategies), DATA, 0))
    program = Program(graphdef, task_of(DATA), cohort=False, chunk=64)
    y = program.task.encode(jnp.asarray(DATA.targets[:12]))
    return step.gradient(program, numbers(recipe(*strategies)), state, X, y)


def test_a_further_pass_has_the_masks_and_the_noise_of_the_loss_s_own():
    gradients, plain = gradient(*RANDOM, Same())[0], gradient(*RANDOM)[0]
    for leaf, expected in zip(jax.tree.leaves(gradients), jax.tree.leaves(plain), strict=True):
        np.testing.assert_array_equal(leaf, expected)


@pytest.mark.parametrize("frozen", [False, True])
def test_what_layers_note_of_a_further_pass_is_forgotten(frozen):
    _, cost, rest = gradient(*RANDOM, Probe(frozen=frozen))
    _, plain_cost, plain = gradient(*RANDOM)
    assert cost == plain_cost, "the training loss that is reported is that of the examples"
    for one, other in zip(jax.tree.leaves(rest), jax.tree.leaves(plain), strict=True):
        if not jnp.issubdtype(one.dtype, jax.dtypes.prng_key):
            np.testing.assert_array_equal(one, other)


def test_no_gradient_goes_through_a_frozen_pass_and_one_through_the_other():
    plain, still, moved = (gradient(*chosen)[0] for chosen in ((), (Probe(frozen=True),), (Probe(),)))
    leaves = [jax.tree.leaves(one) for one in (plain, still, moved)]
    assert all(np.array_equal(one, other) for one, other in zip(*leaves[:2], strict=True))
    assert not all(np.array_equal(one, other) for one, other in zip(leaves[0], leaves[2], strict=True))


def test_an_objective_s_batch_is_what_the_loss_saw():
    """With the recipe's own cost taken away nothing is left to descend."""
    for leaf in jax.tree.leaves(gradient(*RANDOM, LabelSmoothing(0.3), Cost("quadratic"), Quadratic())[0]):
        np.testing.assert_allclose(leaf, 0, atol=1e-6)


@pytest.mark.parametrize(
    ("task", "width"), [(Classification(4), 4), (Regression(), 1)], ids=["classes", "value"]
)
def test_divergence_is_zero_for_equal_outputs_and_positive_for_others(task, width):
    rng = np.random.default_rng(0)
    one, other = (jnp.asarray(rng.normal(size=(5, width)), jnp.float32) for _ in range(2))
    np.testing.assert_allclose(task.divergence(one, one), 0, atol=1e-6)
    assert (task.divergence(one, other) > 0).all()
    if width > 1:
        p, q = (np.exp(z) / np.exp(z).sum(axis=1, keepdims=True) for z in map(np.asarray, (one, other)))
        np.testing.assert_allclose(task.divergence(one, other), (p * np.log(p / q)).sum(axis=1), rtol=1e-4)
        np.testing.assert_allclose(task.divergence(one, one + 3), 0, atol=1e-5)
