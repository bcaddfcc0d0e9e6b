"""Activation functions: shapes, slopes, sparsity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import comparisons
from trainwright.exhibits import activations as exhibit
from trainwright.studies.study import Study


@pytest.mark.parametrize("name", exhibit.UNITS)
def test_slopes_are_those_of_the_function(name: str) -> None:
    shape = exhibit.measure_shape(name)
    z, values = shape["z"].to_numpy(float), shape["value"].to_numpy(float)
    differences = (values[2:] - values[:-2]) / (z[2:] - z[:-2])
    away = np.ones(len(z) - 2, bool)
    for kink in exhibit.KINKS.get(name, ()):
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


def test_layers_are_seen_before_and_after_training(tmp_path: Path) -> None:
    whole = exhibit.study(exhibit.SCALES["quick"].replace(epochs=2, seeds=5))
    arms = {name: whole.arms[name] for name in ("sigmoid", "ReLU", "radial basis")}
    study = Study(whole.data, arms, 5, (0.3,))
    comparison = study.compare(tmp_path)
    relu, radial = (
        exhibit.look_into(study, comparison, name, tmp_path) for name in arms if name != "sigmoid"
    )
    assert len(relu) == 2 * 2 * 5  # moments, layers, seeds
    # By symmetry each unit is active for an input with probability 1/2; the share of 64 units over 5 seeds
    # has a standard deviation of 1/35 at most, were a unit's response the same for all examples.
    first = relu[(relu["moment"] == "before training") & (relu["layer"] == "hidden1")]
    assert abs(first["active"].mean() - 50) < 100 * 4 / 35
    assert radial["p85"].between(0, 1).all()
    assert radial["p50"].gt(0.01).all()


def test_a_kink_whose_slope_is_between_the_sides_fails() -> None:
    kinks = pd.DataFrame({"function": ["a", "b"], "slope left": 0.0, "taken": [0.0, 1.0], "slope right": 1.0})
    assert exhibit.one_sided(kinks).holds
    claim = exhibit.one_sided(kinks.assign(taken=[0.0, 0.5]))
    assert not claim.holds
    assert "of b, one between" in claim.seen


@pytest.mark.parametrize(("active", "holds"), [((49, 51, 50.5), True), ((68, 72, 71), False)])
def test_half_is_silent_only_near_a_half(active: tuple[float, ...], holds: bool) -> None:
    before = pd.DataFrame({"moment": "before training", "seed": range(3), "active": active})
    after = before.assign(moment="after training", active=90.0)
    assert exhibit.half_silent(pd.concat([before, after])).holds is holds


RADIAL = pd.DataFrame({"moment": "before training", "layer": ["hidden1", "hidden2"], "p50": [0.3, 0.45]})


@pytest.mark.parametrize(("shift", "holds"), [(0.5, True), (-0.01, False)])
def test_radial_basis_units_are_hard_to_optimise_if_the_verdict_says_so(shift: float, holds: bool) -> None:
    comparison = comparisons.study(["sigmoid", "radial basis"], shifts=(0, shift))
    claim = exhibit.hard_to_optimise(comparison, RADIAL)
    assert claim.holds is holds
    assert "0.30 and 0.45" in claim.seen
