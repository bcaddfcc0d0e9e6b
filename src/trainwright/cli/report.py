"""`trainwright report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainwright.base.errors import StoreError
from trainwright.cli.options import Json, Markdown, Quiet, option

if TYPE_CHECKING:
    from trainwright.comparison.results import Comparison


def run(
    folder: Annotated[Path, typer.Argument(help="A study's folder (its --out).")],
    out: Annotated[Path | None, option("The HTML file to write. Default: FOLDER/report.html.")] = None,
    markdown: Markdown = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Redraw a study's report and print its tables."""
    from trainwright.comparison.results import Comparison
    from trainwright.report import write

    stored = folder / "comparison.json"
    try:
        comparison = Comparison.from_json(stored.read_text("utf-8"))
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise StoreError(f"{stored}: {reason}; give the folder of a study (its --out)") from None
    except (StoreError, UnicodeDecodeError):
        raise StoreError(f"{stored} is damaged: rerun the study (its runs are kept)") from None
    write(comparison, out or folder / "report.html")
    show(comparison, markdown, as_json, quiet)


def show(comparison: Comparison, markdown: bool, as_json: bool, quiet: bool) -> None:
    """Print a comparison in the requested form."""
    from trainwright import report
    from trainwright.cli.terminal import console

    if as_json:
        print(comparison.to_json())
    elif markdown:
        print(report.markdown(comparison))
    elif not quiet:
        parts = [report.findings, report.table]
        if comparison.trained:
            parts.append(report.cost_table)
        for part in parts:
            console().print(part(comparison), "")
