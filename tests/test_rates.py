"""Rate schedules against their formulas and optax's; Adam against its paper's Algorithm 1."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from trainwright.strategies import Adam, RateSchedule

T = 200
SHAPES = ("exponential", "inverse_time", "linear", "cosine")


def factors(schedule):
    return np.array([schedule.rate(jnp.int32(t), jnp.int32(T)) for t in range(T + 1)])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("warmup", [0.0, 0.3])
def test_it_rises_to_one_and_falls_to_its_final_factor(shape, warmup):
    rate = factors(RateSchedule(shape, final=0.05, warmup=warmup))
    top = round(warmup * T)
    assert rate[top] == pytest.approx(1, rel=1e-5)
    assert rate[T] == pytest.approx(0.05, rel=1e-4)
    assert (np.diff(rate[: top + 1]) > 0).all()
    assert (np.diff(rate[top:]) < 0).all()
    assert rate[0] > 0, "no step is wasted"


@pytest.mark.parametrize(
    ("shape", "peer"),
    [
        ("exponential", optax.exponential_decay(1.0, T, 0.05)),
        ("linear", optax.linear_schedule(1.0, 0.05, T)),
        ("cosine", optax.cosine_decay_schedule(1.0, T, alpha=0.05)),
        ("inverse_time", lambda t: 1 / (1 + t / T * 19)),
    ],
)
def test_its_shape_is_the_usual_one(shape, peer):
    expected = [peer(t) for t in range(T + 1)]
    np.testing.assert_allclose(factors(RateSchedule(shape, final=0.05)), expected, rtol=1e-4)


def test_schedules_given_per_update_convert_as_documented():
    updates = np.arange(T + 1)
    np.testing.assert_allclose(
        factors(RateSchedule("exponential", final=1.01**-T)), 1.01**-updates, rtol=1e-4
    )
    np.testing.assert_allclose(
        factors(RateSchedule("inverse_time", final=1 / (1 + T / 40))), 1 / (1 + updates / 40), rtol=1e-4
    )


def test_the_warm_up_is_a_straight_line_from_its_start():
    rate = factors(RateSchedule("linear", final=1.0, warmup=0.5, start=0.2))
    np.testing.assert_allclose(np.diff(rate[:101]), 0.8 / 101, rtol=1e-3)
    assert rate[0] == pytest.approx(0.2 + 0.8 / 101)
    np.testing.assert_allclose(rate[100:], 1, rtol=1e-6)


def test_beyond_its_length_it_stays_at_its_final_factor():
    assert RateSchedule(final=0.1).rate(jnp.int32(300), jnp.int32(T)) == pytest.approx(0.1)


def test_adam_is_algorithm_1():
    b1, b2, epsilon, rng = 0.8, 0.95, 1e-3, np.random.default_rng(0)
    gradients = rng.normal(0, [0.01, 1, 100], (30, 3))
    m, v, expected = 0, 0, []
    for t, g in enumerate(gradients, start=1):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        expected.append(m / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + epsilon))
    transform = Adam(b1, b2, epsilon).gradient()
    state = transform.init(jnp.zeros(3))
    for g, step in zip(gradients, expected, strict=True):
        ours, state = transform.update(jnp.float32(g), state)
        np.testing.assert_allclose(ours, step, rtol=1e-4)
