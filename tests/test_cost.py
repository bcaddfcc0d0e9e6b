"""Each cost's gradient against finite differences, in double precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from trainwright.strategies import Cost, LabelSmoothing
from trainwright.strategy import NothingToActOn

RNG = np.random.default_rng(3)
OUTPUTS = 2 * RNG.standard_normal((4, 5))
CLASSES = np.eye(5)[[0, 3, 3, 1]]
SMOOTH = np.asarray(LabelSmoothing(0.3).targets(CLASSES))


@pytest.mark.parametrize(
    ("function", "outputs", "y"),
    [
        ("cross_entropy", OUTPUTS, CLASSES),
        ("cross_entropy", OUTPUTS, SMOOTH),
        ("sigmoid_cross_entropy", OUTPUTS, CLASSES),
        ("sigmoid_cross_entropy", OUTPUTS, SMOOTH),
        ("quadratic", OUTPUTS, CLASSES),
        ("quadratic", OUTPUTS, SMOOTH),
        ("quadratic", OUTPUTS[:, :1], RNG.standard_normal((4, 1))),
    ],
    ids=[
        "cross_entropy",
        "cross_entropy smoothed",
        "sigmoid",
        "sigmoid smoothed",
        "quadratic",
        "quadratic smoothed",
        "regression",
    ],
)
def test_its_gradient_is_the_limit_of_differences(function, outputs, y):
    with jax.enable_x64(True):
        total = lambda z: Cost(function).loss(z, jnp.asarray(y)).sum()  # noqa: E731
        gradient = jax.grad(total)(jnp.asarray(outputs))
        assert gradient.dtype == jnp.float64
        differences = np.zeros_like(outputs)
        for place in np.ndindex(outputs.shape):
            h = np.zeros_like(outputs)
            h[place] = 1e-5
            differences[place] = (total(outputs + h) - total(outputs - h)) / 2e-5
        np.testing.assert_allclose(gradient, differences, rtol=1e-6, atol=1e-9)


def softmax(z):
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


def test_cross_entropy_is_the_negative_log_likelihood():
    loss = Cost("cross_entropy").loss(jnp.asarray(OUTPUTS), jnp.asarray(CLASSES))
    np.testing.assert_allclose(loss, -np.log(softmax(OUTPUTS)[np.arange(4), [0, 3, 3, 1]]), rtol=1e-5)


def test_sigmoid_cross_entropy_is_the_printed_cost():
    """J = -1/m sum over examples and outputs of y log h + (1 - y) log(1 - h), h = 1 / (1 + exp(-z))."""
    h = 1 / (1 + np.exp(-OUTPUTS))
    expected = -(CLASSES * np.log(h) + (1 - CLASSES) * np.log(1 - h)).sum(axis=1)
    loss = Cost("sigmoid_cross_entropy").loss(jnp.asarray(OUTPUTS), jnp.asarray(CLASSES))
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_quadratic_is_half_the_squared_distance():
    loss = Cost("quadratic").loss(jnp.asarray(OUTPUTS), jnp.asarray(CLASSES))
    np.testing.assert_allclose(loss, ((softmax(OUTPUTS) - CLASSES) ** 2).sum(axis=1) / 2, rtol=1e-5)
    values = Cost("quadratic").loss(jnp.asarray(OUTPUTS[:, :1]), jnp.zeros((4, 1)))
    np.testing.assert_allclose(values, OUTPUTS[:, 0] ** 2 / 2, rtol=1e-5)


def test_a_saturated_wrong_output_learns_by_cross_entropy_only():
    """Nielsen's argument: the quadratic cost's gradient vanishes where it is most needed."""
    z, y = jnp.array([[20.0, 0.0]]), jnp.array([[0.0, 1.0]])
    steepest = lambda cost: abs(jax.grad(lambda z: cost.loss(z, y).sum())(z)).max()  # noqa: E731
    assert steepest(Cost("cross_entropy")) > 0.99
    assert steepest(Cost("sigmoid_cross_entropy")) > 0.99
    assert steepest(Cost("quadratic")) < 1e-6


@pytest.mark.parametrize("function", ["cross_entropy", "sigmoid_cross_entropy"])
def test_cross_entropy_needs_classes(function):
    with pytest.raises(NothingToActOn, match="use 'quadratic'"):
        Cost(function).loss(jnp.zeros((4, 1)), jnp.zeros((4, 1)))


def test_smoothed_targets_are_probabilities():
    np.testing.assert_allclose(SMOOTH.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(SMOOTH.max(axis=1), 0.7 + 0.3 / 5, rtol=1e-6)
    np.testing.assert_allclose(np.sort(SMOOTH, axis=1)[:, :4], 0.3 / 5, rtol=1e-6)
