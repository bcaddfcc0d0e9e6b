"""The table: published error beside measured error, from the records alone.

A row without a record says "not run". No measured number comes from anywhere else: what a plan says of a row
stands in a table of its own.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from trainwright.comparison.metrics import METRICS
from trainwright.report.markdown_text import prose, row_of
from trainwright.report.quantities import MISSING, duration, number
from trainwright.report.sentences import counted
from trainwright.system import plan, record
from trainwright.system.contract import System, SystemBudget, Table
from trainwright.system.plan import TablePlan
from trainwright.system.record import SystemRecord

HEADS = (
    "system", "published %", "measured % [95 %]", "n", "updates", "time per training", "budget", "measure",
    "data",
)  # fmt: skip


def rows(table: Table, results: Path, budget: SystemBudget | None = None) -> list[tuple[str, ...]]:
    """The cells under `HEADS`. Without a budget each row shows its largest one that has a finished record."""
    return [_row(row, _kept(row, results, budget)) for row in table.systems]


def as_json(
    table: Table, results: Path, budget: SystemBudget | None = None, planned: TablePlan | None = None
) -> list[dict[str, Any]]:
    """The same as plain values: the published error, the record and the plan; None where there is none."""
    planned = planned or TablePlan.of(table, results)
    kept = [_kept(row, results, budget) for row in table.systems]
    return [
        {
            "system": row.name,
            "published": row.published,
            "metric": row.metric,
            "record": stored and asdict(stored),
            "plan": planned.as_json(row.name),
        }
        for row, stored in zip(table.systems, kept, strict=True)
    ]


def published(system: System | SystemRecord) -> str:
    """The published error; a dash where there is none."""
    return MISSING if system.published is None else number(system.published, 2)


def metric(system: System | SystemRecord) -> str:
    """What the errors are of, in a word or two: `top-5 error`."""
    return METRICS[system.metric].label.replace("test ", "")


def data(kept: SystemRecord) -> str:
    """What a record was trained on and judged by: `cifar10 (50,000 + 10,000)`."""
    return kept.data if kept.examples is None else "{} ({:,} + {:,})".format(kept.data, *kept.examples)


def measured(kept: SystemRecord) -> str:
    """A record's error and its interval over seeds, or how far the training is.

    `1.07 [1.01, 1.13]`; `1.07` of one seed; `not finished: 46,900 of 140,700 updates`.
    """
    if kept.mean is None:
        return f"not finished: {kept.steps:,} of {kept.length:,} updates"
    bounds = f" [{', '.join(number(bound, 2) for bound in kept.interval)}]" if kept.interval else ""
    diverged = sum(outcome.status == "diverged" for outcome in kept.outcomes)
    return f"{number(kept.mean, 2)}{bounds}" + (f", {diverged} diverged" if diverged else "")


def markdown(
    table: Table, results: Path, budget: SystemBudget | None = None, planned: TablePlan | None = None
) -> str:
    """The table as Markdown, and row by row what deviates from the source and what was run."""
    lines = [
        row_of(list(HEADS)),
        row_of([":---", "---:", ":---", "---:", "---:", "---:", ":---", ":---", ":---"]),
    ]
    lines += [row_of([f"`{name}`", *map(prose, cells)]) for name, *cells in rows(table, results, budget)]
    parts = [f"# {prose(table.title)}", prose(table.about), "\n".join(lines)]
    planned = planned or TablePlan.of(table, results)
    if planned.plans:
        lines = [row_of(list(plan.HEADS)), row_of([":---", *["---:"] * (len(plan.HEADS) - 1)])]
        lines += [row_of([f"`{name}`", *map(prose, cells)]) for name, *cells in planned.rows]
        parts += ["## The plan", prose(planned.sentence), "\n".join(lines)]
    for system in table.systems:
        parts += _details(system, _kept(system, results, budget))
        if apart := record.largest(results, system.name, held_out=True):
            parts.append(
                f"Trained without the validation examples ({apart.budget}), error on these in %:"
                f" {measured(apart)}. {_how(apart)}"
            )
    return "\n\n".join(parts) + "\n"


def _kept(row: System, results: Path, budget: SystemBudget | None) -> SystemRecord | None:
    if budget is None:
        return record.largest(results, row.name)
    return record.read(results, row.name, budget)


def _row(row: System, kept: SystemRecord | None) -> tuple[str, ...]:
    head = (row.name, published(row))
    if kept is None:
        return (*head, "not run", *[MISSING] * 4, metric(row), MISSING)
    return (
        *head,
        measured(kept),
        str(len(kept.outcomes)),
        f"{kept.steps:,}" if kept.steps else MISSING,
        duration(kept.seconds) if kept.seconds else MISSING,  # one interval: all of it compiled, too
        kept.budget,
        metric(kept),
        data(kept),
    )


def _details(system: System, kept: SystemRecord | None) -> list[str]:
    parts = [
        f"## `{system.name}`",
        f"{prose(system.title)}. {_source(system)}",
    ]
    if system.deviations:
        parts.append("\n".join(f"- {prose(text)}" for text in system.deviations))
    if kept is None:
        return [*parts, f"Not run: `trainwright system {system.name}` trains it."]
    errors = ", ".join(number(outcome.error, 2) for outcome in kept.outcomes)
    label = METRICS[kept.metric].label.capitalize()
    where = "" if kept.data == system.dataset else f" on {prose(kept.data)}, not {system.dataset}"
    chance = ""
    if kept.examples and (bounds := kept.by_chance):
        low, high = (number(bound, 2) for bound in bounds)
        chance = f" {kept.examples[1]:,} examples judge: they alone leave the first {low} to {high} (95 %)."
    if kept.guess is not None:
        chance += f" Guessing without looking at the input gets {number(kept.guess, 2)}."
    return [*parts, f"{label} by seed{where}, in %: {errors or MISSING}.{chance} {_how(kept)}"]


def _source(system: System) -> str:
    """The published error and where it stands."""
    if system.published is None:
        return f"Published in a figure only ({prose(system.source)})."
    return f"Published: {published(system)} % ({prose(system.source)})."


def _how(kept: SystemRecord) -> str:
    """Command, date and environment."""
    on = kept.environment
    versions = ", ".join(f"{name} {on[name]}" for name in ("python", "jax", "flax", "numpy"))
    return f"`{kept.command}`, {kept.date}; {counted(on['cores'], 'core')}, {on['device']}, {versions}."
