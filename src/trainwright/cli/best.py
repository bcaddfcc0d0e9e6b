"""`trainwright best`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from trainwright.base.errors import Interrupted
from trainwright.cli.options import (
    Group,
    Json,
    Network,
    Quiet,
    Size,
    Source,
    Target,
    Task,
    apart,
    command,
    option,
)
from trainwright.cli.report import FOUND

if TYPE_CHECKING:
    from trainwright.search.found import Found


def run(
    source: Source,
    target: Target = None,
    task: Task = None,
    size: Size = None,
    group: Group = None,
    minutes: Annotated[
        float | None, option("The time to spend, at least half of it on the search. Default: 10.")
    ] = None,
    trainings: Annotated[
        int | None,
        option("The trainings to spend. By this bound alone, the result does not depend on the machine."),
    ] = None,
    keep: Annotated[
        str, option("Strategies that every recipe has, the plain one too, such as 'batch_norm'.")
    ] = "",
    without: Annotated[
        list[str] | None, option("A strategy that no recipe has, such as dropout. May be repeated.")
    ] = None,
    arm: Annotated[
        list[str] | None,
        option(
            "Strategies to choose among, such as 'dropout(hidden_rate=0.2|0.5)'. May be repeated."
            " Default: those of a study, adam, label_smoothing, mixup, polyak_averaging and rate_schedule."
        ),
    ] = None,
    network: Network = None,
    metric: Annotated[
        str | None,
        option(
            "error, balanced_error, top5_error, log_loss, brier, rmse or mae. Default: what suits the data."
        ),
    ] = None,
    level: Annotated[float, option("The level of confidence.", min=0.5, max=0.999)] = 0.95,
    seed: Annotated[
        int,
        option("Random seed of the search; 0 to 4 set different fifths of the data aside.", min=0),
    ] = 0,
    ensemble: Annotated[
        bool, option("Also hand over the average of the confirmed networks.", "--ensemble")
    ] = False,
    out: Annotated[
        Path | None, option("The folder for report, recipe and model. Default: best-DATA.")
    ] = None,
    workers: Annotated[int | None, option("Processes. Default: one per core.", min=1)] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Search for the best recipe, and confirm it on examples that the search has not seen.

    The result says what to train with, how good that is, how sure it is, and what each part contributes.
    Strategies are combined and their numbers tuned, on validation alone; the figure comes from examples
    that were set aside before.

    Finished trainings are kept. Rerun the same command to resume; give more --minutes or --trainings to go
    on.
    """
    from trainwright.cli.progress import search_progress
    from trainwright.data import DataSpec
    from trainwright.search.best import best

    spec = DataSpec(source, target=target, task=task, size=size, group=group)
    folder = out or Path(f"best-{Path(source).name.split('.')[0]}")
    apart(folder, source)
    try:
        with search_progress(quiet or as_json) as watch:
            result = best(
                spec,
                minutes=minutes,
                trainings=trainings,
                keep=keep,
                without=without or (),
                arms=arm or (),
                network=network,
                metric=metric,
                seed=seed,
                level=level,
                ensemble=ensemble,
                folder=folder,
                workers=workers,
                watch=watch,
                command=command(),
            )
    except Interrupted:
        raise Interrupted(
            f"interrupted; finished trainings are kept in {folder / 'store'}. "
            f"Rerun the same command to resume:\n  {command()}"
        ) from None
    _write(result, folder)
    _show(result, folder, as_json, quiet)


def _write(result: Found, folder: Path) -> None:
    from trainwright import report
    from trainwright.base import files, strict_json

    report.write(result.comparison, folder / "report.html", result.recommendation)
    contents = {
        FOUND: result.recommendation.to_json(),
        "recipe.json": strict_json.dumps(result.recipe.to_json()),
    }
    with files.explained(folder):
        for name, text in contents.items():
            files.replace_file(folder / name, text.encode() + b"\n", folder)
    if result.model:
        result.model.save(folder / "model", replace=True)
    else:
        shutil.rmtree(folder / "model", ignore_errors=True)  # that of an earlier recipe
    if result.ensemble:
        result.ensemble.save(folder / "ensemble", replace=True)


def _show(result: Found, folder: Path, as_json: bool, quiet: bool) -> None:
    from trainwright import report
    from trainwright.cli.terminal import console

    if as_json:
        print(result.recommendation.to_json())
    elif not quiet:
        console().print(report.recommended(result.recommendation), "")
        model = folder / ("ensemble" if result.ensemble else "model") if result.model else "none, it diverged"
        print(f"Report: {folder / 'report.html'}   model: {model}   recipe: {folder / 'recipe.json'}")
