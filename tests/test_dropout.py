"""Dropout: the paper's convention and the inverted one, and what weight scaling stands for."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import small
from trainwright.base import keys
from trainwright.base.errors import SettingError
from trainwright.strategies.dropout import Dropout, DropoutLayer
from trainwright.training.building import Training, dry_run


def passes(layer: DropoutLayer, x: jax.Array, number: int) -> jax.Array:
    """The layer's outputs under so many random keys."""
    one = jax.vmap(lambda key: layer(x, key=key, training=True))
    return one(jax.random.split(jax.random.key(0), number))


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.9])
def test_both_conventions_expect_what_they_predict(rate):
    x = jnp.linspace(-1, 2, 7)
    for scaling in ("train", "test"):
        layer = DropoutLayer(rate, "hidden1", scaling)
        predicted = layer(x, key=None, training=False)
        drawn = passes(layer, x, 20_000)
        spread = 5 * drawn.std(axis=0) / 20_000**0.5 + 1e-6
        assert (abs(drawn.mean(axis=0) - predicted) <= spread).all()


def test_the_conventions_differ_by_p_alone():
    x, key = jnp.linspace(-1, 2, 50), jax.random.key(4)
    in_training, in_testing = (DropoutLayer(0.2, "input", scaling) for scaling in ("train", "test"))
    for given, training in ((key, True), (None, False)):
        np.testing.assert_allclose(
            0.8 * in_training(x, key=given, training=training),
            in_testing(x, key=given, training=training),
            rtol=1e-6,
        )


def thinned(weights: np.ndarray, x: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Outputs of all thinned networks (2^n, units) of one affine layer, and each one's probability."""
    masks = np.array(list(itertools.product([0.0, 1.0], repeat=len(x))))
    kept = masks.sum(axis=1)
    return (masks * x) @ weights, (1 - rate) ** kept * rate ** (len(x) - kept)


@pytest.mark.parametrize("rate", [0.2, 0.5])
def test_a_scaled_linear_unit_is_the_mean_of_all_thinned_ones(rate):
    rng = np.random.default_rng(1)
    w, x = rng.standard_normal((10, 3)), rng.standard_normal(10)
    outputs, probability = thinned(w, x, rate)
    predicted = DropoutLayer(rate, "input", "test")(jnp.asarray(x), key=None, training=False) @ w
    np.testing.assert_allclose(predicted, probability @ outputs, rtol=1e-5)


def test_a_scaled_softmax_is_the_geometric_mean_of_all_thinned_ones():
    rng = np.random.default_rng(2)
    w, x = rng.standard_normal((8, 4)), rng.standard_normal(8)
    outputs, probability = thinned(w, x, 0.5)
    logs = probability @ np.asarray(jax.nn.log_softmax(outputs))
    scaled = DropoutLayer(0.5, "input", "test")(jnp.asarray(x), key=None, training=False) @ w
    np.testing.assert_allclose(jax.nn.softmax(scaled), jax.nn.softmax(logs), rtol=1e-4)


def test_the_rate_is_the_probability_to_drop():
    dropped = passes(DropoutLayer(0.3, "hidden1", "train"), jnp.ones(100), 1000) == 0
    assert abs(dropped.mean() - 0.3) < 5 * (0.3 * 0.7 / 100_000) ** 0.5


def test_each_example_site_and_step_has_its_own_mask():
    x, layer = jnp.ones((2, 200)), DropoutLayer(0.5, "hidden1", "train")
    first, second = layer(x, key=jax.random.key(0), training=True)
    assert (first != second).any()
    assert (layer(x, key=jax.random.key(1), training=True)[0] != first).any()
    elsewhere = DropoutLayer(0.5, "hidden2", "train")(x, key=jax.random.key(0), training=True)
    assert (elsewhere[0] != first).any()
    assert (layer(x, key=jax.random.key(0), training=True)[0] == first).all()


def test_monte_carlo_drops_and_prediction_does_not():
    x, layer = jnp.ones(200), DropoutLayer(0.5, "hidden1", "train")
    assert (layer(x, key=keys.step_key(0), training=False) == 0).any()
    assert (layer(x, key=None, training=False) == x).all()


@pytest.mark.parametrize("rate", [1e-9, 1 - 1e-9])
def test_a_rate_that_sixteen_bits_cannot_tell_from_none_or_all_is_refused(rate):
    with pytest.raises(SettingError, match="as good as none or all"):
        dry_run(Training(small.recipe(Dropout(rate)), small.digits(), 0))
