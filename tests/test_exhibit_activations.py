"""Activation functions: shapes, slopes, sparsity."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import comparisons
from trainwright.exhibits import activations as exhibit


@pytest.mark.parametrize("function", exhibit.LABELS)
def test_slopes_are_those_of_the_function(function: str) -> None:
    shape = exhibit.measure_shape(function)
    z, values = shape["z"].to_numpy(float), shape["value"].to_numpy(float)
    differences = (values[2:] - values[:-2]) / (z[2:] - z[:-2])
    away = np.ones(len(z) - 2, bool)
    for kink in exhibit.KINKS.get(function, ()):
        away &= np.abs(z[1:-1] - kink) > 0.015
    # Central differences at h = 0.01 are off by h²/6 times the third derivative (4 at most), and rounding.
    np.testing.assert_allclose(differences[away], shape["slope"].to_numpy()[1:-1][away], atol=3e-4)


def test_the_slopes_taken_at_kinks_are_generalised_gradients() -> None:
    kinks = exhibit.measure_kinks()
    assert len(kinks) == 6
    sides = kinks[["slope left", "slope right"]]
    assert (sides.min(axis=1) <= kinks["taken"]).all()
    assert (kinks["taken"] <= sides.max(axis=1)).all()
    assert (sides.max(axis=1) > sides.min(axis=1)).all()


def test_half_of_the_rectified_linear_units_start_silent(tmp_path: Path) -> None:
    study = exhibit.plan(4, 2, "digits", ("sigmoid", "relu"))
    sparsity = exhibit.measure_sparsity(study, study.compare(tmp_path), tmp_path)
    assert len(sparsity) == 2 * 2 * 4  # moments, layers, seeds
    start = sparsity[(sparsity["moment"] == "before training") & (sparsity["layer"] == "hidden1")]["active"]
    # By symmetry each unit is active for an input with probability 1/2; the share of 64 units over 4 seeds
    # has a standard deviation of 1/32 at most, were a unit's response the same for all examples.
    assert abs(start.mean() - 0.5) < 4 / 32


def test_responses_are_those_of_the_equation() -> None:
    """With the centre on the example the response is 1; one sigma away it is 1/e; far away it is near 0."""
    weights = {
        "hidden1/centres": np.array([[0.0, 2, 20], [0, 0, 0]], np.float32),
        "hidden1/sigma": np.float32(2),
        "hidden2/centres": np.array([[1.0], [np.exp(-1)], [0]], np.float32),
        "hidden2/sigma": np.float32(1),
        "output/kernel": np.ones((1, 2), np.float32),
    }
    first, second = exhibit.responses(weights, np.zeros((1, 2), np.float32))
    np.testing.assert_allclose(first, [[1, np.exp(-1), 0]], atol=1e-6)
    np.testing.assert_allclose(second, [[1]], atol=1e-6)


KINKS = pd.DataFrame(
    {"slope left": [0.0, 1.0, -1.0], "taken": [0.0, 0.0, -0.5], "slope right": [1.0, 0.0, 0.0]}
)
RADIAL = pd.DataFrame(
    {
        "moment": ["before training"] * 2 + ["after training"] * 2,
        "layer": ["hidden1", "hidden2"] * 2,
        "seed": 0,
        "mean": 0.3,
        "near zero": [0.5, 0.7, 0.0, 0.0],
        "spread": [0.07, 0.008, 1.0, 1.0],
    }
)


def sparsity(*active: float) -> pd.DataFrame:
    """A row before training for each seed, and one after."""
    moments = ["before training"] * len(active) + ["after training"]
    seeds = [*range(len(active)), 0]
    return pd.DataFrame({"moment": moments, "layer": "hidden1", "seed": seeds, "active": [*active, 0.9]})


def compared(tanh: float, relu: float, radial: float) -> exhibit.Comparison:
    """Twenty seeds, with these differences of the error to sigmoid's of about 3 %."""
    names = ["sigmoid", "tanh", "ReLU", "radial basis"]
    return comparisons.study(names, shifts=(0, tanh, relu, radial))


def test_claims_hold_where_the_numbers_say_so() -> None:
    claims = exhibit._claims(KINKS, sparsity(0.49, 0.51, 0.505), RADIAL, compared(-0.01, -0.01, 0.5))
    assert [claim.holds for claim in claims] == [True] * 5
    assert "Of 3 kinks 2 take a side's slope and 1 one between." in claims[0].seen
    assert "60.0% of the responses are below 0.01" in claims[4].seen
    assert "7 % and 0.8 % of its mean" in claims[4].seen


def test_claims_do_not_hold_where_the_numbers_deny_them() -> None:
    outside = KINKS.assign(taken=[0.0, 1.1, -0.5])
    claims = exhibit._claims(outside, sparsity(0.68, 0.72, 0.71), RADIAL, compared(0.01, 0.0, -0.01))
    assert [claim.holds for claim in claims] == [False] * 5


def test_training_claims_go_by_the_corrected_verdict() -> None:
    """An interval below zero is not enough where the correction for several arms leaves the verdict open."""
    found = compared(-0.01, -0.01, 0.5)
    tanh = found.arms[1]
    assert tanh.difference is not None
    assert tanh.difference.interval.high < 0
    open_ = replace(tanh, difference=replace(tanh.difference, verdict="inconclusive"))
    claim = exhibit._trained(replace(found, arms=(found.arms[0], open_)), "tanh", "")
    assert not claim.holds
