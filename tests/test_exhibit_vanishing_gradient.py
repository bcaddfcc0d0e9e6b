"""Gradients along chains and layers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from trainwright.exhibit import Floats, Measured, Measurements, grid
from trainwright.exhibits import vanishing_gradient as exhibit

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_product_formula_is_the_gradient(seed: int) -> None:
    chain = exhibit.measure_chain(seed)
    np.testing.assert_allclose(chain["product"], chain["automatic"], rtol=1e-5)


def test_the_product_formula_agrees_with_finite_differences() -> None:
    (w, b), h = np.random.default_rng(5).normal(size=(2, 7)), 1e-6

    def cost(b: Floats) -> float:
        a = 0.3
        for weight, bias in zip(w[:-1], b[:-1], strict=True):
            a = 1 / (1 + np.exp(-(weight * a + bias)))
        return float((w[-1] * a + b[-1] - 1.0) ** 2 / 2)

    moves = h * np.eye(7)[:-1]
    differences = [(cost(b + move) - cost(b - move)) / (2 * h) for move in moves]
    np.testing.assert_allclose(exhibit.product_formula(w, b, 0.3, 1.0), differences, atol=1e-9)


def test_sigmoid_gradients_shrink_and_the_others_stay() -> None:
    norms = exhibit.measure_norms([6], seeds=2, width=20).groupby("units")
    ratios = {units: np.log(10) * exhibit.rise(rows, 1, 6).mean for units, rows in norms}
    # Glorot's weights keep the variance where the slope is 1: a sigmoid's quarter takes a factor of four at
    # least from each of the five layers between.
    assert ratios.pop("sigmoid") > 5 * np.log(4) * 0.9
    assert max(map(abs, ratios.values())) < np.log(4)


def test_a_product_beside_the_gradient_fails() -> None:
    chain = pd.DataFrame({"product": [1 + 1e-6, 2.0], "automatic": [1.0, 2.0]})
    assert exhibit.product(chain).holds
    assert not exhibit.product(chain.assign(product=[1.1, 2.0])).holds


def norms(*ratios: float, units: str = "sigmoid") -> pd.DataFrame:
    """Layers whose gradient is larger than the one before by these factors, over six seeds."""
    orders = np.cumsum(np.log10([1.0, *ratios]))

    def layers(units: str, seed: int) -> pd.DataFrame:
        scattered = orders + 0.02 * RNG.standard_normal(len(orders))
        return pd.DataFrame({"layer": range(1, len(orders) + 1), "order": scattered})

    return grid(layers, units=[units], seed=range(6))


def test_the_gradient_shrinks_only_where_it_does_so_at_every_layer() -> None:
    assert exhibit.shrinks(norms(5, 4, 6)).holds
    assert not exhibit.shrinks(norms(5, 1, 6)).holds
    assert not exhibit.shrinks(norms(5, 0.5, 60)).holds


@pytest.mark.parametrize(("ratio", "holds"), [(0.5, True), (2, True), (20, False), (1 / 20, False)])
def test_neither_a_vanished_nor_an_exploded_gradient_is_alive(ratio: float, holds: bool) -> None:
    found = [norms(1e3, 1e3), norms(1, 1, units="tanh"), norms(ratio, 1, units="ReLU")]
    assert exhibit.stays_alive(pd.concat(found)).holds is holds


def drawn(**changes: float) -> Measurements:
    """About what his networks give, with changes to the first ratio."""
    ratio = Measured(4.9, 3.3, 7.5, 40, signed=False)
    first, *others = exhibit.PUBLISHED
    return Measurements({first: replace(ratio, **changes)} | dict.fromkeys(others, ratio))


def test_nielsens_ratios_hold_where_a_draw_might_give_them_and_none_is_below_one() -> None:
    assert exhibit.as_published(drawn()).holds
    assert not exhibit.as_published(drawn(low=4.8)).holds
    assert not exhibit.as_published(drawn(high=4.6)).holds
    assert not exhibit.as_published(drawn(low=0.5)).holds


def test_ratios_are_those_of_the_speeds_and_one_draw_scatters_more_than_the_mean() -> None:
    data = exhibit.first_thousand()
    measured = exhibit.measure_ratios(data, 4)
    assert list(measured) == list(exhibit.PUBLISHED)
    speeds = np.array([exhibit.speeds_of(exhibit.nielsens(2), data, seed) for seed in range(4)])
    logs = np.log(speeds[:, 1] / speeds[:, 0])
    ratio = measured["2 over 1 of 2"]
    assert ratio.mean == pytest.approx(np.exp(logs.mean()), rel=1e-6)
    reach = stats.t.ppf(1 - 0.05 / 12, 3) * logs.std(ddof=1) * np.sqrt(1 + 1 / 4)
    assert ratio.high == pytest.approx(np.exp(logs.mean() + reach), rel=1e-6)
