"""A comparison's tables as text. Terminal, Markdown and HTML draw these same cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from trainwright.comparison.results import ArmResult, Comparison
from trainwright.report import quantities, verdicts
from trainwright.report.quantities import MISSING, Pieces

NOTHING: Pieces = (MISSING, "")


@dataclass(frozen=True)
class Row:
    """One arm: its name, its verdict's word, and a cell for each further column."""

    name: str
    verdict: str
    cells: tuple[Pieces, ...]


@dataclass(frozen=True)
class Table:
    """`heads[0]` stands above the names, `heads[1:]` above the cells of each row."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[Row, ...]


def results(comparison: Comparison) -> Table:
    """What each arm reached on test data. Nothing here depends on how fast the machine was."""
    unit, level = quantities.unit(comparison), quantities.level(comparison)
    points = ", points" if unit.percent else ""

    def cells(arm: ArmResult) -> Sequence[Pieces]:
        return (
            (verdicts.signed_word(arm), ""),
            quantities.difference(arm.difference.interval, unit) if arm.difference else NOTHING,
            quantities.error(arm.error, unit),
            *([(quantities.significant(arm.learning_rate), "")] if comparison.trained else []),
            (str(len(arm.seeds)), f"({arm.diverged} diverged)" if arm.diverged else ""),
        )

    metric = comparison.metric
    title = f"{metric[0].upper()}{metric[1:]} against {comparison.reference}"
    rate = ["learning rate"] if comparison.trained else []
    heads = ("verdict", f"difference{points} [{level}]", metric, *rate, "seeds")
    return _table(title, heads, comparison, cells)


def evidence(comparison: Comparison) -> Table:
    """The tests behind the verdicts."""

    def cells(arm: ArmResult) -> Sequence[Pieces]:
        difference = arm.difference
        if difference is None:
            return (NOTHING,) * 5
        more, seeds = difference.more_seeds, quantities.number(100 * difference.from_trainings)
        return (
            (quantities.probability(difference.p), ""),
            (quantities.probability(difference.p_holm), ""),
            (quantities.probability(difference.p_equivalence), ""),
            (seeds if seeds == MISSING else f"{seeds} %", ""),
            (f"about {more:,}" if more is not None else MISSING, ""),
        )

    heads = ("p", "Holm's p", "p of no difference", "variance from trainings", "more seeds")
    return _table("The tests behind the verdicts", heads, comparison, cells)


def costs(comparison: Comparison) -> Table:
    """Time, memory of weights and optimiser state, steps and size of each arm's training."""

    def cells(arm: ArmResult) -> Sequence[Pieces]:
        return (
            (quantities.duration(arm.seconds), ""),
            (f"{quantities.significant(arm.milliseconds_per_step)} ms", ""),
            (quantities.memory(arm.memory_bytes), ""),
            _steps(arm.best_steps),
            (f"{arm.parameters:,}", ""),
        )

    heads = ("time per training", "per step", "memory", "steps to best weights", "parameters")
    return _table("Cost of one training", heads, comparison, cells)


def settings(comparison: Comparison) -> Table:
    """The learning rates tried, and the mean validation error of each; the chosen one is marked."""
    rates = sorted({setting.learning_rate for arm in comparison.arms for setting in arm.grid})
    unit = quantities.unit(comparison)

    def cell(arm: ArmResult, rate: float) -> Pieces:
        for setting in arm.grid:
            if setting.learning_rate == rate:
                mark = "▸ " if rate == arm.learning_rate else ""
                diverged = f"({setting.diverged} diverged)" if setting.diverged else ""
                return mark + quantities.size(setting.validation_error, unit), diverged
        return NOTHING

    title = f"Validation {comparison.metric.removeprefix('test ')} per learning rate, ▸ chosen"
    heads = [quantities.significant(rate) for rate in rates]
    return _table(title, heads, comparison, lambda arm: [cell(arm, rate) for rate in rates])


def _table(
    title: str, heads: Sequence[str], comparison: Comparison, cells: Callable[[ArmResult], Sequence[Pieces]]
) -> Table:
    arms = verdicts.by_effect(comparison)
    rows = tuple(Row(arm.name, verdicts.word(arm), tuple(cells(arm))) for arm in arms)
    return Table(title, ("arm", *heads), rows)


def _steps(steps: Sequence[int]) -> Pieces:
    if not steps:
        return NOTHING
    spread = "" if min(steps) == max(steps) else f"({min(steps):,}–{max(steps):,})"
    return quantities.number(median(steps)), spread
