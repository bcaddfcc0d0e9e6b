"""`trainwright study`."""

from __future__ import annotations

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
            "Strategies to compare with the plain recipe, such as 'dropout(0.5), l2'. May be repeated."
            " If it is not: the lecture's, one at a time."
        ),
    ] = None,
    base: Annotated[str, option("Strategies that every arm has, such as 'momentum(0.9)'.")] = "",
    seeds: Annotated[int, option("Trainings per arm and learning rate.", min=1)] = 10,
    rates: Annotated[
        str | None, option("Learning rates, '0.01, 0.1': each arm gets the one best on validation.")
    ] = None,
    network: Network = None,
    batch_size: BatchSize = None,
    epochs: Epochs = None,
    budget: Annotated[str, option("quick or full: the length and the rates where not given.")] = "quick",
    resample: Annotated[bool, option("Draw a new split for each seed.", "--resample")] = False,
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
    from trainwright.studies.study import Study

    spec = DataSpec(source, target, task, size=size)
    data = spec.load()
    recipe = changed(defaults.recipe(data, budget_of(budget)), network, batch_size, epochs, None)
    recipe = recipe.replace(strategies=strategies.read(base))
    planned = Study(
        spec,
        defaults.read_arms(recipe, arm or defaults.arms(data, recipe)),
        seeds=seeds,
        rates=_rates(rates) if rates else defaults.RATES[budget_of(budget)],
        resample=resample,
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
        with study_progress(len(planned.plan), quiet) as watch:
            return planned.compare(
                store, delta=delta, level=level, command=command(), workers=workers, watch=watch
            )
    except Interrupted:
        from trainwright.runs.store import Store

        kept = sum(one.digest in Store(store) for one in planned.plan)
        raise Interrupted(
            f"interrupted: {kept} of {len(planned.plan)} runs are kept in {store}; "
            f"the same command goes on from there:\n  {command()}"
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
