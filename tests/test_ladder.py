"""The ladder network against Algorithm 1 of its paper, written out in NumPy."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from small import digits, recipe
from trainwright.base import keys
from trainwright.network import NetworkBuilder
from trainwright.networks.mlp import Mlp
from trainwright.objective import Batch
from trainwright.strategies import Ladder
from trainwright.task import Classification
from trainwright.training.building import Training, build, named_arrays
from trainwright.training.fit import fit

STRATEGY = Ladder(noise_std=0.4, input_cost=3.0, first_cost=2.0, upper_cost=0.5)
KEY = jax.random.key(7)
X = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)
TASK = Classification(3)


def network():
    builder = NetworkBuilder((STRATEGY,), 0, inputs=lambda: X)
    model = Mlp((4, 6)).build((5,), 3, builder)
    rng = np.random.default_rng(1)  # away from its start, where much of the decoder is zero
    for name in ("input", "hidden1", "hidden2", "output"):
        rung = model.parts[f"{name}/ladder"]
        rung.combinator[...] = jnp.asarray(rng.normal(size=rung.combinator[...].shape), jnp.float32)
        if name != "input":
            for param in (rung.normalization.gamma, rung.normalization.beta):
                param[...] = jnp.asarray(rng.normal(size=param[...].shape), jnp.float32)
    return model


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def normalized(z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mean, deviation = z.mean(axis=0), np.sqrt(z.var(axis=0) + 1e-5)
    return (z - mean) / deviation, mean, deviation


def encoder(model, noise: bool):
    """Algorithm 1's encoder: each layer's values before its activation, their moments, and the outputs."""
    draw = lambda name, z: 0.4 * np.asarray(jax.random.normal(keys.fold(KEY, "ladder", name), z.shape))  # noqa: E731
    h = X + (draw("input", X) if noise else 0)
    latents, moments = [h], [(0.0, 1.0)]
    for name in ("hidden1", "hidden2", "output"):
        layer, norm = model.parts[name], model.parts[f"{name}/ladder"].normalization
        z, *of = normalized(h @ np.asarray(layer.kernel[...]) + np.asarray(layer.bias[...]))
        z = z + (draw(name, z) if noise else 0)
        latents.append(z)
        moments.append(of)
        h = np.asarray(norm.gamma[...]) * z + np.asarray(norm.beta[...])
        if name != "output":
            h = np.maximum(h, 0)
    p = np.exp(h - h.max(axis=1, keepdims=True))
    return latents, moments, h, p / p.sum(axis=1, keepdims=True)


def test_the_denoising_cost_is_the_paper_s_algorithm():
    model = network()
    outputs = model(jnp.asarray(X), key=KEY, training=True)
    noisy, _, h, above = encoder(model, noise=True)
    np.testing.assert_allclose(outputs, h, rtol=1e-4, atol=1e-5)
    clean, moments, _, _ = encoder(model, noise=False)
    cost, names = 0.0, ("input", "hidden1", "hidden2", "output")
    for level in (3, 2, 1, 0):
        rung = model.parts[f"{names[level]}/ladder"]
        u, a = normalized(above)[0], np.asarray(rung.combinator[...])
        mu = a[0] * sigmoid(a[1] * u + a[2]) + a[3] * u + a[4]
        v = a[5] * sigmoid(a[6] * u + a[7]) + a[8] * u + a[9]
        estimate = (noisy[level] - mu) * v + mu
        mean, deviation = moments[level]
        error = (clean[level] - (estimate - mean) / deviation) ** 2
        cost += (3.0, 2.0, 0.5, 0.5)[level] * error.sum(axis=1).mean() / error.shape[1]
        if level:
            above = estimate @ np.asarray(rung.decoder[...])
    frozen = lambda: model  # noqa: E731
    y = jnp.zeros((9, 3))
    batch = Batch(jnp.asarray(X), y, outputs, KEY, TASK, TASK.loss, model=network, frozen=frozen)
    assert float(STRATEGY.objective(batch, KEY)) == pytest.approx(cost, rel=1e-3)


def test_predictions_have_no_noise_and_no_decoder_in_them():
    model = network()
    plain = model(jnp.asarray(X), key=None, training=False)
    np.testing.assert_array_equal(plain, model(jnp.asarray(X), key=KEY, training=False))
    model.parts["hidden1/ladder"].decoder[...] *= 2
    np.testing.assert_array_equal(plain, model(jnp.asarray(X), key=None, training=False))


def test_the_decoder_learns_to_take_the_noise_out():
    """After training its estimates of the inputs are nearer to them than the noisy inputs are."""
    data = digits()
    given = recipe(Ladder(input_cost=100.0), steps=400, evaluate_every=100).replace(network=Mlp((30,)))
    run = fit(given, data)
    weights, first = run.weights, named_arrays(build(Training(given, data, 0))[1])
    assert not np.array_equal(weights["hidden1/ladder/decoder"], first["hidden1/ladder/decoder"])
    assert run.history["validation_error"][-1] < 0.5
    x = jnp.asarray(data.inputs[data.splits.train])
    costs = {}
    for name, arrays in (("first", first), ("last", weights)):
        builder = NetworkBuilder(given.strategies, 0, inputs=lambda: data.inputs[:36])
        model = given.network.build(data.shape, 10, builder)
        model.parts["input/ladder"].combinator[...] = jnp.asarray(arrays["input/ladder/combinator"])
        for layer in ("hidden1", "output"):
            for kind in ("kernel", "bias"):
                getattr(model.parts[layer], kind)[...] = jnp.asarray(arrays[f"{layer}/{kind}"])
            rung = model.parts[f"{layer}/ladder"]
            for kind in ("combinator", "decoder"):
                getattr(rung, kind)[...] = jnp.asarray(arrays[f"{layer}/ladder/{kind}"])
            for kind in ("gamma", "beta"):
                scale = getattr(rung.normalization, kind)
                scale[...] = jnp.asarray(arrays[f"{layer}/ladder/normalization/{kind}"])
        outputs = model(x, key=KEY, training=True)
        task, same = Classification(10), lambda model=model: model
        batch = Batch(x, outputs, outputs, KEY, task, task.loss, model=same, frozen=same)
        only_inputs = Ladder(input_cost=1.0, first_cost=0.0, upper_cost=0.0)
        costs[name] = float(only_inputs.objective(batch, KEY))
    assert costs["last"] < 0.3**2 < costs["first"]
