"""Boltzmann machines: every figure is held against a sum over all states."""

from __future__ import annotations

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from counting import FIVE_DEVIATIONS, KEY, MANY, SIZES, Counted, doubles, made, sigmoid, visible_states
from trainwright.base.errors import SettingError
from trainwright.energy import dbm, machine, partition, rbm
from trainwright.energy.machine import Machine

bound = jax.jit(dbm.bound)
chains = jax.jit(machine.chains, static_argnums=1)
free_energy_gap = jax.jit(dbm.free_energy_gap)
gibbs = jax.jit(machine.gibbs)
log_partition = jax.jit(partition.log_partition, static_argnums=4)
mean_field = jax.jit(dbm.mean_field)
sample_hiddens, sample_visibles = jax.jit(rbm.sample_hiddens), jax.jit(rbm.sample_visibles)


# Energies and conditionals.


@pytest.mark.parametrize("sizes", SIZES)
def test_energy_is_the_sum_over_biases_and_neighbours(sizes: tuple[int, ...]) -> None:
    counted = Counted(made(sizes))
    layers = tuple(jnp.asarray(layer, jnp.float32) for layer in counted.layers)
    np.testing.assert_allclose(machine.energy(made(sizes), layers), counted.energy, atol=1e-5)


def test_free_energy_is_the_energy_with_the_hidden_units_summed_out() -> None:
    counted, v = Counted(made((6, 4))), visible_states(6)
    log_p = -rbm.free_energy(made((6, 4)), jnp.asarray(v, jnp.float32)) - counted.log_z
    np.testing.assert_allclose(log_p, [counted.log_p(row) for row in v], atol=1e-5)
    assert np.exp(np.asarray(log_p)).sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("sizes", SIZES)
def test_conditionals_are_those_of_the_joint_distribution(sizes: tuple[int, ...]) -> None:
    """P(unit on | all other layers) by counting, at every joint state."""
    counted = Counted(made(sizes))
    layers = tuple(jnp.asarray(layer, jnp.float32) for layer in counted.layers)
    for number, units in enumerate(counted.layers):
        on_given_others = np.asarray(machine.conditional(made(sizes), layers, number))
        others = np.concatenate([u for n, u in enumerate(counted.layers) if n != number], axis=1)
        _, group = np.unique(others, axis=0, return_inverse=True)
        together = np.bincount(group, counted.p)[group]
        for unit in range(units.shape[1]):
            on = np.bincount(group, counted.p * units[:, unit])[group]
            np.testing.assert_allclose(on_given_others[:, unit], on / together, atol=1e-5)


def test_an_rbms_conditionals_are_the_machines_and_doubling_doubles_the_input() -> None:
    small = made((6, 4))
    v, h = jnp.asarray(visible_states(6), jnp.float32), jnp.asarray(visible_states(4), jnp.float32)
    np.testing.assert_allclose(rbm.mean_hiddens(small, v), machine.conditional(small, (v, h), 1))
    np.testing.assert_allclose(rbm.mean_visibles(small, h), machine.conditional(small, (v, h), 0))
    (w,), (b, c) = doubles(small.weights), doubles(small.biases)
    both = rbm.Doubling(up=2.0, down=2.0)
    np.testing.assert_allclose(
        rbm.mean_hiddens(small, v, both), sigmoid(np.asarray(v) @ (2 * w) + 2 * c), 1e-5
    )
    np.testing.assert_allclose(
        rbm.mean_visibles(small, h, both), sigmoid(np.asarray(h) @ (2 * w).T + 2 * b), 1e-5
    )


def test_sampled_units_are_on_as_often_as_they_should() -> None:
    small = made((6, 4))
    v = jnp.broadcast_to(jnp.asarray([1.0, 0, 1, 1, 0, 0]), (MANY, 6))
    h = sample_hiddens(small, v, KEY)
    assert set(np.unique(h)) == {0, 1}
    assert abs(h.mean(axis=0) - rbm.mean_hiddens(small, v)[0]).max() < FIVE_DEVIATIONS
    again = sample_visibles(small, h, KEY)
    assert abs(again.mean(axis=0) - rbm.mean_visibles(small, h).mean(axis=0)).max() < FIVE_DEVIATIONS
    certain = machine.sample(KEY, jnp.asarray([0.0, 1.0]), "x")
    assert certain.tolist() == [0, 1]


# Sampling.


@pytest.mark.parametrize("sizes", SIZES)
def test_gibbs_sampling_reaches_the_machines_distribution(sizes: tuple[int, ...]) -> None:
    """Means and neighbours' products over chains that began as coin tosses, against counting."""
    small, counted = made(sizes), Counted(made(sizes))
    begun = chains(small, MANY, KEY)
    layers = gibbs(small, begun, KEY, 60)
    for measured, mean in zip(layers, counted.means(counted.p), strict=True):
        assert abs(np.asarray(measured).mean(axis=0) - mean).max() < FIVE_DEVIATIONS
    pairs = zip(layers[:-1], layers[1:], counted.products(counted.p), strict=True)
    assert all(abs(low.T @ high / MANY - product).max() < FIVE_DEVIATIONS for low, high, product in pairs)
    assert all(set(np.unique(layer)) == {0, 1} for layer in layers[::2])


# Mean field.


@pytest.mark.parametrize("sizes", SIZES)
def test_mean_field_raises_the_bound_and_stays_below_the_likelihood(sizes: tuple[int, ...]) -> None:
    small, counted, v = made(sizes, 2.0), Counted(made(sizes, 2.0)), visible_states(sizes[0])
    exact = np.array([counted.log_p(row) for row in v]) + counted.log_z
    bounds = [
        np.asarray(bound(small, mean_field(small, jnp.asarray(v, jnp.float32), updates, 0.0)))
        for updates in range(12)
    ]
    for lower, higher in pairwise(bounds):
        assert (higher > lower - 1e-5).all()
    assert (bounds[-1] < exact + 1e-5).all()
    if len(sizes) == 2:
        np.testing.assert_allclose(bounds[0], exact, atol=1e-5)
    else:
        assert bounds[-1].mean() > bounds[0].mean() + 0.01
        assert (bounds[-1] < exact - 1e-4).any()


def test_mean_field_ends_at_its_fixed_point_or_after_its_updates() -> None:
    small, v = made((5, 4, 3)), jnp.asarray(visible_states(5), jnp.float32)
    layers = mean_field(small, v, 1000, 1e-6)
    for number in (1, 2):
        np.testing.assert_allclose(layers[number], machine.conditional(small, layers, number), atol=1e-4)
    few, more = (mean_field(small, v, updates, 0.0) for updates in (1, 2))
    assert not np.allclose(few[1], more[1], atol=1e-4)
    loose = mean_field(small, v, 1000, 1.0)
    np.testing.assert_array_equal(loose[1], few[1])  # a first change below the tolerance is the last


def test_free_energy_of_one_hidden_layer_is_exact_and_the_gap_is_the_difference() -> None:
    small, v = made((6, 4)), jnp.asarray(visible_states(6), jnp.float32)
    np.testing.assert_allclose(jax.jit(dbm.free_energy)(small, v), rbm.free_energy(small, v), atol=1e-5)
    gap = free_energy_gap(small, v[:32], v[32:])
    expected = rbm.free_energy(small, v[32:]).mean() - rbm.free_energy(small, v[:32]).mean()
    assert float(gap) == pytest.approx(float(expected), abs=1e-4)


# Composition and the network for fine-tuning.


def test_rbms_compose_to_a_machine_with_a_bias_from_each_side() -> None:
    stack = [made((6, 4), seed=1), made((4, 3), seed=2), made((3, 2), seed=3)]
    whole = dbm.compose(stack)
    for weight, part in zip(whole.weights, stack, strict=True):
        np.testing.assert_array_equal(weight, part.weights[0])
    expected = [
        stack[0].biases[0],
        stack[0].biases[1] + stack[1].biases[0],
        stack[1].biases[1] + stack[2].biases[0],
        stack[2].biases[1],
    ]
    for bias, sum_ in zip(whole.biases, expected, strict=True):
        np.testing.assert_array_equal(bias, sum_)


def test_doubling_stands_for_the_layer_that_is_not_there_yet() -> None:
    """Where a layer hears the same from both sides, the doubled RBM gives what the composed machine does."""
    low, high = dbm.doublings(2)
    lower = made((4, 3), seed=1)
    mirror = Machine((lower.weights[0].T,), lower.biases[::-1])
    v = jnp.asarray(visible_states(4), jnp.float32)
    h = rbm.mean_hiddens(lower, v, low)
    whole = dbm.compose([lower, mirror])
    np.testing.assert_allclose(machine.conditional(whole, (v, h, v), 1), h, atol=1e-6)
    np.testing.assert_allclose(rbm.mean_visibles(mirror, v, high), h, atol=1e-6)
    assert dbm.doublings(1) == (rbm.ALONE,)


def test_rbms_that_do_not_fit_are_named() -> None:
    with pytest.raises(SettingError, match="RBM 1 has 4 hidden units and RBM 2 has 3 visible units: give"):
        dbm.compose([made((6, 4)), made((3, 2))])


@pytest.mark.parametrize("sizes", SIZES)
def test_the_unrolled_network_begins_as_the_mean_field(sizes: tuple[int, ...]) -> None:
    small, v = made(sizes), jnp.asarray(visible_states(sizes[0]), jnp.float32)
    layers = mean_field(small, v, 1000, 1e-7)
    top = dbm.feed_forward(dbm.unroll(small), (v, *layers[2:]))
    np.testing.assert_allclose(top, layers[-1], atol=1e-4)


def test_with_two_hidden_layers_the_field_above_is_an_input_like_the_others() -> None:
    """So the network can be an ordinary one of 784 + 1000 inputs: the kernels one above the other."""
    small, v = made((5, 4, 3)), jnp.asarray(visible_states(5), jnp.float32)
    first, second = network = dbm.unroll(small)
    field = mean_field(small, v)[2]
    assert first.above is not None
    kernel = jnp.concatenate([first.below, first.above])
    hidden = jax.nn.sigmoid(jnp.concatenate([v, field], axis=1) @ kernel + first.bias)
    plain = jax.nn.sigmoid(hidden @ second.below + second.bias)
    np.testing.assert_allclose(dbm.feed_forward(network, (v, field)), plain, atol=1e-6)


# Partition functions.


@pytest.mark.parametrize("sizes", SIZES)
def test_annealing_finds_the_counted_partition_function_within_its_error(sizes: tuple[int, ...]) -> None:
    """Wherever it starts from: coin tosses, or the data's frequencies."""
    small, counted = made(sizes, 1.5), Counted(made(sizes, 1.5))
    zeros = tuple(jnp.zeros_like(bias) for bias in small.biases)
    for base in (zeros, partition.base_rate(small, counted.drawn(200)[0])):
        estimate = log_partition(small, base, jnp.asarray(partition.temperatures(300)), KEY, 400)
        assert 0 < float(estimate.standard_error) < 0.08
        assert abs(float(estimate.value) - counted.log_z) < 4 * float(estimate.standard_error)


def test_a_machine_without_weights_needs_no_annealing() -> None:
    small = made((6, 4))
    free = Machine((jnp.zeros((6, 4)),), small.biases)
    estimate = log_partition(free, free.biases, jnp.asarray([0.0, 1.0]), KEY)
    assert float(estimate.value) == pytest.approx(Counted(free).log_z, rel=1e-6)
    assert float(estimate.standard_error) == 0


def test_the_standard_error_is_that_of_repeated_estimates() -> None:
    """The spread of 200 estimates, each of few stages, is what each says of itself; and the mean Ẑ is Z."""
    small, counted = made((6, 4), 1.5), Counted(made((6, 4), 1.5))
    zeros = tuple(jnp.zeros_like(bias) for bias in small.biases)
    few = jnp.linspace(0, 1, 11)
    repeat = jax.vmap(lambda key: log_partition(small, zeros, few, key, 200))
    estimates = repeat(jax.random.split(KEY, 200))
    said = float(jnp.sqrt(jnp.square(estimates.standard_error).mean()))
    assert float(estimates.value.std(ddof=1)) == pytest.approx(said, rel=0.25)
    ratio = np.exp(np.asarray(estimates.value, np.float64) - counted.log_z)
    assert abs(ratio.mean() - 1) < 5 * ratio.std() / np.sqrt(200)


def test_a_cohorts_mean_field_does_not_depend_on_the_company() -> None:
    """A member that has converged waits for the others unchanged."""
    v = jnp.asarray(visible_states(5), jnp.float32)
    quick, slow = made((5, 4, 3), 0.1), made((5, 4, 3), 3.0)
    both = jax.tree.map(lambda *leaves: jnp.stack(leaves), quick, slow)
    together = jax.vmap(lambda m: mean_field(m, v, 1000, 1e-3))(both)
    for number, member in enumerate((quick, slow)):
        for layer, alone in zip(together, mean_field(member, v, 1000, 1e-3), strict=True):
            np.testing.assert_allclose(layer[number], alone, atol=1e-5)
