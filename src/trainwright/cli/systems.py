"""`trainwright systems`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from trainwright.base.errors import SettingError
from trainwright.cli.options import Json, Markdown, Quiet, command, option
from trainwright.cli.retraining import FOLDERS, Data, Results, Seeds, Store, budget_of, ready, say, train_all

if TYPE_CHECKING:
    from trainwright.system import Table


def run(
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
        say(f"no records in {results}: give their folder with --results, or train with --run", quiet)
    of_run = {"--seeds": seeds != 1, "--data": data is not None}
    _check(shown, () if train else [name for name in of_run if of_run[name]], cost or teraflops is not None)
    chosen = None if budget is None else budget_of(budget)
    reruns = [Rerun(system, chosen or "standard", source=data) for system in shown.systems]
    failed = train_all(reruns, seeds, store, results, quiet) if train else 0
    if cost:
        ready(store, results)
        for name, seconds in published_steps(shown, lambda name: say(f"{name}: a step ...", quiet)):
            steps.keep(results, {name: seconds}, command(without=FOLDERS))
    planned = plan.TablePlan.of(shown, results, plan.TERAFLOPS if teraflops is None else teraflops)
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
