"""Gradients along chains and layers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import small
from trainwright.data import Dataset
from trainwright.exhibits import vanishing_gradient as exhibit
from trainwright.recipe import Recipe


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


def chain(product: float) -> pd.DataFrame:
    """Two units, whose gradients automatic differentiation finds to be 1 and 2."""
    return pd.DataFrame({"product": [product, 2.0], "automatic": [1.0, 2.0]})


def depths(**ratios: float) -> pd.DataFrame:
    """Four layers and three seeds: by units, the gradient of the last layer over that of the first."""
    return pd.DataFrame(
        [
            (arm, 4, seed, layer, ratio ** ((layer - 1) / 3) * (1 + 0.1 * seed * layer))
            for arm, ratio in zip(exhibit.ARMS, ratios.values(), strict=True)
            for seed in range(3)
            for layer in range(1, 5)
        ],
        columns=["units", "hidden layers", "seed", "layer", "gradient"],
    )


def test_depth_claims_hold_where_the_numbers_say_so() -> None:
    claims = exhibit._depth_claims(chain(1 + 1e-6), depths(sigmoid=1e5, tanh=0.5, relu=2, norm=1))
    assert [claim.holds for claim in claims] == [True] * 3


@pytest.mark.parametrize("ratio", [20.0, 1 / 20])
def test_neither_a_vanished_nor_an_exploded_gradient_is_alive(ratio: float) -> None:
    claims = exhibit._depth_claims(chain(1.1), depths(sigmoid=0.5, tanh=1, relu=ratio, norm=1))
    assert [claim.holds for claim in claims] == [False] * 3


def first_speeds(monkeypatch: pytest.MonkeyPatch, *factors: float) -> pd.DataFrame:
    """Ratios of layers that are each faster by this factor; more than four layers' are not asked for."""

    def speeds(recipe: Recipe, data: Dataset, seed: int) -> exhibit.Array:
        steps = np.array([1.0, *factors])[: len(recipe.network.hidden)]
        return np.asarray(np.cumprod(steps) * 1.05 ** (seed * np.arange(len(steps))))

    monkeypatch.setattr(exhibit, "_speeds", speeds)
    return exhibit.measure_first_speeds(small.digits(), 8)


def test_nielsens_ratios_hold_where_ours_scatter_around_the_published(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = first_speeds(monkeypatch, 4, 4, 4)
    assert len(first) == 1 + 2 + 3
    assert first["published ratio"].iloc[-1] == pytest.approx(0.28514 / 0.06954)
    assert exhibit._speed_claim(first).holds


def test_nielsens_ratios_do_not_hold_where_ours_lie_elsewhere_or_around_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = first_speeds(monkeypatch, 4, 1, 4)
    assert not exhibit._speed_claim(first).holds
    wide = first_speeds(monkeypatch, 4, 4, 4).assign(low=0.5)
    assert not exhibit._speed_claim(wide).holds
