"""Ensembles: averages of stored runs, as arms of a study."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from test_compare import make_run, regression_run
from trainwright.base import files
from trainwright.base.errors import SettingError, StoreError
from trainwright.data import DataSpec
from trainwright.ensemble import Ensemble, load
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.report import markdown, write
from trainwright.runs.average import average
from trainwright.runs.score import score
from trainwright.runs.store import Store
from trainwright.strategies import Momentum
from trainwright.studies.ensembles import member_seed, members_of, read_ensembles
from trainwright.studies.record import StudyRecord
from trainwright.studies.study import Study
from trainwright.studies.tuning import Tuning

PLAIN = Recipe(Mlp((8,)), epochs=2, learning_rate=0.3)
ARMS = {"plain": PLAIN, "momentum": PLAIN.adding(Momentum())}
THREE = {"ensemble": ("plain", "plain", "momentum")}


# The average of runs.


def test_probabilities_are_averaged():
    runs = [make_run(seed) for seed in range(3)]
    together = average(runs, {"name": "ensemble"})
    for split in ("validation", "test"):
        expected = np.mean([np.exp(run.predictions[split]) for run in runs], axis=0)
        np.testing.assert_allclose(np.exp(together.predictions[split]), expected)
        np.testing.assert_array_equal(
            together.predictions[f"{split}_targets"], runs[0].predictions[f"{split}_targets"]
        )
    assert together.seconds == sum(run.seconds for run in runs)
    assert together.parameters == sum(run.parameters for run in runs)
    assert (together.seed, together.status) == (0, "finished")


def test_values_are_averaged():
    runs = [regression_run(seed) for seed in range(2)]
    expected = (runs[0].predictions["test"] + runs[1].predictions["test"]) / 2
    np.testing.assert_allclose(average(runs, {}).predictions["test"], expected)


def test_one_run_alone_is_itself():
    run = make_run(0)
    assert average([run], {}) is run


def test_a_member_that_diverged_is_not_hidden():
    """Without weights from before, the ensemble counts as a guess; with them, as diverged and scored."""
    lost = make_run(1, status="diverged")
    assert score(lost, "test").guessed
    found = score(average([make_run(0), lost], {}), "test")
    assert found.diverged
    assert found.guessed
    kept = replace(make_run(1), status="diverged")  # with finite losses at its best step
    assert not score(kept, "test").guessed
    found = score(average([make_run(0), kept], {}), "test")
    assert found.diverged
    assert not found.guessed


def test_runs_of_other_data_are_refused():
    other = make_run(1)
    other = replace(other, data={**other.data, "fingerprint": "0000"})
    with pytest.raises(SettingError, match=r"seed 1 cannot be averaged .* it has other data"):
        average([make_run(0), other], {})
    with pytest.raises(SettingError, match="no members"):
        average([], {})


# As arms.


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("5 * plain", ("plain",) * 5),
        ("2*plain + dropout(0.5), l2", ("plain", "plain", "dropout(0.5), l2")),
        ("plain + momentum", ("plain", "momentum")),
    ],
)
def test_members_are_read(text, members):
    assert read_ensembles([text]) == {text: members}


@pytest.mark.parametrize(
    ("ensembles", "settings", "reason"),
    [
        ({"e": ("plain", "adam")}, {}, "'e': there is no arm 'adam'; there are: plain, momentum"),
        (read_ensembles(["2*plain+adam"]), {}, "no arm 'plain.adam' .members are joined by a . with spaces"),
        ({"e": ("plain",)}, {}, "'e' has 1 members: give two or more"),
        ({"plain": ("plain", "plain")}, {}, "'plain' names an arm and an ensemble"),
        (THREE, {"rates": (0.1, 0.2)}, r"give tuning=Tuning\(rates=...\)"),
    ],
)
def test_what_is_no_ensemble_is_an_error(ensembles, settings, reason):
    with pytest.raises(SettingError, match=reason):
        Study(DataSpec("digits"), ARMS, ensembles=ensembles, **settings)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A study of two arms and their ensemble, and its store."""
    folder = tmp_path_factory.mktemp("study")
    study = Study(DataSpec("digits"), ARMS, seeds=5, ensembles=THREE)
    return study, folder, study.compare(folder / "store", workers=1)


def test_its_runs_are_averages_of_stored_trainings(made):
    study, folder, comparison = made
    store = Store(folder / "store")
    for seed, error in zip(range(5), comparison.arm("ensemble").errors, strict=True):
        group = members_of(THREE["ensemble"], ARMS, study.dataset(seed), seed)
        assert [one.seed for one in group] == [seed, member_seed(seed, 1), seed]
        assert len({one.data.fingerprint for one in group}) == 1, "all on the seed's own fold"
        runs = [store.read(one.digest) for one in group]
        mean = np.mean([np.exp(run.predictions["test"].astype(np.float64)) for run in runs], axis=0)
        assert error == pytest.approx(np.mean(mean.argmax(axis=1) != runs[0].predictions["test_targets"]))


def test_no_two_seeds_share_a_training_and_nothing_is_trained_twice(made):
    study, folder, _ = made
    groups = [members_of(THREE["ensemble"], ARMS, study.dataset(seed), seed) for seed in range(5)]
    digests = [one.digest for group in groups for one in group]
    assert len(set(digests)) == 15
    trained = {path.name for path in (folder / "store" / "runs").iterdir()}
    assert len(trained) == len(study.plan) == study.most_runs() == 15
    assert trained == {one.digest for one in study.plan} == set(digests)


def test_it_is_compared_like_any_arm(made, tmp_path: Path):
    _, _, comparison = made
    arm = comparison.arm("ensemble")
    assert [a.name for a in comparison.arms] == ["plain", "momentum", "ensemble"]
    assert arm.difference is not None
    assert arm.recipe == {"name": "ensemble", "members": ["plain", "plain", "momentum"]}
    assert arm.parameters == 3 * comparison.arm("plain").parameters
    write(comparison, tmp_path / "report.html")
    (row,) = [line for line in markdown(comparison).splitlines() if line.startswith("| `ensemble` |")][:1]
    assert row.split("|")[5].strip() == "–", "it has no learning rate of its own"


def test_the_record_keeps_it(made):
    study, folder, comparison = made
    record = StudyRecord(study, folder / "store")
    record.save(folder)
    loaded = StudyRecord.load(folder)
    assert loaded.study.ensembles == THREE
    assert loaded.compare(workers=1).arm("ensemble").errors == comparison.arm("ensemble").errors
    without = replace(loaded, study=replace(study, ensembles={}))
    assert not without.after(replace(loaded, looks=(5,))).looks, "another question"


def test_the_best_model_may_be_an_ensemble(made, tmp_path: Path):
    study, folder, comparison = made
    arms = [comparison.arm(name) for name in ARMS]
    worse = [replace(arm, validation=9.0) for arm in arms]
    chosen = replace(comparison, arms=(*worse, comparison.arm("ensemble")))
    model = study.best_model(folder / "store", chosen)
    assert isinstance(model, Ensemble)
    assert [m.recipe for m in model.members] == [ARMS[name] for name in THREE["ensemble"]]
    single = study.best_model(folder / "store", replace(comparison, arms=comparison.arms[:1]))
    raw = np.random.default_rng(0).integers(0, 17, (3, 8, 8))
    single.save(tmp_path / "model")
    model.save(tmp_path / "model", replace=True)  # one may take the other's place
    np.testing.assert_array_equal(load(tmp_path / "model").predict(raw), model.predict(raw))
    single.save(tmp_path / "model", replace=True)
    np.testing.assert_array_equal(load(tmp_path / "model").predict(raw), single.predict(raw))


def test_members_are_the_candidates_that_tuning_chose(tmp_path: Path):
    study = Study(
        DataSpec("digits"),
        {"plain": PLAIN},
        seeds=5,
        tuning=Tuning(trainings=4, first=1, longest=1, rates=(0.01, 0.3)),
        ensembles={"pair": ("plain", "plain")},
    )
    comparison = study.compare(tmp_path, workers=1)
    rate = comparison.arm("plain").learning_rate
    assert {one.learning_rate for one in comparison.arm("plain").grid} == {0.01, 0.3}, "no other was tried"
    candidate = {"plain": PLAIN.replace(learning_rate=rate)}
    store = Store(tmp_path)
    for seed in range(5):
        for one in members_of(("plain", "plain"), candidate, study.dataset(seed), seed):
            assert one.digest in store


def test_a_replacement_that_fails_leaves_the_old_ensemble(
    made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, folder, comparison = made
    member = study.best_model(folder / "store", replace(comparison, arms=comparison.arms[:1]))
    ensemble = Ensemble((member, member))
    target = tmp_path / "kept"
    ensemble.save(target)
    before = {path.relative_to(target): path.read_bytes() for path in target.rglob("*") if path.is_file()}

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(files, "replace_file", full)
        with pytest.raises(StoreError, match="the disk is full"):
            ensemble.save(target, replace=True)
    after = {path.relative_to(target): path.read_bytes() for path in target.rglob("*") if path.is_file()}
    assert after == before
    ensemble.save(target, replace=True)
    assert len(load(target).members) == len(ensemble.members)
    assert list(tmp_path.iterdir()) == [target], "nothing half-written is left"
