"""Batches of one's own: what they are to a training, and methods on batches of several sizes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from small import recipe
from trainwright.base import keys
from trainwright.data import load
from trainwright.diagnosis.batches import ORDERS, errors_by_pass, method_losses, order_errors, ordered
from trainwright.diagnosis.gradients import mean_loss
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.training.batches import order
from trainwright.training.building import Training, build
from trainwright.training.fit import fit


def test_the_trainer_s_own_batches_give_its_own_errors() -> None:
    data, small = load("digits"), recipe(batch_size=32, steps=60, evaluate_every=20)
    passes = [order(3, "order", data.splits.train, 32, first, 20) for first in (0, 20, 40)]
    expected = fit(small, data, seed=3).history["validation_error"]
    np.testing.assert_allclose(errors_by_pass(small, data, passes, seed=3), expected, atol=1e-6)


def test_sorted_batches_hurt_and_the_first_shuffled_pass_is_the_same() -> None:
    orders = order_errors(Recipe(Mlp((32,)), batch_size=32), load("digits"), passes=8, seeds=5)
    by_order = {n: at.pivot(index="seed", columns="arm", values="error") for n, at in orders.groupby("pass")}
    assert (by_order[8]["sorted by class"] > by_order[8]["shuffled in each pass"]).all()
    # The first pass of both shuffled orders is the same training, to the last bit.
    assert (by_order[1]["shuffled once"] == by_order[1]["shuffled in each pass"]).all()
    assert (by_order[2]["shuffled once"] != by_order[2]["shuffled in each pass"]).any()


@pytest.mark.parametrize("order", ORDERS)
def test_every_order_sees_each_example_once(order: str) -> None:
    data = load("digits")
    batches = ordered(data, order, seed=1, number=2, size=32)
    assert len(np.unique(batches)) == batches.size
    assert set(batches.ravel()) <= set(data.splits.train)


def test_the_loss_is_that_of_descent_step_by_step_at_its_best_rate() -> None:
    data, small, rates, losses = load("digits"), recipe(), (0.01, 0.3), []
    table = method_losses(small, data, {"sgd": optax.sgd}, (16,), rates=rates, steps=5, seeds=1)
    x, y = map(jnp.asarray, data.standardized(data.splits.train))
    batches = keys.generator(0, "batches", 16).integers(len(x), size=(5, 16))
    for rate in rates:
        graph, state = build(Training(small, data, 0))
        params, loss = mean_loss(nnx.merge(graph, state.params))
        for rows in batches:
            gradient = jax.grad(loss)(params, x[rows], y[rows])
            params = jax.tree.map(lambda w, g, rate=rate: w - rate * g, params, gradient)
        losses.append(float(loss(params, x, y)))
    [row] = table.to_dict(orient="records")
    assert row == {"n": 16, "arm": "sgd", "seed": 0, "loss": pytest.approx(min(losses), rel=1e-4)}


def test_methods_have_a_row_for_each_size_and_seed() -> None:
    methods = {"sgd": optax.sgd, "diverging": lambda rate: optax.sgd(1e20 * rate)}
    table = method_losses(recipe(), load("digits"), methods, (32, 256), rates=(0.1,), steps=20, seeds=2)
    assert table.groupby(["n", "arm"], sort=False).size().to_dict() == {
        (n, arm): 2 for n in (32, 256) for arm in methods
    }
    learned = table[table["arm"] == "sgd"]["loss"]
    assert (learned < np.log(10)).all()
    assert (table[table["arm"] == "diverging"]["loss"] > 1e3).all()
