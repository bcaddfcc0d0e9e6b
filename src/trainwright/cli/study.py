"""`trainwright study`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from trainwright.base.errors import Interrupted, SettingError
from trainwright.cli.options import (
    BatchSize,
    Epochs,
    Json,
    Markdown,
    Network,
    Quiet,
    Size,
    Source,
    Target,
    Task,
    budget_of,
    changed,
    command,
    option,
)
from trainwright.cli.report import show

if TYPE_CHECKING:
    from trainwright.comparison.results import Comparison
    from trainwright.studies.study import Study


def run(
    source: Source,
    target: Target = None,
    task: Task = None,
    size: Size = None,
    arm: Annotated[
        list[str] | None,
        option(
            "Strategies to compare with the plain recipe, such as 'dropout(hidden_rate=0.2|0.5), l2'; of"
            " alternatives, validation chooses. May be repeated. Default: each of the lecture's strategies."
        ),
    ] = None,
    base: Annotated[
        str | None,
        option("Strategies of every arm, 'momentum(0.9)'. Default: none; adam for large tables."),
    ] = None,
    baseline: Annotated[
        list[str] | None,
        option("Another baseline to show beside the arms, such as 'svm(cost=1.0|10.0)'. May be repeated."),
    ] = None,
    no_baselines: Annotated[
        bool, option("Leave out guessing, the linear model and boosting.", "--no-baselines")
    ] = False,
    seeds: Annotated[int, option("Trainings per arm for the verdict.", min=1)] = 10,
    rates: Annotated[
        str | None,
        option("The only learning rates to try, '0.01, 0.1'. Default: a grid that widens by itself."),
    ] = None,
    network: Network = None,
    batch_size: BatchSize = None,
    epochs: Epochs = None,
    budget: Annotated[str, option("quick (minutes) or full (a night).")] = "quick",
    delta: Annotated[
        float | None,
        option(
            "A difference in test error too small to matter, 0.002 for 0.2 points; else a tenth of plain's."
        ),
    ] = None,
    level: Annotated[float, option("The level of confidence.", min=0.5, max=0.999)] = 0.95,
    out: Annotated[Path | None, option("The folder for report and model. Default: study-DATA.")] = None,
    store: Annotated[Path | None, option("The folder where runs are kept. Default: OUT/store.")] = None,
    workers: Annotated[int | None, option("Processes. Default: one per core.", min=1)] = None,
    markdown: Markdown = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare training strategies on a data set.

    The result says which helps, by how much, and how sure that is.

    Every run is kept: a study repeated goes on, and extended trains what is new.
    """
    from trainwright import strategies
    from trainwright.base import files
    from trainwright.data import DataSpec
    from trainwright.studies import defaults
    from trainwright.studies.arms import read_arms, read_baselines
    from trainwright.studies.study import Study

    spec = DataSpec(source, target, task, size=size)
    data = spec.load()
    recipe = changed(defaults.recipe(data, budget_of(budget)), network, batch_size, epochs, None)
    recipe = recipe.replace(strategies=strategies.read(base) if base is not None else recipe.strategies)
    tuning = defaults.tuning(data, budget_of(budget))
    if epochs is not None:
        tuning = replace(tuning, longest=1)  # the length is the user's
    planned = Study(
        spec,
        read_arms(recipe, arm or defaults.arms(data, recipe)),
        seeds=seeds,
        rates=_rates(rates) if rates else (),
        tuning=tuning,
        baselines={} if no_baselines else read_baselines([*defaults.BASELINES, *(baseline or [])]),
        loaded=data,
    )
    folder = out or Path(f"study-{data.name}")
    with files.explained(folder):
        files.probe(folder)
    comparison = _run_study(planned, store or folder / "store", delta, level, workers, quiet)
    _write_study(planned, comparison, store or folder / "store", folder)
    show(comparison, markdown, as_json, quiet)
    if not quiet and not as_json and not markdown:
        print(f"Report: {folder / 'report.html'}   best model: {folder / 'best-model'}")


def _run_study(
    planned: Study, store: Path, delta: float | None, level: float, workers: int | None, quiet: bool
) -> Comparison:
    from trainwright.cli.terminal import study_progress

    try:
        with study_progress(planned.most_runs(), quiet) as watch:
            return planned.compare(
                store, delta=delta, level=level, command=command(), workers=workers, watch=watch
            )
    except Interrupted:
        raise Interrupted(
            f"interrupted; finished runs are kept in {store}. "
            f"Rerun the same command to resume:\n  {command()}"
        ) from None


def _write_study(planned: Study, comparison: Comparison, store: Path, folder: Path) -> None:
    from trainwright.base import files
    from trainwright.report import write

    write(comparison, folder / "report.html")
    with files.explained(folder):
        content = comparison.to_json().encode() + b"\n"
        files.replace_file(folder / "comparison.json", content, folder)
    planned.best_model(store, comparison).save(folder / "best-model", replace=True)


def _rates(text: str) -> tuple[float, ...]:
    try:
        rates = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise SettingError(
            f"--rates {text!r}: give numbers with commas between, such as '0.01, 0.1'"
        ) from None
    return tuple(dict.fromkeys(rates))
