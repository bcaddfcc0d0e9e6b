"""Architectures: two groups of errors, and the whole exhibit on small networks."""

from __future__ import annotations

from pathlib import Path

import pytest

import comparisons
from trainwright.comparison.measured import Measured
from trainwright.comparison.results import Comparison
from trainwright.comparison.sweep import Sweep
from trainwright.exhibits import architectures
from trainwright.exhibits.architectures import SCALES


def pair(plain: float, dropped: float, seeds: int = 4) -> Comparison:
    """Test errors without and with dropout; a single seed has an interval over examples, ± 0.4 points."""
    return comparisons.study(["without", "with"], seeds, base=plain, shifts=(0, dropped - plain))


def sweep(*pairs: Comparison) -> Sweep:
    return Sweep({f"{2 + place}×100": one for place, one in enumerate(pairs)})


APART, TOUCHING, MIXED = (Measured(mean, mean - 0.5, mean + 0.5, 4, "points") for mean in (4.0, 0.2, -1.0))


def test_groups_are_two_and_every_network_gains() -> None:
    gain = sweep(pair(0.10, 0.05), pair(0.11, 0.06))
    assert architectures.two_groups(gain, APART).holds
    assert architectures.two_groups(gain, TOUCHING).holds is None  # apart in the means alone
    assert architectures.two_groups(gain, MIXED).holds is False  # all gain, in groups that overlap
    assert not architectures.two_groups(sweep(pair(0.10, 0.05), pair(0.11, 0.11)), APART).holds


def test_intervals_of_a_single_training_are_said_to_be_over_examples() -> None:
    alone = architectures.two_groups(sweep(pair(0.10, 0.05, seeds=1)), APART)
    assert alone.holds
    assert "test examples)" in alone.seen
    assert "n = 4)" in architectures.two_groups(sweep(pair(0.10, 0.05)), APART).seen


def test_the_smallest_version_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it, on networks of 8 units trained for 20 steps: what is shown, not whether it holds."""
    smallest = SCALES["quick"].replace(
        images={"train": 100, "pool": 600, "test": 100, "halved": True}, widths=(8, 12), steps=20, every=10,
        seeds=2,
    )  # fmt: skip
    monkeypatch.setitem(SCALES, "quick", smallest)
    shown = architectures.Architectures().make("quick", tmp_path)
    assert len(shown.claims) == len(shown.tables) == 1
    assert len(next(iter(shown.tables.values()))) == 6
    assert "between the groups: the worst network with dropout, " in shown.claims[0].seen
    assert all(axes.get_title() for axes in shown.figure.axes)
