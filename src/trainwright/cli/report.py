"""`trainwright report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trainwright.base.errors import SettingError, StoreError
from trainwright.cli.options import Json, Markdown, Quiet, command, option

FOUND = "found.json"  # what a search writes

if TYPE_CHECKING:
    from trainwright.comparison.results import Comparison


def run(
    folder: Annotated[Path, typer.Argument(help="A study's or a search's folder (its --out).")],
    out: Annotated[Path | None, option("The HTML file to write. Default: FOLDER/report.html.")] = None,
    metric: Annotated[
        str | None,
        option(
            "Judge by this metric (error, balanced_error, top5_error, log_loss, brier, rmse or mae; of "
            "sequences number_error, digit_error or number_log_loss)."
        ),
    ] = None,
    markdown: Markdown = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Redraw the report of a study or of a search, and print its tables.

    With --metric, the study is judged again from the stored predictions, and the report is
    FOLDER/report-METRIC.html.
    """
    from trainwright.report import write

    if (folder / FOUND).is_file():
        _redraw_search(folder, out or folder / "report.html", metric, markdown, as_json, quiet)
        return
    comparison = _stored(folder)
    if metric:
        comparison = _judged_by(folder, metric, quiet)
    out = out or folder / (f"report-{metric}.html" if metric else "report.html")
    write(comparison, out)
    show(comparison, markdown, as_json, quiet)
    _tell(out, markdown or as_json or quiet)


def _redraw_search(
    folder: Path, out: Path, metric: str | None, markdown: bool, as_json: bool, quiet: bool
) -> None:
    """The report of `trainwright best`, from its result alone."""
    from trainwright import report
    from trainwright.cli.terminal import console
    from trainwright.comparison.recommendation import Recommendation

    if metric:
        raise SettingError(f"{folder} is a search, which chose by its own metric: repeat it with --metric")
    try:
        recommendation = Recommendation.from_json((folder / FOUND).read_text("utf-8"))
    except (OSError, StoreError, UnicodeDecodeError):
        raise StoreError(f"{folder / FOUND} is damaged: repeat the search (its trainings are kept)") from None
    report.write(recommendation.comparison, out, recommendation)
    if as_json:
        print(recommendation.to_json())
    elif markdown:
        print(report.markdown(recommendation.comparison, recommendation))
    elif not quiet:
        console().print(report.recommended(recommendation), "")
    _tell(out, markdown or as_json or quiet)


def _tell(out: Path, quiet: bool) -> None:
    if not quiet:
        print(f"Report: {out}")


def _stored(folder: Path) -> Comparison:
    """The comparison that the study wrote."""
    from trainwright.comparison.results import Comparison

    stored = folder / "comparison.json"
    try:
        return Comparison.from_json(stored.read_text("utf-8"))
    except OSError as error:
        from trainwright.studies.record import NAME

        if (folder / NAME).is_file():
            raise StoreError(
                f"{folder} is a study that is not finished: resume it with trainwright study {folder}"
            ) from None
        reason = error.strerror or "unreadable"
        raise StoreError(f"{stored}: {reason}; give the folder of a study (its --out)") from None
    except (StoreError, UnicodeDecodeError):
        raise StoreError(f"{stored} is damaged: rerun the study (its runs are kept)") from None


def _judged_by(folder: Path, metric: str, quiet: bool) -> Comparison:
    """The study compared by another metric, from its runs; those that are lost are trained again."""
    from trainwright.cli.progress import study_progress
    from trainwright.studies.record import StudyRecord

    record = StudyRecord.load(folder)
    with study_progress(record.study.most_runs(), quiet) as watch:
        return record.compare(metric=metric, command=command(), watch=watch)


def show(comparison: Comparison, markdown: bool, as_json: bool, quiet: bool) -> None:
    """Print a comparison in the requested form."""
    from trainwright import report
    from trainwright.cli.terminal import console

    if as_json:
        print(comparison.to_json())
    elif markdown:
        print(report.markdown(comparison))
    elif not quiet:
        parts: list[Any] = [report.findings, report.table]
        if comparison.factorial:
            parts.append(report.effects_table)
        if comparison.trained:
            parts.append(report.cost_table)
        for part in parts:
            console().print(part(comparison), "")
