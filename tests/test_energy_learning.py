"""Boltzmann machines learn: gradients against counting, the update against a plain transcription."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from counting import FIVE_DEVIATIONS, KEY, MANY, SIZES, Array, Counted, doubles, made, sigmoid, visible_states
from trainwright.energy import dbm, learning, machine, rbm
from trainwright.energy.machine import Machine

contrastive_step = jax.jit(learning.contrastive_step, static_argnames="stochastic")
persistent_step = jax.jit(learning.persistent_step, static_argnames="stochastic")
chains = jax.jit(machine.chains, static_argnums=1)
gibbs = jax.jit(machine.gibbs)
gradient = jax.jit(learning.gradient)
mean_field = jax.jit(dbm.mean_field)
reconstruct = jax.jit(rbm.reconstruct, static_argnames="stochastic")

# Gradients.


def exact_gradient(small: Machine, v: Array) -> tuple[list[Array], list[Array]]:
    """Of the log-likelihood of these visible units, by counting: for weights, and for biases."""
    counted = Counted(small)
    data = np.mean([counted.given(row) for row in v], axis=0)
    products = zip(counted.products(data), counted.products(counted.p), strict=True)
    means = zip(counted.means(data), counted.means(counted.p), strict=True)
    return [a - b for a, b in products], [a - b for a, b in means]


DATA = np.array([[1.0, 0, 1, 1, 0, 0], [0.0, 1, 1, 0, 0, 1], [1.0, 1, 1, 1, 1, 0], [0.0, 0, 0, 1, 0, 1]])


def copies(v: Array) -> jax.Array:
    return jnp.asarray(np.tile(v, (MANY // len(v), 1)), jnp.float32)


def cd_gradient(small: Machine, sweeps: int, stochastic: bool) -> Machine:
    x = copies(DATA)
    positive = x, rbm.mean_hiddens(small, x)
    negative = reconstruct(small, positive, KEY, sweeps, stochastic=stochastic)
    return gradient(positive, negative)


def test_cd_k_comes_to_the_likelihoods_gradient_as_k_grows() -> None:
    weights, biases = exact_gradient(made((6, 4)), DATA)

    def distance(sweeps: int) -> float:
        measured = cd_gradient(made((6, 4)), sweeps, stochastic=True)
        gaps = [abs(measured.weights[0] - weights[0]).max()]
        gaps += [abs(mean - exact).max() for mean, exact in zip(measured.biases, biases, strict=True)]
        return float(max(gaps))

    assert distance(1) > 4 * FIVE_DEVIATIONS
    assert distance(5) < distance(1) / 2
    assert distance(60) < FIVE_DEVIATIONS


def test_cd_1_is_in_expectation_what_its_definition_says() -> None:
    """Summed over every hidden state; the reconstruction by probabilities, as in the source."""
    small = made((6, 4))
    (w,), (b, c) = doubles(small.weights), doubles(small.biases)
    hiddens = visible_states(4)
    on = sigmoid(DATA @ w + c)
    p = np.prod(np.where(hiddens[None] == 1, on[:, None], 1 - on[:, None]), axis=2) / len(DATA)
    v = sigmoid(hiddens @ w.T + b)
    h = sigmoid(v @ w + c)
    p_hidden = p.sum(axis=0)
    expected = DATA.T @ on / len(DATA) - np.einsum("n,ni,nj->ij", p_hidden, v, h)
    measured = cd_gradient(small, 1, stochastic=False)
    assert abs(measured.weights[0] - expected).max() < FIVE_DEVIATIONS
    assert abs(measured.biases[0] - (DATA.mean(axis=0) - p_hidden @ v)).max() < FIVE_DEVIATIONS
    assert abs(measured.biases[1] - (on.mean(axis=0) - p_hidden @ h)).max() < FIVE_DEVIATIONS


@pytest.mark.parametrize("sizes", SIZES)
def test_chains_at_equilibrium_give_the_models_side_of_the_gradient(sizes: tuple[int, ...]) -> None:
    """No data: the gradient is minus the model's own mean products, as counted."""
    small, counted = made(sizes), Counted(made(sizes))
    exact = counted.drawn(MANY)
    fantasies = gibbs(small, exact, KEY, 1)
    measured = gradient(tuple(jnp.zeros((1, size)) for size in sizes), fantasies)
    products, means = counted.products(counted.p), counted.means(counted.p)
    assert all(
        abs(mean + exact).max() < FIVE_DEVIATIONS
        for mean, exact in zip(measured.weights, products, strict=True)
    )
    assert all(
        abs(mean + exact).max() < FIVE_DEVIATIONS for mean, exact in zip(measured.biases, means, strict=True)
    )


def test_persistent_contrastive_divergence_is_the_likelihoods_gradient() -> None:
    """One step of an RBM whose chains are at equilibrium; one hidden layer makes the data's side exact."""
    small = made((6, 4))
    fantasies = (*Counted(small).drawn(MANY)[:1], jnp.zeros((MANY, 4)))
    fantasies = machine.put(fantasies, 1, machine.conditional(small, fantasies, 1))
    numbers = learning.StepNumbers(learning_rate=1.0)
    state, _ = persistent_step(
        learning.begin(small, numbers, fantasies), jnp.asarray(DATA, jnp.float32), KEY, numbers, sweeps=1
    )
    weights, biases = exact_gradient(small, DATA)
    assert abs(state.velocity.weights[0] - weights[0]).max() < FIVE_DEVIATIONS
    for measured, exact in zip(state.velocity.biases, biases, strict=True):
        assert abs(measured - exact).max() < FIVE_DEVIATIONS
    assert not np.array_equal(state.chains[0], fantasies[0])


# The update rule.


def test_the_update_is_the_published_one() -> None:
    """Two steps against a plain transcription: momentum, weight cost, sparsity, by contrastive divergence."""
    numbers = learning.StepNumbers(0.1, 0.5, 0.01, 0.2, 0.3, 0.9)
    state = learning.begin(made((6, 4)), numbers)
    (w,), (b, c) = doubles(state.machine.weights), doubles(state.machine.biases)
    dw, db, dc, q = np.zeros_like(w), np.zeros_like(b), np.zeros_like(c), np.full(4, 0.2)
    x = jnp.asarray(DATA, jnp.float32)
    for number in range(2):
        key = jax.random.fold_in(KEY, number)
        positive = x, rbm.mean_hiddens(state.machine, x)
        negative = reconstruct(state.machine, positive, key)
        state, error = contrastive_step(state, x, key, numbers)
        (v0, h0), (v1, h1) = doubles(positive), doubles(negative)
        n = len(v0)
        q = 0.9 * q + 0.1 * h0.mean(axis=0)
        excess = np.tile(0.3 * (q - 0.2), (n, 1))
        dw = 0.5 * dw + 0.1 * ((v0.T @ h0 - v1.T @ h1) / n - 0.01 * w - v0.T @ excess / n)
        db = 0.5 * db + 0.1 / n * (v0.sum(axis=0) - v1.sum(axis=0))
        dc = 0.5 * dc + 0.1 / n * (h0.sum(axis=0) - h1.sum(axis=0)) - 0.1 / n * excess.sum(axis=0)
        w, b, c = w + dw, b + db, c + dc
        np.testing.assert_allclose(state.machine.weights[0], w, atol=1e-6)
        np.testing.assert_allclose(state.machine.biases[0], b, atol=1e-6)
        np.testing.assert_allclose(state.machine.biases[1], c, atol=1e-6)
        np.testing.assert_allclose(state.activity[0], q, atol=1e-6)
        assert float(error) == pytest.approx(((v0 - v1) ** 2).sum() / n, rel=1e-5)


def test_a_dbms_update_is_the_published_one() -> None:
    """Sparsity targets of two layers reach both ends of the weights between them."""
    numbers = learning.StepNumbers(0.1, 0.5, 0.01, (0.2, 0.1), 0.3, 0.9)
    small = made((5, 4, 3))
    x = jnp.asarray(DATA[:, :5], jnp.float32)
    before = learning.begin(small, numbers, chains(small, 7, KEY))
    state, error = persistent_step(before, x, KEY, numbers, sweeps=3)
    v, h, g = doubles(mean_field(small, x))
    (u, i, j), m = doubles(gibbs(small, before.chains, KEY, 3)), 7
    (w1, w2), (b, c, d) = doubles(small.weights), doubles(small.biases)
    n = len(v)
    first = 0.3 * (0.9 * 0.2 + 0.1 * h.mean(axis=0) - 0.2)
    second = 0.3 * (0.9 * 0.1 + 0.1 * g.mean(axis=0) - 0.1)
    first_rows, second_rows = np.tile(first, (n, 1)), np.tile(second, (n, 1))
    pushes = [
        v.T @ h / n - u.T @ i / m - 0.01 * w1 - v.T @ first_rows / n,
        h.T @ g / n - i.T @ j / m - 0.01 * w2 - h.T @ second_rows / n - (g.T @ first_rows).T / n,
        v.mean(axis=0) - u.mean(axis=0),
        h.mean(axis=0) - i.mean(axis=0) - first,
        g.mean(axis=0) - j.mean(axis=0) - second,
    ]
    measured = (*state.machine.weights, *state.machine.biases)
    for new, old, push in zip(measured, (w1, w2, b, c, d), pushes, strict=True):
        np.testing.assert_allclose(new, old + 0.1 * push, atol=1e-6)
    assert float(error) == pytest.approx(((v - sigmoid(h @ w1.T + b)) ** 2).sum() / n, rel=1e-4)


def test_stochastic_samples_the_inputs_anew_at_every_step() -> None:
    numbers = learning.StepNumbers(1.0)
    grey = jnp.full((MANY, 6), 0.3)
    state = learning.begin(made((6, 4)), numbers)
    results = [contrastive_step(state, grey, key, numbers, stochastic=True) for key in (KEY, KEY)]
    resampled = contrastive_step(state, grey, jax.random.fold_in(KEY, 1), numbers, stochastic=True)
    assert results[0][1] == results[1][1] != resampled[1]
    # A grey pixel sampled has variance 0.21 about a sampled reconstruction's; as a probability it has none.
    _, exact = contrastive_step(state, grey, KEY, numbers)
    assert float(results[0][1]) > float(exact) + 6 * 0.2


def test_rates_decay_and_momentum_ramps_as_published() -> None:
    """ε divided by 1.000015 at each of 300 × 600 minibatches, with a floor: a loop in double precision."""
    rate, rates = 0.001, []
    for _ in range(180_000):
        rate = max(rate / 1.000015, 1e-4)
        rates.append(rate)
    steps = jnp.asarray([0, 600, 60_000, 150_000, 179_999])
    np.testing.assert_allclose(
        learning.decay(steps, 0.001, 1.5e-5, 1e-4), np.asarray(rates)[np.asarray(steps)], rtol=1e-5
    )
    switch = learning.ramp(jnp.asarray([0, 2999, 3000, 9000]), 3000, 3000, 0.5, 0.9)
    np.testing.assert_allclose(switch, [0.5, 0.5, 0.9, 0.9])


def test_learning_raises_the_likelihood_of_what_it_saw() -> None:
    """Three hundred steps of each rule on four patterns: log p by counting rises by more than a nat."""
    x = jnp.asarray(DATA, jnp.float32)
    numbers = learning.StepNumbers(0.2, 0.5)
    start = machine.initial((6, 4), 0.01, np.random.default_rng(0))

    def likelihood(small: Machine) -> float:
        counted = Counted(small)
        return float(np.mean([counted.log_p(row) for row in DATA]))

    @jax.jit
    def learned(state: learning.State) -> tuple[Machine, Machine]:
        def step(
            states: tuple[learning.State, ...], number: jax.Array
        ) -> tuple[tuple[learning.State, ...], None]:
            key = jax.random.fold_in(KEY, number)
            contrastive, _ = contrastive_step(states[0], x, key, numbers)
            persistent, _ = persistent_step(states[1], x, key, numbers)
            return (contrastive, persistent), None

        both, _ = jax.lax.scan(step, (state._replace(chains=()), state), jnp.arange(300))
        return both[0].machine, both[1].machine

    for fitted in learned(learning.begin(start, numbers, chains(start, 50, KEY))):
        assert likelihood(fitted) > likelihood(start) + 1


# As a compiled phase.


def test_numbers_are_data_and_a_cohort_trains_as_its_members_do() -> None:
    x = jnp.asarray(DATA, jnp.float32)
    traces = 0

    def step(
        state: learning.State, key: jax.Array, numbers: learning.StepNumbers, sweeps: jax.Array
    ) -> learning.State:
        nonlocal traces
        traces += 1
        return contrastive_step(state, x, key, numbers, sweeps, stochastic=True)[0]

    compiled = jax.jit(step)
    members = [learning.StepNumbers(jnp.float32(rate), momentum=jnp.float32(rate)) for rate in (0.1, 0.2)]
    begun = learning.begin(made((6, 4)), learning.StepNumbers(0.1))
    alone = [compiled(begun, KEY, numbers, jnp.int32(k)) for k, numbers in enumerate(members, start=1)]
    assert traces == 1
    stacked = jax.tree.map(
        lambda *leaves: jnp.stack(jnp.broadcast_arrays(*map(jnp.asarray, leaves))), *members
    )
    cohort = jax.vmap(step, in_axes=(None, None, 0, 0))(begun, KEY, stacked, jnp.asarray([1, 2]))
    for number, member in enumerate(alone):
        for leaves, leaf in zip(jax.tree.leaves(cohort), jax.tree.leaves(member), strict=True):
            np.testing.assert_allclose(leaves[number], leaf, atol=1e-6)
