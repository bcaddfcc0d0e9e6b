"""Max-norm: the projection onto the ball, and that training stays in it."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from small import digits, recipe
from trainwright.strategies import MaxNorm
from trainwright.training.fit import fit


@settings(deadline=None)
@given(st.integers(0, 1000), st.floats(0.01, 10), st.sampled_from([(5, 4), (1, 3), (3, 3, 2, 4)]))
def test_it_is_the_nearest_point_of_the_ball(seed, c, shape):
    w = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    projected = np.asarray(MaxNorm(c).shorten(jnp.asarray(w)))
    for unit in range(shape[-1]):
        before, after = w[..., unit].ravel(), projected[..., unit].ravel()
        if (length := np.linalg.norm(np.float64(before))) <= c * (1 - 1e-6):
            assert (before == after).all()
        else:
            np.testing.assert_allclose(after, before * min(c / length, 1), rtol=1e-5)


def test_a_unit_without_weights_stays_so():
    assert not MaxNorm(1.0).shorten(jnp.zeros((3, 2))).any()


def test_every_unit_s_weights_stay_in_the_ball():
    run = fit(recipe(MaxNorm(0.7), learning_rate=1.0), digits())
    norms = {path: np.linalg.norm(w, axis=0) for path, w in run.weights.items() if "kernel" in path}
    assert len(norms) == 2
    for norm in norms.values():
        assert (norm <= 0.7 * (1 + 1e-6)).all()
    assert max(norm.max() for norm in norms.values()) == pytest.approx(0.7, rel=1e-6)


def test_the_paper_s_weights_times_p_are_the_inverted_convention_s():
    """c for weights that are scaled by p when predicting is c p for weights that are not."""
    w = jnp.asarray(np.random.default_rng(0).standard_normal((6, 4)), jnp.float32)
    np.testing.assert_allclose(0.5 * MaxNorm(2.0).shorten(w), MaxNorm(1.0).shorten(0.5 * w), rtol=1e-6)
