"""What the command line shows besides a report: facts, exhibits, and the strategies' cards."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from trainwright.diagnosis.instruments import LayerStats
    from trainwright.diagnosis.symptoms import Diagnosis
    from trainwright.exhibit import ExhibitResult
    from trainwright.report.catalogue import Card

ROWS = 16  # of an exhibit's table; --json has them all


def console() -> Console:
    """Where results are printed: standard output, as wide as a page when it is not a terminal."""
    return Console(width=None if sys.stdout.isatty() else 120, highlight=False)


def card_table(cards: Sequence[Card]) -> Table:
    """The catalogue: each strategy's name and what it does."""
    table = Table(box=None, pad_edge=False)
    table.add_column("strategy", style="bold", no_wrap=True)
    table.add_column("what it does")
    for card in cards:
        table.add_row(card.name, Text(card.summary))
    return table


def card_page(card: Card) -> Group:
    """One strategy explained: what it changes, its settings, its source, deviations, an example."""
    settings = Table(box=None, pad_edge=False)
    for head in ("setting", "default", "allowed", "meaning"):
        settings.add_column(head, overflow="fold")
    for row in card.settings:
        settings.add_row(Text(row.name, "bold"), *map(Text, (row.default, row.allowed, row.description)))
    parts: list[Any] = [Text(card.name, "bold"), Text(card.summary), "", Text(card.changes), "", settings]
    for head, text in (("Source", card.source), ("Notes", card.deviations)):
        if text:
            parts += ["", Text.assemble((f"{head}: ", "bold"), text)]
    example = f"trainwright study digits --arm {shlex.quote(card.example)}"
    return Group(*parts, "", Text.assemble(("Example: ", "bold"), example))


def plain_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Rows of words under their heads, the first column a name."""
    table = Table(box=None, pad_edge=False)
    for number, head in enumerate(heads):
        table.add_column(Text(head), style=None if number else "bold", no_wrap=not number)
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def exhibit_table(titles: dict[str, str]) -> Table:
    """The exhibits: each one's name and title."""
    table = Table(box=None, pad_edge=False)
    table.add_column("exhibit", style="bold", no_wrap=True)
    table.add_column("what it shows")
    for name, title in titles.items():
        table.add_row(name, Text(title))
    return table


def exhibit_page(shown: ExhibitResult) -> Group:
    """An exhibit's claims with their findings, its caveats, and the first rows of each table."""
    from trainwright.exhibit import sign, spelled
    from trainwright.report.quantities import typeset

    parts: list[Any] = [Text(shown.title, "bold")]
    for claim in shown.claims:
        style = {True: "bold green", False: "bold red", None: "bold yellow"}[claim.holds]
        said = Table.grid(padding=(0, 1, 0, 0))
        said.add_row(Text(sign(claim), style), Text(f"{claim.says} ({claim.source})"))
        said.add_row("", Text(typeset(claim.seen), "dim"))
        parts += ["", said]
    for note in shown.notes:
        parts += ["", Text.assemble(("Caveat: ", "bold"), typeset(note))]
    for caption, numbers in shown.tables.items():
        heads, rows = spelled(numbers)
        parts += ["", Text(typeset(caption), "italic"), Numbers(heads, rows[:ROWS])]
        if len(rows) > ROWS:
            parts.append(Text(f"... and {len(rows) - ROWS} more rows: see --json", "dim"))
    return Group(*parts)


class Numbers:
    """A table of numbers, none of which is broken: one that is too wide comes in parts, each with the first
    column."""

    def __init__(self, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self.columns = list(zip(heads, *rows, strict=True))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        first, *others = self.columns
        part, room = [first], options.max_width - _width(first)
        for column in others:
            if len(part) > 1 and room < _width(column) + 2:
                yield _part(part)
                yield ""
                part, room = [first], options.max_width - _width(first)
            part.append(column)
            room -= _width(column) + 2  # and what keeps columns apart
        yield _part(part)


def _width(column: Sequence[str]) -> int:
    """As wide as its longest number, and the longest word of its head."""
    head, *cells = column
    return max(map(len, [*head.split(), *cells]), default=1)


def _part(columns: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(Text(column[0]), justify="right", width=_width(column))
    for row in zip(*(column[1:] for column in columns), strict=True):
        table.add_row(*map(Text, row))
    return table


def diagnosis_page(diagnosis: Diagnosis) -> Group:
    """What was measured before the first step and after training, and what it means."""
    from trainwright.report.quantities import typeset

    parts: list[Any] = []
    for moment, reading in (("before the first step", diagnosis.start), ("after training", diagnosis.end)):
        losses = f"log-loss {reading.log_loss:.4g} (without the inputs {reading.guess:.4g})"
        parts += [Text.assemble((moment.capitalize(), "bold"), f": {losses}"), _layers_table(reading), ""]
    for symptom in diagnosis.symptoms:
        parts += [
            Text.assemble((f"{symptom.name}: ", "bold"), typeset(symptom.says)),
            Text(f"  try {symptom.treatment}"),
        ]
    return Group(*parts, *([] if diagnosis.symptoms else [Text("No symptoms found.")]), "")


def _layers_table(reading: LayerStats) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("layer", style="bold")
    heads = {
        "gradient": "|gradient|",
        "update": "step/weights",
        "p15": "input p15",
        "p50": "p50",
        "p85": "p85",
        "active": "active",
        "dead": "dead units",
        "saturated": "saturated",
    }
    for head in heads.values():
        table.add_column(head, justify="right")
    for layer, row in reading.layers[list(heads)].iterrows():
        shares = {"active", "dead", "saturated"}
        table.add_row(
            str(layer),
            *(
                "" if value != value else f"{value:.0%}" if name in shares else f"{value:.3g}"
                for name, value in row.items()
            ),
        )
    return table


def facts_table(facts: dict[str, Any]) -> Table:
    """Facts by name, nested ones indented, lists one to a line; what is not known is left out."""
    return _named({name.replace("_", " "): fact for name, fact in facts.items() if fact is not None})


def _named(facts: dict[str, Any]) -> Table:
    """Facts under the names that they have: those of a user's columns, say."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, fact in facts.items():
        table.add_row(Text(str(name)), _fact(fact))
    return table


def _fact(fact: Any) -> Any:
    if isinstance(fact, dict):
        if all(not isinstance(part, dict | list) for part in fact.values()):
            return Text(", ".join(f"{name} {part}" for name, part in fact.items()))
        return _named(fact)
    if isinstance(fact, list) and any(isinstance(part, dict) for part in fact):
        return _named({str(part.get("column", number)): _rest(part) for number, part in enumerate(fact)})
    return Text("\n".join(map(str, fact)) if isinstance(fact, list) else str(fact))


def _rest(part: dict[str, Any]) -> str:
    return ": ".join(str(value) for name, value in part.items() if name != "column")
