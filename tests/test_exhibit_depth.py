"""Depth: the numbers are made as said, the control has as many weights, and layers beat one at fair rates."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import comparisons
from trainwright.data import load
from trainwright.exhibits.depth import Measured, claims, draw, measure, name, numbers, same_size, study_of
from trainwright.networks.mlp import Mlp
from trainwright.studies.study import Study


@pytest.fixture(scope="module")
def study() -> Study:
    """One layer, three, and one layer as large as four; in fewer steps than the exhibit's."""
    whole = study_of("quick")
    networks = (Mlp((128,)), Mlp((128,) * 3), same_size(Mlp((128,) * 4), 16 * 32, 100))
    arms = {name(one): whole.arms[name(one)].replace(steps=1000, evaluate_every=1000) for one in networks}
    return Study(whole.data, arms, seeds=1, rates=whole.rates, folds=False)


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


@pytest.mark.parametrize("depth", [2, 4, 6])
def test_the_control_has_as_many_weights(depth: int) -> None:
    def parameters(*widths: int) -> int:
        return sum((m + 1) * n for m, n in pairwise(widths))

    (units,) = same_size(Mlp((128,) * depth), 512, 100).hidden
    missing = parameters(512, *(128,) * depth, 100) - parameters(512, units, 100)
    assert abs(missing) <= (512 + 1 + 100) / 2  # half a unit's


def test_every_network_has_the_rate_that_validates_best(measured: Measured) -> None:
    for arm in (*measured.deep, *measured.wide[1:]):
        assert [one.learning_rate for one in arm.grid] == [0.001, 0.003, 0.01, 0.03]
        best = min(arm.grid, key=lambda one: one.validation_error)
        assert arm.learning_rate == best.learning_rate


def test_three_layers_beat_one_of_more_weights(measured: Measured) -> None:
    """At the same steps, each at its own rate. The two read the same 4,000 numbers, so the variance of the
    difference of their errors is at most the sum of both variances, (1/4 + 1/4) / 4,000."""
    deep, wide = measured.deep[1], measured.wide[1]
    assert wide.parameters > deep.parameters
    assert deep.errors[0] < wide.errors[0] - 3 * np.sqrt(0.5 / 4000)


def made_up(*errors: float) -> Measured:
    """1×64, 2×64, 3×64 and, last, a single layer about as large, with these test errors, over four seeds."""
    sizes = {"1×64": 80, "2×64": 95, "3×64": 110, "1×90": 109}
    scatter = 0.001 * np.array([[1, -1, 0, 0], [0, 0, 1, -1], [-1, 0, 0, 1], [0, 1, -1, 0]])
    arms = []
    for (label, parameters), error, noise in zip(sizes.items(), errors, scatter, strict=True):
        depth, width = map(int, label.split("×"))
        made = comparisons.arm(label, error + noise, None, delta=0.01)
        recipe = {"network": {"hidden": [width] * depth}}
        arms.append(replace(made, recipe=recipe, parameters=parameters))
    return Measured(replace(comparisons.nine_arms(), arms=tuple(arms)))


@pytest.mark.parametrize(
    ("errors", "holds"),
    [
        ((0.5, 0.4, 0.3, 0.45), [True, True, True]),
        ((0.5, 0.4, 0.4, 0.45), [True, False, True]),  # the third layer adds nothing
        ((0.5, 0.4, 0.3, 0.35), [True, True, False]),  # the single layer beats two
        ((0.5, 0.5, 0.3, 0.6), [False, False, True]),
    ],
)
def test_statements_hold_where_every_interval_does(errors: tuple[float, ...], holds: list[bool]) -> None:
    assert [claim.holds for claim in claims(made_up(*errors), chosen=False)] == holds


def test_a_size_that_was_chosen_is_said_to_be(study: Study, measured: Measured) -> None:
    for chosen in (True, False):
        for claim in claims(measured, chosen=chosen):
            assert claim.seen.startswith("at the size chosen for it: ") == chosen
    assert len(draw(measured, study.dataset().inputs[:4]).axes) == 6
