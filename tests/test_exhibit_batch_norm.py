"""Batch norm: the percentiles that are drawn are the network's own, and they stay where they are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import jax.numpy as jnp
import numpy as np
import pytest

import comparisons
from trainwright.comparison.results import Comparison
from trainwright.exhibits.batch_norm import (
    WITH,
    WITHOUT,
    Measured,
    Trace,
    _faster,
    _higher,
    _higher_at_each,
    _stable,
    binary_mnist,
    claims,
    draw,
    first_at,
    last_inputs,
    measure,
    study_of,
    tables,
)
from trainwright.runs.run import Run
from trainwright.studies.study import Study
from trainwright.training.fit import fit


@pytest.fixture(scope="module")
def study() -> Study:
    arms = {
        name: recipe.replace(steps=600, evaluate_every=100) for name, recipe in study_of("quick").arms.items()
    }
    return Study(binary_mnist(3000, 1000), arms, seeds=2, rates=(0.3,))


@pytest.fixture(scope="module")
def measured(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Measured:
    return measure(study, tmp_path_factory.mktemp("store"))


def test_images_are_binary(study: Study) -> None:
    assert np.unique(study.dataset().inputs).tolist() == [0, 1]


def test_batch_norm_learns_sooner_and_its_inputs_stay(measured: Measured) -> None:
    """Two seeds' interval is wide, so the seeds are compared one by one."""
    assert measured.rate == 0.3
    assert np.all(measured.reached[WITH] < measured.reached[WITHOUT])
    for plain, normed in zip(measured.traces[WITHOUT], measured.traces[WITH], strict=True):
        assert np.median(normed.wander()) < np.median(plain.wander())


def made_up(plain: float, normed: float) -> Comparison:
    """Test errors without and with batch norm, over four seeds."""
    return comparisons.study([WITHOUT, WITH], seeds=4, base=plain, shifts=(0, normed - plain))


def test_higher_accuracy_is_asked_of_every_rate_and_of_the_chosen_ones() -> None:
    better, same = made_up(0.1, 0.05), made_up(0.1, 0.1)
    assert _higher_at_each({0.3: better, 3.0: better}).holds
    mixed = _higher_at_each({0.3: better, 3.0: same})
    assert not mixed.holds
    assert "it helps at 1 of 2 rates" in mixed.seen
    assert not _higher_at_each({0.3: better, 3.0: made_up(0.05, 0.1)}).holds
    assert _higher(better).holds
    assert not _higher(same).holds


def test_faster_is_fewer_steps_and_to_get_there_at_all() -> None:
    slow, fast = np.array([900.0, 1000, 1100]), np.array([300.0, 400, 500])
    assert _faster({WITHOUT: slow, WITH: fast}, 1500).holds
    assert _faster({WITHOUT: np.array([np.inf, 1000, 1100]), WITH: fast}, 1500).holds
    assert not _faster({WITHOUT: fast, WITH: slow}, 1500).holds
    assert not _faster({WITHOUT: slow, WITH: slow + np.array([-100, 100, 0])}, 1500).holds
    never = _faster({WITHOUT: np.full(3, 1500.0), WITH: np.array([100, 110, np.inf])}, 1500)
    assert not never.holds
    assert "1 of 3 with batch norm never are" in never.seen


def test_much_more_stable_is_half_as_far_at_most() -> None:
    far = np.array([2.0, 2.1, 1.9, 2.0])
    assert _stable({WITHOUT: far, WITH: 0.3 * far + [0, 0.01, 0, -0.01]}, 3).holds
    assert not _stable({WITHOUT: far, WITH: 0.8 * far + [0, 0.01, 0, -0.01]}, 3).holds
    assert not _stable({WITHOUT: far, WITH: 0.45 * far * [0.5, 2, 1, 1]}, 3).holds  # too few seeds to tell


def test_a_run_arrives_at_the_first_step_that_is_good_enough() -> None:
    history = {"step": np.array([50, 100, 150]), "validation_error": np.array([0.4, 0.2, 0.3])}
    run = cast(Run, SimpleNamespace(history=history))
    assert [first_at(run, goal) for goal in (0.5, 0.3, 0.2, 0.1)] == [50, 100, 100, np.inf]


def test_inputs_of_the_last_sigmoid_are_those_of_the_equations(study: Study) -> None:
    data, recipe = study.dataset(), study.arms[WITHOUT].replace(steps=100)
    run = fit(recipe, data)
    x = data.inputs[data.splits.validation[:50]]
    expected = x.reshape(50, -1)
    names = sorted(name for name in run.weights if "kernel" in name)
    assert len(names) == 4
    for number, name in enumerate(names[:3]):
        expected = 1 / (1 + np.exp(-expected)) if number else expected
        expected = expected @ run.weights[name] + run.weights[name.replace("kernel", "bias")]
    seen = last_inputs(recipe, data, dict(run.weights), jnp.asarray(x))
    np.testing.assert_allclose(seen, expected, rtol=1e-4, atol=1e-5)


def test_wander_is_the_range_of_the_percentiles_in_spreads() -> None:
    still, moving, widening = np.zeros((4, 3)), np.zeros((4, 3)), np.zeros((4, 3))
    still += [-1, 0, 1]
    moving += np.array([[-1, 0, 1]]) + np.array([[0], [1], [0], [2]])
    widening += np.array([[-1, 0, 1]]) * np.array([[1], [1], [3], [3]])
    trace = Trace(np.arange(4), np.stack([still, moving, widening], axis=-1))
    assert trace.wander() == pytest.approx([0, 2 / 2, (2 + 0 + 2) / 3 / 4])


def test_the_page_has_its_statements_and_the_picture_its_panels(measured: Measured) -> None:
    assert len(claims(measured)) == 4
    same, own = tables(measured).values()
    assert (same["gain"] > 0).all()
    assert own["arm"].tolist() == [WITHOUT, WITH]
    assert [axes.get_title() for axes in draw(measured).axes][1:] == [
        "Input without batch norm, rate 0.3",
        "Input with batch norm, rate 0.3",
    ]
