"""Crops and members."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import comparisons
from trainwright.exhibits import crops

SMALL = crops.SCALES["quick"].replace(
    images={"train": 200, "pool": 900, "test": 200, "halved": True}, steps=40, seeds=2, members=(1, 2)
)


def test_networks_are_the_same_however_they_are_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(crops.SCALES, "quick", SMALL)
    digits = crops.ex.images("digits", train=200)
    monkeypatch.setattr(crops.ex, "images", lambda *_, **__: digits)
    study = crops.study(SMALL)
    comparison = study.compare(tmp_path, workers=1)
    assert [arm.name for arm in comparison.arms] == [
        "1 crop", "10 crops", "144 crops",
        "2 networks, 1 crop", "2 networks, 10 crops", "2 networks, 144 crops",
    ]  # fmt: skip
    losses = [comparison.arm(way).curves["train_loss"].mean for way in crops.WAYS.values()]
    assert losses[0] == losses[1] == losses[2]
    made = crops.Crops().make("quick", tmp_path)
    assert len(made.tables["Errors (%) by networks and crops"]) == 6
    assert len(made.claims) == 5


@pytest.mark.parametrize(
    ("both", "scatter", "holds"),
    [
        (0.06, 0.0001, True),
        (0.09, 0.0001, False),  # more crops or networks make it worse
        (0.069, 0.01, None),  # it falls in the mean alone: the interval goes both ways
    ],
)
def test_the_order_holds_only_where_every_step_is_shown_to_gain(
    both: float, scatter: float, holds: bool | None
) -> None:
    arms = [crops.name(members, number) for members in (1, 3) for number in crops.WAYS]
    errors = dict(zip(arms, np.array([0.1, 0.09, 0.08, 0.08, 0.07, both])[:, None], strict=True))
    jitter = np.random.default_rng(0).normal(0, 1e-4, (len(arms), 6))
    jitter[-1] += scatter * np.array([1, -1, 1, -1, 1, -1])
    errors = {arm: mean + own for (arm, mean), own in zip(errors.items(), jitter, strict=True)}
    over = {
        reference: replace(
            comparisons.study(["plain"]),
            arms=tuple(
                comparisons.arm(arm, reached, None if arm == reference else errors[reference], delta=0.01)
                for arm, reached in errors.items()
            ),
            reference=reference,
        )
        for reference in arms
    }
    claim = crops.in_order(over, (1, 3))
    assert claim.holds is holds
    assert "of 7 steps" in claim.seen
