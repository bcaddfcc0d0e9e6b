"""What the command line shows besides a report: progress, facts, and the strategies' cards.

Progress goes to standard error: a bar on a terminal, a plain line now and then where there is none.
"""

from __future__ import annotations

import shlex
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.console import Console, Group
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from trainwright.diagnosis.instruments import LayerStats
    from trainwright.diagnosis.symptoms import Diagnosis
    from trainwright.exhibit import ExhibitResult
    from trainwright.report.catalogue import Card
    from trainwright.search.progress import SearchProgress
    from trainwright.studies.progress import StudyProgress
    from trainwright.training.pretraining import PretrainingProgress
    from trainwright.training.progress import Progress as TrainingProgress

SECONDS_BETWEEN_LINES = 10.0
ROWS = 16  # of an exhibit's table; --json has them all


def console() -> Console:
    """Where results are printed: standard output, as wide as a page when it is not a terminal."""
    return Console(width=None if sys.stdout.isatty() else 120, highlight=False)


@contextmanager
def study_progress(runs: int, quiet: bool) -> Iterator[Callable[[StudyProgress], None]]:
    """Show a study's progress: how many of its runs are done, how many diverged, the time left."""
    if quiet:
        yield lambda progress: None
        return
    if not sys.stderr.isatty():
        lines = _Lines()
        yield lambda p: lines.say(
            f"{p.stage}: {p.done} of {p.runs} runs done{_diverged(p.diverged)}",
            p.fraction,
            last=p.done == p.runs,
        )
        return
    columns = (
        TextColumn("training"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"of {runs} runs", total=1.0)

        def watch(progress: StudyProgress) -> None:
            text = f"{progress.stage}: {progress.done} of {progress.runs} runs{_diverged(progress.diverged)}"
            bar.update(task, completed=progress.fraction, description=text)

        yield watch


@contextmanager
def search_progress(quiet: bool) -> Iterator[Callable[[SearchProgress], None]]:
    """Show how far a search is: what it is at, the best recipe so far, and the time left."""
    if quiet:
        yield lambda progress: None
        return

    def describe(progress: SearchProgress) -> str:
        text = f"{progress.stage}, {progress.trainings} trainings"
        if progress.error == progress.error:
            shown = 100 if progress.metric.unit == "fraction" else 1
            unit = " %" if shown == 100 else ""
            best, plain = (f"{shown * value:.4g}{unit}" for value in (progress.error, progress.plain))
            text += f"; best so far {progress.best}: {best} on validation (plain {plain})"
        return text

    def left(progress: SearchProgress) -> str:
        return "" if progress.seconds_left == inf else f", {progress.seconds_left / 60:.1f} min left"

    if not sys.stderr.isatty():
        lines = _Lines()
        # The budget says how much time is left: no estimate by the share that is done.
        yield lambda progress: lines.say(describe(progress) + left(progress), 0.0, last=False)
        return
    with Bar(
        BarColumn(), TextColumn("{task.description}"), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda progress: bar.update(
            task, completed=progress.fraction, description=describe(progress) + left(progress)
        )


class Watch(NamedTuple):
    """What shows a training's progress, and before it a pretraining's."""

    training: Callable[[TrainingProgress], None]
    pretraining: Callable[[PretrainingProgress], None]


@contextmanager
def training_progress(task: str, quiet: bool, validation: str = "validation") -> Iterator[Watch]:
    """Show one training's progress: a pretraining's epochs, then steps, losses and the validation error.

    `validation`: what to call that split, where it is trained on too.
    """
    if quiet:
        yield Watch(lambda slot: None, lambda epoch: None)
        return
    from trainwright.report.quantities import single

    def describe(slot: TrainingProgress) -> str:
        train, loss, error = (slot.history[name][-1] for name in list(slot.history)[1:])
        # For regression it would repeat the loss: both are of the standardised target.
        shown = f", error {single(error, task)}" if task != "regression" else ""
        return (
            f"step {slot.step} of {slot.length}: training loss {train:.4f}, "
            f"{validation} loss {loss:.4f}{shown}"
        )

    def describe_pretraining(now: PretrainingProgress) -> str:
        return (
            f"pretraining {now.part}, epoch {now.epoch} of {now.epochs}: reconstruction error "
            f"{now.reconstruction_error:.2f}, free energy gap {now.free_energy_gap:.2f} nats"
        )

    if not sys.stderr.isatty():
        lines: dict[str, _Lines] = defaultdict(_Lines)  # each with its own time left
        yield Watch(
            lambda slot: lines[""].say(describe(slot), slot.step / slot.length, last=slot.ended),
            lambda now: lines[now.part].say(
                describe_pretraining(now), now.epoch / now.epochs, last=now.epoch == now.epochs
            ),
        )
        return
    with Bar(BarColumn(), TextColumn("{task.description}"), console=Console(stderr=True)) as bar:
        running = bar.add_task("compiling", total=1.0)
        yield Watch(
            lambda slot: bar.update(running, completed=slot.step / slot.length, description=describe(slot)),
            lambda now: bar.update(
                running, completed=now.epoch / now.epochs, description=describe_pretraining(now)
            ),
        )


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
    for head, text in (("Source", card.source), ("Caveats", card.deviations)):
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
        style = "bold green" if claim.holds else "bold red"
        said = Table.grid(padding=(0, 1, 0, 0))
        said.add_row(Text(sign(claim), style), Text(f"{claim.says} ({claim.source})"))
        said.add_row("", Text(typeset(claim.seen), "dim"))
        parts += ["", said]
    for note in shown.notes:
        parts += ["", Text.assemble(("Caveat: ", "bold"), typeset(note))]
    for caption, numbers in shown.tables.items():
        heads, rows = spelled(numbers)
        table = Table(title=Text(typeset(caption)), title_justify="left", box=None, pad_edge=False)
        for head in heads:
            table.add_column(Text(head), justify="right", overflow="fold")
        for row in rows[:ROWS]:
            table.add_row(*map(Text, row))
        parts += ["", table]
        if len(rows) > ROWS:
            parts.append(Text(f"... and {len(rows) - ROWS} more rows: see --json", "dim"))
    return Group(*parts)


def diagnosis_page(found: Diagnosis) -> Group:
    """What was measured before the first step and after training, and what it means."""
    parts: list[Any] = []
    for moment, reading in (("before the first step", found.start), ("after training", found.end)):
        losses = f"log-loss {reading.log_loss:.4g} (without the inputs {reading.guess:.4g})"
        parts += [Text.assemble((moment.capitalize(), "bold"), f": {losses}"), _layers_table(reading), ""]
    for symptom in found.symptoms:
        parts += [
            Text.assemble((f"{symptom.name}: ", "bold"), symptom.says),
            Text(f"  try {symptom.treatment}"),
        ]
    return Group(*parts, *([] if found.symptoms else [Text("No symptoms found.")]), "")


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
    """Facts by name, nested ones indented, lists one to a line."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, fact in facts.items():
        table.add_row(Text(str(name).replace("_", " ")), _fact(fact))
    return table


def _fact(fact: Any) -> Any:
    if isinstance(fact, dict):
        if all(not isinstance(part, dict | list) for part in fact.values()):
            return Text(", ".join(f"{name} {part}" for name, part in fact.items()))
        return facts_table(fact)
    if isinstance(fact, list) and any(isinstance(part, dict) for part in fact):
        return facts_table({str(part.get("column", number)): _rest(part) for number, part in enumerate(fact)})
    return Text("\n".join(map(str, fact)) if isinstance(fact, list) else str(fact))


def _rest(part: dict[str, Any]) -> str:
    return ": ".join(str(value) for name, value in part.items() if name != "column")


def _diverged(count: int) -> str:
    return f", {count} diverged" if count else ""


class _Lines:
    """A plain line every so often, with the time so far and an estimate of the time left."""

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.last = self.start

    def say(self, text: str, fraction: float, *, last: bool) -> None:
        now = time.monotonic()
        if not last and now - self.last < SECONDS_BETWEEN_LINES:
            return
        self.last = now
        gone = now - self.start
        left = f", about {gone / fraction - gone:.0f} s left" if 0.05 < fraction < 1 and not last else ""
        print(f"{text} ({gone:.0f} s{left})", file=sys.stderr, flush=True)
