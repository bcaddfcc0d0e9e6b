"""Three spirals, learned."""

from __future__ import annotations

import numpy as np

from trainwright.exhibits import spirals as exhibit


def test_the_spiral_has_the_notebooks_shape() -> None:
    data = exhibit.spiral()
    assert data.inputs.shape == (300 + exhibit.SIDE**2, 2)
    assert np.bincount(data.targets[data.splits.train]).tolist() == [100, 100, 100]
    radii = np.linalg.norm(data.inputs[:300], axis=1).reshape(3, 100)
    np.testing.assert_allclose(radii, np.tile(np.linspace(0, 1, 100), (3, 1)), atol=1e-6)


def test_the_spirals_first_sigmoid_layer_learns_less_than_the_second() -> None:
    sizes, classes, accuracy = exhibit.measure_spiral("sigmoid", 500, seed=0)
    assert len(sizes) == 50
    assert (sizes["layer 1"] < sizes["layer 2"]).all()
    assert classes.shape == (exhibit.SIDE, exhibit.SIDE)
    assert 0 < accuracy < 1
