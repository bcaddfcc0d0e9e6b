"""Tables: what was measured at each of several places, as rows; and rows as what is drawn."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from trainwright.comparison.measured import Measured, Measurements

Along = dict[str, Measurements]  # values along a range, by arm: what `series` makes and `panels.along` draws


def grid(measure: Callable[..., Any], **ranges: Iterable[Any]) -> pd.DataFrame:
    """What a function measures at each combination of the ranges, as rows; the places come first.

    The function takes a value of each range, in their order, and returns a row (a mapping from the columns'
    names) or a table of several.

    >>> grid(lambda rule, seed: {"norm": len(rule) + seed / 2}, rule=("he", "zeros"), seed=range(2))
        rule  seed  norm
    0     he     0   2.0
    1     he     1   2.5
    2  zeros     0   5.0
    3  zeros     1   5.5
    """
    rows: list[dict[Any, Any]] = []
    for place in product(*map(tuple, ranges.values())):
        seen: Any = measure(*place)
        at = dict(zip(ranges, place, strict=True))
        several = seen.to_dict(orient="records") if isinstance(seen, pd.DataFrame) else [seen]
        rows += [{**at, **row} for row in several]
    return pd.DataFrame(rows)


def change(
    table: pd.DataFrame, column: str, arm: Hashable, other: Hashable, unit: str = "nats", *, by: str = "arm"
) -> Measured:
    """What a column of per-seed rows is more in one arm than in another, paired by seed.

    `by`: the column that holds the arms' names.
    """
    values = table.pivot(index="seed", columns=by, values=column)
    return Measured.of(values[arm] - values[other], unit)


def series(
    table: pd.DataFrame, column: str, place: str, *, by: str = "arm", geometric: bool = False
) -> Along:
    """Per-seed rows as what is drawn and tabulated: for each arm a column's means by place.

    `by`: the column that holds the arms' names. `geometric`: geometric means, for what spans powers of ten.

    >>> rows = grid(lambda arm, n, seed: {"loss": n * 10.0**seed}, arm="ab", n=(1, 2), seed=(0, 2))
    >>> [round(mean) for mean in series(rows, "loss", "n", geometric=True)["b"].means.values()]
    [10, 20]
    """
    groups = table.groupby(by, sort=False)
    if not geometric:
        return {str(name): Measurements.grouped(group[column], group[place]) for name, group in groups}
    return {
        str(name): Measurements(
            {at: Measured.ratio(values, 1) for at, values in group.groupby(place, sort=False)[column]}
        )
        for name, group in groups
    }


def samples(table: pd.DataFrame, column: str, place: str) -> dict[Any, pd.Series[Any]]:
    """Per-seed rows as `panels.points` draws them: a column's values at each place."""
    return dict(iter(table.groupby(place, sort=False)[column]))


def exponent(values: pd.Series[Any]) -> float:
    """The exponent of the power law that positive values follow along their index, by least squares of the
    logarithms.

    >>> squares = pd.Series({1: 3.0, 2: 12.0, 4: 48.0})
    >>> round(exponent(squares), 9)
    2.0
    """
    return float(np.polyfit(np.log(values.index.to_numpy(np.float64)), np.log(values.to_numpy()), 1)[0])
