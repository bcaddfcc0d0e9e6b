"""Depth: the numbers are made as said, the control has as many weights, and layers beat one at fair rates."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import comparisons
from trainwright.comparison.compare import compare
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
    whole = exhibit.study(exhibit.SCALES["quick"])
    networks = ("1×128", "3×128", "1×209")
    arms = {name: whole.arms[name].replace(steps=1000, evaluate_every=1000) for name in networks}
    study = Study(whole.data, arms, seeds=1, rates=whole.rates)
    runs = study.run(tmp_path)
    seen = exhibit.see({name: compare(runs, reference=name) for name in networks})
    (_, deep), (_, wide) = seen.deep, seen.wide
    assert wide.parameters > deep.parameters
    assert deep.errors[0] < wide.errors[0] - 3 * np.sqrt(0.5 / 4000)
    assert len(exhibit.draw(seen, study.dataset(0).inputs[:4]).axes) == 6


def made_up(*errors: float) -> exhibit.Seen:
    """1×64, 2×64, 3×64 and, last, a single layer about as large, with these test errors, over four seeds."""
    sizes = {"1×64": 80, "2×64": 95, "3×64": 110, "1×90": 109}
    scatter = 0.001 * np.array([[1, -1, 0, 0], [0, 0, 1, -1], [-1, 0, 0, 1], [0, 1, -1, 0]])
    made = dict(zip(sizes, np.array(errors)[:, None] + scatter, strict=True))
    over = {}
    for reference in sizes:
        arms = []
        for name, parameters in sizes.items():
            other = None if name == reference else made[reference]
            units, width = map(int, name.split("×"))
            arm = comparisons.arm(name, made[name], other, delta=0.01)
            network = {"network": {"hidden": [width] * units}}
            arms.append(replace(arm, recipe=network, parameters=parameters))
        over[reference] = replace(comparisons.study(["plain"]), arms=tuple(arms), reference=reference)
    return exhibit.see(over)


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
    seen = made_up(*errors)
    claims = (exhibit.beats_one_layer, exhibit.rises, exhibit.not_for_weights)
    assert [claim(seen).holds for claim in claims] == holds
