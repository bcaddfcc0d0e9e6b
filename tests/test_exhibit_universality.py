"""One hidden layer approximates any continuous function."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from trainwright.exhibits import universality


def test_the_constructed_network_is_a_row_of_bumps() -> None:
    bumps = 8
    inside = (np.arange(bumps)[:, None] + 0.5) / bumps  # five widths of a step from the next edge
    said = universality.constructed(bumps, inside)
    # Both edges leak sigmoid(-25) of a height's difference to the neighbours; float32 sums 16 heights.
    np.testing.assert_allclose(said, universality.nielsen(inside), atol=16 * 1e-6)


def test_the_constructed_error_is_below_its_bound_at_every_width() -> None:
    built = universality.measure_constructed((4, 16, 64, 256))
    assert (built["largest error"] <= built["bound"]).all()
    # The bound is no idle one: at fine bumps the steepest place comes close to it.
    assert built["largest error"].iloc[-1] > 0.6 * built["bound"].iloc[-1]


def test_wider_trained_networks_come_closer(tmp_path: Path) -> None:
    trained = universality.train(universality.nielsen, universality.LINE, (2, 24), 3, 1500, tmp_path)
    errors = universality.largest_errors(trained, universality.nielsen(universality.LINE))
    assert (errors.loc[24] < errors.loc[2]).all()
    # Two monotone units cannot follow a function with five hills: no better than half a hill somewhere.
    assert errors.loc[2].min() > 0.05


def test_claims_follow_from_the_errors() -> None:
    built = pd.DataFrame({"largest error": [0.4, 0.2], "bound": [0.5, 0.25]}, [8, 16])
    assert universality.can_be_built(built).holds
    assert not universality.can_be_built(built.assign(bound=[0.5, 0.19])).holds
    width = pd.Index([4, 16, 64], name="hidden units")
    falling = pd.DataFrame(np.outer(1 / width, [1, 2, 1.5]) ** [1, 0.8, 0.9], width)
    level = pd.DataFrame(np.outer(np.ones(3), [1, 2, 1.5]) * [[1, 2, 1], [1.5, 1, 1], [2, 1, 0.8]], width)
    for errors, holds in ((falling, True), (level, None)):
        assert universality.falls_with_width(errors).holds is holds
        assert universality.holds_for_surfaces(errors.loc[[4, 64]]).holds is holds
