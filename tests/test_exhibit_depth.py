"""Depth: the numbers are made as said, the control has as many weights, and two layers beat one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trainwright.data import load
from trainwright.exhibits.depth import Measured, claims, draw, measure, name, numbers, same_size, study_of
from trainwright.networks.mlp import Mlp
from trainwright.study import Study


@pytest.fixture(scope="module")
def study() -> Study:
    whole = study_of("quick")
    networks = (Mlp((256,)), Mlp((256, 256)), same_size(Mlp((256, 256)), 16 * 32, 100))
    arms = {name(one): whole.arms[name(one)].replace(steps=400, evaluate_every=400) for one in networks}
    return Study(whole.data, arms, seeds=2)


@pytest.fixture(scope="module")
def measured(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Measured:
    return measure(study, tmp_path_factory.mktemp("store"))


def test_numbers_are_their_two_digits_side_by_side() -> None:
    digits = load("digits")
    canvases, labels = numbers(digits.inputs, digits.targets, 50, np.random.default_rng(0))
    assert canvases.shape == (50, 10, 20)
    for canvas, label in zip(canvases, labels, strict=True):
        windows = [
            {digits.inputs[rows].tobytes() for rows in np.flatnonzero(digits.targets == digit)}
            for digit in divmod(int(label), 10)
        ]
        found = [
            left
            for left in range(5)
            if all(
                any(
                    canvas[top : top + 8, left + 8 * k : left + 8 * k + 8].tobytes() in known
                    for top in range(3)
                )
                for k, known in enumerate(windows)
            )
        ]
        assert found


def test_the_control_has_as_many_weights(study: Study, measured: Measured) -> None:
    deep, wide = measured.deep[1].parameters, measured.wide[1].parameters
    assert abs(deep - wide) <= (16 * 32 + 1 + 100) / 2  # half a unit's weights
    assert deep == (513 * 256) + (257 * 256) + (257 * 100)


def test_two_layers_beat_one_of_any_width(measured: Measured) -> None:
    """2,000 test numbers: a standard error of a difference is at most √(2 · 0.25 / 2,000) = 1.6 points."""
    worst = max(measured.deep[1].errors)
    assert worst < min(measured.deep[0].errors) - 3 * 0.016
    assert worst < min(measured.wide[1].errors) - 3 * 0.016


def test_every_statement_has_its_numbers_and_the_picture_its_panels(
    study: Study, measured: Measured, tmp_path: Path
) -> None:
    assert [claim.says.split()[0] for claim in claims(measured)] == ["A", "Every", "It"]
    assert len(draw(measured, study.dataset().inputs[:4]).axes) == 6
