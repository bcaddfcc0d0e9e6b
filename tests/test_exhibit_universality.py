"""One hidden layer approximates any continuous function."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from trainwright.exhibits import universality


def test_the_slope_is_the_derivative_of_the_function() -> None:
    x, h = np.linspace(0.01, 0.99, 50), 1e-6
    differences = (universality.nielsen(x + h) - universality.nielsen(x - h)) / (2 * h)
    np.testing.assert_allclose(universality.nielsen_slope(x), differences, atol=1e-6)


def test_the_constructed_network_is_a_row_of_bumps() -> None:
    bumps = 8
    inside = (np.arange(bumps) + 0.5) / bumps  # five widths of a step from the next edge
    said = universality.construct(universality.nielsen, bumps)(inside)
    # Both edges leak sigmoid(-25) of a height's difference to the neighbours; float32 sums 16 heights.
    np.testing.assert_allclose(said, universality.nielsen(inside), atol=16 * 1e-6)


def test_the_constructed_error_is_below_its_bound_at_every_width() -> None:
    found = universality.measure_constructed((4, 16, 64, 256))
    assert (found["largest error"] <= found["bound"]).all()
    # The bound is no idle one: at fine bumps the steepest place comes close to it.
    assert found["largest error"].iloc[-1] > 0.6 * found["bound"].iloc[-1]


def test_wider_trained_networks_come_closer(tmp_path: Path) -> None:
    trained = universality.measure_trained((2, 24), seeds=3, steps=1500, dimensions=1, store=tmp_path)
    errors = universality.largest_errors(trained, universality.nielsen(universality.GRID))
    assert (errors.loc[24] < errors.loc[2]).all()
    # Two monotone units cannot follow a function with five hills: no better than half a hill somewhere.
    assert errors.loc[2].min() > 0.05
    assert universality.slopes(errors).mean < 0


def test_claims_follow_from_the_errors() -> None:
    constructed = pd.DataFrame({"hidden units": [8, 16], "largest error": [0.4, 0.2], "bound": [0.5, 0.25]})
    width = pd.Index([4, 16, 64], name="hidden units")
    falling = pd.DataFrame(np.outer(1 / width, [1, 2, 1.5]) ** [1, 0.8, 0.9], width)
    level = pd.DataFrame(np.outer(np.ones(3), [1, 2, 1.5]) * [[1, 2, 1], [1.5, 1, 1], [2, 1, 0.8]], width)
    ends = [4, 64]
    found = universality.claims(constructed, falling, falling.loc[ends])
    assert [claim.holds for claim in found] == [True, True, True]
    above = constructed.assign(bound=[0.5, 0.19])
    found = universality.claims(above, level, level.loc[ends])
    assert [claim.holds for claim in found] == [False, False, False]
    assert "1 of 2 widths" in found[0].seen
