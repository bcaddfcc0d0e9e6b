"""The training loop: its batches, its checkpoints, its cohorts, and trainings that diverge."""

import copy
import itertools
import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

from small import digits, recipe, table
from trainwright.base import keys
from trainwright.base.config import config
from trainwright.base.errors import SettingError
from trainwright.data import Dataset, DataSpec, load, read_inputs
from trainwright.diagnosis.layers import activations
from trainwright.model import Model
from trainwright.network import Network
from trainwright.networks.mlp import Mlp
from trainwright.runs.score import score
from trainwright.runs.store import Store
from trainwright.site import Layer, Site
from trainwright.strategies import L2, BatchNorm, Dropout, EarlyStopping, Momentum, Noise
from trainwright.strategy import Strategy
from trainwright.training import step
from trainwright.training.batches import order
from trainwright.training.building import Training, cohort_width, dry_run
from trainwright.training.fit import fit, fit_all
from trainwright.training.resident import resident

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


def test_a_data_set_s_specification_is_loaded_to_be_fitted():
    spec = DataSpec("digits", examples=100)
    assert fit(recipe(), spec).data == fit(recipe(), spec.load()).data


def test_a_text_is_no_strategy_to_add():
    with pytest.raises(SettingError, match=r"'dropout' is no strategy: .* trainwright\.strategies\.read"):
        recipe().adding("dropout")


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
    with pytest.raises(SettingError, match="not have the same structure"):
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


# Folds


def gappy(task: str) -> Dataset:
    """Ninety rows of three columns, one with gaps, and a target."""
    rng = np.random.default_rng(0)
    x = rng.normal(50, 10, (90, 3))
    x[rng.random(90) < 0.2, 1] = np.nan
    y = 1000 + x[:, 0] if task == "regression" else (x[:, 0] > 50).astype(int)
    return load((x, y), task=task)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_folds_share_a_program_and_are_what_they_are_alone(task):
    data = gappy(task)
    trainings = [Training(recipe(BatchNorm(), Dropout(0.2)), data.fold(seed), seed) for seed in range(6)]
    traces = step.traces
    together = dict(fit_all(trainings, width=2))
    assert step.traces == traces + 2, "one program for an interval, one for an evaluation"
    for training in trainings[3:5]:
        [(_, alone)] = fit_all([training], width=2)
        assert_same(alone, together[training])
        assert alone.predictions["test_rows"].tolist() == training.data.splits.test.tolist()
    judged = np.concatenate([together[training].predictions["test_rows"] for training in trainings[:5]])
    assert sorted(judged) == list(range(90))


def test_a_fold_trains_on_its_own_standardised_rows():
    """Full-batch descent of a linear model on one fold, against the same rows prepared by NumPy."""
    data = gappy("regression").fold(3)
    rows = data.splits.train
    x, y = data.standardized(np.arange(90))
    assert abs(y[rows].mean()) < 1e-5
    settings = {"steps": 1500, "evaluate_every": 1500, "batch_size": 90, "learning_rate": 0.3}
    run = fit(recipe(**settings).replace(network=Mlp(())), data)
    design = np.c_[x, np.ones(90)]
    solution = np.linalg.lstsq(design[rows], y[rows], rcond=None)[0]
    predicted = data.decode((design @ solution)[data.splits.test][:, None])
    np.testing.assert_allclose(run.predictions["test"], predicted, rtol=1e-4)
    np.testing.assert_allclose(run.predictions["test_targets"], data.labels(data.splits.test))


def test_a_model_of_a_fold_predicts_raw_rows_as_its_run_did():
    rng = np.random.default_rng(0)
    x = rng.normal(50, 10, (90, 3))
    data = load((x, 1000 + x[:, 0]), task="regression").fold(1)
    run = fit(recipe(), data)
    predicted = Model.of(run, data).predict(x)[run.predictions["test_rows"]]
    np.testing.assert_allclose(predicted, run.predictions["test"], rtol=1e-5)


def test_one_copy_of_the_data_serves_all_folds():
    data = gappy("classification")
    arrays = [resident(data.fold(seed)) for seed in range(3)]
    assert all(
        one is other for copies in zip(*arrays, strict=True) for one, other in itertools.pairwise(copies)
    )


def test_a_cohort_trains_one_data_set_only():
    trainings = [Training(recipe(), gappy("classification"), 0) for _ in range(2)]
    with pytest.raises(SettingError, match="same structure and data"):
        list(fit_all(trainings, width=2))


# Divergence


def test_weights_kept_before_a_divergence_are_scored_and_the_divergence_said():
    """The rate explodes after the first evaluations: theta* is from before."""
    stopping = EarlyStopping(patience=50)
    run = fit(recipe(stopping, Exploding(), L2(0.1), steps=30, evaluate_every=3), DATA)
    assert run.status == "diverged"
    losses = run.history["validation_loss"]
    assert run.best_step == run.history["step"][np.nanargmin(losses)] > 0
    scored = score(run, "validation")
    assert scored.diverged
    assert not scored.guessed
    assert scored.loss == pytest.approx(np.nanmin(losses), rel=1e-5)
    without = score(fit(recipe(Exploding(), L2(0.1), steps=30, evaluate_every=3), DATA), "validation")
    assert without.diverged
    assert without.guessed


@config
class Exploding(Strategy):
    """From step 12 on the learning rate is far too large."""

    def rate(self, step: jax.Array, steps: jax.Array) -> jax.Array:
        return jnp.where(step < 12, 1.0, 1e20)


# A user's own modules


class Own(nnx.Module):
    """Flax's own layers, with random state among them."""

    def __init__(self, inputs: int, outputs: int, seed: int):
        rngs = nnx.Rngs(seed)
        self.first = nnx.Linear(inputs, 8, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.last = nnx.Linear(8, outputs, rngs=rngs)

    def __call__(self, x: jax.Array, *, key: jax.Array | None = None, training: bool = False) -> jax.Array:
        hidden = nnx.relu(self.first(x.reshape(len(x), -1)))
        return self.last(self.dropout(hidden, deterministic=not training))


@config
class OwnNetwork(Network):
    """A network whose module is not ours."""

    def build(self, shape, outputs, builder):
        return Own(math.prod(shape), outputs, builder.seed)


@pytest.mark.parametrize("width", [1, 2])
def test_modules_with_random_state_train_store_load_and_resume(width, tmp_path):
    data = load("digits", examples=60)
    stopping = EarlyStopping(patience=9)
    training = Training(recipe(stopping, steps=12, evaluate_every=3).replace(network=OwnNetwork()), data, 1)
    [(_, run)] = fit_all([training], width=width)
    assert run.weights["dropout/rngs/count"] == run.best_step
    again = Store(tmp_path).read(Store(tmp_path).write(run), weights=True)
    assert_same(run, again)
    raw = read_inputs("digits")[run.predictions["test_rows"]]
    predicted = np.log(Model.of(again, data).predict(raw))
    np.testing.assert_allclose(predicted, run.predictions["test"], rtol=1e-4, atol=1e-5)
    memory, countdown = Memory(), iter(range(2))

    def interrupt(progress):
        if next(countdown, None) is None:
            raise Interrupted

    with pytest.raises(Interrupted):
        list(fit_all([training], width=width, watch=interrupt, checkpoints=memory))
    [(_, resumed)] = fit_all([training], width=width, checkpoints=memory)
    assert_same(resumed, run)


# Names


def test_weights_are_named_by_layer():
    run = fit(recipe(BatchNorm(), Dropout(0.5, 0.2)).replace(network=Mlp((8,) * 11)), DATA)
    assert {"hidden1/kernel", "hidden11/bias", "hidden2/batch_norm/gamma", "output/kernel"} <= set(
        run.weights
    )
    assert run.weights["hidden1/kernel"].shape == (64, 8)
    assert "input/dropout/rate" in run.weights


def test_activations_are_found_by_name():
    data = load("digits")
    x, _ = data.standardized(data.splits.test)
    run = fit(recipe(BatchNorm(), Dropout(0.5, 0.2)).replace(network=Mlp((8,) * 11)), data)
    received = activations(run, data, x, "hidden11", stage="pre_activation")
    hidden = activations(run, data, x, "hidden11")
    np.testing.assert_array_equal(hidden, np.maximum(received, 0))
    outputs = hidden @ run.weights["output/kernel"] + run.weights["output/bias"]
    np.testing.assert_allclose(activations(run, data, x, "output"), outputs, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(jax.nn.log_softmax(outputs), run.predictions["test"], rtol=1e-4, atol=1e-5)
    with pytest.raises(SettingError, match="no layer 'hidden12'; there are: hidden1, hidden2"):
        activations(run, data, x, "hidden12")


# Memory


def test_the_width_is_the_network_s_and_no_wider_than_its_activations_fit():
    assert [cohort_width(parameters, 1000) for parameters in (10_000, 100_000, 1_000_000)] == [8, 4, 1]
    assert cohort_width(10_000, 2**22) == 1
    assert cohort_width(10_000, 2**20) == 4
    plans = [dry_run(Training(recipe().replace(network=Mlp((units,))), DATA, 0)) for units in (8, 100_000)]
    assert plans[0].width == 8
    assert plans[0].chunk > plans[1].chunk >= 1
