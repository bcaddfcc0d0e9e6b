"""A factorial study's effects as a table."""

from __future__ import annotations

from trainwright.comparison.results import Comparison, Effect
from trainwright.report import quantities, verdicts
from trainwright.report.tables import Row, Table


def effects(comparison: Comparison) -> Table:
    """A row for each main effect, then for each pair."""
    found = comparison.factorial
    assert found is not None
    unit, level = quantities.unit(comparison), quantities.level(comparison)

    def row(effect: Effect) -> Row:
        cells = (
            (verdicts.signed(effect.verdict) if len(effect.factors) == 1 else _pair(effect), ""),
            quantities.difference(effect.interval, unit),
            (quantities.probability(effect.p_holm), ""),
        )
        return Row(" × ".join(effect.factors), effect.verdict, cells)

    of = {1: "all combinations", 2: "half of all combinations", 4: "a quarter of all combinations"}
    points = unit.points and f",{unit.points}"
    title = f"Main effects and interactions, from {found.arms} arms ({of[found.share]})"
    heads = ("effect", "verdict", f"difference{points} [{level}]", "adjusted p")
    return Table(title, heads, tuple(map(row, found.effects)))


def _pair(effect: Effect) -> str:
    """An interaction's verdict: the metric falls or rises by more than the sum."""
    return {
        "helps": "✓ more together",
        "hurts": "✗ less together",
        "no difference": "≈ no interaction",
        "inconclusive": "? inconclusive",
        "changed nothing": "= no interaction",
    }[effect.verdict]
