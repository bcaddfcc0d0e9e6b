"""Each nonlinearity against its formula, as it stands in a network."""

import numpy as np
import pytest

from trainwright.networks.mlp import Mlp
from trainwright.sites import Sites
from trainwright.strategies import Activation, Initialization
from trainwright.strategies.activation import RadialBasis

X = np.random.default_rng(0).standard_normal((50, 16)).astype(np.float32)

FORMULAS = {
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu": lambda z: np.maximum(z, 0) + 0.1 * np.minimum(z, 0),
    "softplus": lambda z: np.log(1 + np.exp(z)),
    "hard_tanh": lambda z: np.maximum(-1, np.minimum(1, z)),
}


def network(activation, *others, fan_in=16, units=6):
    """The parts of a network with one hidden layer."""
    return Mlp((units,)).build((fan_in,), 3, Sites([activation, *others], seed=0)).parts


def hidden(parts, x=X):
    """What the hidden layer of such a network puts out."""
    return np.asarray(parts[2](parts[1](x)))


@pytest.mark.parametrize("function", FORMULAS)
def test_it_is_its_formula(function):
    parts = network(Activation(function, slope=0.1), Initialization("normal", std=1.0, hidden_bias=0.2))
    z = X.astype(np.float64) @ parts[1].kernel[...] + 0.2
    np.testing.assert_allclose(hidden(parts), FORMULAS[function](z), rtol=1e-4, atol=1e-5)


def test_the_weights_are_those_of_a_network_without_it():
    kernels = [np.asarray(network(Activation(function))[1].kernel[...]) for function in ("relu", "tanh")]
    assert np.array_equal(*kernels)


@pytest.mark.parametrize("pieces", [2, 5])
def test_maxout_is_the_largest_of_its_pieces(pieces):
    parts = network(Activation("maxout", pieces=pieces))
    kernel, bias = (np.asarray(part[...]) for part in (parts[1].linear.kernel, parts[1].linear.bias))
    assert kernel.shape == (16, 6 * pieces)
    z = [X @ kernel[:, piece::pieces] + bias[piece::pieces] for piece in range(pieces)]
    np.testing.assert_allclose(hidden(parts), np.max(z, axis=0), rtol=1e-4, atol=1e-5)


def test_a_radial_basis_unit_is_its_formula():
    parts = network(Activation("rbf", width=1.5))
    w = np.asarray(parts[1].centres[...], np.float64)
    squared = ((X[:, :, None] - w) ** 2).sum(axis=1)
    np.testing.assert_allclose(hidden(parts), np.exp(-squared / (1.5**2 * 16)), rtol=1e-4)


def test_a_radial_basis_unit_responds_most_at_its_centre():
    parts = network(Activation("rbf"))
    response = hidden(parts, np.asarray(parts[1].centres[...]).T)
    np.testing.assert_allclose(np.diag(response), 1, atol=1e-4)
    assert (response - 2 * np.eye(6) < 1).all()


@pytest.mark.parametrize("fan_in", [2, 64, 784])
def test_radial_basis_units_respond_in_any_dimension(fan_in):
    x = np.random.default_rng(1).standard_normal((100, fan_in)).astype(np.float32)
    response = hidden(network(Activation("rbf"), fan_in=fan_in, units=30), x)
    assert 0.05 < response.mean() < 0.9
    assert response.std(axis=0).mean() > 0.01, "units that answer the same to all tell nothing"


def test_a_shared_sigma_is_data_not_trained():
    layer = RadialBasis(np.zeros((2, 3), np.float32), 1.0)
    assert type(layer.sigma).__name__ == "Number"
