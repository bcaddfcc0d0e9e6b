"""Batch norm against the equations of Ioffe & Szegedy, Algorithms 1 and 2, in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from small import digits, recipe
from trainwright.base.errors import SettingError
from trainwright.chain import Chain
from trainwright.strategies import BatchNorm
from trainwright.strategies.batch_norm import BatchNormLayer
from trainwright.training.batches import order
from trainwright.training.fit import fit

RNG = np.random.default_rng(0)
BATCHES = RNG.normal([1.0, -3.0, 20.0], [1.0, 0.1, 5.0], (6, 16, 3)).astype(np.float32)


def algorithm_1(x, gamma, beta, epsilon):
    mean = x.sum(axis=0) / len(x)
    variance = ((x - mean) ** 2).sum(axis=0) / len(x)
    x_hat = (x - mean) / np.sqrt(variance + epsilon)
    return gamma * x_hat + beta


def test_training_is_algorithm_1():
    layer = BatchNormLayer(3, 1e-3, None)
    gamma, beta = np.float32([1, 2, 3]), np.float32([0, -1, 5])
    layer.gamma[...], layer.beta[...] = jnp.asarray(gamma), jnp.asarray(beta)
    y = layer(jnp.asarray(BATCHES[0]), key=None, training=True)
    np.testing.assert_allclose(
        y, algorithm_1(np.float64(BATCHES[0]), gamma, beta, 1e-3), rtol=1e-4, atol=1e-4
    )


def test_predicting_is_algorithm_2():
    layer = BatchNormLayer(3, 1e-5, None)
    layer(jnp.asarray(BATCHES[0] + 100), key=None, training=True)  # forgotten when the statistics are reset
    assert BatchNorm().needs_population_pass()
    BatchNorm().reset_statistics(Chain({"batch_norm": layer}))
    for x in BATCHES:
        layer(jnp.asarray(x), key=None, training=True)
    x = np.float64(BATCHES)
    mean, variance = x.mean(axis=(0, 1)), x.var(axis=1, ddof=1).mean(axis=0)
    y = layer(jnp.asarray(BATCHES[0]), key=None, training=False)
    np.testing.assert_allclose(y, (x[0] - mean) / np.sqrt(variance + 1e-5), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("seen", [1, 2, 6])
def test_running_statistics_are_decaying_averages_right_from_the_start(seen):
    layer = BatchNormLayer(3, 1e-5, 0.9)
    for x in BATCHES[:seen]:
        layer(jnp.asarray(x), key=None, training=True)
    weights = 0.9 ** np.arange(seen)[::-1]
    weights /= weights.sum()
    x = np.float64(BATCHES[:seen])
    np.testing.assert_allclose(layer.mean[...], weights @ x.mean(axis=1), rtol=1e-4)
    np.testing.assert_allclose(layer.variance[...], weights @ x.var(axis=1, ddof=1), rtol=1e-4)


def test_running_statistics_need_no_population_pass():
    assert not BatchNorm(statistics="running").needs_population_pass()


def test_a_large_mean_does_not_drown_the_variance():
    x = jnp.float32(1e4 + RNG.standard_normal((200, 1)))
    assert BatchNormLayer(1, 1e-5, None)(x, key=None, training=True).std() == pytest.approx(1, abs=0.01)


def test_images_are_normalised_per_channel():
    x = jnp.asarray(BATCHES.reshape(4, 6, 4, 3))
    y = BatchNormLayer(3, 1e-5, None)(x, key=None, training=True)
    np.testing.assert_allclose(y.mean(axis=(0, 1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(y.std(axis=(0, 1, 2)), 1, atol=1e-2)


def test_the_gradient_goes_through_the_statistics():
    def pulled(x):
        y = BatchNormLayer(3, 1e-12, None)(x, key=None, training=True)
        return jnp.sum(y * jnp.arange(48.0).reshape(16, 3))

    x = jnp.asarray(BATCHES[0])
    gradient = jax.grad(pulled)(x)
    # Neither a shift of all examples nor their stretching about the mean changes the output.
    np.testing.assert_allclose(gradient.sum(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose((gradient * (x - x.mean(axis=0))).sum(axis=0), 0, atol=1e-3)


def test_a_batch_of_one_is_refused():
    with pytest.raises(SettingError, match="larger batch_size"):
        BatchNormLayer(3, 1e-5, None)(jnp.ones((1, 3)), key=None, training=True)


def test_a_run_keeps_its_population_s_statistics():
    data = digits()
    run = fit(recipe(BatchNorm()), data, seed=3)
    kernel, bias = run.weights["hidden1/kernel"], run.weights["hidden1/bias"]
    batches = order(3, "population", data.splits.train, 12, 0, 3)
    z = data.inputs.reshape(60, -1)[batches].astype(np.float64) @ kernel + bias
    mean, variance = (run.weights[f"hidden1/batch_norm/{name}"] for name in ("mean", "variance"))
    np.testing.assert_allclose(mean, z.mean(axis=(0, 1)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(variance, z.var(axis=1, ddof=1).mean(axis=0), rtol=1e-4)


def test_the_population_does_not_depend_on_the_interval():
    often, seldom = (
        fit(recipe(BatchNorm(), evaluate_every=every, batch_size=4, steps=6), digits()) for every in (1, 6)
    )
    for name, array in seldom.weights.items():
        np.testing.assert_allclose(often.weights[name], array, rtol=1e-5, atol=1e-6, err_msg=name)


def test_gamma_and_beta_are_no_weights():
    paths = [path for path, _ in nnx.to_flat_state(nnx.state(BatchNormLayer(3, 1e-5, None), nnx.Param))]
    assert sorted(paths) == [("beta",), ("gamma",)]
