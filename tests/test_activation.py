"""Each nonlinearity against its formula, as it stands in a network."""

import numpy as np
import pytest

from small import parts
from trainwright.data import load
from trainwright.network import NetworkBuilder
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.strategies import Activation, Initialization
from trainwright.strategies.activation import RadialBasis
from trainwright.training.fit import fit

X = np.random.default_rng(0).standard_normal((50, 16)).astype(np.float32)

FORMULAS = {
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu": lambda z: np.maximum(z, 0) + 0.1 * np.minimum(z, 0),
    "softplus": lambda z: np.log(1 + np.exp(z)),
    "hard_tanh": lambda z: np.maximum(-1, np.minimum(1, z)),
}


def network(activation, *others, fan_in=16, units=6, inputs=None):
    """The parts of a network with one hidden layer."""
    return parts(Mlp((units,)), (fan_in,), 3, activation, *others, inputs=inputs)


def hidden(network, x=X):
    """What the hidden layer of such a network puts out."""
    return np.asarray(network["hidden1/activation"](network["hidden1"](x)))


@pytest.mark.parametrize("function", FORMULAS)
def test_it_is_its_formula(function):
    built = network(Activation(function, slope=0.1), Initialization("normal", std=1.0, hidden_bias=0.2))
    z = X.astype(np.float64) @ built["hidden1"].kernel[...] + 0.2
    np.testing.assert_allclose(hidden(built), FORMULAS[function](z), rtol=1e-4, atol=1e-5)


def test_the_weights_are_those_of_a_network_without_it():
    layers = [network(Activation(function))["hidden1"] for function in ("relu", "tanh")]
    kernels = [np.asarray(layer.kernel[...]) for layer in layers]
    assert np.array_equal(*kernels)


@pytest.mark.parametrize("pieces", [2, 5])
def test_maxout_is_the_largest_of_its_pieces(pieces):
    built = network(Activation("maxout", pieces=pieces))
    kernel, bias = (np.asarray(part[...]) for part in (built["hidden1"].kernel, built["hidden1"].bias))
    assert kernel.shape == (16, 6 * pieces)
    z = [X @ kernel[:, piece::pieces] + bias[piece::pieces] for piece in range(pieces)]
    np.testing.assert_allclose(hidden(built), np.max(z, axis=0), rtol=1e-4, atol=1e-5)


def test_a_radial_basis_unit_is_its_formula():
    layer = network(Activation("rbf", width=1.5), inputs=X)["hidden1"]
    w = np.asarray(layer.centres[...], np.float64)
    sigma = 1.5 * np.sqrt(np.mean([np.sum((a - b) ** 2) for a in X for b in X]) * 50 / 49)
    squared = ((X[:, :, None] - w) ** 2).sum(axis=1)
    np.testing.assert_allclose(layer(X), np.exp(-squared / sigma**2), rtol=1e-3)


def test_radial_basis_units_start_from_examples_of_what_their_layer_receives():
    built = Mlp((6, 5)).build((16,), 3, NetworkBuilder([Activation("rbf")], 0, inputs=lambda: X))
    first, second = built.parts["hidden1"], built.parts["hidden2"]
    received = np.asarray(first(X))
    for layer, x in ((first, X), (second, received)):
        nearest = [np.abs(x - centre).max(axis=1).min() for centre in np.asarray(layer.centres[...]).T]
        assert max(nearest) < 1e-6
        assert 0.05 < np.asarray(layer(x)).mean() < 0.9


@pytest.mark.parametrize("layers", [1, 2])
def test_radial_basis_networks_learn_digits(layers):
    recipe = Recipe(Mlp((32,) * layers), (Activation("rbf"),), learning_rate=0.3, epochs=15)
    run = fit(recipe, load("digits"))
    assert run.history["validation_error"][-1] < 0.2  # guessing has 0.9


def test_a_shared_sigma_is_data_not_trained():
    layer = RadialBasis(np.zeros((2, 3), np.float32), 1.0)
    assert type(layer.sigma).__name__ == "HyperParameter"
