"""`trainwright systems` and `trainwright system`."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from trainwright.base.errors import Interrupted, SettingError, TrainwrightError
from trainwright.cli.options import Json, Markdown, Quiet, command, option

if TYPE_CHECKING:
    from trainwright.system import Budget, Rerun, Table
    from trainwright.system.cost import Cost
    from trainwright.system.record import Record

Seeds = Annotated[int, option("Trainings, each with its own first weights, batch order and masks.", min=1)]
BudgetName = Annotated[
    str, option("quick (minutes), standard (towards the published error) or paper (the published protocol).")
]
Store = Annotated[Path | None, option("The folder for the training runs. Default: in the cache.")]
Data = Annotated[
    str | None,
    option("The stand-in for data too large to try: a folder of images, or a known set. Default: cifar10."),
]
Results = Annotated[Path, option("The folder for the records, BUDGET/NAME.json.")]
FOLDERS = ("--store", "--results")  # of one machine, so that a record's command is without them


def run_all(
    table: Annotated[str | None, option("Show this table, such as 'dropout', from its records.")] = None,
    train: Annotated[
        bool, option("First train every system of the table that has no record, cheapest first.", "--run")
    ] = False,
    seeds: Seeds = 1,
    budget: Annotated[
        str | None,
        option("quick, standard or paper. Default: standard to run; to show, the largest with a record."),
    ] = None,
    data: Data = None,
    cost: Annotated[
        bool, option("Measure and keep a training step of budget paper, for the plan of the table.", "--cost")
    ] = False,
    teraflops: Annotated[
        float | None,
        option("The accelerator's rate in the plan, in 10¹² operations per second. Default: 50."),
    ] = None,
    store: Store = None,
    results: Results = Path("results/systems"),
    markdown: Markdown = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """List the published systems, or show a table: published error beside measured error.

    With --run, trains what is missing: one seed of every system first, then the next seed. Rerun the same
    command to resume. Where the published protocol is too long to be tried, a plan says what it would take.
    """
    from trainwright import systems
    from trainwright.base import strict_json
    from trainwright.cli.terminal import console, plain_table
    from trainwright.system import Rerun, plan, steps
    from trainwright.system import table as as_table
    from trainwright.system.cost import published_steps

    if table is None:
        if train:
            raise SettingError("systems: --run trains a table's systems; name it with --table dropout")
        given = {
            "--seeds": seeds != 1,
            "--budget": budget is not None,
            "--data": data is not None,
            "--cost": cost,
            "--teraflops": teraflops is not None,
            "--store": store is not None,
            "--markdown": markdown,
        }
        if ignored := [name for name, is_given in given.items() if is_given]:
            raise SettingError(f"systems: only a table takes {' and '.join(ignored)}; name it with --table")
        _list(as_json)
        return
    shown = systems.table(table)
    if not (train or results.exists()):
        _say(f"no records in {results}: give their folder with --results, or train with --run", quiet)
    of_run = {"--seeds": seeds != 1, "--data": data is not None}
    _check(shown, () if train else [name for name in of_run if of_run[name]], cost or teraflops is not None)
    chosen = None if budget is None else budget_of(budget)
    reruns = [Rerun(system, chosen or "standard", source=data) for system in shown.systems]
    failed = _run_table(reruns, seeds, store, results, quiet) if train else 0
    if cost:
        _ready(store, results)
        for name, seconds in published_steps(shown, lambda name: _say(f"{name}: a step ...", quiet)):
            steps.keep(results, {name: seconds}, command(without=FOLDERS))
    planned = plan.Planned.of(shown, results, plan.TERAFLOPS if teraflops is None else teraflops)
    if as_json:
        print(strict_json.dumps(as_table.as_json(shown, results, chosen, planned)))
    elif markdown:
        print(as_table.markdown(shown, results, chosen, planned))
    elif not quiet:
        console().print(plain_table(as_table.HEADS, as_table.rows(shown, results, chosen)))
        if planned.plans:
            console().print("\n" + planned.sentence)
            console().print(plain_table(plan.HEADS, planned.rows))
    sys.exit(failed)


def run_one(
    name: Annotated[str, typer.Argument(help="The system; `trainwright systems` lists them.")],
    seeds: Seeds = 1,
    budget: BudgetName = "standard",
    data: Data = None,
    hold_out: Annotated[
        bool,
        option(
            "Keep the validation examples apart, and report their error instead of the test error.",
            "--hold-out",
        ),
    ] = False,
    store: Store = None,
    results: Results = Path("results/systems"),
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a published system again, and set its error beside the published one.

    Prints what it will cost before it starts. Rerun the same command to resume.
    """
    from trainwright import systems
    from trainwright.base import strict_json
    from trainwright.base.environment import keep_compiled
    from trainwright.cli.terminal import console, facts_table
    from trainwright.system import Rerun

    rerun = Rerun(systems.find(name), budget_of(budget), hold_out, data)
    keep_compiled()
    folder = _ready(store, results)
    _announce(rerun, folder, seeds, quiet or as_json)
    made = _train(rerun, folder, results, seeds, quiet or as_json)
    if as_json:
        print(strict_json.dumps(asdict(made)))
    elif not quiet:
        console().print(facts_table(_facts(made, results)))


def budget_of(text: str) -> Budget:
    """The budget of that name; raises `SettingError` for any other word."""
    from trainwright.system import Budget

    if text not in get_args(Budget):
        raise SettingError(f"--budget {text!r}: choose from {', '.join(get_args(Budget))}")
    return text  # type: ignore[return-value]


def _list(as_json: bool) -> None:
    from trainwright import systems
    from trainwright.cli.terminal import console, plain_table
    from trainwright.system.table import metric, published

    listed = [row for table in systems.tables().values() for row in table.systems]
    if as_json:
        facts = {
            row.name: {"title": row.title, "published": row.published, "metric": row.metric} for row in listed
        }
        print(json.dumps(facts, indent=1))
        return
    rows = [(row.name, published(row), metric(row), row.title) for row in listed]
    console().print(plain_table(("system", "published %", "measure", "what it is"), rows))


def _check(table: Table, without_run: Sequence[str], planning: bool) -> None:
    """Raise `SettingError` for options that mean nothing for this table, or nothing `without_run`."""
    from trainwright.system import plan

    if without_run:
        raise SettingError(f"systems: only --run takes {' and '.join(without_run)}; give both, or neither")
    if planning and not plan.plans(table):
        raise SettingError(
            f"systems: table {table.name!r} has no plan, as its protocol can be tried: leave --cost and "
            "--teraflops out"
        )


def _run_table(reruns: list[Rerun], seeds: int, store: Path | None, results: Path, quiet: bool) -> int:
    """Train what the store has not; the exit code of the first system that failed, else 0."""
    from trainwright.base.environment import keep_compiled
    from trainwright.report.quantities import duration
    from trainwright.runs.store import Store
    from trainwright.system.cost import measure, total
    from trainwright.system.memory import TooLarge
    from trainwright.system.training import missing

    keep_compiled()
    folder = _ready(store, results)
    costs: dict[Rerun, Cost] = {}
    trainings: dict[Rerun, int] = {}
    failed = 0
    for rerun in reruns:
        if not (
            wanted := missing(rerun, Store(folder), seeds)
        ):  # its record is written where it is not there
            _train(rerun, folder, results, seeds, quiet)
            continue
        try:
            costs[rerun], trainings[rerun] = measure(rerun), len(wanted)
        except TooLarge as error:  # the others go on
            print(f"{rerun.system.name}: {error}", file=sys.stderr, flush=True)
            failed = failed or error.exit_code
        else:
            _say(f"{rerun.system.name}: {len(wanted)} × {_cost(costs[rerun])}", quiet)
    if costs:
        seconds = total([(costs[rerun], trainings[rerun]) for rerun in costs])
        _say(f"about {duration(seconds)} in all, cheapest first", quiet)
    for so_many in range(1, seeds + 1):  # one training of every system comes before a second of any
        for rerun in sorted(costs, key=lambda rerun: costs[rerun].seconds + costs[rerun].pretraining_seconds):
            try:
                # One that shares its trainings with a system before it has only its record to be written.
                if missing(rerun, Store(folder), so_many):
                    _say(f"{rerun.system.name}, seed {so_many - 1} ...", quiet)
                _train(rerun, folder, results, so_many, quiet)
            except TrainwrightError as error:
                print(f"{rerun.system.name}: {error}", file=sys.stderr, flush=True)
                failed = failed or error.exit_code
            except Exception:  # a bug in one: the others go on
                traceback.print_exc()
                failed = failed or 1
    return failed


def _ready(store: Path | None, results: Path) -> Path:
    """The store's folder, once it is known that records can be written."""
    from trainwright.base import files
    from trainwright.base.cache import cache_folder

    with files.explained(results):
        files.probe(results)
    return store or cache_folder() / "systems"


def _announce(rerun: Rerun, store: Path, seeds: int, quiet: bool) -> None:
    from trainwright.runs.store import Store
    from trainwright.system.cost import measure
    from trainwright.system.training import missing

    wanted = missing(rerun, Store(store), seeds)
    if wanted and not quiet:
        _say(f"{rerun.system.title}: {len(wanted)} × {_cost(measure(rerun))}", quiet)


def _cost(cost: Cost) -> str:
    from trainwright.report.quantities import duration

    if not cost.steps:
        return f"about {duration(cost.seconds)}"
    updates = f"{cost.steps:,} updates of {1000 * cost.step_seconds:.3g} ms"
    before = f", after about {duration(cost.pretraining_seconds)} of pretraining" if cost.pretraining else ""
    return f"about {duration(cost.seconds)} ({updates}){before}"


def _train(rerun: Rerun, store: Path, results: Path, seeds: int, quiet: bool) -> Record:
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


def _facts(made: Record, results: Path) -> dict[str, object]:
    from trainwright.report.quantities import duration
    from trainwright.system.record import place
    from trainwright.system.table import data, measured, metric, published

    split = "validation" if made.held_out else "test"
    return {
        "system": made.title,
        "published %": published(made),
        f"{split} {metric(made)} %": measured(made),
        "data": data(made),
        "seeds": len(made.outcomes),
        "updates": f"{made.steps:,}",
        "time per training": duration(made.seconds),
        "deviations": list(made.deviations),
        "record": str(place(results, made.system, made.budget, made.held_out)),
    }


def _say(text: str, quiet: bool) -> None:
    if not quiet:
        print(text, file=sys.stderr, flush=True)
