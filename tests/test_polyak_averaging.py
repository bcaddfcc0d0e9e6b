"""Polyak averaging: the average itself, and that evaluating, keeping, predicting and resuming go by it."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from small import digits, recipe
from trainwright.base.errors import SettingError
from trainwright.runs.store import Store
from trainwright.strategies import L2, BatchNorm, EarlyStopping, MaxNorm, Momentum, PolyakAveraging
from trainwright.training import checkpoints, cohort
from trainwright.training.batches import order
from trainwright.training.building import Training, build
from trainwright.training.checkpoints import StoredCheckpoints
from trainwright.training.fit import fit, fit_all

DATA = digits()
EVERY_STEP = {"steps": 9, "evaluate_every": 1, "learning_rate": 0.5}


def passed_through(*strategies, seed=0):
    """The weights after each step of a training without averaging."""
    weights = []
    fit(recipe(*strategies, **EVERY_STEP), DATA, seed, watch=lambda p: weights.append(p.weights()))
    return weights


def mean(weights, shares):
    return {
        name: sum(share * one[name].astype(np.float64) for share, one in zip(shares, weights, strict=True))
        for name in weights[0]
    }


def assert_same(weights, expected):
    for name in expected:
        np.testing.assert_allclose(weights[name], expected[name], rtol=2e-5, atol=2e-6, err_msg=name)


@pytest.mark.parametrize("beside", [(), (Momentum(0.9), MaxNorm(0.5))], ids=["alone", "with projection"])
@pytest.mark.parametrize("decay", [0.0, 0.6, 0.999])
def test_the_exponential_average_is_that_of_the_formula(decay, beside):
    steps = passed_through(*beside)
    shares = np.array([(1 - decay) * decay ** (9 - i) for i in range(1, 10)]) / (1 - decay**9)
    run = fit(recipe(*beside, PolyakAveraging(decay=decay), **EVERY_STEP), DATA)
    assert_same(run.weights, mean(steps, shares))


@pytest.mark.parametrize(("start", "counted"), [(0.0, 9), (0.5, 5), (0.95, 1)])
def test_the_uniform_average_counts_the_last_steps_alike(start, counted):
    steps = passed_through()
    run = fit(recipe(PolyakAveraging("uniform", start=start), **EVERY_STEP), DATA)
    assert_same(run.weights, mean(steps[-counted:], np.full(counted, 1 / counted)))


def test_training_itself_is_not_changed():
    plain, averaged = (fit(recipe(*s, **EVERY_STEP), DATA) for s in ((), (PolyakAveraging(decay=0.9),)))
    np.testing.assert_array_equal(plain.history["train_loss"], averaged.history["train_loss"])
    assert (plain.history["validation_loss"][1:] != averaged.history["validation_loss"][1:]).all()


def test_decay_zero_is_no_averaging():
    plain, averaged = (fit(recipe(*s, **EVERY_STEP), DATA) for s in ((), (PolyakAveraging(decay=0.0),)))
    np.testing.assert_allclose(plain.predictions["test"], averaged.predictions["test"], rtol=1e-5, atol=1e-6)


def test_what_is_kept_is_the_average_that_was_best_on_validation():
    chosen = PolyakAveraging(decay=0.7), EarlyStopping(patience=3)
    seen = {}
    run = fit(
        recipe(*chosen, steps=60, evaluate_every=2, learning_rate=1.5),
        DATA,
        watch=lambda p: seen.update({p.step: p.weights()}),
    )
    assert 0 < run.best_step < run.steps, "the test needs weights from before the end"
    for name, array in seen[run.best_step].items():
        np.testing.assert_array_equal(run.weights[name], array)


@pytest.mark.parametrize("statistics", ["population", "running"])
def test_batch_norms_statistics_are_those_of_the_average(statistics):
    """With the handed-over weights, the values that the hidden layer normalises have these statistics."""
    norm = BatchNorm(statistics=statistics, decay=0.0 if statistics == "running" else 0.9)
    run = fit(recipe(norm, PolyakAveraging(decay=0.9), batch_size=36, steps=20, learning_rate=0.5), DATA)
    x = DATA.inputs[DATA.splits.train].reshape(36, -1)
    z = x @ run.weights["hidden1/kernel"] + run.weights["hidden1/bias"]
    np.testing.assert_allclose(run.weights["hidden1/batch_norm/mean"], z.mean(axis=0), rtol=1e-4, atol=1e-5)
    variance = z.var(axis=0, ddof=1)
    np.testing.assert_allclose(run.weights["hidden1/batch_norm/variance"], variance, rtol=1e-3, atol=1e-5)


def test_without_layers_that_keep_statistics_there_is_no_pass_for_them(monkeypatch):
    purposes = set()

    def noted(seed, purpose, *span):
        purposes.add(purpose)
        return order(seed, purpose, *span)

    monkeypatch.setattr(cohort, "order", noted)
    fit(recipe(PolyakAveraging(), steps=6), DATA)
    assert purposes == {"order"}
    fit(recipe(PolyakAveraging(), BatchNorm("pre_activation", "running"), steps=6), DATA)
    assert purposes == {"order", "population"}


class Interrupted(Exception):
    pass


def test_it_resumes_bit_by_bit(tmp_path: Path, monkeypatch):
    training = Training(recipe(PolyakAveraging(decay=0.9), Momentum(), **EVERY_STEP), DATA, 0)
    whole = next(fit_all([training], width=1))[1]
    monkeypatch.setattr(checkpoints, "CHECKPOINT_SECONDS", 0.0)
    kept = StoredCheckpoints(Store(tmp_path))

    def stop(progress):
        if progress.step == 5:
            raise Interrupted

    with pytest.raises(Interrupted):
        next(fit_all([training], width=1, checkpoints=kept, watch=stop))
    resumed = next(fit_all([training], width=1, checkpoints=kept))[1]
    for name, array in whole.weights.items():
        np.testing.assert_array_equal(resumed.weights[name], array)
    np.testing.assert_array_equal(resumed.predictions["test"], whole.predictions["test"])


def test_without_averaging_the_state_holds_no_average():
    assert build(Training(recipe(L2()), DATA, 0))[1].averaged is None
    state = build(Training(recipe(PolyakAveraging()), DATA, 0))[1]
    same = jax.tree.map(lambda a, b: bool(jnp.array_equal(a, b)), state.averaged, state.params)
    assert all(jax.tree.leaves(same))


def test_averages_of_averages_are_refused():
    class Twice(PolyakAveraging):
        name = "twice"

    with pytest.raises(SettingError, match=r"polyak_averaging and twice both decide .* keep one"):
        build(Training(recipe(PolyakAveraging(), Twice()), DATA, 0))
