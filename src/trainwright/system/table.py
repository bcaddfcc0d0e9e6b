"""The table: published error beside measured error, from the records alone.

A row without a record says "not run". No measured number comes from anywhere else.
"""

from __future__ import annotations

from pathlib import Path

from trainwright.report.markdown import prose, row_of
from trainwright.report.quantities import MISSING, duration, number
from trainwright.system import record
from trainwright.system.contract import Budget, Pending, System, Table
from trainwright.system.record import Record

HEADS = ("system", "published %", "measured % [95 %]", "n", "updates", "time per training", "budget")


def rows(table: Table, results: Path, budget: Budget | None = None) -> list[tuple[str, ...]]:
    """The cells under `HEADS`. Without a budget each row shows its largest one that has a finished record."""
    return [_row(row, _kept(row, results, budget)) for row in table.rows]


def _kept(row: System | Pending, results: Path, budget: Budget | None) -> Record | None:
    if budget is None:
        return record.best(results, row.name)
    return record.read(results, row.name, budget)


def _row(row: System | Pending, kept: Record | None) -> tuple[str, ...]:
    head = (row.name, number(row.published, 2))
    if kept is None:
        why = f"not run: needs {row.needs}" if isinstance(row, Pending) else "not run"
        return (*head, why, *[MISSING] * 4)
    return (
        *head,
        measured(kept),
        str(len(kept.outcomes)),
        f"{kept.steps:,}" if kept.steps else MISSING,
        duration(kept.seconds),
        kept.budget,
    )


def measured(kept: Record) -> str:
    """A record's error and its interval over seeds, or how far the training is.

    `1.07 [1.01, 1.13]`, `1.07` of one seed, `not finished: 46,900 of 140,700 updates`.
    """
    if kept.mean is None:
        return f"not finished: {kept.steps:,} of {kept.length:,} updates"
    bounds = f" [{', '.join(number(bound, 2) for bound in kept.interval)}]" if kept.interval else ""
    diverged = sum(outcome.status == "diverged" for outcome in kept.outcomes)
    return f"{number(kept.mean, 2)}{bounds}" + (f", {diverged} diverged" if diverged else "")


def markdown(table: Table, results: Path, budget: Budget | None = None) -> str:
    """The table as Markdown, with what was trained and how it deviates, row by row."""
    align = [":---", "---:", ":---", *["---:"] * 3, ":---"]
    lines = [row_of(list(HEADS)), row_of(align)]
    lines += [row_of([f"`{name}`", *map(prose, cells)]) for name, *cells in rows(table, results, budget)]
    parts = [f"# {prose(table.title)}", prose(table.about), "\n".join(lines)]
    for row in table.systems:
        parts.append(_details(row, _kept(row, results, budget)))
    return "\n\n".join(parts) + "\n"


def _details(row: System, kept: Record | None) -> str:
    parts = [f"## `{row.name}`", f"{prose(row.title)}. Published: {row.published} % ({prose(row.source)})."]
    if row.deviations:
        parts.append("\n".join(f"- {prose(text)}" for text in row.deviations))
    if kept is None:
        parts.append(f"Not run. `trainwright system {row.name}` trains it.")
    else:
        on = kept.environment
        versions = ", ".join(f"{name} {on[name]}" for name in ("python", "jax", "flax", "numpy"))
        errors = ", ".join(f"{outcome.error:.2f}" for outcome in kept.outcomes)
        seeds = f"Test errors by seed, in %: {errors}. " if errors else ""
        parts.append(
            f"{seeds}`{kept.command}`, {kept.date}; {on['cores']} cores, {on['device']}, {prose(versions)}."
        )
    return "\n\n".join(parts)
