"""A comparison's tables as text. Terminal, Markdown and HTML draw these same cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median

from trainwright.comparison.metrics import labelled
from trainwright.comparison.results import ArmResult, BaselineResult, CandidateResult, Comparison
from trainwright.report import quantities, verdicts
from trainwright.report.quantities import MISSING, Pieces
from trainwright.report.sentences import chosen

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
    """What each arm and baseline reached on test data. Nothing here depends on how fast the machine was."""
    unit, level = quantities.unit(comparison), quantities.level(comparison)

    def cells(arm: ArmResult) -> Sequence[Pieces]:
        return (
            (verdicts.signed(verdicts.word(arm)), ""),
            quantities.difference(arm.difference.interval, unit) if arm.difference else NOTHING,
            quantities.error(arm.error, unit),
            *([(_rate(arm.learning_rate), "")] if comparison.trained else []),
            (str(len(arm.seeds)), f"({arm.diverged} diverged)" if arm.diverged else ""),
        )

    def beside(baseline: BaselineResult) -> Row:
        verdict = (verdicts.signed("baseline"), "")
        difference = quantities.difference(baseline.difference, unit)
        error, seeds = quantities.error(baseline.error, unit), (str(len(baseline.errors)), "")
        rate = [NOTHING] if comparison.trained else []
        return Row(baseline.name, "baseline", (verdict, difference, error, *rate, seeds))

    metric, points = comparison.metric, unit.points and f",{unit.points}"
    title = f"{metric[0].upper()}{metric[1:]} against {comparison.reference}"
    rate = ["learning rate"] if comparison.trained else []
    heads = ("verdict", f"difference{points} [{level}]", metric, *rate, "seeds")
    table = _table(title, heads, comparison, cells)
    return replace(table, rows=(*table.rows, *map(beside, comparison.baselines)))


def evidence(comparison: Comparison) -> Table:
    """The tests behind the verdicts."""
    unit = quantities.unit(comparison)
    judged = [arm.difference for arm in comparison.arms if arm.difference]
    single = any(difference.over_examples for difference in judged)

    def cells(arm: ArmResult) -> Sequence[Pieces]:
        difference = arm.difference
        if difference is None:
            return (NOTHING,) * (5 + single)
        over, more = difference.over_examples, difference.more_seeds
        tests = (difference.p, difference.p_holm, difference.p_equivalence)
        shown: list[Pieces] = [(quantities.probability(p), "") for p in tests]
        known = comparison.repeated or not comparison.examples
        shown += [(quantities.share(difference.from_trainings), "") if known else NOTHING]
        shown += [(f"about {more:,}" if more is not None else MISSING, "")]
        if single:
            shown += [quantities.difference(over, unit) if over else NOTHING]
        return shown

    heads = ["p", "adjusted p", "p of a larger difference", "from trainings", "more seeds"]
    heads += ["over test examples"] if single else []
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
    """What each arm could choose from: for each setting of its strategies the best learning rate."""
    unit = _of_choice(comparison)

    def line(arm: ArmResult, name: str) -> tuple[Pieces, ...]:
        tried = [setting for setting in arm.grid if setting.strategies == name]
        choice = chosen(arm)
        best = choice if choice in tried else min(tried, key=lambda setting: setting.validation_error)
        rates = sorted({setting.learning_rate for setting in tried})
        ends = " to ".join(map(_rate, dict.fromkeys((rates[0], rates[-1]))))
        return (
            (name or MISSING, ""),
            (ends, f"({len(rates)})" if len(rates) > 1 else ""),
            (_marked(best, choice), ""),
            _validation(best, unit, sum(setting.diverged for setting in tried)),
        )

    rows = [
        Row(arm.name, verdicts.word(arm), line(arm, name))
        for arm in verdicts.by_effect(comparison)
        for name in dict.fromkeys(setting.strategies for setting in arm.grid)
    ]
    heads = ("arm", "setting", "learning rates", "best rate", f"validation {choosing(comparison)}")
    return _without_empty(Table("What each arm could choose from, ▸ chosen", heads, tuple(rows)))


def candidates(comparison: Comparison) -> Table:
    """Every candidate of every arm with its validation error; the chosen one is marked."""
    unit = _of_choice(comparison)

    def line(arm: ArmResult, setting: CandidateResult) -> tuple[Pieces, ...]:
        name, rate = setting.strategies or MISSING, _marked(setting, chosen(arm))
        return (name, ""), (rate, ""), _validation(setting, unit, setting.diverged)

    rows = [
        Row(arm.name, verdicts.word(arm), line(arm, setting))
        for arm in verdicts.by_effect(comparison)
        for setting in sorted(arm.grid, key=lambda setting: (setting.strategies, setting.learning_rate))
    ]
    heads = ("arm", "setting", "learning rate", f"validation {choosing(comparison)}")
    return _without_empty(Table("All candidates, ▸ chosen", heads, tuple(rows)))


def _marked(setting: CandidateResult, choice: CandidateResult | None) -> str:
    return ("▸ " if setting == choice else "") + _rate(setting.learning_rate)


def _rate(rate: float) -> str:
    """A learning rate; an ensemble has none of its own, which its arm says with 0."""
    return quantities.significant(rate) if rate else MISSING


def _validation(setting: CandidateResult, unit: quantities.Unit, diverged: int) -> Pieces:
    return quantities.size(setting.validation_error, unit), f"({diverged} diverged)" if diverged else ""


def _without_empty(table: Table) -> Table:
    """The table without a first column of cells in which there is nothing."""
    if any(row.cells[0] != NOTHING for row in table.rows):
        return table
    rows = tuple(replace(row, cells=row.cells[1:]) for row in table.rows)
    return Table(table.title, (table.heads[0], *table.heads[2:]), rows)


def _of_choice(comparison: Comparison) -> quantities.Unit:
    """The unit of what candidates were chosen by, which may be another metric than the comparison's."""
    if not comparison.chosen_by:
        return quantities.unit(comparison)
    fraction = labelled(comparison.chosen_by).unit == "fraction"
    return quantities.percent() if fraction else quantities.plain(4)


def choosing(comparison: Comparison) -> str:
    """The metric that candidates were chosen by, without the split: "error", "balanced error", "RMSE"."""
    return (comparison.chosen_by or comparison.metric).replace("test ", "")


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
