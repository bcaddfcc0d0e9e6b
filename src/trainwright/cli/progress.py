"""Progress on standard error: a bar on a terminal, a plain line now and then where there is none."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

if TYPE_CHECKING:
    from trainwright.search.progress import SearchProgress
    from trainwright.studies.progress import StudyProgress
    from trainwright.training.pretraining import PretrainingProgress
    from trainwright.training.progress import Progress as TrainingProgress

SECONDS_BETWEEN_LINES = 10.0


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


class TrainingWatch(NamedTuple):
    """What shows a training's progress, and before it a pretraining's."""

    training: Callable[[TrainingProgress], None]
    """Called at each evaluation of the training."""
    pretraining: Callable[[PretrainingProgress], None]
    """Called after each epoch of a pretraining."""


@contextmanager
def training_progress(task: str, quiet: bool, validation: str = "validation") -> Iterator[TrainingWatch]:
    """Show one training's progress: a pretraining's epochs, then steps, losses and the validation error.

    `validation`: what to call that split, where it is trained on too.
    """
    if quiet:
        yield TrainingWatch(lambda slot: None, lambda epoch: None)
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
            f"{now.reconstruction_error:.2f}, free energy gap to {validation} {now.free_energy_gap:.2f} nats"
        )

    if not sys.stderr.isatty():
        lines: dict[str, _Lines] = defaultdict(_Lines)  # each with its own time left
        yield TrainingWatch(
            lambda slot: lines[""].say(describe(slot), slot.step / slot.length, last=slot.ended),
            lambda now: lines[now.part].say(
                describe_pretraining(now), now.epoch / now.epochs, last=now.epoch == now.epochs
            ),
        )
        return
    with Bar(BarColumn(), TextColumn("{task.description}"), console=Console(stderr=True)) as bar:
        running = bar.add_task("compiling", total=1.0)
        yield TrainingWatch(
            lambda slot: bar.update(running, completed=slot.step / slot.length, description=describe(slot)),
            lambda now: bar.update(
                running, completed=now.epoch / now.epochs, description=describe_pretraining(now)
            ),
        )


def _diverged(count: int) -> str:
    return f", {count} diverged" if count else ""


class _Lines:
    """A plain line every so often, with the time so far and an estimate of the time left."""

    def __init__(self) -> None:
        self.start = self.last = time.monotonic()
        self.first: tuple[float, float] | None = None
        """When it was first told of a share, and which: what is resumed does not begin at nothing."""

    def say(self, text: str, fraction: float, *, last: bool) -> None:
        now = time.monotonic()
        since, done = self.first = self.first or (now, fraction)
        if not last and now - self.last < SECONDS_BETWEEN_LINES:
            return
        self.last = now
        left = ""
        if fraction - done > 0.02 and not last:
            left = f", about {(now - since) / (fraction - done) * (1 - fraction):.0f} s left"
        print(f"{text} ({now - self.start:.0f} s{left})", file=sys.stderr, flush=True)
