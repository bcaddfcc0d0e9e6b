"""The exhibit on momentum: its numbers against closed forms, and the claims that rest on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trainwright.exhibit import exponent, walk
from trainwright.exhibits import momentum
from trainwright.strategies.momentum import Momentum


def test_counts_are_those_of_the_closed_forms() -> None:
    steps = momentum.count_steps(np.array([10.0, 100.0, 1000.0]))
    for name in ("gradient descent", "momentum"):
        # A step more or less is left to rounding, when the error meets the tolerance within a last digit.
        assert (steps[name] - steps[f"{name}, theory"]).abs().max() <= 1


def test_walk_equals_powers_of_the_matrix() -> None:
    start, alpha, rate = np.array([1.0, -2.0]), 0.4, 0.2
    path = walk(Momentum(alpha), rate, momentum.slope_of(7.0), start, steps=12)
    for curvature, first, column in zip((7.0, 1.0), start, path.T, strict=True):
        step = np.array([[1 + alpha - rate * curvature, -alpha], [1, 0]])
        expected = [(np.linalg.matrix_power(step, t) @ [first, first])[0] for t in range(13)]
        np.testing.assert_allclose(column, expected, rtol=1e-9)


def test_nesterov_takes_fewer_steps_than_descent_and_as_many_as_its_rate_says() -> None:
    steps = momentum.count_steps(np.array([1e2, 1e4]))
    assert (steps["Nesterov"] < steps["gradient descent"]).all()
    # (1 - 2/√(3κ+1))ᵗ alone would reach the tolerance in so many steps; its factor (1 + ct) adds to them.
    at_least = np.log(momentum.TOLERANCE) / np.log(1 - 2 / np.sqrt(3 * steps.index + 1))
    assert (steps["Nesterov"] >= at_least).all()


@pytest.mark.parametrize("name", ["momentum", "Nesterov"])
def test_slopes_stay_within_their_bounds_from_a_hundred_on(name: str) -> None:
    low, high = momentum.ROOT
    for κ in (100.0, 3000.0):
        assert low < exponent(momentum.count_steps(np.array([κ, 30 * κ]))[name]) < high


def test_steps_that_grow_otherwise_than_said_fail() -> None:
    steps = momentum.count_steps(np.array([10.0, 100.0, 1000.0]))
    claims = (momentum.proportional, momentum.square_root, momentum.nesterov)
    assert [claim(steps).holds for claim in claims] == [True, True, True]
    swapped = steps.rename(columns={"gradient descent": "Nesterov", "Nesterov": "gradient descent"})
    assert [claim(swapped).holds for claim in claims] == [False, True, False]
    assert not momentum.square_root(steps.assign(momentum=steps["momentum"] + 2)).holds


def test_momentum_that_crosses_as_much_as_descent_fails() -> None:
    to_and_fro = np.array([[1.0, 4.0], [-1.0, 3.0], [1.0, 2.0]])
    straight = np.array([[1.0, 4.0], [0.5, 2.0], [0.2, 1.0]])
    assert momentum.lengthwise({"gradient descent": to_and_fro, "momentum": straight}).holds
    assert not momentum.lengthwise({"gradient descent": straight, "momentum": to_and_fro}).holds
    assert not momentum.lengthwise(dict.fromkeys(("gradient descent", "momentum"), to_and_fro)).holds


def test_a_speed_beside_the_formula_s_fails() -> None:
    final = pd.DataFrame({"α": [0.5], "speed / ε‖g‖": [2.0], "1 / (1 − α)": [2.0]})
    assert momentum.terminal(final).holds
    assert not momentum.terminal(final.assign(**{"speed / ε‖g‖": 2.1})).holds


def test_terminal_speed() -> None:
    speeds = momentum.measure_speeds((0.5, 0.9), steps=300)
    np.testing.assert_allclose(speeds.iloc[-1], [2, 10], rtol=1e-9)


def test_all_claims_hold(tmp_path: Path) -> None:
    shown = momentum.Momentum().make("quick", tmp_path)
    assert [claim.says for claim in shown.claims if not claim.holds] == []
