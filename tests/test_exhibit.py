"""The words that exhibits are written in: images, trainings, panels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

import comparisons
from small import recipe
from trainwright.data import load
from trainwright.data.pixels import halved
from trainwright.exhibit import (
    Claim,
    Measured,
    cautions,
    compare_all,
    described,
    images,
    overview,
    panels,
    runs_of,
)
from trainwright.strategies import Dropout
from trainwright.studies.study import Study


def test_images_are_the_set_s_own() -> None:
    digits, few = load("digits"), images("digits", train=100, test=50, halved=True).load()
    assert len(few.splits.train) == 100
    assert few.shape == (4, 4)
    test = digits.splits.test[:50]
    np.testing.assert_array_equal(few.inputs[few.splits.test], halved(digits.inputs[test]))
    np.testing.assert_array_equal(few.targets[few.splits.test], digits.targets[test])


def test_images_leave_classes_out() -> None:
    few = images("digits", without=(3, 8)).load()
    assert few.classes == tuple("01245679")
    digits = load("digits")
    kept = ~np.isin(digits.targets[digits.splits.test], (3, 8))
    np.testing.assert_array_equal(few.inputs[few.splits.test], digits.inputs[digits.splits.test][kept])


def test_each_seed_draws_its_own_training_images_and_is_judged_by_the_same() -> None:
    study = Study(images("digits", train=100), {"plain": recipe()}, seeds=3)
    drawn = [study.dataset(seed) for seed in range(3)]
    trained = [{row.tobytes() for row in data.inputs[data.splits.train]} for data in drawn]
    assert len(trained[0] & trained[1]) < 50
    for data in drawn[1:]:
        assert len(data.splits.train) == 100
        np.testing.assert_array_equal(data.inputs[data.splits.test], drawn[0].inputs[drawn[0].splits.test])


def test_studies_are_compared_and_leave_their_runs(tmp_path: Path) -> None:
    arms = {"without": recipe(), "with": recipe(Dropout(0.5))}
    studies = {size: Study(images("digits", train=size), arms, seeds=2) for size in (50, 100)}
    compared = compare_all(studies, tmp_path)
    assert list(compared) == [50, 100]
    assert [arm.name for arm in compared[50].arms] == ["without", "with"]
    assert compared[50].gain("with").n == 2
    assert "which examples" in cautions(*compared.values(), redrawn=True)[0]
    for run, errors in zip(
        runs_of(studies[50], "with", tmp_path), compared[50].arm("with").errors, strict=True
    ):
        wrong = run.predictions["test"].argmax(axis=1) != run.predictions["test_targets"]
        assert wrong.mean() == pytest.approx(errors)
        assert run.weights["hidden1/kernel"].shape == (64, 8)


def test_error_bars_reach_the_bounds() -> None:
    axes = Figure().subplots()
    panels.along(axes, {1: Measured(2, 1, 4, 3), 2: Measured.of([3.0])}, color=panels.BLUE, label="errors")
    [container] = axes.containers
    bars = [segment[:, 1].tolist() for segment in container.lines[2][0].get_segments()]
    assert bars == [[1, 4], [3, 3]]


def test_shares_are_of_the_whole() -> None:
    axes = Figure().subplots()
    panels.shares(axes, {"a": np.array([0.5, 1.5, 1.5, 9.0])}, np.array([0.0, 1.0, 2.0]), (panels.BLUE,))
    [steps] = axes.patches
    assert steps.get_data().values.tolist() == [25.0, 50.0]


def test_pictures_stand_over_their_names() -> None:
    figure = Figure()
    panels.pictures(figure, {"a": np.zeros((2, 2)), "b": np.ones((2, 2))})
    assert [axes.get_xlabel() for axes in figure.axes] == ["a", "b"]
    assert [axes.images[0].get_array().mean() for axes in figure.axes] == [0, 1]


@pytest.mark.parametrize(("shift", "holds"), [(-0.01, True), (0.01, False)])
def test_a_claim_is_judged_by_the_verdict(shift: float, holds: bool) -> None:
    comparison = comparisons.study(["plain", "other"], shifts=(0, shift))
    claim = Claim.judged("It helps.", "Nobody 1900", comparison, "other", more="So it was.")
    assert claim.holds is holds
    assert Claim.judged("", "", comparison, "other", expected="hurts").holds is (shift > 0)
    assert str(comparison.gain("other")) in claim.seen
    assert claim.seen.endswith("So it was.")


def test_a_study_describes_itself_and_its_arms_are_listed() -> None:
    study = Study(images("digits", train=100), {"plain": recipe()}, seeds=3, rates=(0.1, 0.3))
    assert described(study).startswith("100 training examples, ")
    assert described(study).endswith("learning rates 0.1, 0.3, 3 seeds.")
    comparison = comparisons.study(["plain", "other"])
    table = overview(comparison, "arm").set_index("arm")
    assert table.loc["plain", "verdict"] == "reference"
    assert table.loc["other", "test error (%)"] == pytest.approx(100 * comparison.arm("other").error.mean)
