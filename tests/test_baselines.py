"""Baselines: learners that are no networks, on the same data as the networks."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import small
from trainwright import baselines
from trainwright.base.errors import SettingError
from trainwright.baseline import Baseline, Examples
from trainwright.baselines import Boosting, Guess, Linear, Svm
from trainwright.data import load
from trainwright.data.dataset import Dataset
from trainwright.runs.score import score
from trainwright.runs.store import Store

EVERY = [Boosting(trees=20) if name == "boosting" else baselines.find(name)() for name in baselines.names()]


def rings(task: str) -> Dataset:
    """Points in the plane, and whether (or how far) they lie from the origin: nothing for a linear model."""
    points = np.random.default_rng(0).uniform(-1, 1, size=(600, 2))
    radius = np.hypot(*points.T)
    return load((points, radius > 0.8 if task == "classification" else radius), task=task)


def test_the_first_three_are_there_and_more_by_name() -> None:
    assert {"guess", "linear", "boosting", "svm"} <= set(baselines.names())
    with pytest.raises(SettingError, match="no baseline 'boostin'; did you mean boosting"):
        baselines.find("boostin")


@pytest.mark.parametrize("baseline", EVERY, ids=str)
def test_a_baseline_is_a_frozen_value(baseline: Baseline) -> None:
    assert type(baseline).from_json(baseline.to_json()) == baseline
    assert baselines.read(str(baseline)) == (baseline,)


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("baseline", EVERY, ids=str)
def test_a_run_is_kept_and_scored_like_any_other(baseline: Baseline, task: str, tmp_path: Path) -> None:
    data = rings(task)
    run = baseline.fit(data)
    kept = Store(tmp_path).read(Store(tmp_path).write(run))
    for split in ("validation", "test"):
        assert np.array_equal(kept.predictions[split], run.predictions[split])
        if task == "classification":
            assert np.allclose(np.exp(run.predictions[split]).sum(axis=1), 1, atol=1e-4)
    assert score(kept, "test").error == score(run, "test").error
    assert (kept.seed, kept.status, dict(kept.weights)) == (0, "finished", {})


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_what_can_bend_sees_the_rings(task: str) -> None:
    data = rings(task)
    guess, linear, boosting, svm = (
        score(baseline.fit(data), "test").error for baseline in (Guess(), Linear(), Boosting(trees=50), Svm())
    )
    assert linear > 0.7 * guess
    assert max(boosting, svm) < 0.4 * guess


def test_guessing_knows_the_frequencies() -> None:
    run = Guess().fit(rings("classification"))
    data = rings("classification")
    frequencies = np.bincount(data.targets[data.splits.train]) / len(data.splits.train)
    assert np.allclose(np.exp(run.predictions["test"]), frequencies, atol=1e-6)
    regression = rings("regression")
    mean = regression.labels(regression.splits.train).mean()
    assert np.allclose(Guess().fit(regression).predictions["test"], mean, atol=1e-5)


def test_the_linear_model_is_scikit_learn_s() -> None:
    from sklearn.linear_model import LogisticRegression

    data = small.digits()
    x, splits = data.inputs.reshape(len(data.inputs), -1), data.splits
    reference = LogisticRegression(C=1 / 3).fit(x[splits.train], data.targets[splits.train])
    expected = reference.predict_proba(x[splits.test])
    assert np.allclose(np.exp(Linear(3.0).fit(data).predictions["test"]), expected, atol=1e-4)


def test_an_svm_predicts_its_own_classes() -> None:
    from sklearn.svm import SVC

    data = load("digits")
    x, splits = data.inputs.reshape(len(data.inputs), -1), data.splits
    reference = SVC(break_ties=True).fit(x[splits.train], data.targets[splits.train])
    predicted = Svm().fit(data).predictions["test"].argmax(axis=1)
    assert np.array_equal(predicted, reference.predict(x[splits.test]))


def test_validation_chooses_the_number_of_trees() -> None:
    rng = np.random.default_rng(0)
    noise = load((rng.normal(size=(300, 4)), rng.normal(size=300)))
    guess, boosted = (
        score(baseline.fit(noise), "validation").error for baseline in (Guess(), Boosting(0.3, trees=50))
    )
    assert boosted < 1.05 * guess  # fifty trees overfit by more


@pytest.mark.parametrize("baseline", EVERY, ids=str)
def test_a_class_missing_from_training_is_no_error(baseline: Baseline) -> None:
    data = load("digits")
    train = data.splits.train
    for kept in (data.targets[train] != 3, data.targets[train] == 4):
        fewer = replace(data, splits=replace(data.splits, train=train[kept]))
        predicted = baseline.fit(fewer).predictions["test"]
        assert predicted.shape == (len(data.splits.test), 10)
        assert np.isfinite(predicted).all()


def test_trees_are_fewer_where_data_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    data, asked = small.digits(), []
    import sklearn.ensemble as ensemble

    class Watched(ensemble.HistGradientBoostingClassifier):  # type: ignore[misc]
        def __init__(self, **settings: Any) -> None:
            asked.append(settings["max_iter"])
            super().__init__(**settings)

    monkeypatch.setattr(ensemble, "HistGradientBoostingClassifier", Watched)
    monkeypatch.setattr("trainwright.baselines.boosting.MOST_WORK", 36 * 64 * 10 * 3)
    Boosting().fit(data)
    assert asked == [3]


def test_scikit_learn_has_no_need_to_copy_boosting_s_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """It computes in float64, and would make a copy of any other inputs, beside ours, in every process."""
    import sklearn.ensemble as ensemble

    dtypes = []

    class Watched(ensemble.HistGradientBoostingClassifier):  # type: ignore[misc]
        def fit(self, x: Any, y: Any, *, X_val: Any, y_val: Any) -> Any:  # its names
            dtypes.extend([x.dtype, X_val.dtype])
            return super().fit(x, y, X_val=X_val, y_val=y_val)

    monkeypatch.setattr(ensemble, "HistGradientBoostingClassifier", Watched)
    Boosting(trees=2).fit(small.digits())
    assert dtypes == [np.float64, np.float64]


def test_boosting_learns_from_as_many_examples_as_fit_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainwright.baselines.boosting.MOST_VALUES", 400 * 64)
    few = Boosting(trees=20).fit(load("digits"))
    monkeypatch.undo()
    more = Boosting(trees=20).fit(load("digits"))
    assert 0 < score(more, "test").error < score(few, "test").error < 0.3


def test_what_has_not_converged_is_no_warning() -> None:
    rng = np.random.default_rng(0)
    points = 1000 * rng.normal(size=(200, 30))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predict = Linear(1e-8).learn(
            Examples(points.astype(np.float32), rng.integers(0, 3, 200).astype(np.int32)),
            Examples(points[:1].astype(np.float32), np.zeros(1, np.int32)),
            "classification",
            3,
        )
    assert predict(points.astype(np.float32)).shape == (200, 3)
