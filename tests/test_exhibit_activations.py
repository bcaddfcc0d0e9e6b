"""Activation functions: shapes, slopes, sparsity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

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


def test_the_slopes_taken_at_kinks_are_subgradients() -> None:
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
