"""`trainwright study`."""

from __future__ import annotations

import sys
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from trainwright.base.errors import Interrupted, SettingError
from trainwright.cli.options import (
    BatchSize,
    Epochs,
    Group,
    Json,
    Markdown,
    Network,
    Quiet,
    Size,
    System,
    Target,
    Task,
    apart,
    budget_of,
    changed,
    command,
    option,
    say_notes,
    start,
)
from trainwright.cli.options import Source as Data
from trainwright.cli.report import show

if TYPE_CHECKING:
    from trainwright.comparison.results import Comparison
    from trainwright.studies.record import StudyRecord


def run(
    source: Data,
    target: Target = None,
    task: Task = None,
    size: Size = None,
    group: Group = None,
    arm: Annotated[
        list[str] | None,
        option(
            "Strategies to compare with the plain recipe, such as 'dropout(hidden_rate=0.2|0.5), l2'."
            " Validation chooses among alternatives. May be repeated. Default: each of the lecture's"
            " strategies alone."
        ),
    ] = None,
    factorial: Annotated[
        bool,
        option(
            "Train every combination of the arms (a regular fraction for six to eight), and report main"
            " effects and interactions.",
            "--factorial",
        ),
    ] = False,
    ensemble: Annotated[
        list[str] | None,
        option(
            "An arm that averages trainings of other arms, such as '5 * plain' or '3 * plain + 2 * l2'."
            " May be repeated."
        ),
    ] = None,
    base: Annotated[
        str | None,
        option(
            "Strategies that every arm has, such as 'momentum(0.9)'. Default: none; for tables adam"
            " and initialization('glorot_uniform')."
        ),
    ] = None,
    baseline: Annotated[
        list[str] | None,
        option(
            "Another learner to show beside the arms, such as 'svm(cost=1.0|10.0)'. May be repeated."
            " Always shown: guess and, except for large images, linear and boosting."
        ),
    ] = None,
    no_baselines: Annotated[bool, option("Show no baselines.", "--no-baselines")] = False,
    seeds: Annotated[
        int | None,
        option("Trainings per arm for the verdict, in whole repetitions of five folds. Default: 10.", min=1),
    ] = None,
    rates: Annotated[
        str | None,
        option("The only learning rates to try, such as '0.01, 0.1'. Default: a grid that widens itself."),
    ] = None,
    system: System = None,
    network: Network = None,
    batch_size: BatchSize = None,
    epochs: Epochs = None,
    budget: Annotated[str | None, option("quick (minutes, the default) or full (a night).")] = None,
    metric: Annotated[
        str | None,
        option(
            "error, balanced_error, top5_error, log_loss, brier, rmse or mae; of sequences "
            "number_error, digit_error or number_log_loss. Default: what suits the data."
        ),
    ] = None,
    delta: Annotated[
        float | None,
        option(
            "The smallest difference that matters, such as 0.002 for 0.2 points. Default: a tenth of the"
            " plain arm's error."
        ),
    ] = None,
    level: Annotated[
        float | None, option("The level of confidence. Default: 0.95.", min=0.5, max=0.999)
    ] = None,
    out: Annotated[Path | None, option("The folder for report and model. Default: study-DATA.")] = None,
    store: Annotated[Path | None, option("The folder for the runs. Default: OUT/store.")] = None,
    workers: Annotated[int | None, option("Processes. Default: one per core.", min=1)] = None,
    markdown: Markdown = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare training strategies on a data set.

    The result says which helps, by how much, and how sure that is. Every arm is tuned alike first.

    Finished runs are kept. Rerun the same command to resume; give more --seeds to extend. DATA may also be
    the folder of an earlier study, which is then resumed with its own settings.
    """
    plan = {
        "target": target,
        "task": task,
        "size": size,
        "group": group,
        "arm": arm,
        "factorial": factorial or None,
        "ensemble": ensemble,
        "base": base,
        "baseline": baseline,
        "no_baselines": no_baselines or None,
        "rates": rates,
        "metric": metric,
        "system": system,
        "network": network,
        "batch_size": batch_size,
        "epochs": epochs,
        "budget": budget,
        "out": out,
        "store": store,
    }
    given = {name: value for name, value in plan.items() if value is not None}
    folder, record = _earlier(Path(source), given) or _planned(source, given, quiet or as_json)
    if seeds is not None:
        record = replace(record, study=replace(record.study, seeds=seeds))
    delta, level = (record.delta if delta is None else delta), (record.level if level is None else level)
    record = replace(record, delta=delta, level=level)
    comparison = _compare(record, folder, workers, quiet)
    _write(record, comparison, folder)
    show(comparison, markdown, as_json, quiet)
    if not quiet and not as_json and not markdown:
        print(f"Report: {folder / 'report.html'}   best model: {folder / 'best-model'}")


def _earlier(folder: Path, given: dict[str, Any]) -> tuple[Path, StudyRecord] | None:
    """The study of an earlier command, where DATA is its folder."""
    from trainwright.studies import record

    if not (folder / record.NAME).is_file():
        return None
    if given:
        option = next(iter(given)).replace("_", "-")
        raise SettingError(
            f"--{option} cannot be changed: {folder} is a study, which has its own; leave it out"
        )
    return folder, record.StudyRecord.load(folder)


def _planned(source: str, given: dict[str, Any], quiet: bool) -> tuple[Path, StudyRecord]:
    """The folder and the plan of a new study, with the looks at the same arms before; what was done to the
    data is said."""
    from trainwright import strategies
    from trainwright.data import DataSpec
    from trainwright.report.caution_sentences import worded
    from trainwright.studies import defaults, record
    from trainwright.studies.arms import read_baselines
    from trainwright.studies.ensembles import read_ensembles
    from trainwright.studies.study import Study

    spec = DataSpec(source, **{name: given.get(name) for name in ("target", "task", "size", "group")})
    data = spec.load()
    say_notes(data.notes, quiet)
    budget = budget_of(given.get("budget", "quick"))
    recipe = changed(
        start(given.get("system"), lambda: defaults.recipe(data, budget)),
        given.get("network"),
        given.get("batch_size"),
        given.get("epochs"),
        None,
    )
    if "base" in given:
        added = strategies.read(given["base"])
        recipe = recipe.adding(*added) if "system" in given else recipe.replace(strategies=added)
    say_notes(map(worded, defaults.advice(data, recipe)), quiet)
    tuning = defaults.tuning(data, budget)
    if "epochs" in given:
        tuning = replace(tuning, longest=1)  # the length is the user's
    baselines = [] if "no_baselines" in given else [*defaults.baselines(data)]
    arms, factors = _arms(recipe, given.get("arm") or [], defaults.arms(data, recipe), "factorial" in given)
    study = Study(
        spec,
        arms,
        rates=_rates(given["rates"]) if "rates" in given else (),
        metric=given.get("metric"),
        tuning=tuning,
        baselines=read_baselines(baselines) | read_baselines(given.get("baseline", [])),
        factors=factors,
        ensembles=read_ensembles(given.get("ensemble", [])),
        loaded=data,
    )
    folder = given.get("out") or Path(f"study-{data.name}")
    apart(folder, source)
    planned = record.StudyRecord(study, given.get("store") or folder / "store")
    if (folder / record.NAME).is_file():
        earlier = record.StudyRecord.load(folder)
        planned = planned.after(earlier)
        if earlier.looks and earlier.asked in planned.others:
            say_notes(("the report of other arms in this folder is replaced; their runs are kept",), quiet)
    return folder, planned


def _arms(recipe: Any, named: list[str], usual: list[str], factorial: bool) -> tuple[Any, Any]:
    """The arms of a new study; of a factorial one, also what each combines."""
    from trainwright.studies.arms import read_arms
    from trainwright.studies.factorial import combined

    if not factorial:
        return read_arms(recipe, named or usual), {}
    if not named:
        raise SettingError("--factorial combines the arms that you name: give --arm two to eight times")
    return combined(recipe, named)


def _compare(record: StudyRecord, folder: Path, workers: int | None, quiet: bool) -> Comparison:
    from trainwright.base import files
    from trainwright.cli.progress import study_progress
    from trainwright.comparison.pairing import check_levels

    study = record.study
    check_levels(record.delta, record.level)
    if record.looks and max(record.looks) > len(study.verdict_seeds):
        raise SettingError(
            f"these arms have been compared with {max(record.looks)} seeds in {folder}: give --seeds "
            f"{max(record.looks)} or more, or another --out"
        )
    study.check()
    with files.explained(folder):
        files.probe(folder)
    record.save(folder)
    if len(study.verdict_seeds) != study.seeds and not quiet:
        print(
            f"Each repetition has five folds: {len(study.verdict_seeds)} seeds instead of {study.seeds}.",
            file=sys.stderr,
        )
    try:
        with study_progress(study.most_runs(), quiet) as watch:
            comparison = record.compare(command=command(), workers=workers, watch=watch)
    except Interrupted:
        raise Interrupted(
            f"interrupted; finished runs are kept in {record.store}. "
            f"Rerun the same command to resume:\n  {command()}"
        ) from None
    return comparison


def _write(record: StudyRecord, comparison: Comparison, folder: Path) -> None:
    from trainwright.base import files
    from trainwright.report import write

    write(comparison, folder / "report.html")
    with files.explained(folder):
        content = comparison.to_json().encode() + b"\n"
        files.replace_file(folder / "comparison.json", content, folder)
    record.looked().save(folder)
    record.study.best_model(record.store, comparison).save(folder / "best-model", replace=True)


def _rates(text: str) -> tuple[float, ...]:
    try:
        rates = sorted({float(part) for part in text.split(",")})
    except ValueError:
        rates = []
    if not rates or not 0 < rates[0] <= rates[-1] < inf:
        raise SettingError(
            f"--rates {text!r}: give positive numbers with commas between, such as '0.01, 0.1'"
        )
    return tuple(rates)
