"""A comparison on the terminal: tables that read well at 80 columns, in a pipe and without colour."""

from __future__ import annotations

import re
from collections.abc import Callable
from textwrap import wrap

from rich import box
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from trainwright.comparison.recommendation import Recommendation
from trainwright.comparison.results import Comparison
from trainwright.report import contrasts, recommendation, tables, verdicts
from trainwright.report.caution_sentences import cautions
from trainwright.report.quantities import printable
from trainwright.report.sentences import sentence

STYLES = {
    "helps": "green",
    "hurts": "red",
    "no difference": "",
    "inconclusive": "yellow",
    "changed nothing": "",
    "reference": "dim",
    "baseline": "dim",
}
ASCII = str.maketrans(
    {
        "−": "-",
        "–": "-",
        "±": "+/-",
        "≈": "~",
        "✓": "+",
        "✗": "x",
        "•": "*",
        "◦": "o",
        "▸": ">",
        "δ": "delta",
        "×": "x",
    }
    | dict(zip("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789", strict=True))
)
Spell = Callable[[str], str]


class Shown:
    """A table that puts each interval under its number when the terminal is too narrow for one line."""

    def __init__(self, table: tables.Table) -> None:
        self.table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        spell = _spelling(options)
        wide = _grid(self.table, " ", spell)
        fits = Measurement.get(console, options.update(max_width=10_000), wide).maximum <= options.max_width
        yield Text(spell(self.table.title), style="bold")
        yield wide if fits else _grid(self.table, "\n", spell)


class Findings:
    """The answer, a sentence for each arm and the caveats."""

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        spell = _spelling(options)
        yield Text(spell(verdicts.headline(self.comparison)), style="bold")
        for paragraph in verdicts.summary(self.comparison):
            yield Text(spell(paragraph))
        for arm in verdicts.by_effect(self.comparison):
            sign = verdicts.SIGNS[verdicts.word(arm)]
            yield _item(spell(sign), spell(sentence(arm, self.comparison)), STYLES[verdicts.word(arm)])
        for caution in cautions(self.comparison):
            yield _item("!", spell(f"Caveat: {caution}"), "yellow")


class Recommended:
    """A search's answer, what each part is worth, what it is better than, caveats, and how to use it."""

    def __init__(self, found: Recommendation) -> None:
        self.found = found

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        spell, found = _spelling(options), self.found
        yield Text(spell(recommendation.headline(found)), style="bold")
        for paragraph in recommendation.summary(found):
            yield Text(spell(paragraph))
        for caution in cautions(found.comparison, found):
            yield _item("!", spell(f"Caveat: {caution}"), "yellow")
        yield Text()
        yield Shown(recommendation.rivals(found))
        if found.path:
            yield Text()
            yield Shown(recommendation.path(found, found.path))
            for remark in recommendation.remarks(found):
                yield _item("*", spell(remark), "")
        yield Text()
        yield Text(spell(f"Cost: {recommendation.cost(found)}"))
        if found.fit:
            yield Text(spell("One such network, on the command line:"), style="bold")
            yield Text(found.fit)
        yield Text(spell("In Python:"), style="bold")
        yield Text(found.python)


def effects_table(comparison: Comparison) -> Shown:
    """A factorial study's main effects and interactions."""
    return Shown(contrasts.effects(comparison))


def recommended(found: Recommendation) -> Recommended:
    """A search's result: the answer first."""
    return Recommended(found)


def table(comparison: Comparison) -> Shown:
    """One row per arm: verdict, difference to the reference, error, learning rate, seeds, diverged.

    It depends on the runs alone and not on how long they took: times are in `cost_table`.
    """
    return Shown(tables.results(comparison))


def cost_table(comparison: Comparison) -> Shown:
    """One row per arm: time, memory, steps to the kept weights, parameters."""
    return Shown(tables.costs(comparison))


def findings(comparison: Comparison) -> Findings:
    """The answer, then one sentence per arm, by effect, then the caveats."""
    return Findings(comparison)


def _grid(table: tables.Table, joint: str, spell: Spell) -> Grid:
    stacked = joint == "\n"
    cells = [[joint.join(map(spell, filter(None, pieces))) for pieces in row.cells] for row in table.rows]
    grid = Grid(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, show_lines=stacked)
    grid.add_column(table.heads[0], overflow="fold")
    for index, head in enumerate(map(spell, table.heads[1:])):
        title = _folded(head, [row[index] for row in cells]) if stacked else head
        justify: JustifyMethod = "left" if head == "verdict" else "right"
        # Only the seeds' detail is words, "(2 diverged)": it may take a line more.
        words = stacked and head == "seeds"
        grid.add_column(Text(title), justify=justify, no_wrap=not words, max_width=9 if words else None)
    for row, texts in zip(table.rows, cells, strict=True):
        styles = [STYLES[row.verdict] if head == "verdict" else "" for head in table.heads[1:]]
        grid.add_row(Text(spell(row.name)), *map(Text, texts, styles))
    return grid


def _folded(head: str, column: list[str]) -> str:
    """The head in lines no wider than what stands under it, unless a single word is."""
    width = max((len(line) for text in column for line in text.split("\n")), default=1)
    return "\n".join(wrap(head, max(width, 5), break_long_words=False))


def _item(sign: str, text: str, style: str) -> Padding:
    grid = Grid.grid(padding=(0, 1, 0, 0))
    grid.add_row(Text(sign, style=style), Text(text))
    return Padding(grid, (0, 0, 0, 2))


def _spelling(options: ConsoleOptions) -> Spell:
    """As written where the output can hold it; else signs in ASCII, and "?" for other characters."""
    encoding = options.encoding
    if encoding.lower().startswith("utf"):
        return printable
    return lambda text: _plain(printable(text)).encode(encoding, errors="replace").decode(encoding)


def _plain(text: str) -> str:
    """
    >>> _plain("−3×10⁻⁷ ± 10⁹")
    '-3x10^-7 +/- 10^9'
    """
    return re.sub("[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+", r"^\g<0>", text).translate(ASCII)
