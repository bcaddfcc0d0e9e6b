"""Retraining: what both commands for published systems share, their options and their trainings."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

from trainwright.base.errors import Interrupted, SettingError, TrainwrightError
from trainwright.cli.options import command, option

if TYPE_CHECKING:
    from trainwright.system import Rerun, SystemBudget
    from trainwright.system.cost import Cost
    from trainwright.system.record import SystemRecord

Seeds = Annotated[int, option("Trainings, each with its own first weights, batch order and masks.", min=1)]
Store = Annotated[Path | None, option("The folder for the training runs. Default: in the cache.")]
Data = Annotated[
    str | None,
    option("The stand-in for data too large to try: a folder of images, or a known set. Default: cifar10."),
]
Results = Annotated[Path, option("The folder for the records, BUDGET/NAME.json.")]
FOLDERS = ("--store", "--results")  # of one machine, so that a record's command is without them


def budget_of(text: str) -> SystemBudget:
    """The budget of that name; raises `SettingError` for any other word."""
    from trainwright.system import SystemBudget

    if text not in get_args(SystemBudget):
        raise SettingError(f"--budget {text!r}: choose from {', '.join(get_args(SystemBudget))}")
    return text  # type: ignore[return-value]


def ready(store: Path | None, results: Path) -> Path:
    """The store's folder, once it is known that records can be written."""
    from trainwright.base import files
    from trainwright.base.cache import cache_folder

    with files.explained(results):
        files.probe(results)
    return store or cache_folder() / "systems"


def train_all(reruns: list[Rerun], seeds: int, store: Path | None, results: Path, quiet: bool) -> int:
    """Train what the store has not; the exit code of the first system that failed, else 0."""
    from trainwright.base.environment import keep_compiled
    from trainwright.report.quantities import duration
    from trainwright.runs.store import Store
    from trainwright.system.cost import measure, total
    from trainwright.system.memory import TooLarge
    from trainwright.system.training import missing

    keep_compiled()
    folder = ready(store, results)
    costs: dict[Rerun, Cost] = {}
    trainings: dict[Rerun, int] = {}
    failed = 0
    for rerun in reruns:
        wanted = missing(rerun, Store(folder), seeds)
        if not wanted:  # its record is written where it is not there
            train_one(rerun, folder, results, seeds, quiet)
            continue
        try:
            costs[rerun], trainings[rerun] = measure(rerun), len(wanted)
        except TooLarge as error:  # the others go on
            print(f"{rerun.system.name}: {error}", file=sys.stderr, flush=True)
            failed = failed or error.exit_code
        else:
            say(f"{rerun.system.name}: {len(wanted)} × {cost_in_words(costs[rerun])}", quiet)
    if costs:
        seconds = total([(costs[rerun], trainings[rerun]) for rerun in costs])
        say(f"about {duration(seconds)} in all, cheapest first", quiet)
    for so_many in range(1, seeds + 1):  # one training of every system comes before a second of any
        for rerun in sorted(costs, key=lambda rerun: costs[rerun].seconds + costs[rerun].pretraining_seconds):
            try:
                # One that shares its trainings with a system before it has only its record to be written.
                if missing(rerun, Store(folder), so_many):
                    say(f"{rerun.system.name}, seed {so_many - 1} ...", quiet)
                train_one(rerun, folder, results, so_many, quiet)
            except TrainwrightError as error:
                print(f"{rerun.system.name}: {error}", file=sys.stderr, flush=True)
                failed = failed or error.exit_code
            except Exception:  # a bug in one: the others go on
                traceback.print_exc()
                failed = failed or 1
    return failed


def train_one(rerun: Rerun, store: Path, results: Path, seeds: int, quiet: bool) -> SystemRecord:
    """Train what the store has not of so many seeds, and write the record."""
    from trainwright.cli.progress import training_progress
    from trainwright.runs.store import Store
    from trainwright.system.training import train

    try:
        shown = "validation" if rerun.apart else "validation (trained on)"
        with training_progress(rerun.data.task, quiet, shown) as watch:
            return train(
                rerun,
                Store(store),
                results,
                seeds=seeds,
                command=command(without=FOLDERS),
                watch=watch.training,
                watch_pretraining=watch.pretraining,
            )
    except Interrupted:
        raise Interrupted(
            f"interrupted; finished runs and the training under way are kept in {store}. "
            f"Rerun the same command to resume:\n  {command()}"
        ) from None


def cost_in_words(cost: Cost) -> str:
    """Such as "about 4 min (14,070 updates of 17.1 ms)"."""
    from trainwright.report.quantities import duration

    if not cost.steps:
        return f"about {duration(cost.seconds)}"
    updates = f"{cost.steps:,} updates of {1000 * cost.step_seconds:.3g} ms"
    before = f", after about {duration(cost.pretraining_seconds)} of pretraining" if cost.pretraining else ""
    return f"about {duration(cost.seconds)} ({updates}){before}"


def say(text: str, quiet: bool) -> None:
    """A line on standard error, which is for what is not the result."""
    if not quiet:
        print(text, file=sys.stderr, flush=True)
