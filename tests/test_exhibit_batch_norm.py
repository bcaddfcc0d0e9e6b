"""Batch norm: the percentiles that are drawn are the network's own, and they stay where they are."""

from __future__ import annotations

import numpy as np
import pytest

import comparisons
from trainwright.comparison.compare import ArmRuns, Comparison, compare
from trainwright.comparison.sweep import Sweep
from trainwright.diagnosis.traces import Trace
from trainwright.exhibit import at_each_rate
from trainwright.exhibits import batch_norm
from trainwright.exhibits.batch_norm import SCALES, WITH, WITHOUT
from trainwright.runs.run import Run
from trainwright.studies.study import Study
from trainwright.training.fit import fit

IMAGES = {"train": 3000, "pool": 6000, "test": 1000}


@pytest.fixture(scope="module")
def study() -> Study:
    trained = batch_norm.study(SCALES["quick"].replace(images=IMAGES, steps=600, seeds=2))
    return Study(trained.data, trained.arms, seeds=2, rates=(0.3,))


@pytest.fixture(scope="module")
def runs(study: Study, tmp_path_factory: pytest.TempPathFactory) -> list[ArmRuns]:
    return study.run(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def traces(study: Study) -> dict[str, list[Trace]]:
    return batch_norm.trace_all(study, 0.3)


def test_images_are_binary(study: Study) -> None:
    assert np.unique(study.dataset().inputs).tolist() == [0, 1]


def test_batch_norm_learns_sooner_and_its_inputs_stay(
    runs: list[ArmRuns], traces: dict[str, list[Trace]]
) -> None:
    """Two seeds' interval is wide, so the seeds are compared one by one."""
    reached = batch_norm.arrivals(compare(runs, reference=WITHOUT), runs)
    assert np.all(reached[WITH] < reached[WITHOUT])
    for plain, normed in zip(traces[WITHOUT], traces[WITH], strict=True):
        assert np.median(normed.wander()) < np.median(plain.wander())


def made_up(plain: float, normed: float) -> Comparison:
    """Test errors without and with batch norm, over four seeds."""
    return comparisons.study([WITHOUT, WITH], seeds=4, base=plain, shifts=(0, normed - plain))


def test_higher_accuracy_is_asked_of_every_rate_and_of_the_chosen_ones() -> None:
    better, same = made_up(0.1, 0.05), made_up(0.1, 0.1)
    assert batch_norm.higher_at_each(Sweep({0.3: better, 3.0: better})).holds
    mixed = batch_norm.higher_at_each(Sweep({0.3: better, 3.0: same}))
    assert not mixed.holds
    assert "it helps at 0.3, makes no difference that matters at 3.0" in mixed.seen
    assert not batch_norm.higher_at_each(Sweep({0.3: better, 3.0: made_up(0.05, 0.1)})).holds
    assert batch_norm.higher(better).holds
    assert not batch_norm.higher(same).holds


def test_faster_is_fewer_steps_and_to_get_there_at_all() -> None:
    slow, fast = np.array([900.0, 1000, 1100]), np.array([300.0, 400, 500])
    assert batch_norm.faster({WITHOUT: slow, WITH: fast}, 1500).holds
    assert batch_norm.faster({WITHOUT: np.array([np.inf, 1000, 1100]), WITH: fast}, 1500).holds
    assert not batch_norm.faster({WITHOUT: fast, WITH: slow}, 1500).holds
    alike = batch_norm.faster({WITHOUT: slow, WITH: slow + np.array([-100, 100, 0])}, 1500)
    assert alike.holds is None
    never = batch_norm.faster({WITHOUT: np.full(3, 1500.0), WITH: np.array([100, 110, np.inf])}, 1500)
    assert never.holds is False
    assert "1 of 3 with batch norm never get there" in never.seen


def test_much_more_stable_is_half_as_far_at_most() -> None:
    far = np.array([2.0, 2.1, 1.9, 2.0])
    assert batch_norm.stable({WITHOUT: far, WITH: 0.3 * far + [0, 0.01, 0, -0.01]}, 3).holds
    assert not batch_norm.stable({WITHOUT: far, WITH: 0.8 * far + [0, 0.01, 0, -0.01]}, 3).holds
    few = batch_norm.stable({WITHOUT: far, WITH: 0.45 * far * [0.5, 2, 1, 1]}, 3)
    assert few.holds is None  # too few seeds to tell


def test_what_is_traced_is_what_comes_into_the_last_sigmoid(
    study: Study, traces: dict[str, list[Trace]]
) -> None:
    """By the equations, from the weights that the same training without traces left."""
    run = runs_of_last(study)
    data = study.dataset(0)
    x, _ = data.standardized(data.splits.validation[:1000])
    z = x.reshape(len(x), -1)
    for layer in ("hidden1", "hidden2", "hidden3"):
        z = (z if layer == "hidden1" else 1 / (1 + np.exp(-z))) @ run.weights[f"{layer}/kernel"]
        z = z + run.weights[f"{layer}/bias"]
    expected = np.percentile(z, batch_norm.PERCENTILES, axis=0)
    np.testing.assert_allclose(traces[WITHOUT][0].percentiles[-1], expected, rtol=1e-3, atol=1e-3)


def runs_of_last(study: Study) -> Run:
    return fit(study.arms[WITHOUT].replace(learning_rate=0.3), study.dataset(0))


def test_wander_is_the_range_of_the_percentiles_in_spreads() -> None:
    still, moving, widening = np.zeros((4, 3)), np.zeros((4, 3)), np.zeros((4, 3))
    still += [-1, 0, 1]
    moving += np.array([[-1, 0, 1]]) + np.array([[0], [1], [0], [2]])
    widening += np.array([[-1, 0, 1]]) * np.array([[1], [1], [3], [3]])
    trace = Trace(np.arange(4), np.stack([still, moving, widening], axis=-1))
    assert trace.wander() == pytest.approx([0, 2 / 2, (2 + 0 + 2) / 3 / 4])


def test_the_table_has_its_gains_and_the_picture_its_panels(
    runs: list[ArmRuns], traces: dict[str, list[Trace]]
) -> None:
    own, same = compare(runs, reference=WITHOUT), at_each_rate(runs, WITHOUT)
    assert (same.table("learning rate")["gain"] > 0).all()
    figure = batch_norm.draw(own, same, {arm: first for arm, (first, *_) in traces.items()})
    titles = [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes]
    assert titles[1:] == ["Without, rate 0.3", "With batch norm, rate 0.3"]
