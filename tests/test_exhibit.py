"""The words that exhibits are written in: images, trainings, panels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import comparisons
from small import recipe
from trainwright.data import load
from trainwright.data.pixels import halved
from trainwright.exhibit import (
    Claim,
    Measured,
    Sweep,
    all_gain,
    cautions,
    change,
    compare_all,
    described,
    exponent,
    images,
    looks,
    means,
    overview,
    panels,
    runs_of,
    scores,
    series,
    tabulated,
    told,
    walk,
)
from trainwright.strategies import Dropout, Momentum
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


def test_scores_are_the_comparison_s_and_changes_are_paired(tmp_path: Path) -> None:
    study = Study(images("digits", train=50), {"a": recipe(), "b": recipe(Dropout(0.5))}, seeds=3)
    table, compared = scores(study.run(tmp_path)), study.compare(tmp_path)
    assert list(table["arm"]) == ["a"] * 3 + ["b"] * 3
    reached = means(table)
    assert list(reached.index) == ["a", "b"]
    for arm in compared.arms:
        assert reached["test error"][arm.name] == pytest.approx(100 * arm.error.mean)
    more = change(table, "test error", "b", "a", "points")
    assert more.mean == pytest.approx(-compared.gain("b").mean)
    assert more.n == 3


def test_rows_become_series_and_a_table() -> None:
    rows = pd.DataFrame(
        [(arm, size, size + more) for arm in "ab" for size in (1, 2) for more in (0.0, 0.2)],
        columns=["arm", "size", "loss"],
    )
    seen = series(rows, "loss", "size")
    assert seen["b"].means == pytest.approx({1: 1.1, 2: 2.1})
    table = tabulated("size", seen)
    assert list(table) == ["size", "a", "low (a)", "high (a)", "b", "low (b)", "high (b)"]
    assert list(tabulated("size", {"a": {1: Measured(3, 3, 3, 2)}})) == ["size", "a"]


def test_error_bars_reach_the_bounds() -> None:
    axes = Figure().subplots()
    panels.along(axes, {"errors": {1: Measured(2, 1, 4, 3), 2: Measured.of([3.0])}}, xlabel="x", log="x")
    [container] = axes.containers
    bars = [segment[:, 1].tolist() for segment in container.lines[2][0].get_segments()]
    assert bars == [[1, 4], [3, 3]]
    assert (axes.get_xlabel(), axes.get_xscale(), axes.get_yscale()) == ("x", "log", "linear")
    assert axes.get_legend() is None  # a single name needs none


def test_curves_have_bands_and_a_legend_of_their_names() -> None:
    axes = Figure().subplots()
    measured, plain = {1: Measured(2, 1, 4, 3), 2: Measured(3, 2, 5, 3)}, pd.Series({1: 1.0, 2: 2.0})
    panels.curves(axes, {"band": measured, "line": plain}, looks={"line": {"color": "#123456"}})
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["band", "line"]
    assert len(axes.collections) == 1
    assert axes.lines[1].get_color() == "#123456"
    panels.level(axes, 3.0, "level")
    assert axes.get_legend().get_texts()[-1].get_text() == "level"


def test_points_are_all_there_and_named_places_stand_side_by_side() -> None:
    axes = Figure().subplots()
    panels.points(axes, {"a": {"x": [1.0, 3.0], "y": [5.0]}, "b": {"x": [2.0], "y": [2.0]}})
    assert [label.get_text() for label in axes.get_xticklabels()] == ["x", "y"]
    seen, mean = axes.lines[:2]
    assert np.asarray(seen.get_ydata()).tolist() == [1, 3]
    assert np.asarray(mean.get_ydata()).tolist() == [2, 2]


def test_a_logarithmic_axis_over_little_has_plain_numbers() -> None:
    axes = Figure().subplots()
    panels.curves(axes, {"": pd.Series({1: 20.0, 2: 90.0})}, log="y")
    assert axes.yaxis.get_major_formatter()(50) == "50"


def test_shares_are_of_the_whole() -> None:
    axes = Figure().subplots()
    panels.shares(axes, {"a": np.array([0.5, 1.5, 1.5, 9.0])}, np.array([0.0, 1.0, 2.0]))
    [steps] = axes.patches
    assert steps.get_data().values.tolist() == [25.0, 50.0]


def test_pictures_stand_over_their_names() -> None:
    figure = Figure()
    panels.pictures(figure, {"a": np.zeros((2, 2)), "b": np.ones((2, 2))})
    assert [axes.get_xlabel() for axes in figure.axes] == ["a", "b"]
    assert [axes.images[0].get_array().mean() for axes in figure.axes] == [0, 1]


@pytest.mark.parametrize(
    ("shift", "seeds", "holds"), [(-0.01, 20, True), (0.01, 20, False), (-0.001, 2, None)]
)
def test_a_claim_is_judged_by_the_verdict(shift: float, seeds: int, holds: bool | None) -> None:
    comparison = comparisons.study(["plain", "other"], seeds, shifts=(0, shift))
    claim = Claim.judged("It helps.", "Nobody 1900", comparison, "other", more="So it was.")
    assert claim.holds is holds
    contrary = Claim.judged("", "", comparison, "other", expected="hurts").holds
    assert contrary is (None if holds is None else not holds)
    assert str(comparison.gain("other")) in claim.seen
    assert claim.seen.endswith("So it was.")
    assert "Holm" not in claim.seen  # a single test


def test_a_verdict_that_is_corrected_for_other_arms_says_so() -> None:
    """Its interval alone may leave zero out where the verdict is inconclusive."""
    comparison = comparisons.study(["plain", "other", "third"], shifts=(0, -0.01, 0))
    claim = Claim.judged("It helps.", "Nobody 1900", comparison, "other")
    assert claim.seen.endswith("verdict: helps (Holm's correction over 2 arms).")


def test_what_helps_along_a_range_is_told_after_holm_s_correction() -> None:
    shifts = {1000: -0.1, 5000: 0.1, 9000: -0.0005}
    sweep = Sweep({size: comparisons.study(["plain", "other"], shifts=(0, s)) for size, s in shifts.items()})
    assert sweep.verdicts("other") == {1000: "helps", 5000: "hurts", 9000: "no difference"}
    assert told(sweep, "other").startswith(str(sweep.gains("other")))
    assert told(sweep, "other").endswith(
        "; it helps at 1,000, hurts at 5,000, makes no difference that matters at 9,000 (Holm's correction)"
    )


def test_a_study_describes_itself_and_its_arms_are_listed() -> None:
    study = Study(images("digits", train=100), {"plain": recipe()}, seeds=3, rates=(0.1, 0.3))
    assert described(study).startswith("100 training examples, ")
    assert described(study).endswith("learning rates 0.1, 0.3, 3 seeds.")
    comparison = comparisons.study(["plain", "other"])
    table = overview(comparison, "arm").set_index("arm")
    assert table.loc["plain", "verdict"] == "reference"
    assert table.loc["other", "test error (%)"] == pytest.approx(100 * comparison.arm("other").error.mean)


def test_a_walk_follows_the_strategy_s_update_and_ends_when_told() -> None:
    start, curvature = np.array([1.0, -2.0]), np.array([5.0, 1.0])
    path = walk(Momentum(0.5), 0.1, lambda theta: curvature * theta, start, steps=20)
    theta, v = start, np.zeros(2)
    for point in path[1:]:
        v = 0.5 * v - 0.1 * curvature * theta
        theta = theta + v
        np.testing.assert_allclose(point, theta, rtol=1e-12)
    assert path.shape == (21, 2)
    distances = np.linalg.norm(walk(Momentum(0.5), 0.1, lambda theta: theta, start, near=0.01), axis=1)
    assert distances[-1] <= 0.01 < distances[:-1].min()


def test_a_strategy_that_leaves_the_step_alone_walks_by_plain_descent() -> None:
    path = walk(Dropout(0.5), 0.5, lambda theta: theta, np.array([8.0]), steps=3)
    assert path[:, 0].tolist() == [8, 4, 2, 1]


def test_the_exponent_is_that_of_the_power_law_whatever_its_factor() -> None:
    places = np.array([1, 10, 50, 1000])
    for power in (-0.5, 0.0, 1.5):
        assert exponent(pd.Series(7 * places**power, places)) == pytest.approx(power)


def test_an_arm_keeps_its_look_in_a_panel_without_the_others() -> None:
    axes = Figure().subplots()
    panels.curves(axes, {"b": pd.Series({1: 1.0, 2: 2.0})}, looks=looks("a", "b"))
    assert (axes.lines[0].get_color(), axes.lines[0].get_marker()) == (panels.PALETTE[1], panels.MARKERS[1])


def test_all_gain_where_each_does_by_its_whole_interval() -> None:
    over = {"plain": comparisons.study(["plain", "better", "worse"], shifts=(0, -0.01, 0.01))}
    seen, holds = all_gain(over, [("better", "plain")])
    assert holds
    assert seen.startswith("better over plain: +")
    assert all_gain(over, [("better", "plain"), ("worse", "plain")])[1] is False
