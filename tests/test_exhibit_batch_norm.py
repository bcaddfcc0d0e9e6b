"""Batch norm: the percentiles that are drawn are the network's own, and they stay where they are."""

from __future__ import annotations

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from trainwright.exhibits.batch_norm import (
    WITH,
    WITHOUT,
    Measured,
    Trace,
    binary_mnist,
    claims,
    draw,
    last_inputs,
    measure,
    study_of,
)
from trainwright.fit import fit
from trainwright.study import Study


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
    assert len(claims(measured)) == 4
    assert np.all(measured.along[WITH] > measured.along[WITHOUT])
    for plain, normed in zip(measured.traces[WITHOUT], measured.traces[WITH], strict=True):
        assert np.median(normed.wander()) < np.median(plain.wander())


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


def test_wander_is_the_way_of_the_median_in_spreads() -> None:
    still, moving = np.zeros((4, 3)), np.zeros((4, 3))
    still += [-1, 0, 1]
    moving += np.array([[-1, 0, 1]]) + np.array([[0], [1], [0], [2]])
    trace = Trace(np.arange(4), np.stack([still, moving], axis=-1))
    assert trace.wander() == pytest.approx([0, 2])  # 1 + 1 + 2, in spreads of 2


def test_the_picture_has_its_panels(measured: Measured, tmp_path: Path) -> None:
    assert len(draw(measured).axes) == 3
