"""Pretraining: what it leaves the network with, who shares it, and that it survives interruption."""

from __future__ import annotations

import errno
from dataclasses import replace
from functools import cache

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from sklearn.linear_model import LogisticRegression

from small import digits, recipe, table
from trainwright.base import files
from trainwright.base.errors import DataError, SettingError, StoreError
from trainwright.chain import extension_of
from trainwright.data import load, read_inputs
from trainwright.energy import dbm, rbm
from trainwright.energy.pretraining import machine_of, stack_of
from trainwright.model import Model
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.runs.run import arrays_of
from trainwright.runs.store import Store
from trainwright.strategies import Activation, Dbm, Dbn, Dropout, EarlyStopping, Momentum, Rbm
from trainwright.strategy import NothingToActOn
from trainwright.training import pretraining
from trainwright.training.building import Training, build, dry_run, named_arrays
from trainwright.training.checkpoints import StoredCheckpoints
from trainwright.training.fit import fit, fit_all
from trainwright.training.pretraining import pretrain

DATA = digits()
SIGMOID = Activation("sigmoid")
QUICK = {"epochs": 3, "batch_size": 12, "std": 0.1}
JOINT = {**QUICK, "joint_epochs": 3, "chains": 10}
EACH = [Rbm(**QUICK), Dbn(**QUICK), Dbm(**JOINT)]


def two_layers(*strategies, **settings) -> Recipe:
    return recipe(SIGMOID, *strategies, **settings).replace(network=Mlp((10, 8)))


def training(*strategies, seed=0, data=DATA, **settings) -> Training:
    return Training(two_layers(*strategies, **settings), data, seed)


@cache
def left(strategy, seed=0):
    """What a strategy's pretrainings leave for the two layers."""
    return pretrain(training(strategy, seed=seed))


def model(given, pretrained=()):
    graphdef, state = build(given, pretrained)
    return nnx.merge(graphdef, state.params, state.rest)


# What the network starts from.


def test_a_dbn_gives_each_layer_its_machine_and_leaves_the_output_alone():
    given, done = training(Dbn(**QUICK)), left(Dbn(**QUICK))
    weights, plain = (named_arrays(build(given, one)[1]) for one in (done, ()))
    assert [one.part for one in done] == ["rbm1", "rbm2"]
    for layer, one in enumerate(done, start=1):
        np.testing.assert_array_equal(weights[f"hidden{layer}/kernel"], one.arrays[f"rbm{layer}/weights1"])
        np.testing.assert_array_equal(weights[f"hidden{layer}/bias"], one.arrays[f"rbm{layer}/bias1"])
    np.testing.assert_array_equal(weights["output/kernel"], plain["output/kernel"])
    assert not np.array_equal(weights["hidden2/kernel"], plain["hidden2/kernel"])


def test_an_rbm_pretrains_the_first_layer_and_shares_it_with_a_dbn():
    one, stack = left(Rbm(**QUICK)), left(Dbn(**QUICK))
    assert [part.digest for part in one] == [stack[0].digest]
    weights, plain = (named_arrays(build(training(Rbm(**QUICK)), given)[1]) for given in (one, ()))
    np.testing.assert_array_equal(weights["hidden1/kernel"], stack[0].arrays["rbm1/weights1"])
    np.testing.assert_array_equal(weights["hidden2/kernel"], plain["hidden2/kernel"])


def test_the_second_machine_learns_the_features_of_the_first():
    """Its visible biases come to reproduce the mean of what the first one's hidden units say."""
    strategy = Dbn(epochs=200, batch_size=12, learning_rate=0.1, weight_cost=0.0)
    first, second = stack_of(arrays_of(left(strategy)))
    x = jnp.asarray(DATA.inputs[DATA.splits.train].reshape(36, -1))
    features = rbm.mean_hiddens(first, x)
    again = rbm.mean_visibles(second, rbm.mean_hiddens(second, features))
    error = float(jnp.square(features - again).sum(axis=1).mean())
    constant = float(jnp.square(features - features.mean(axis=0)).sum(axis=1).mean())
    assert error < 0.5 * constant


@pytest.mark.parametrize("strategy", EACH[1:], ids=lambda strategy: strategy.name)
@pytest.mark.parametrize("scaling", ["train", "test"])
def test_under_dropout_the_network_that_predicts_starts_as_the_one_without(strategy, scaling):
    x = jnp.asarray(DATA.inputs[:5])
    dropout = Dropout(0.5, input_rate=0.2, scaling=scaling)
    plain, dropped = (
        model(training(strategy, *chosen), left(strategy)).outputs(x)["hidden2/activation"]
        for chosen in ((), (dropout,))
    )
    np.testing.assert_allclose(dropped, plain, rtol=1e-5)


def test_the_paper_s_convention_divides_pretrained_weights_by_p_and_no_others():
    """Srivastava et al. 2014, section 5.2."""
    strategy, dropout = Rbm(**QUICK), Dropout(0.5, input_rate=0.2, scaling="test")
    weights = named_arrays(build(training(strategy, dropout), left(strategy))[1])
    np.testing.assert_allclose(weights["hidden1/kernel"], left(strategy)[0].arrays["rbm1/weights1"] / 0.8)
    plain = named_arrays(build(training(dropout))[1])
    np.testing.assert_array_equal(weights["hidden2/kernel"], plain["hidden2/kernel"])


def test_the_dbms_network_computes_what_its_mean_field_says():
    """Before fine-tuning h1 = σ(x W1 + q(h2) W2ᵀ + b1), which at the mean field is q(h1); and h2 = q(h2)."""
    done = left(EACH[2])
    x = jnp.asarray(DATA.inputs[:7])
    trained = machine_of(arrays_of(done), "dbm")
    _, q1, q2 = dbm.mean_field(trained, x.reshape(7, -1), 200)
    outputs = model(training(EACH[2]), done).outputs(x)
    np.testing.assert_allclose(outputs["hidden1/activation"], q1, atol=1e-5)
    np.testing.assert_allclose(outputs["hidden2/activation"], q2, atol=1e-5)
    top = dbm.feed_forward(dbm.unroll(trained), (x.reshape(7, -1), q2))
    np.testing.assert_allclose(outputs["hidden2/activation"], top, atol=1e-5)


def test_added_inputs_are_the_same_for_training_and_for_new_data(tmp_path):
    data = load("digits", examples=100)
    strategies = (Dbm(**JOINT), Dropout(0.2, input_rate=0.2, scaling="test"))
    run = fit(two_layers(*strategies), data)
    assert run.weights["hidden1/kernel"].shape == (64 + 8, 10)
    stored = Store(tmp_path).read(Store(tmp_path).write(run), weights=True)
    Model.of(stored, data).save(tmp_path / "model")
    raw = read_inputs("digits")[run.predictions["test_rows"]]
    predicted = np.log(Model.load(tmp_path / "model").predict(raw))
    np.testing.assert_allclose(predicted, run.predictions["test"], rtol=1e-4, atol=1e-5)
    assert stored.pretraining == run.pretraining


def test_a_cohort_of_dbms_is_as_each_alone():
    both = [training(Dbm(**JOINT), seed=seed) for seed in (0, 1)]
    together = dict(fit_all(both, width=2))
    for one in both:
        alone = next(fit_all([one], width=1))[1]
        np.testing.assert_allclose(
            together[one].predictions["test"], alone.predictions["test"], rtol=1e-4, atol=1e-5
        )


def test_retraining_anew_starts_from_the_pretrained_weights():
    stopping = EarlyStopping(patience=1, retrain="anew")
    given = training(Dbn(**QUICK), stopping, steps=6, evaluate_every=3, learning_rate=1e-9)
    run = fit(given.recipe, DATA)
    kernel = left(Dbn(**QUICK))[0].arrays["rbm1/weights1"]
    np.testing.assert_allclose(run.weights["hidden1/kernel"], kernel, atol=1e-6)


# What it is good for.


REAL = {"inputs": "real", "weight_cost": 0.0002, "std": 0.01, "learning_rate": 0.1, "sweep_epochs": 0}
FEW = {"joint_epochs": 3, "chains": 20, "joint_sweeps": 1, "updates": 5}


@pytest.mark.parametrize(
    "strategy",
    [Dbn(epochs=30, batch_size=20), Dbm(epochs=30, batch_size=20, **REAL, **FEW)],
    ids=lambda strategy: strategy.name,
)
def test_features_beat_raw_pixels_for_a_linear_classifier(strategy):
    """Where few of the examples that were pretrained on have labels: 100 of them, drawn eight times."""
    data = load("digits")
    arrays = arrays_of(pretrain(Training(Recipe(Mlp((100, 50)), (SIGMOID, strategy)), data, 0)))
    unseen = np.concatenate([data.splits.validation, data.splits.test])

    def error(features, seed):
        labelled = np.random.default_rng(seed).choice(data.splits.train, 100, replace=False)
        linear = LogisticRegression(max_iter=1000).fit(features[labelled], data.targets[labelled])
        return 1 - linear.score(features[unseen], data.targets[unseen])

    pixels, features = data.inputs.reshape(len(data.inputs), -1), strategy.transform(arrays, data.inputs)
    gains = [error(pixels, seed) - error(features, seed) for seed in range(8)]
    assert np.mean(gains) > 2 * np.std(gains, ddof=1) / 8**0.5


def test_samples_and_filters():
    for strategy in EACH:
        arrays = arrays_of(left(strategy))
        samples = strategy.samples(arrays, 5, sweeps=3, seed=1)
        assert samples.shape == (5, 64)
        assert ((samples >= 0) & (samples <= 1)).all()
        np.testing.assert_array_equal(samples, strategy.samples(arrays, 5, sweeps=3, seed=1))
        assert strategy.filters(arrays).shape == (10, 64)


def test_the_gap_shows_overfitting():
    """A machine with many units and few examples comes to prefer those that it has seen."""
    strategy = Rbm(epochs=300, batch_size=12, learning_rate=0.1, weight_cost=0.0)
    (one,) = pretrain(Training(recipe(SIGMOID, strategy).replace(network=Mlp((100,))), DATA, 0))
    gap = one.history["free_energy_gap"]
    assert gap[-1] > gap[0] + 5
    assert one.history["reconstruction_error"][-1] < one.history["reconstruction_error"][0] / 2
    assert one.history["step"].tolist() == list(range(3, 901, 3))


# Sharing, resuming, failing.


def test_arms_that_start_alike_share_one_pretraining(tmp_path, monkeypatch):
    begun, order = [], pretraining.order

    def counted(seed, purpose, *given):
        begun.append(purpose)
        return order(seed, purpose, *given)

    monkeypatch.setattr("trainwright.training.pretraining.order", counted)
    checkpoints = StoredCheckpoints(Store(tmp_path))
    arms = [
        training(Dbn(**QUICK)),
        training(Dbn(**QUICK), learning_rate=0.5),
        training(Dbn(**QUICK), Dropout(0.3), Momentum(0.9), batch_size=6),
    ]
    runs = [next(fit_all([arm], checkpoints=checkpoints))[1] for arm in arms]
    assert sorted(begun) == ["pretraining rbm1"] * 3 + ["pretraining rbm2"] * 3  # three epochs, once
    assert runs[0].pretraining == runs[1].pretraining == runs[2].pretraining
    assert [one["part"] for one in runs[0].pretraining] == ["rbm1", "rbm2"]
    next(fit_all([training(Dbn(**QUICK), seed=1)], checkpoints=checkpoints))
    assert len(begun) == 12, "another seed has a pretraining of its own"


class Interrupted(Exception):
    """In place of a kill."""


@pytest.mark.parametrize("strategy", EACH, ids=lambda strategy: strategy.name)
def test_a_pretraining_interrupted_at_any_epoch_resumes_bit_for_bit(strategy, tmp_path, monkeypatch):
    given = training(strategy)
    whole, epochs = arrays_of(left(strategy)), []
    order = pretraining.order

    def interrupting(seed, purpose, rows, batch, first, steps):
        epochs.append((purpose, first))
        if len(epochs) == stop:
            raise Interrupted
        return order(seed, purpose, rows, batch, first, steps)

    monkeypatch.setattr("trainwright.training.pretraining.order", interrupting)
    for stop in range(2, 3 * len(left(strategy)) + 1, 2):
        epochs.clear()
        checkpoints = StoredCheckpoints(Store(tmp_path / f"{stop}"))
        checkpoints.due = lambda: True
        with pytest.raises(Interrupted):
            pretrain(given, checkpoints)
        before = list(epochs)
        resumed = arrays_of(pretrain(given, checkpoints))
        assert epochs[len(before)] == before[-1], "it goes on at the epoch where it was interrupted"
        for name, array in whole.items():
            np.testing.assert_array_equal(resumed[name], array, name)


def test_a_disk_that_fills_leaves_what_was(tmp_path, monkeypatch):
    given, store = training(Dbn(**QUICK)), Store(tmp_path)
    write, (first, second) = files.write, left(Dbn(**QUICK))

    def full(target, *rest, **options):
        if target.name == second.digest:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(target, *rest, **options)

    with monkeypatch.context() as patch:
        patch.setattr(files, "write", full)
        with pytest.raises(StoreError, match="the disk is full"):
            pretrain(given, StoredCheckpoints(store))
    assert store.read_pretrained(first.digest)
    assert store.read_pretrained(second.digest) is None
    again = pretrain(given, StoredCheckpoints(store))
    np.testing.assert_array_equal(again[1].arrays["rbm2/weights1"], second.arrays["rbm2/weights1"])


def test_a_damaged_pretraining_is_moved_aside_and_done_again(tmp_path, caplog):
    given, store = training(Rbm(**QUICK)), Store(tmp_path)
    (one,) = pretrain(given, StoredCheckpoints(store))
    with (tmp_path / "pretrained" / one.digest / "arrays.safetensors").open("ab") as file:
        file.write(b"x")
    (again,) = pretrain(given, StoredCheckpoints(store))
    assert "done again" in caplog.text
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array)
    assert list((tmp_path / "damaged").iterdir())


# Nothing to act on.


@pytest.mark.parametrize("strategy", EACH, ids=lambda strategy: strategy.name)
def test_what_it_cannot_pretrain_is_refused_with_the_remedy(strategy):
    for hidden, chosen, remedy in (
        ((8,), (), r"add activation\('sigmoid'\)"),
        ((8,), (Activation("maxout"),), r"add activation\('sigmoid'\)"),
        ((), (SIGMOID,), "nothing at any site|no hidden layer"),
    ):
        wrong = recipe(*chosen, strategy).replace(network=Mlp(hidden))
        with pytest.raises(NothingToActOn, match=remedy):
            fit(wrong, DATA)
        with pytest.raises(NothingToActOn, match=remedy):
            dry_run(Training(wrong, DATA, 0))
    with pytest.raises(DataError, match=rf"table: {strategy.name} needs inputs in \[0, 1\].*: give images"):
        fit(recipe(SIGMOID, strategy), table())
    negative = replace(DATA, inputs=DATA.inputs - 0.5)
    with pytest.raises(DataError, match=r"from -0\.5 to 0\.5"):
        dry_run(Training(recipe(SIGMOID, strategy), negative, 0))


def test_two_pretrainings_and_too_deep_a_dbm_are_refused():
    with pytest.raises(SettingError, match="rbm and dbn both decide the pretraining: keep one"):
        fit(recipe(SIGMOID, Rbm(), Dbn()), DATA)
    with pytest.raises(SettingError, match="3 hidden layers: give it two at most"):
        fit(recipe(SIGMOID, Dbm()).replace(network=Mlp((4, 4, 4))), DATA)


def test_an_extension_leaves_inputs_that_have_it_alone():
    given = training(Dbm(**JOINT))
    extension = extension_of(model(given))
    x = jnp.ones((2, 64))
    whole = extension(x, key=None, training=False)
    assert whole.shape == (2, 72)
    np.testing.assert_array_equal(extension(whole, key=None, training=True), whole)
