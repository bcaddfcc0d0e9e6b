"""Metrics from stored predictions: against scikit-learn, and their place in a comparison."""

import math
from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as sklearn

from test_compare import PLAIN, arm, fold_runs, make_run, regression_run, result
from trainwright.base.errors import SettingError
from trainwright.comparison.compare import ArmRuns, compare
from trainwright.comparison.examples import estimate
from trainwright.comparison.metrics import METRICS, choose, measure
from trainwright.data import DataSpec, load
from trainwright.recipe import Recipe
from trainwright.studies.study import Study


def forecast(rng, examples=200, rates=(0.6, 0.35, 0.05)):
    """Log-probabilities, and targets of classes that are as frequent as `rates` say."""
    classes = len(rates)
    targets = rng.choice(classes, examples, p=rates)
    logits = rng.normal(size=(examples, classes)) + 1.5 * np.eye(classes)[targets]
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)), targets.astype(np.int32)


REFERENCES = {
    "error": lambda p, t: 1 - sklearn.accuracy_score(t, p.argmax(1)),
    "balanced_error": lambda p, t: 1 - sklearn.balanced_accuracy_score(t, p.argmax(1)),
    "top5_error": lambda p, t: 1 - sklearn.top_k_accuracy_score(t, p, k=5, labels=range(p.shape[1])),
    "log_loss": lambda p, t: sklearn.log_loss(t, np.exp(p)),
    "brier": lambda p, t: np.mean(np.sum((np.exp(p) - np.eye(p.shape[1])[t]) ** 2, axis=1)),
    "rmse": lambda p, t: math.sqrt(sklearn.mean_squared_error(t, p)),
    "mae": lambda p, t: sklearn.mean_absolute_error(t, p),
}


RATES = {"top5_error": (0.2,) * 3 + (0.08,) * 5}


@pytest.mark.parametrize("name", REFERENCES)
def test_metrics_are_scikit_learns(name):
    rng = np.random.default_rng(0)
    predicted, targets = forecast(rng, rates=RATES.get(name, (0.6, 0.35, 0.05)))
    if METRICS[name].task == "regression":
        targets = rng.normal(size=200)
        predicted = targets + rng.normal(size=200)
    metric = METRICS[name]
    contributions = metric.contributions(metric.losses(predicted, targets), targets)
    assert contributions.mean() == pytest.approx(REFERENCES[name](predicted, targets))


@pytest.mark.parametrize("name", REFERENCES)
def test_contributions_have_the_metrics_own_uncertainty(name):
    rng, metric = np.random.default_rng(1), METRICS[name]
    values, errors = [], []
    for _ in range(400):
        predicted, targets = forecast(rng, rates=RATES.get(name, (0.6, 0.35, 0.05)))
        if metric.task == "regression":
            targets = rng.normal(size=200)
            predicted = targets + rng.normal(size=200)
        contributions = metric.contributions(metric.losses(predicted, targets), targets)
        values.append(contributions.mean())
        errors.append(estimate([contributions], [np.arange(200)]).examples)
    assert np.sqrt(np.mean(errors)) == pytest.approx(np.std(values), rel=0.15)


def test_equal_probabilities_do_not_make_the_top_five_larger():
    alike, targets = np.zeros((8, 8)), np.arange(8)
    np.testing.assert_array_equal(METRICS["top5_error"].losses(alike, targets), targets >= 5)


def test_with_five_classes_there_is_no_top_five_error():
    wanted = r"metric='top5_error' is zero whatever is predicted among 3 classes: it needs 6 or more"
    with pytest.raises(SettingError, match=wanted):
        measure(make_run(test=4), "test", METRICS["top5_error"])
    arms = {"plain": Recipe(epochs=1)}
    three = load((np.random.default_rng(0).normal(size=(60, 2)), np.arange(60) % 3))
    with pytest.raises(SettingError, match=wanted):  # before anything is trained
        Study(DataSpec("three"), arms, metric="top5_error", loaded=three).compare("nowhere")


def test_rare_classes_change_the_default_and_say_why():
    assert choose(None, "classification", np.repeat([0, 1], [80, 20])) == (METRICS["error"], None)
    metric, reason = choose(None, "classification", np.repeat([0, 1], [95, 5]))
    assert metric.name == "balanced_error"
    assert reason.facts["guessing"] == pytest.approx(0.05)
    metric, reason = choose(None, "classification", np.repeat([0, 1], [97, 3]))
    assert metric.name == "log_loss"
    assert reason.facts["guessing"] == pytest.approx(0.03)
    assert choose("error", "classification", np.repeat([0, 1], [95, 5])) == (METRICS["error"], None)
    assert choose(None, "regression", np.arange(3.0))[0].name == "rmse"
    with pytest.raises(SettingError, match="choose one of rmse, mae"):
        choose("error", "regression", np.arange(3.0))


def test_another_metric_needs_no_new_training():
    sharp = ArmRuns(
        "sharp",
        {
            0.1: tuple(
                replace(run, predictions={**run.predictions, "test": run.predictions["test"] * 1.5})
                for run in PLAIN.runs[0.1]
            )
        },
    )
    by_error = compare([PLAIN, sharp], reference="plain")
    by_loss = compare([PLAIN, sharp], reference="plain", metric="log_loss")
    assert (by_error.metric, by_error.unit) == ("test error", "fraction")
    assert (by_loss.metric, by_loss.unit) == ("test log-loss", "nats")
    assert by_error.arm("sharp").errors == by_error.arm("plain").errors
    losses = [measure(run, "test", METRICS["log_loss"]) for run in sharp.runs[0.1]]
    assert by_loss.arm("sharp").errors == pytest.approx(losses)


def test_the_metric_chooses_the_candidate_too():
    def runs(confidence, wrong):
        made = tuple(make_run(seed, validation=wrong + seed % 2) for seed in range(6))
        for run in made:
            run.predictions.arrays["validation"] = run.predictions.arrays["validation"] * confidence
        return made

    # Fewer errors, but far too sure of them.
    arms = [ArmRuns("plain", {0.1: runs(5.0, 10), 0.2: runs(1.0, 12)})]
    assert compare(arms, reference="plain").arms[0].learning_rate == 0.1
    assert compare(arms, reference="plain", metric="log_loss").arms[0].learning_rate == 0.2


def test_rmse_counts_examples():
    arms = [
        ArmRuns(name, {0.1: tuple(regression_run(seed, noise=noise) for seed in range(8))})
        for name, noise in (("plain", 10.0), ("better", 9.0))
    ]
    found = compare(arms, reference="plain").arms[1]
    assert found.errors[0] == pytest.approx(measure(arms[1].runs[0.1][0], "test", METRICS["rmse"]))
    rmse, cells = METRICS["rmse"], []
    for better, plain in zip(*(one.runs[0.1] for one in reversed(arms)), strict=True):
        targets = better.predictions["test_targets"]
        losses = [rmse.losses(run.predictions["test"], targets) for run in (better, plain)]
        cells.append(rmse.contributions(losses[0], targets) - rmse.contributions(losses[1], targets))
    assert found.difference.p == pytest.approx(estimate(cells, [np.arange(50)] * 8).p())


def test_an_arm_no_better_than_guessing_is_marked():
    # Two thirds of three equal classes are wrong by guessing.
    comparison = compare([arm("plain", [30] * 6), arm("lost", [66, 67] * 3)], reference="plain")
    assert not comparison.arm("plain").no_better_than_guessing
    assert comparison.arm("lost").no_better_than_guessing
    assert comparison.arm("plain").over_guessing.mean == pytest.approx(0.30 - 0.66)


def test_baselines_stand_beside_the_tests():
    arms = [PLAIN, arm("worse", [40, 41, 39, 42, 38, 40, 43, 37])]
    alone = compare(arms, reference="plain")
    good, bad = arm("boosting", [2]), arm("linear", [50])
    beside = compare(arms, reference="plain", baselines=[bad, good])
    assert beside.arms == alone.arms
    assert [baseline.name for baseline in beside.baselines] == ["linear", "boosting"]
    assert [baseline.name for baseline in beside.better_baselines] == ["boosting"]
    assert beside.baselines[1].difference.mean == pytest.approx(0.02 - np.mean(alone.arms[0].errors))
    foreign = ArmRuns(
        "svm", {0.1: tuple(replace(r, data={**r.data, "fingerprint": "0"}) for r in good.runs[0.1])}
    )
    with pytest.raises(SettingError, match="'svm' has no run on the data of seed 0"):
        compare(arms, reference="plain", baselines=[foreign])


def test_baselines_are_matched_fold_by_fold():
    plain = ArmRuns("plain", {0.1: fold_runs(lambda rng, rows: rows < 30)})
    guess = ArmRuns("guess", {0.1: fold_runs(lambda rng, rows: rows < 40)[::-1]})
    found = compare([plain], reference="plain", baselines=[guess]).baselines[0]
    assert found.error.mean == pytest.approx(40 / 60)
    assert found.difference.mean == pytest.approx(10 / 60)


def test_the_arm_to_use_is_named_by_validation_among_those_that_help():
    def helping(name, test, validation):
        runs = tuple(
            make_run(seed, test=wrong, validation=validation + seed % 2)
            for seed, wrong in enumerate([test + k % 3 for k in range(8)])
        )
        return ArmRuns(name, {0.1: runs})

    arms = [PLAIN, helping("lucky", 10, 12), helping("sound", 12, 8)]
    comparison = compare(arms, reference="plain")
    assert {result(comparison, name).difference.verdict for name in ("lucky", "sound")} == {"helps"}
    assert comparison.best == "sound"
    assert compare([PLAIN], reference="plain").best == "plain"
