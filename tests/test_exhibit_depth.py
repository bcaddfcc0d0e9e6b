"""Depth: the numbers are made as said, the control has as many weights, and layers beat one at fair rates."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import comparisons
from trainwright.comparison.results import Comparison
from trainwright.data import load
from trainwright.exhibits import depth as exhibit
from trainwright.networks.mlp import Mlp
from trainwright.studies.study import Study


def test_numbers_are_their_two_digits_side_by_side() -> None:
    digits = load("digits")
    canvases, labels = exhibit.numbers(digits.inputs, digits.targets, 50, np.random.default_rng(0))
    assert canvases.shape == (50, 10, 20)
    for canvas, label in zip(canvases, labels, strict=True):
        tens, ones = (
            {digits.inputs[row].tobytes() for row in np.flatnonzero(digits.targets == digit)}
            for digit in divmod(int(label), 10)
        )
        windows = np.lib.stride_tricks.sliding_window_view(canvas, (8, 8))  # (tops, lefts, 8, 8)
        found = [
            [{window.tobytes() for window in windows[:, left + shift]} for shift in (0, 8)]
            for left in range(5)
        ]
        assert any(first & tens and second & ones for first, second in found)


@pytest.mark.parametrize("depth", [2, 4, 6])
def test_the_control_has_as_many_weights(depth: int) -> None:
    def parameters(*widths: int) -> int:
        return sum((m + 1) * n for m, n in pairwise(widths))

    (units,) = exhibit.same_size(Mlp((128,) * depth), 512, 100).hidden
    missing = parameters(512, *(128,) * depth, 100) - parameters(512, units, 100)
    assert abs(missing) <= (512 + 1 + 100) / 2  # half a unit's


def test_three_layers_beat_one_of_more_weights(tmp_path: Path) -> None:
    """At the same steps, each at its own rate. The two read the same 4,000 numbers, so the variance of the
    difference of their errors is at most the sum of both variances, (1/4 + 1/4) / 4,000."""
    whole, networks = exhibit.plan(exhibit.SCALES["quick"])
    assert networks.control == dict.fromkeys(("2×128", "3×128", "4×128"), "1×209")
    names = ("1×128", "3×128", "1×209")
    arms = {name: whole.arms[name].replace(steps=1000, evaluate_every=1000) for name in names}
    study = Study(whole.data, arms, seeds=1, rates=whole.rates)
    comparison = study.compare(tmp_path)
    _, deep, wide = comparison.arms
    assert wide.parameters > deep.parameters
    assert deep.errors[0] < wide.errors[0] - 3 * np.sqrt(0.5 / 4000)
    shown = exhibit.Networks(["1×128", "3×128"], {"3×128": "1×209"})
    assert len(exhibit.draw(comparison, shown, study.dataset(0).inputs[:4]).axes) == 6


NETWORKS = exhibit.Networks(["1×64", "2×64", "3×64"], {"2×64": "1×90", "3×64": "1×90"})


def made_up(*errors: float) -> dict[str, Comparison]:
    """1×64, 2×64, 3×64 and, last, a single layer about as large, with these test errors, over four seeds."""
    scatter = 0.001 * np.array([[1, -1, 0, 0], [0, 0, 1, -1], [-1, 0, 0, 1], [0, 1, -1, 0]])
    made = dict(zip((*NETWORKS.deep, "1×90"), np.array(errors)[:, None] + scatter, strict=True))
    return {
        reference: replace(
            comparisons.study(["plain"]),
            arms=tuple(
                comparisons.arm(name, reached, None if name == reference else made[reference], delta=0.01)
                for name, reached in made.items()
            ),
            reference=reference,
        )
        for reference in made
    }


@pytest.mark.parametrize(
    ("errors", "holds"),
    [
        ((0.5, 0.4, 0.3, 0.45), [True, True, True]),
        ((0.5, 0.4, 0.4, 0.45), [True, None, True]),  # the third layer adds nothing
        ((0.5, 0.4, 0.3, 0.35), [True, True, False]),  # the single layer beats two
        ((0.5, 0.5, 0.3, 0.6), [None, None, True]),
    ],
)
def test_statements_hold_where_every_interval_does(
    errors: tuple[float, ...], holds: list[bool | None]
) -> None:
    assert [claim.holds for claim in exhibit.claims(made_up(*errors), NETWORKS)] == holds
