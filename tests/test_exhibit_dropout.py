"""Dropout: figure 2 exactly, and the exhibit's other numbers on small networks."""

from __future__ import annotations

import numpy as np
import pytest

from trainwright.data import DataSpec, load
from trainwright.exhibits.dropout import PASSES, Measured, Plan, claims, draw, equality, measure, passes
from trainwright.fit import fit
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.strategies.dropout import Dropout
from trainwright.study import Study


def recipe(rate: float, inputs: float = 0.0) -> Recipe:
    strategies = (Dropout(hidden_rate=rate, input_rate=inputs),) if rate else ()
    return Recipe(Mlp((48,)), strategies, learning_rate=0.2, batch_size=25, steps=400, evaluate_every=200)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    arms = {"1×48": recipe(0), "1×48 with dropout": recipe(0.5)}
    kept = {"0.1": recipe(0.9), "0.5": recipe(0.5), "1.0": recipe(0)}
    plan = Plan(
        Study(DataSpec("digits", examples=500), arms, seeds=2),
        Study(DataSpec("digits", examples=500), kept, seeds=2),
        {size: Study(DataSpec("digits", examples=size), arms, seeds=2) for size in (100, 500)},
    )
    return measure(plan, tmp_path_factory.mktemp("store"))


def test_scaling_is_the_average_over_all_thinned_linear_units() -> None:
    """Ten products of float32 inputs with weights of a few units: an error of 10 · 2⁻²⁴ · 5 at most."""
    units = equality(inputs=7, units=5)
    np.testing.assert_allclose(units["linear: average"], units["linear: scaled"], rtol=0, atol=3e-6)
    # The rectified average is never below the rectified mean (Jensen).
    assert np.all(units["rectified: average"] >= units["rectified: scaled"] - 3e-6)


def test_keeping_a_tenth_is_too_little(measured: Measured) -> None:
    errors = {arm.name: arm.error.mean for arm in measured.retention.arms}
    assert errors["0.1"] > errors["0.5"]


def test_many_passes_beat_one_and_come_to_the_scaled_network(measured: Measured) -> None:
    assert measured.passes.shape == (2, PASSES)
    one, many = measured.passes[:, 0].mean(), measured.passes[:, -1].mean()
    assert many < one
    # 360 test images: two binomial standard errors of a difference between two correlated networks.
    assert abs(many - measured.scaled.mean()) < 2 * np.sqrt(2 * 0.05 * 0.95 / 720)


def test_passes_without_dropout_are_all_the_same() -> None:
    data = load("digits", examples=100)
    run = fit(recipe(0), data)
    x, y = data.inputs[data.splits.test], data.targets[data.splits.test]
    expected = np.mean(run.predictions["test"].argmax(axis=1) != y)
    assert passes(run, data, x, y) == pytest.approx(expected)


def test_every_statement_has_its_numbers(measured: Measured) -> None:
    assert all("nan" not in claim.seen for claim in claims(measured))
    assert len(draw(measured).axes) == 6
    assert sorted(measured.sizes) == [100, 500]
    assert set(measured.activations) == {"without dropout", "with dropout"}
