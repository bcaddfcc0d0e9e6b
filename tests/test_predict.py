"""Predictions: in chunks or whole, and averaged."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from trainwright.network import NetworkBuilder
from trainwright.networks.mlp import Mlp
from trainwright.strategies import Dropout
from trainwright.task import Classification, Regression
from trainwright.training import predict as predicting
from trainwright.training.predict import predict, random_passes

X = jnp.asarray(np.random.default_rng(0).normal(size=(11, 2, 3)).astype(np.float32))


TASK = Classification(4)


def network(*strategies):
    nothing = np.zeros((1, 2, 3), np.float32)
    return Mlp((5,)).build((2, 3), 4, NetworkBuilder(strategies, 0, inputs=lambda: nothing))


@pytest.mark.parametrize("chunk", [1, 4, 10, 11])
def test_chunks_change_nothing(chunk, monkeypatch):
    model = network()
    whole = jax.nn.log_softmax(model(X))
    monkeypatch.setattr(predicting, "CHUNK", chunk)
    np.testing.assert_allclose(predict(model, (), X, TASK), whole, rtol=1e-5, atol=1e-6)


def test_probabilities_are_averaged_and_values_are():
    p = np.array([[[0.2, 0.8]], [[0.6, 0.4]]])
    np.testing.assert_allclose(np.exp(TASK.average(jnp.log(p))), [[0.4, 0.6]], rtol=1e-6)
    np.testing.assert_allclose(Regression().average(jnp.asarray(p)), [[0.4, 0.6]], rtol=1e-6)


def test_monte_carlo_masks_differ_from_chunk_to_chunk(monkeypatch):
    """One key for all chunks would give equal examples equal masks, a chunk apart."""
    monkeypatch.setattr(predicting, "CHUNK", 4)
    x = jnp.repeat(X[:1], 8, axis=0)
    first, second = np.split(
        np.asarray(predict(network(Dropout(0.5)), (), x, TASK, key=jax.random.key(0))), 2
    )
    assert not np.allclose(first, second)


def test_random_passes_differ_and_each_has_a_key_of_its_own():
    model, key = network(Dropout(0.5)), jax.random.key(0)
    passes = [predict(model, (), X, TASK, key=part) for part in jax.random.split(key, 3)]
    assert not np.allclose(passes[0], passes[1])
    np.testing.assert_allclose(random_passes(model, (), X, TASK, 3, key), passes, rtol=1e-5)
