"""Max-norm: the projection onto the ball, and that training stays in it."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from small import digits, recipe
from trainwright.networks.mlp import Mlp
from trainwright.strategies import BatchNorm, MaxNorm
from trainwright.strategies.max_norm import shorten
from trainwright.strategy import NothingToActOn
from trainwright.training.building import Training, dry_run
from trainwright.training.fit import fit


@settings(deadline=None)
@given(st.integers(0, 1000), st.floats(0.01, 10), st.sampled_from([(5, 4), (1, 3), (3, 3, 2, 4)]))
def test_it_is_the_nearest_point_of_the_ball(seed, c, shape):
    w = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    projected = np.asarray(shorten(jnp.asarray(w), c))
    for unit in range(shape[-1]):
        before, after = w[..., unit].ravel(), projected[..., unit].ravel()
        if (length := np.linalg.norm(np.float64(before))) <= c * (1 - 1e-6):
            assert (before == after).all()
        else:
            np.testing.assert_allclose(after, before * min(c / length, 1), rtol=1e-5)


def test_a_unit_without_weights_stays_so():
    assert not shorten(jnp.zeros((3, 2)), 1.0).any()


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
    np.testing.assert_allclose(0.5 * shorten(w, 2.0), shorten(0.5 * w, 1.0), rtol=1e-6)


def test_the_first_layer_may_have_a_norm_of_its_own():
    settings = recipe(MaxNorm(0.3, first=0.9), BatchNorm(), learning_rate=1.0)
    run = fit(settings.replace(network=Mlp((8, 8))), digits())
    longest = {
        name: float(np.linalg.norm(w, axis=0).max()) for name, w in run.weights.items() if "kernel" in name
    }
    assert longest == {
        name: pytest.approx(0.9 if name == "hidden1/kernel" else 0.3, rel=1e-6)
        for name in ("hidden1/kernel", "hidden2/kernel", "output/kernel")
    }
    assert run.weights["hidden1/batch_norm/gamma"].max() > 0.9, "only weights are shortened"


def test_equal_norms_are_one_norm():
    one, two = (fit(recipe(s, learning_rate=1.0), digits()) for s in (MaxNorm(0.7), MaxNorm(0.7, first=0.7)))
    assert all((one.weights[name] == two.weights[name]).all() for name in one.weights)


def test_a_network_without_hidden_layers_has_no_first_one():
    linear = recipe(MaxNorm(1.0, first=1.6)).replace(network=Mlp(()))
    with pytest.raises(NothingToActOn, match="no layer 'hidden1'"):
        dry_run(Training(linear, digits(), 0))
