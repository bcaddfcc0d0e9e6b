"""The table: published error beside measured error, from the records alone.

A row without a record says "not run". No measured number comes from anywhere else.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from trainwright.report.markdown import prose, row_of
from trainwright.report.quantities import MISSING, duration, number
from trainwright.system import record
from trainwright.system.contract import Budget, System, Table
from trainwright.system.record import Record

HEADS = ("system", "published %", "measured % [95 %]", "n", "updates", "time per training", "budget")


def rows(table: Table, results: Path, budget: Budget | None = None) -> list[tuple[str, ...]]:
    """The cells under `HEADS`. Without a budget each row shows its largest one that has a finished record."""
    return [_row(row, _kept(row, results, budget)) for row in table.systems]


def as_json(table: Table, results: Path, budget: Budget | None = None) -> list[dict[str, Any]]:
    """The same as plain values: the published error and the record, None where there is none."""
    kept = [_kept(row, results, budget) for row in table.systems]
    return [
        {"system": row.name, "published": row.published, "record": found and asdict(found)}
        for row, found in zip(table.systems, kept, strict=True)
    ]


def measured(kept: Record) -> str:
    """A record's error and its interval over seeds, or how far the training is.

    `1.07 [1.01, 1.13]`; `1.07` of one seed; `not finished: 46,900 of 140,700 updates`.
    """
    if kept.mean is None:
        return f"not finished: {kept.steps:,} of {kept.length:,} updates"
    bounds = f" [{', '.join(number(bound, 2) for bound in kept.interval)}]" if kept.interval else ""
    diverged = sum(outcome.status == "diverged" for outcome in kept.outcomes)
    return f"{number(kept.mean, 2)}{bounds}" + (f", {diverged} diverged" if diverged else "")


def markdown(table: Table, results: Path, budget: Budget | None = None) -> str:
    """The table as Markdown, and row by row what deviates from the source and what was run."""
    lines = [row_of(list(HEADS)), row_of([":---", "---:", ":---", "---:", "---:", "---:", ":---"])]
    lines += [row_of([f"`{name}`", *map(prose, cells)]) for name, *cells in rows(table, results, budget)]
    parts = [f"# {prose(table.title)}", prose(table.about), "\n".join(lines)]
    for system in table.systems:
        parts += _details(system, _kept(system, results, budget))
        if apart := record.largest(results, system.name, held_out=True):
            parts.append(
                f"Trained without the validation examples ({apart.budget}), error on these in %:"
                f" {measured(apart)}. {_how(apart)}"
            )
    return "\n\n".join(parts) + "\n"


def _kept(row: System, results: Path, budget: Budget | None) -> Record | None:
    if budget is None:
        return record.largest(results, row.name)
    return record.read(results, row.name, budget)


def _row(row: System, kept: Record | None) -> tuple[str, ...]:
    head = (row.name, number(row.published, 2))
    if kept is None:
        return (*head, "not run", *[MISSING] * 4)
    return (
        *head,
        measured(kept),
        str(len(kept.outcomes)),
        f"{kept.steps:,}" if kept.steps else MISSING,
        duration(kept.seconds),
        kept.budget,
    )


def _details(system: System, kept: Record | None) -> list[str]:
    parts = [
        f"## `{system.name}`",
        f"{prose(system.title)}. Published: {number(system.published, 2)} % ({prose(system.source)}).",
    ]
    if system.deviations:
        parts.append("\n".join(f"- {prose(text)}" for text in system.deviations))
    if kept is None:
        return [*parts, f"Not run: `trainwright system {system.name}` trains it."]
    errors = ", ".join(number(outcome.error, 2) for outcome in kept.outcomes)
    return [*parts, f"Test error by seed, in %: {errors or MISSING}. {_how(kept)}"]


def _how(kept: Record) -> str:
    """Command, date and environment."""
    on = kept.environment
    versions = ", ".join(f"{name} {on[name]}" for name in ("python", "jax", "flax", "numpy"))
    return f"`{kept.command}`, {kept.date}; {on['cores']} cores, {on['device']}, {versions}."
