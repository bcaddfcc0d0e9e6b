"""`trainwright compare`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainwright.base.errors import DataError
from trainwright.cli.options import Json, Markdown, Quiet, command, option

if TYPE_CHECKING:
    import pandas as pd

    from trainwright.comparison.joint import JointComparison
    from trainwright.comparison.results import Comparison


def run(
    scores: Annotated[
        Path,
        typer.Argument(
            help="A CSV or Parquet file with the columns arm, seed and score, and where there are any fold,"
            " example and dataset."
        ),
    ],
    reference: Annotated[
        str | None, option("The arm to compare with. Default: the first in the file.")
    ] = None,
    higher_is_better: Annotated[bool, option("Scores such as accuracy.", "--higher-is-better")] = False,
    delta: Annotated[
        float | None,
        option("The smallest difference that matters. Default: a tenth of the reference's score."),
    ] = None,
    level: Annotated[float, option("The confidence level.", min=0.5, max=0.999)] = 0.95,
    out: Annotated[
        Path | None, option("The folder for report.html and comparison.json. Default: nothing is written.")
    ] = None,
    markdown: Markdown = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare anyone's results: scores of several arms over the same seeds, from any framework."""
    from trainwright.cli.report import show
    from trainwright.comparison.joint import compare_datasets
    from trainwright.comparison.scores import compare_scores

    table = _read(scores)
    several = "dataset" in table and table["dataset"].nunique() > 1
    if several:
        joint = compare_datasets(
            table, reference=reference, higher_is_better=higher_is_better, delta=delta, level=level,
            command=command(),
        )  # fmt: skip
        for name, comparison in joint.comparisons.items():
            _write(comparison, out and out / _folder(name))
        _show(joint, markdown, as_json, quiet)
        return
    comparison = compare_scores(
        table, reference=reference, higher_is_better=higher_is_better, delta=delta, level=level,
        command=command(),
    )  # fmt: skip
    _write(comparison, out)
    show(comparison, markdown, as_json, quiet)


def _read(path: Path) -> pd.DataFrame:
    from trainwright.data import tables

    if not path.is_file():
        raise DataError(f"{path}: no such file; give a CSV or Parquet file of scores")
    try:
        return tables.read_parquet(path) if path.suffix == ".parquet" else tables.read_csv(path)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _folder(dataset: str) -> str:
    """A data set's name as that of a folder."""
    return re.sub(r"[^\w.-]+", "-", dataset).strip(".-") or "dataset"


def _write(comparison: Comparison, folder: Path | None) -> None:
    from trainwright.base import files
    from trainwright.report import write

    if folder is None:
        return
    write(comparison, folder / "report.html")
    with files.explained(folder):
        files.replace_file(folder / "comparison.json", comparison.to_json().encode() + b"\n", folder)


def _show(joint: JointComparison, markdown: bool, as_json: bool, quiet: bool) -> None:
    """Print the joint verdict, then each data set's."""
    from trainwright import report
    from trainwright.cli.terminal import console
    from trainwright.report import joint as words
    from trainwright.report.markdown import prose, table_of
    from trainwright.report.terminal import Shown
    from trainwright.report.verdicts import headline

    if as_json:
        print(joint.to_json())
    elif markdown:
        parts = [
            f"# {prose(words.headline(joint))}",
            prose(words.remark(joint)),
            table_of(words.ranks(joint)),
        ]
        parts += [
            f"# {prose(name)}\n\n{report.markdown(comparison)}"
            for name, comparison in joint.comparisons.items()
        ]
        print("\n\n".join(parts))
    elif not quiet:
        console().print(
            words.headline(joint), words.remark(joint), "", Shown(words.ranks(joint)), "", sep="\n"
        )
        for name, comparison in joint.comparisons.items():
            console().print(f"{name}: {headline(comparison)}", markup=False)
