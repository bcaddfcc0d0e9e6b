"""Measured values and sweeps: what they say and when, against scipy and by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import comparisons
from trainwright.base.errors import SettingError
from trainwright.comparison.measured import Measured, Measurements
from trainwright.comparison.results import Comparison, Interval
from trainwright.comparison.sweep import Sweep


def test_the_interval_is_scipy_s() -> None:
    values = np.random.default_rng(0).normal(1, 2, 12)
    measured, expected = Measured.of(values, level=0.9), stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert (measured.low, measured.high) == pytest.approx((expected.low, expected.high))
    assert (measured.n, measured.mean) == (12, pytest.approx(values.mean()))


def test_a_single_value_has_no_interval_and_is_of_no_sign() -> None:
    alone = Measured.of([3.0], "points")
    assert str(alone) == "+3.00 points (no interval, 95 %, n = 1)"
    assert not alone.positive
    assert not alone.negative
    assert not alone.within(10)


@pytest.mark.parametrize(
    ("bounds", "written"),
    [
        ((-29.01, -35.72, -22.3), "-29.0 (-35.7 to -22.3)"),
        ((0.0042, 0.0039, 0.0045), "+0.00420 (0.00390 to 0.00450)"),
        ((-0.001, -0.3, 0.298), "+0.00 (-0.30 to 0.30)"),
        ((1234.0, 1100.0, 1368.0), "+1,234 (1,100 to 1,368)"),
        ((0.0, 0.0, 0.0), "+0 (0 to 0)"),
        ((0.5, 0.5, 0.5), "+0.500 (0.500 to 0.500)"),
    ],
)
def test_the_interval_is_written_to_two_digits(bounds: tuple[float, float, float], written: str) -> None:
    assert Measured(*bounds, n=5).short == written


@given(st.floats(-1e6, 1e6), st.floats(1e-2, 1e6))
def test_what_is_written_is_what_is_meant(mean: float, half: float) -> None:
    written = Measured(mean, mean - half, mean + half, n=5).short.replace(",", "")
    number, low, _, high = written.replace("(", "").replace(")", "").split()
    for text, value in ((number, mean), (low, mean - half), (high, mean + half)):
        assert float(text) == pytest.approx(value, abs=0.06 * half + 1e-9)


def test_signs_of_many_values_ask_for_all() -> None:
    up, flat = Measured(1, 0.5, 1.5, 4), Measured(0.1, -0.1, 0.3, 4)
    assert Measurements({1: up, 2: up}).all_positive
    assert not Measurements({1: up, 2: flat}).all_positive
    assert not Measurements({1: flat}).all_negative
    assert Measurements({1: flat, 2: up}).largest == 2


def test_a_gain_is_the_difference_turned_round() -> None:
    made = comparisons.study(["plain", "dropout"], 6, base=0.1, shifts=(0, -0.03))
    gain, difference = made.gain("dropout"), made.arms[1].difference
    assert difference is not None
    turned = [-100 * bound for bound in (difference.interval.high, difference.interval.low)]
    assert (gain.low, gain.high) == pytest.approx(turned)
    assert gain.positive
    assert (gain.unit, gain.n) == ("points", 6)
    assert made.error_of("plain").mean == pytest.approx(100 * np.mean(made.arms[0].errors))


def test_errors_and_gains_are_by_arm() -> None:
    made = comparisons.study(["plain", "dropout"], 6, base=0.1, shifts=(0, -0.03))
    assert made.errors == {name: made.error_of(name) for name in ("plain", "dropout")}
    assert made.gains == {"dropout": made.gain("dropout")}


def test_a_ratio_is_the_geometric_mean_s() -> None:
    values, others = np.array([2.0, 8.0, 4.0]), np.array([1.0, 2.0, 2.0])
    ratio, reverse = Measured.ratio(values, others), Measured.ratio(others, values)
    assert ratio.mean == pytest.approx(16 ** (1 / 3))
    assert (1 / ratio.low, 1 / ratio.high) == pytest.approx((reverse.high, reverse.low))


def test_a_regression_s_gain_is_in_the_target_s_unit() -> None:
    made = comparisons.regression()
    difference = made.arms[1].difference
    assert difference is not None
    assert made.gain(made.arms[1].name).mean == pytest.approx(-difference.interval.mean)
    assert made.gain(made.arms[1].name).unit == ""


def test_a_single_seed_s_interval_is_over_the_examples() -> None:
    made = comparisons.study(["plain", "dropout"], 1, base=0.1, shifts=(0, -0.05))
    gain = made.gain("dropout")
    assert gain.basis == f"95 %, n = {made.examples:,} test examples"
    assert math.isfinite(gain.low)


def test_arms_that_are_not_there_and_the_reference_are_refused() -> None:
    made = comparisons.study(["plain", "dropout"])
    with pytest.raises(SettingError, match="choose one of plain, dropout"):
        made.arm("dropuot")
    with pytest.raises(SettingError, match="is the reference"):
        made.gain("plain")


def test_the_best_on_validation_is_asked_of_validation() -> None:
    made = comparisons.study(["plain", "a", "b"], 6, base=0.1, shifts=(0, -0.02, -0.05))
    tuned = [
        replace(arm, validation=error, grid=tuple(replace(at, validation_error=0.0) for at in arm.grid))
        for arm, error in zip(made.arms, (0.3, 0.1, 0.2), strict=True)
    ]
    made = replace(made, arms=tuple(tuned))
    assert made.best_on_validation().name == "a"
    assert made.best_on_validation("plain", "b").name == "b"


def pair(p: float, verdict: str) -> Comparison:
    """A pair of arms with a difference of this p and verdict."""
    made = comparisons.study(["without", "with"], 6)
    plain, other = made.arms
    assert other.difference is not None
    judged = replace(other.difference, p=p, verdict=verdict, interval=Interval(-0.01, -0.02, -0.001))
    return replace(made, arms=(plain, replace(other, difference=judged)))


def test_a_sweep_s_verdicts_are_corrected_over_its_places() -> None:
    alone = Sweep({1: pair(0.03, "helps")})
    assert alone.verdicts("with") == {1: "helps"}
    three = Sweep({1: pair(0.03, "helps"), 2: pair(0.001, "hurts"), 3: pair(0.4, "no difference")})
    assert three.verdicts("with") == {1: "inconclusive", 2: "hurts", 3: "no difference"}


def test_a_sweep_s_table_has_a_row_for_each_place() -> None:
    sweep = Sweep({100: pair(0.03, "helps"), 500: pair(0.2, "inconclusive")})
    table = sweep.table("examples")
    assert list(table) == ["examples", "without", "with", "gain", "low", "high"]
    assert list(table.examples) == [100, 500]
    assert table.gain.tolist() == pytest.approx([1.0, 1.0])
    assert table.low.tolist() == pytest.approx([0.1, 0.1])
