"""Gradients along chains and layers."""

from __future__ import annotations

import numpy as np
import pytest

from trainwright.exhibits import vanishing_gradient as exhibit


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_product_formula_is_the_gradient(seed: int) -> None:
    chain = exhibit.measure_chain(seed)
    np.testing.assert_allclose(chain["product"], chain["automatic"], rtol=1e-5)


def test_the_product_formula_agrees_with_finite_differences() -> None:
    rng, h = np.random.default_rng(5), 1e-6
    w, b = rng.normal(size=(2, exhibit.CHAIN + 1))

    def cost(b: exhibit.Array) -> float:
        a = 0.3
        for weight, bias in zip(w[:-1], b[:-1], strict=True):
            a = 1 / (1 + np.exp(-(weight * a + bias)))
        return float((w[-1] * a + b[-1] - 1.0) ** 2 / 2)

    moves = h * np.eye(exhibit.CHAIN + 1)[:-1]
    differences = [(cost(b + move) - cost(b - move)) / (2 * h) for move in moves]
    np.testing.assert_allclose(exhibit._products(w, b, 0.3, 1.0), differences, atol=1e-9)


def test_sigmoid_gradients_shrink_and_the_others_stay() -> None:
    depths = exhibit.measure_depths((6,), seeds=2, width=20)
    found = {arm: exhibit.last_over_first(depths, arm).mean for arm in exhibit.ARMS}
    # Glorot's weights keep the variance where the slope is 1: a sigmoid's quarter takes a factor of four at
    # least from each of the five layers between.
    assert found["sigmoid"] > 5 * np.log10(4) * 0.9
    assert all(abs(found[arm]) < np.log10(4) for arm in ("tanh", "ReLU", "sigmoid, batch norm"))
