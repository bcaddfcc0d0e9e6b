"""`trainwright compare`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainwright.base.errors import DataError
from trainwright.cli.options import Json, Markdown, Quiet, command, option

if TYPE_CHECKING:
    import pandas as pd

    from trainwright.comparison.joint import JointComparison
    from trainwright.comparison.results import Comparison

RESULT = "comparison.json"


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
        Path | None,
        option(
            "The folder for report.html and comparison.json; of several data sets for joint.json, with a "
            "folder for each. Default: nothing is written."
        ),
    ] = None,
    markdown: Markdown = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare anyone's results: scores of several arms over the same seeds, from any framework.

    Of one data set: if you add seeds and compare again into the same --out, the verdicts pay for the earlier
    look. Of several, looks are not counted.
    """
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
        for name, folder in _folders(joint.comparisons).items():
            _write(joint.comparisons[name], out and out / folder)
        _show(joint, markdown, as_json, quiet)
        if out:
            _keep(joint.to_json(), out / "joint.json")
            _tell(f"Reports: a folder for each data set in {out}", quiet or markdown or as_json)
        return
    comparison = compare_scores(
        table, reference=reference, higher_is_better=higher_is_better, delta=delta, level=level,
        looks=_earlier(table, out), command=command(),
    )  # fmt: skip
    _write(comparison, out)
    show(comparison, markdown, as_json, quiet)
    if out:
        _tell(f"Report: {out / 'report.html'}", quiet or markdown or as_json)


def _earlier(table: pd.DataFrame, out: Path | None) -> tuple[int, ...]:
    """With how many seeds these arms were compared in this folder before."""
    from trainwright.base.errors import StoreError
    from trainwright.comparison.results import Comparison

    try:
        earlier = Comparison.from_json((out / RESULT).read_text("utf-8")) if out else None
    except (OSError, StoreError, UnicodeDecodeError):  # none is there
        return ()
    if earlier is None or {arm.name for arm in earlier.arms} != set(map(str, table.get("arm", ()))):
        return ()
    return (*earlier.looks, len(earlier.arms[0].seeds))


def _read(path: Path) -> pd.DataFrame:
    from trainwright.data import tables

    if not path.is_file():
        raise DataError(f"{path}: no such file; give a CSV or Parquet file of scores")
    try:
        return tables.read_parquet(path) if path.suffix == ".parquet" else tables.read_csv(path)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _folders(datasets: Iterable[str]) -> dict[str, str]:
    """Data sets' names as those of folders, each another: "a b" and "a-b" become a-b and a-b-2.

    >>> _folders(["a b", "a-b", "!"])
    {'a b': 'a-b', 'a-b': 'a-b-2', '!': 'dataset'}
    """
    folders: dict[str, str] = {}
    for dataset in datasets:
        name = plain = re.sub(r"[^\w.-]+", "-", dataset).strip(".-") or "dataset"
        number = 2
        while name.lower() in map(str.lower, folders.values()):
            name, number = f"{plain}-{number}", number + 1
        folders[dataset] = name
    return folders


def _write(comparison: Comparison, folder: Path | None) -> None:
    from trainwright.report import write

    if folder is None:
        return
    write(comparison, folder / "report.html")
    _keep(comparison.to_json(), folder / RESULT)


def _keep(text: str, path: Path) -> None:
    from trainwright.base import files

    with files.explained(path.parent):
        files.replace_file(path, text.encode() + b"\n", path.parent)


def _tell(text: str, quiet: bool) -> None:
    if not quiet:
        print(text)


def _show(joint: JointComparison, markdown: bool, as_json: bool, quiet: bool) -> None:
    """Print the joint verdict, then each data set's."""
    from trainwright import report
    from trainwright.cli.terminal import console
    from trainwright.report import joint as words
    from trainwright.report.markdown_text import prose, table_of
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
