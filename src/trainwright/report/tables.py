"""A comparison's tables as text. Terminal, Markdown and HTML draw these same cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from trainwright.comparison.results import ArmResult, Comparison, Setting
from trainwright.report import quantities, verdicts
from trainwright.report.quantities import MISSING, Pieces


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
    where = "points" if unit.percent else unit.difference
    heads = (
        "arm",
        "learning rate",
        comparison.metric,
        f"difference, {where} [{level}]",
        "verdict",
        "seeds",
    )
    rows = [
        (
            (quantities.significant(arm.learning_rate), ""),
            quantities.error(arm.error, unit),
            quantities.difference(arm.difference.interval, unit) if arm.difference else (MISSING, ""),
            (verdicts.signed_word(arm), ""),
            (str(len(arm.seeds)), f"({arm.diverged} diverged)" if arm.diverged else ""),
        )
        for arm in comparison.arms
    ]
    return _table(
        f"{comparison.metric[0].upper()}{comparison.metric[1:]} against {comparison.reference}",
        heads,
        comparison,
        rows,
    )


def evidence(comparison: Comparison) -> Table:
    """The tests behind the verdicts."""
    unit = quantities.unit(comparison)
    heads = ("arm", "p", "p after Holm", "effect d", "over test examples", "p over examples", "more seeds")
    rows: list[tuple[Pieces, ...]] = []
    for arm in comparison.arms:
        found = arm.difference
        if not found:
            rows.append(((MISSING, ""),) * 6)
            continue
        over = found.over_examples
        rows.append(
            (
                (quantities.probability(found.p), ""),
                (quantities.probability(found.p_holm), ""),
                (quantities.number(found.effect, 2, signed=True), ""),
                quantities.difference(over, unit) if over else (MISSING, ""),
                (quantities.probability(found.p_over_examples), ""),
                (f"about {found.more_seeds:,}" if found.more_seeds is not None else MISSING, ""),
            )
        )
    return _table("The tests behind the verdicts", heads, comparison, rows)


def costs(comparison: Comparison) -> Table:
    """Time, memory of weights and optimiser state, steps and size of each arm's training."""
    heads = (
        "arm",
        "time per training",
        "per step",
        "state",
        "steps to the kept weights",
        "parameters",
    )
    rows = [
        (
            (quantities.duration(arm.seconds), ""),
            (f"{quantities.significant(arm.milliseconds_per_step)} ms", ""),
            (quantities.memory(arm.memory_bytes), ""),
            _steps(arm.best_steps),
            (f"{arm.parameters:,}", ""),
        )
        for arm in comparison.arms
    ]
    return _table("Cost", heads, comparison, rows)


def settings(comparison: Comparison) -> Table:
    """The learning rates tried, and the mean validation error of each; the chosen one is marked."""
    rates = sorted({setting.learning_rate for arm in comparison.arms for setting in arm.grid})
    unit = quantities.unit(comparison)

    def cell(arm: ArmResult, rate: float) -> Pieces:
        setting = next((tried for tried in arm.grid if tried.learning_rate == rate), None)
        return _setting(setting, unit, chosen=rate == arm.learning_rate) if setting else (MISSING, "")

    rows = [tuple(cell(arm, rate) for rate in rates) for arm in comparison.arms]
    heads = ("arm", *(quantities.significant(rate) for rate in rates))
    title = f"Validation {comparison.metric.removeprefix('test ')} per learning rate, ▸ chosen"
    return _table(title, heads, comparison, rows)


def _table(
    title: str, heads: tuple[str, ...], comparison: Comparison, cells: Sequence[tuple[Pieces, ...]]
) -> Table:
    rows = (Row(arm.name, verdicts.word(arm), row) for arm, row in zip(comparison.arms, cells, strict=True))
    return Table(title, heads, tuple(rows))


def _setting(setting: Setting, unit: quantities.Unit, *, chosen: bool) -> Pieces:
    value = setting.validation_error * unit.factor
    text = quantities.number(value, 2) if unit.percent else quantities.significant(value)
    text += unit.error if text != MISSING else ""
    return ("▸ " if chosen else "") + text, f"({setting.diverged} diverged)" if setting.diverged else ""


def _steps(steps: Sequence[int]) -> Pieces:
    if not steps:
        return MISSING, ""
    spread = "" if min(steps) == max(steps) else f"({min(steps):,}–{max(steps):,})"
    return quantities.number(median(steps)), spread
