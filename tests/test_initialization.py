"""Each rule's distribution, and biases that start where they should."""

import numpy as np
import pytest
from scipy.special import softmax

from small import digits, parts, recipe, table
from trainwright.networks.mlp import Mlp
from trainwright.strategies import Activation, Initialization
from trainwright.training.building import Training, build, named_arrays
from trainwright.training.fit import fit

M, N = 300, 200


def kernel(m=M, n=N, seed=0, **settings):
    """The weights (m, n) between an input of m values and n hidden units."""
    built = parts(Mlp((n,)), (m,), 3, Initialization(**settings), seed=seed)
    return np.asarray(built["hidden1"].kernel[...], np.float64)


@pytest.mark.parametrize(
    ("rule", "bound"),
    [
        ("fan_in_uniform", 1 / np.sqrt(M)),
        ("glorot_uniform", np.sqrt(6 / (M + N))),
        ("lecture", 6 / np.sqrt(M + N)),
    ],
)
def test_uniform_rules_fill_their_interval(rule, bound):
    w = kernel(rule=rule)
    assert 0.99 * bound < abs(w).max() <= bound * (1 + 1e-6)
    assert w.var() == pytest.approx(bound**2 / 3, rel=0.02)
    assert abs(w.mean()) < 5 * bound / np.sqrt(3 * M * N)


def test_glorot_keeps_the_variance_between_that_of_inputs_and_of_gradients():
    assert kernel(rule="glorot_uniform").var() == pytest.approx(2 / (M + N), rel=0.02)


def test_he_keeps_the_size_of_rectified_signals():
    x = np.random.default_rng(0).standard_normal((500, M))
    hidden = np.maximum(x @ kernel(rule="he_normal"), 0)
    assert (hidden**2).mean() == pytest.approx((x**2).mean(), rel=0.05)


def test_uniform_has_its_deviation_and_its_bound():
    drawn = kernel(rule="uniform", std=0.3)
    assert drawn.std() == pytest.approx(0.3, rel=0.02)
    assert 0.3 * 3**0.5 * 0.99 < abs(drawn).max() <= 0.3 * 3**0.5 * (1 + 1e-6)


def test_normal_has_its_deviation():
    assert kernel(rule="normal", std=0.3).std() == pytest.approx(0.3, rel=0.02)


@pytest.mark.parametrize(("m", "n"), [(30, 20), (20, 30), (25, 25)])
def test_orthogonal_keeps_lengths_times_the_gain(m, n):
    w = kernel(m, n, rule="orthogonal", gain=1.5)
    product = w.T @ w if m >= n else w @ w.T
    np.testing.assert_allclose(product, 1.5**2 * np.eye(min(m, n)), atol=1e-5)


def test_orthogonal_favours_no_direction():
    entries = [kernel(3, 3, seed, rule="orthogonal").ravel() for seed in range(500)]
    assert (abs(np.mean(entries, axis=0)) < 5 * np.sqrt(1 / 3 / 500)).all()


def test_the_default_rule_is_he_s():
    built = parts(Mlp((N,)), (M,), 3)
    assert np.array_equal(kernel(rule="he_normal"), np.asarray(built["hidden1"].kernel[...], np.float64))


def test_units_that_start_equal_stay_equal():
    run = fit(
        recipe(Initialization("zeros", hidden_bias=0.1), Activation("sigmoid"), learning_rate=1.0), digits()
    )
    hidden = next(array for path, array in run.weights.items() if array.shape == (64, 8))
    # Some processors sum the last of several units in another order: equal but for rounding.
    assert abs(hidden - hidden[:, :1]).max() < 1e-5 * abs(hidden).max()


def biases(strategy, data):
    """The hidden and the output layer's first biases."""
    state = build(Training(recipe(strategy), data, 0))[1]
    found = {array.shape[0]: array for path, array in named_arrays(state).items() if "bias" in path}
    return found[8], found[data.outputs]


def test_output_biases_predict_the_marginals():
    data = digits()
    c = np.bincount(data.targets[data.splits.train], minlength=10) / 36
    _, b = biases(Initialization(output_bias="marginals"), data)
    np.testing.assert_allclose(softmax(b), c, rtol=1e-5)


def test_a_class_without_examples_gets_a_finite_bias():
    data = digits()
    keep = data.splits.train[data.targets[data.splits.train] != 7]
    object.__setattr__(data, "splits", type(data.splits)(keep, data.splits.validation, data.splits.test))
    _, b = biases(Initialization(output_bias="marginals"), data)
    assert np.isfinite(b).all()
    assert b.argmin() == 7


def test_biases_are_zero_unless_asked():
    hidden, output = biases(Initialization(), table())
    assert not hidden.any()
    assert not output.any()
    hidden, output = biases(Initialization(hidden_bias=0.1), table())
    assert (hidden == np.float32(0.1)).all()
    assert not output.any()
