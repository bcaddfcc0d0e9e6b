"""A sweep: what an arm does along the whole range, and how its gain changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

import comparisons
from trainwright.comparison.sweep import Sweep


@pytest.mark.parametrize(
    ("gains", "outcome"),
    [
        ((3, 2, 1), "helps"),
        ((3, 0, 0), "helps"),
        ((-3, -2, 0), "hurts"),
        ((3, 2, -1), "both"),
        ((0, 0, 0), "no difference"),
    ],
)
def test_what_helps_at_one_place_may_hurt_at_none(gains: tuple[float, ...], outcome: str) -> None:
    assert comparisons.sweep("other", *gains).outcome("other") == outcome


def test_no_effect_is_inconclusive_if_it_is_so_at_one_place() -> None:
    sweep = comparisons.sweep("other", 0, 0, 0)
    first = sweep.comparisons[100]
    plain, arm = first.arms
    assert arm.difference
    unclear = replace(arm, difference=replace(arm.difference, verdict="inconclusive"))
    changed = {100: replace(first, arms=(plain, unclear))}
    assert Sweep({**sweep.comparisons, **changed}).outcome("other") == "inconclusive"
    assert Sweep({**comparisons.sweep("other", 0, 3, 0).comparisons, **changed}).outcome("other") == "helps"


def test_the_slope_is_that_of_the_gain_for_ten_times_as_much() -> None:
    slope = comparisons.sweep("other", 3, 2, 1, scatter=1e-5).slope("other")
    assert (slope.mean, slope.n, slope.unit) == (pytest.approx(-1, abs=0.01), 10, "points")
    assert slope.negative
