"""Momentum against Algorithms 8.2 and 8.3 of Goodfellow, Bengio & Courville, transcribed in NumPy."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from trainwright.strategies import Momentum

CURVATURE = np.array([1.0, 5.0, 25.0])
START = np.array([1.0, -2.0, 0.5])
STEPS = 40


def g(theta):
    """The gradient of half the sum of curvature times theta squared."""
    return CURVATURE * theta


def alpha(t):
    """From 0.5 at the first step to 0.9 after 20."""
    return 0.5 + 0.4 * min(t / 20, 1)


def epsilon(t):
    """A learning rate that falls."""
    return 0.03 / (1 + t / 10)


def algorithm_8_2(alpha, epsilon):
    theta, v, path = START, np.zeros(3), []
    for t in range(STEPS):
        v = alpha(t) * v - epsilon(t) * g(theta)
        theta = theta + v
        path.append(theta)
    return np.array(path)


def algorithm_8_3(alpha, epsilon):
    """The points theta + alpha v, at which the gradient is taken next."""
    theta, v, path = START, np.zeros(3), []
    for t in range(STEPS):
        v = alpha(t) * v - epsilon(t) * g(theta + alpha(t) * v)
        theta = theta + v
        path.append(theta + alpha(t + 1) * v)
    return np.array(path)


def trained(momentum, epsilon):
    transform = momentum.update()
    theta, path = jnp.float32(START), []
    state = transform.init(theta)
    for t in range(STEPS):
        move, state = transform.update(-epsilon(t) * jnp.float32(g(np.asarray(theta))), state, theta)
        theta = theta + move
        path.append(theta)
    return np.array(path)


@pytest.mark.parametrize(("nesterov", "algorithm"), [(False, algorithm_8_2), (True, algorithm_8_3)])
def test_it_is_the_algorithm_with_ramps_of_alpha_and_epsilon(nesterov, algorithm):
    momentum = Momentum(0.9, nesterov=nesterov, start=0.5, ramp_steps=20)
    np.testing.assert_allclose(trained(momentum, epsilon), algorithm(alpha, epsilon), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("nesterov", [False, True])
def test_at_a_constant_rate_it_is_optax_trace(nesterov):
    theta, path = jnp.float32(START), []
    trace = optax.trace(0.9, nesterov=nesterov)
    state = trace.init(theta)
    for _ in range(STEPS):
        move, state = trace.update(jnp.float32(g(np.asarray(theta))), state)
        theta = theta - 0.02 * move
        path.append(theta)
    ours = trained(Momentum(0.9, nesterov=nesterov), lambda t: 0.02)
    np.testing.assert_allclose(ours, path, rtol=1e-3, atol=1e-5)


def test_while_the_rate_changes_it_is_not_optax_trace():
    past = algorithm_8_2(lambda t: 0.9, epsilon)
    theta, v, path = START, np.zeros(3), []
    for t in range(STEPS):
        v = 0.9 * v + g(theta)
        theta = theta - epsilon(t) * v
        path.append(theta)
    ours = trained(Momentum(0.9), epsilon)
    assert abs(ours - past).max() < 1e-3 < 0.1 * abs(ours - np.array(path)).max()


def test_the_terminal_speed_is_the_step_over_one_minus_alpha():
    transform = Momentum(0.9).update()
    state = transform.init(jnp.zeros(()))
    for _ in range(200):
        move, state = transform.update(jnp.float32(-0.01), state)
    assert move == pytest.approx(-0.01 / (1 - 0.9), rel=1e-4)
