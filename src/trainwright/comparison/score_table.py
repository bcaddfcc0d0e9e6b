"""A table of anyone's scores, checked: what is wrong with it is said by row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trainwright.base.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

NEEDED = ("arm", "seed", "score")
OPTIONAL = ("fold", "example", "dataset")

TURNED = {"1 − score": 1.0, "100 − score": 100.0, "negated score": 0.0}
"""What scores that are better when higher are taken from, by what the rest is called. Of fractions and
percentages what is lacking is an error; others are negated."""


def checked(scores: pd.DataFrame) -> pd.DataFrame:
    """The scores with all columns, `dataset`, `fold` and `example` as texts that are empty where not given.

    Raises `DataError`; see `compare_scores`.
    """
    import pandas as pd

    if not isinstance(scores, pd.DataFrame):
        raise DataError(f"the scores are {scores!r}: give a data frame, such as pandas.read_csv of a file")
    columns = [str(column) for column in scores.columns]
    missing = [column for column in NEEDED if column not in columns]
    if missing:
        raise DataError(
            f"the scores have no column {missing[0]!r}: they need {', '.join(NEEDED)} and may have "
            f"{', '.join(OPTIONAL)}; there are {', '.join(columns)}"
        )
    unknown = [column for column in columns if column not in NEEDED + OPTIONAL]
    if unknown:
        raise DataError(
            f"column {unknown[0]!r} is not known: rename it to one of {', '.join(NEEDED + OPTIONAL)}, or "
            "drop it"
        )
    if scores.empty:
        raise DataError("the scores have no rows: give one for each arm and seed")
    numbers = pd.to_numeric(scores["score"], errors="coerce").to_numpy(np.float64)
    if not np.isfinite(numbers).all():
        bad = int(np.flatnonzero(~np.isfinite(numbers))[0])
        raise DataError(
            f"{_row(scores, bad)}: score {scores['score'].iloc[bad]} is not a finite number: write numbers "
            "alone, without signs such as %; give a training that failed the score of the worst that did not"
        )
    for column in ("arm", "seed"):
        gaps = scores[column].isna().to_numpy()
        if gaps.any():
            raise DataError(f"{_row(scores, int(np.flatnonzero(gaps)[0]))}: no {column}")
    texts = {name: _texts(scores, name) if name in columns else "" for name in ("arm", "seed", *OPTIONAL)}
    table = scores.assign(score=numbers, **texts)
    key = ["dataset", "arm", "seed", "fold", "example"]
    twice = table.duplicated(key).to_numpy()
    if twice.any():
        second = int(np.flatnonzero(twice)[0])
        same = (table[key] == table[key].iloc[second]).all(axis=1).to_numpy()
        first = int(np.flatnonzero(same)[0])
        raise DataError(
            f"{_row(scores, first)} and {_row(scores, second)} are both {named(table.iloc[second])}: keep one"
        )
    return table


def _texts(scores: pd.DataFrame, name: str) -> pd.Series[str] | str:
    """A column as texts. Nothing in all rows, or the same fold or example in all, tells no rows apart: it is
    as if the column were not there. Raises `DataError` for one with gaps."""
    column = scores[name]
    if column.isna().all() or (name in ("fold", "example") and column.nunique(dropna=False) == 1):
        return ""
    if column.isna().any():
        gap = int(np.flatnonzero(column.isna())[0])
        raise DataError(f"{_row(scores, gap)}: no {name}; give every row one, or drop the column")
    return column.astype(str)


def _row(scores: pd.DataFrame, at: int) -> str:
    return f"{scores.index.name or 'row'} {scores.index[at]}"


def named(row: Any) -> str:
    """A row's place: "arm 'plain', seed 3, fold 2"."""
    parts = [f"arm {row['arm']!r}", f"seed {row['seed']}"]
    parts += [f"{name} {row[name]}" for name in ("fold", "example", "dataset") if row[name]]
    return ", ".join(parts)
