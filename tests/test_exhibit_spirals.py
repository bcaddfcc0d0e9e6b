"""Three spirals, learned."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from trainwright.exhibits import spirals as exhibit


def test_the_spiral_has_the_notebooks_shape() -> None:
    data = exhibit.spiral()
    assert data.inputs.shape == (300 + exhibit.SIDE**2, 2)
    assert np.bincount(data.targets[data.splits.train]).tolist() == [100, 100, 100]
    radii = np.linalg.norm(data.inputs[:300], axis=1).reshape(3, 100)
    np.testing.assert_allclose(radii, np.tile(np.linspace(0, 1, 100), (3, 1)), atol=1e-6)


def test_the_same_layer_gets_less_of_the_gradient_with_sigmoid_units() -> None:
    """Nearly at the first weights, N(0, 0.1²), the same in both networks; layer 1 is behind two activations.

    A sigmoid's slope there is 1/4: both let 1/16 through. A rectifier's is 1 for half of the units: 1/2 of
    the sizes at layer 1 itself, and √(1/2) of a sum over layer 2's units. The ratio is 16/√8, about 6, but
    for the scatter of 50 units' signs; 2 is far below.
    """
    early = {}
    for function in exhibit.UNITS:
        run, sizes = exhibit.learn(function, 50, seed=0)
        assert len(run.predictions["test"]) == exhibit.SIDE**2
        assert 0 < exhibit.measured(run, sizes)[exhibit.ACCURACY] < 100
        assert len(sizes) == 50
        early[function] = sizes.iloc[0]["layer 1"]
    assert early["ReLU"] > 2 * early["sigmoid"]


def rows(**units: tuple[list[float], list[float]]) -> pd.DataFrame:
    """For each seed this first layer's gradient over the second's, and this accuracy."""
    return pd.DataFrame(
        {"units": name, "seed": seed, exhibit.SHARE: share, exhibit.ACCURACY: accuracy}
        for name, values in units.items()
        for seed, (share, accuracy) in enumerate(zip(*values, strict=True))
    )


def test_claims_hold_where_rectified_units_are_ahead_by_the_whole_interval() -> None:
    sigmoid = [0.40, 0.42, 0.41], [50.0, 52.0, 51.0]
    ahead = rows(sigmoid=sigmoid, ReLU=([0.50, 0.53, 0.52], [97.0, 98.0, 99.0]))
    assert exhibit.more_gets_back(ahead).holds
    assert exhibit.gets_further(ahead).holds
    on_average = rows(sigmoid=sigmoid, ReLU=([0.60, 0.41, 0.42], [97.0, 50.0, 60.0]))
    assert not exhibit.more_gets_back(on_average).holds
    assert not exhibit.gets_further(on_average).holds


def test_the_share_is_the_median_of_the_training() -> None:
    run = exhibit.learn("ReLU", 50, seed=0)[0]
    sizes = pd.DataFrame({"layer 1": [0.4, 0.4, 99.0], "layer 2": 1.0})
    assert exhibit.measured(run, sizes)[exhibit.SHARE] == pytest.approx(0.4)
