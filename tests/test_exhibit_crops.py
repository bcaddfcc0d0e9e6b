"""Crops and members."""

from __future__ import annotations

from pathlib import Path

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


@pytest.mark.parametrize(("both", "holds"), [(-0.04, True), (-0.01, False)])
def test_the_order_holds_only_where_every_row_and_column_falls(both: float, holds: bool) -> None:
    arms = [crops.name(members, number) for members in (1, 3) for number in crops.WAYS]
    comparison = comparisons.study(arms, base=0.1, shifts=(0, -0.01, -0.02, -0.02, -0.03, both))
    assert crops.in_order(comparison, (1, 3)).holds is holds
