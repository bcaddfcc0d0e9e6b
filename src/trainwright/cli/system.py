"""`trainwright system`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainwright.cli.options import Json, Quiet, option, systems_named
from trainwright.cli.retraining import (
    Data,
    Results,
    Seeds,
    Store,
    budget_of,
    cost_in_words,
    ready,
    say,
    train_one,
)

if TYPE_CHECKING:
    from trainwright.system import Rerun
    from trainwright.system.record import SystemRecord

BudgetName = Annotated[
    str, option("quick (minutes), standard (towards the published error) or paper (the published protocol).")
]


def run(
    name: Annotated[
        str,
        typer.Argument(help="The system; `trainwright systems` lists them.", autocompletion=systems_named),
    ],
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
    folder = ready(store, results)
    _announce(rerun, folder, seeds, quiet or as_json)
    made = train_one(rerun, folder, results, seeds, quiet or as_json)
    if as_json:
        print(strict_json.dumps(asdict(made)))
    elif not quiet:
        console().print(facts_table(_facts(made, results)))


def _announce(rerun: Rerun, store: Path, seeds: int, quiet: bool) -> None:
    from trainwright.runs.store import Store
    from trainwright.system.cost import measure
    from trainwright.system.training import missing

    wanted = missing(rerun, Store(store), seeds)
    if wanted and not quiet:
        say(f"{rerun.system.title}: {len(wanted)} × {cost_in_words(measure(rerun))}", quiet)


def _facts(made: SystemRecord, results: Path) -> dict[str, object]:
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
