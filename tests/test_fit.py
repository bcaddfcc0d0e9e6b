"""The training loop: its batches, its checkpoints, its cohorts, and trainings that diverge."""

import copy
import json

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from small import digits, recipe, table
from trainwright.base import keys
from trainwright.base.config import config
from trainwright.base.errors import SettingError
from trainwright.data import load
from trainwright.networks.mlp import Mlp
from trainwright.runs.score import score
from trainwright.strategies import L2, BatchNorm, Dropout, EarlyStopping, Momentum, Noise
from trainwright.strategy import Layer, Site, Strategy
from trainwright.training import step
from trainwright.training.batches import order
from trainwright.training.building import Training
from trainwright.training.fit import fit, fit_all

DATA = digits()
ROWS = np.array([3, 5, 8, 13, 21, 34, 55])


@settings(deadline=None)
@given(st.integers(0, 100), st.integers(1, 7), st.integers(0, 40), st.integers(1, 20))
def test_the_batch_order_is_a_pure_function(seed, batch, first, steps):
    whole = order(seed, "order", ROWS, batch, 0, first + steps)
    assert np.array_equal(order(seed, "order", ROWS, batch, first, steps), whole[first:])


@settings(deadline=None)
@given(st.integers(0, 100))
def test_each_pass_over_the_data_sees_every_example_once(seed):
    stream = order(seed, "order", ROWS, 2, 0, 14).ravel().reshape(4, 7)
    assert (np.sort(stream, axis=1) == ROWS).all()
    assert any(not np.array_equal(stream[0], later) for later in stream[1:])


def test_the_batch_order_depends_on_seed_and_purpose():
    drawn = [order(seed, purpose, ROWS, 7, 0, 3) for seed in (0, 1) for purpose in ("order", "population")]
    assert len({array.tobytes() for array in drawn}) == 4


class Interrupted(Exception):
    """In place of a kill."""


class Memory:
    """Checkpoints in memory, kept as a file would keep them."""

    def __init__(self):
        self.kept = {}

    def read(self, training):
        return copy.deepcopy(self.kept.get(training.seed))

    def write(self, training, arrays, notes):
        copied = {name: np.array(array) for name, array in arrays.items()}
        self.kept[training.seed] = copied, json.loads(json.dumps(notes))

    def due(self):
        return True


def assert_same(first, second):
    """The same bits: curves, predictions, weights, and the account of them."""
    assert (first.status, first.steps, first.best_step) == (second.status, second.steps, second.best_step)
    for kept in ("history", "predictions", "weights"):
        one, other = getattr(first, kept), getattr(second, kept)
        assert one.keys() == other.keys()
        for key in one:
            np.testing.assert_array_equal(one[key], other[key], f"{kept} {key}")


@pytest.mark.parametrize(("retrain", "width"), [("no", 2), ("anew", 2), ("onward", 1)])
def test_a_run_resumed_at_any_evaluation_is_one_uninterrupted(retrain, width):
    chosen = (Dropout(0.2), BatchNorm(), Momentum(0.9), EarlyStopping(patience=2, retrain=retrain))
    trainings = [
        Training(recipe(*chosen, learning_rate=0.3, steps=24, evaluate_every=3), DATA, seed)
        for seed in range(width)
    ]
    evaluations = []
    whole = dict(fit_all(trainings, width=width, watch=lambda progress: evaluations.append(progress.step)))
    for number in range(1, len(evaluations), 2 * width):
        memory, countdown = Memory(), iter(range(number))

        def interrupt(progress, countdown=countdown):
            if next(countdown, None) is None:
                raise Interrupted

        with pytest.raises(Interrupted):
            list(fit_all(trainings, width=width, watch=interrupt, checkpoints=memory))
        for training, run in fit_all(trainings, width=width, checkpoints=memory):
            assert_same(run, whole[training])


def test_a_diverged_run_ends_alone():
    good, wild, other = (
        Training(recipe(L2(0.01), learning_rate=rate), DATA, seed)
        for rate, seed in ((0.1, 0), (1e9, 1), (0.2, 2))
    )
    with_wild = dict(fit_all([good, wild], width=2))
    with_other = dict(fit_all([good, other], width=2))
    assert with_wild[wild].status == "diverged"
    assert with_wild[wild].steps <= 6
    assert with_wild[good].status == "finished"
    assert_same(with_wild[good], with_other[good])


def test_a_slot_that_is_free_takes_the_next_training():
    trainings = [Training(recipe(learning_rate=0.1 * (1 + seed)), DATA, seed) for seed in range(5)]
    traces = step.traces
    by_two = dict(fit_all(trainings, width=2))
    assert set(by_two) == set(trainings)
    reversed_ = dict(fit_all(trainings[::-1], width=2))
    assert step.traces <= traces + 2, "one program for a stretch, one for an evaluation"
    for training, run in by_two.items():
        assert_same(run, reversed_[training])


def test_a_cohort_takes_one_structure_only():
    trainings = [Training(recipe(Dropout(0.5)), DATA, 0), Training(recipe(L2(0.1)), DATA, 0)]
    with pytest.raises(SettingError, match="have not the same structure"):
        list(fit_all(trainings, width=2))


class Drawing(Layer):
    """Draws a number for every unit and adds none of it."""

    def __init__(self, site: str):
        self.site = site

    def __call__(self, x: jax.Array, *, key: jax.Array | None, training: bool) -> jax.Array:
        return x if key is None else x + 0 * keys.bits(key, x.shape, "bystander", self.site)


@config
class Bystander(Strategy):
    """Draws random numbers wherever it may, to no effect."""

    def layer(self, site: Site) -> Layer | None:
        return Drawing(f"{site.name} {site.stage}")

    def augment(self, x: jax.Array, key: jax.Array) -> jax.Array:
        return x + 0 * jax.random.normal(keys.fold(key, "bystander"), x.shape)


@pytest.mark.parametrize("chosen", [(), (Dropout(0.5, 0.2),), (Noise(0.3, 0.3),)], ids=str)
def test_a_strategy_that_draws_numbers_leaves_weights_batches_and_other_draws_alone(chosen):
    """Other masks, noise or batches would give other losses by far more than rounding does."""
    alone, accompanied = (fit(recipe(*all_), DATA, 4) for all_ in (chosen, (Bystander(), *chosen)))
    for name, column in alone.history.items():
        np.testing.assert_allclose(accompanied.history[name], column, rtol=1e-4, atol=1e-6)


def test_regression_learns():
    run = fit(recipe(learning_rate=0.1, steps=300, evaluate_every=30, batch_size=36), table())
    assert run.history["train_loss"][-1] < 0.2 * run.history["train_loss"][0]
    assert run.predictions["test"].shape == (12,)


def test_a_linear_network_finds_the_least_squares_solution():
    """Full-batch gradient descent on half the squared error, against NumPy's solution."""
    data = table()
    rows = data.splits.train
    x = np.c_[data.inputs[rows], np.ones(len(rows))]
    solution = np.linalg.lstsq(x, data.targets[rows], rcond=None)[0]
    run = fit(
        recipe(steps=2000, evaluate_every=2000, batch_size=36, learning_rate=0.3).replace(network=Mlp(())),
        data,
    )
    found = np.concatenate([np.ravel(a) for a in sorted(run.weights.values(), key=np.ndim, reverse=True)])
    np.testing.assert_allclose(found, solution, atol=1e-3)


def test_a_regression_s_curve_is_in_the_target_s_unit():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 3))
    run = fit(recipe(), load((x, 1000 * x[:, 0] + 5), task="regression"))
    assert run.history["validation_error"][-1] == pytest.approx(score(run, "validation").error, rel=1e-4)
