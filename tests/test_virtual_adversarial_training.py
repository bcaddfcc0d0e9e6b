"""Virtual adversarial training: its direction against the Hessian's eigenvectors, its term against KL."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from trainwright.network import NetworkBuilder
from trainwright.networks.mlp import Mlp
from trainwright.objective import Batch
from trainwright.strategies import Activation, Dropout, VirtualAdversarialTraining
from trainwright.strategies.virtual_adversarial_training import unit, worst_direction
from trainwright.task import Classification, Regression

INPUTS, EXAMPLES = 6, 5
X = jnp.asarray(np.random.default_rng(0).normal(size=(EXAMPLES, INPUTS)), jnp.float32)
START = unit(jnp.asarray(np.random.default_rng(1).normal(size=(EXAMPLES, INPUTS)), jnp.float32))
KEY = jax.random.key(0)


def batch(task: Classification | Regression = Classification(4), *strategies) -> Batch:  # noqa: B008
    """A smooth network's, with random weights."""
    builder = NetworkBuilder((Activation("tanh"), *strategies), 0, inputs=lambda: np.asarray(X))
    model = Mlp((8,)).build((INPUTS,), task.outputs, builder)
    outputs = model(X, key=KEY, training=True)
    y = jnp.zeros_like(outputs)
    return Batch(X, y, outputs, KEY, task, loss=task.loss, model=lambda: model, frozen=lambda: model)


def hessians(given: Batch) -> np.ndarray:
    """Each example's Hessian of the divergence at r = 0, (examples, inputs, inputs), differentiated twice."""

    def divergence(r: jax.Array, row: int) -> jax.Array:
        moved = given.forward(given.x.at[row].add(r))
        return given.task.divergence(given.outputs, moved)[row]

    zero = jnp.zeros(INPUTS)
    return np.stack([jax.hessian(divergence)(zero, row) for row in range(EXAMPLES)])


@pytest.mark.parametrize("task", [Classification(4), Regression()], ids=["classes", "value"])
@pytest.mark.parametrize("strategies", [(), (Dropout(0.3),)], ids=["plain", "dropout"])
def test_many_iterations_find_the_dominant_eigenvector(task, strategies):
    given = batch(task, *strategies)
    found = np.asarray(worst_direction(given, START, 60))
    for direction, hessian in zip(found, hessians(given), strict=True):
        values, vectors = np.linalg.eigh(hessian)
        assert values[-1] > 0
        assert direction @ hessian @ direction == pytest.approx(values[-1], rel=1e-3)
        if values[-2] < 0.8 * values[-1]:
            assert abs(direction @ vectors[:, -1]) == pytest.approx(1, abs=1e-3)


def test_one_iteration_is_the_hessian_times_the_start():
    given = batch()
    found = np.asarray(worst_direction(given, START, 1))
    product = np.einsum("nij,nj->ni", hessians(given), np.asarray(START))
    np.testing.assert_allclose(found, product / np.linalg.norm(product, axis=1, keepdims=True), atol=1e-3)


def test_the_term_is_the_mean_divergence_at_distance_epsilon():
    given, strategy = batch(), VirtualAdversarialTraining(epsilon=0.7, weight=3.0)
    moved: list[jax.Array] = []

    class Watched(Batch):
        def forward(self, x: jax.Array, *, frozen: bool = False) -> jax.Array:
            if not frozen:
                moved.append(x)
            return super().forward(x, frozen=frozen)

    watched = Watched(**vars(given))
    term = strategy.objective(watched, jax.random.key(1))
    [x] = moved
    np.testing.assert_allclose(np.linalg.norm(x - X, axis=1), 0.7, rtol=1e-5)
    p, q = (jax.nn.softmax(outputs) for outputs in (given.outputs, given.forward(x)))
    assert float(term) == pytest.approx(3 * float((p * jnp.log(p / q)).sum(axis=1).mean()), rel=1e-3)


def test_it_moves_predictions_more_than_a_random_change_of_the_same_length():
    given = batch()
    worst, chance = (
        given.task.divergence(given.outputs, given.forward(X + 0.3 * d)).mean()
        for d in (worst_direction(given, START, 5), START)
    )
    assert worst > 2 * chance


def test_predictions_that_nothing_changes_leave_no_direction():
    """Saturated outputs: a Hessian of zero gives no direction, and no NaN."""
    given = batch()
    constant = jnp.array([[1e4, 0.0, 0.0, 0.0]] * EXAMPLES)

    class Saturated(Batch):
        def forward(self, x: jax.Array, *, frozen: bool = False) -> jax.Array:
            return super().forward(x, frozen=frozen) * 1e-3 + constant

    saturated = Saturated(**vars(given))
    np.testing.assert_array_equal(worst_direction(saturated, START, 1), 0)
    assert np.isfinite(VirtualAdversarialTraining().objective(saturated, KEY))
