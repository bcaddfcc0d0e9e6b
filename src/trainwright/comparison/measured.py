"""Measured: a mean with its interval, its n and its unit, which writes itself.

The numbers of a claim: what an arm gains, by how much a loss falls, how many more units are active.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import floor, isfinite, log10
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from trainwright.comparison import paired

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Measured:
    """A mean and its confidence interval.

    >>> gain = Measured(0.42, 0.10, 0.74, n=10, unit="points")
    >>> str(gain), gain.positive, gain.negative
    ('+0.42 points (0.10 to 0.74, 95 %, n = 10)', True, False)
    >>> str(Measured(2.3, 1.9, 2.7, n=10, unit="%", signed=False))
    '2.30 % (1.90 to 2.70, 95 %, n = 10)'
    """

    mean: float
    low: float
    high: float
    n: int
    """Of how many values it is the mean."""
    unit: str = ""
    """The unit of the numbers as they are written: "points", "%", "nats"."""
    signed: bool = True
    """Whether a plus sign is written: for differences, not for errors."""
    level: float = 0.95
    """The level of the interval."""
    over: str = ""
    """What the n values are, where they are not seeds: "test examples"."""

    @classmethod
    def of(cls, values: ArrayLike, unit: str = "", *, level: float = 0.95, signed: bool = True) -> Self:
        """The mean of independent values, (n,), with its t interval; infinite bounds for a single value.

        >>> str(Measured.of([0.2, 0.3, 0.4], "nats"))
        '+0.30 nats (0.05 to 0.55, 95 %, n = 3)'
        """
        estimate = paired.estimate(np.asarray(values, np.float64))
        return cls(
            estimate.mean, *estimate.interval(level), n=estimate.count, unit=unit, signed=signed, level=level
        )

    @classmethod
    def percent(cls, fractions: ArrayLike, *, signed: bool = True) -> Self:
        """The mean of independent fractions (n,) in %, or of their differences in percentage points.

        >>> str(Measured.percent([0.2, 0.3, 0.4], signed=False)), str(Measured.percent([0.02, -0.01]).unit)
        ('30 % (5 to 55, 95 %, n = 3)', 'points')
        """
        return cls.of(100 * np.asarray(fractions, np.float64), "points" if signed else "%", signed=signed)

    @classmethod
    def ratio(cls, values: ArrayLike, others: ArrayLike, *, level: float = 0.95) -> Self:
        """The ratio of paired positive values, (n,): geometric mean, and the t interval of the logarithms.

        >>> str(Measured.ratio([2, 4, 6], [4, 8, 12.5]))
        '0.493 (0.465 to 0.523, 95 %, n = 3)'
        """
        logs = cls.of(np.log(values) - np.log(others), level=level)
        mean, low, high = np.exp([logs.mean, logs.low, logs.high]).tolist()
        return replace(logs, mean=mean, low=low, high=high, signed=False)

    @property
    def positive(self) -> bool | None:
        """Whether it is above zero, see `above`."""
        return self.above(0)

    @property
    def negative(self) -> bool | None:
        """Whether it is below zero, see `below`."""
        return self.below(0)

    def above(self, bound: float) -> bool | None:
        """Whether it is above a bound: the whole interval lies there, or none of it. None: that is open.

        >>> gain = Measured(0.42, 0.10, 0.74, n=10)
        >>> gain.above(0), gain.above(0.3), gain.above(1)
        (True, None, False)
        """
        return True if self.low > bound else False if self.high <= bound else None

    def below(self, bound: float) -> bool | None:
        """Whether it is below a bound; None where the interval leaves that open."""
        return True if self.high < bound else False if self.low >= bound else None

    def within(self, margin: float) -> bool | None:
        """Whether it is between -margin and margin; None where the interval leaves that open."""
        return every(self.above(-margin), self.below(margin))

    def times(self, factor: float, unit: str) -> Self:
        """The same in another unit, that of the old multiplied by a positive `factor`."""
        return replace(
            self, mean=factor * self.mean, low=factor * self.low, high=factor * self.high, unit=unit
        )

    @property
    def basis(self) -> str:
        """What the interval rests on: "95 %, n = 10"."""
        return f"{100 * self.level:g} %, n = {self.n:,} {self.over}".rstrip()

    @property
    def short(self) -> str:
        """Mean and bounds without unit and n: "+0.42 (0.10 to 0.74)"."""
        bounds = self._bounds()
        return f"{self._number()} ({bounds})" if bounds else self._number()

    def __str__(self) -> str:
        value = f"{self._number()} {self.unit}".rstrip()
        return f"{value} ({self._bounds() or 'no interval'}, {self.basis})"

    def _number(self) -> str:
        sign = "+" if self.signed else ""
        # Adding 0.0 turns a negative zero into zero.
        return f"{round(self.mean, self._decimals()) + 0.0:{sign},.{self._decimals()}f}"

    def _bounds(self) -> str:
        if not (isfinite(self.low) and isfinite(self.high)):
            return ""
        return " to ".join(
            f"{round(bound, self._decimals()) + 0.0:,.{self._decimals()}f}" for bound in (self.low, self.high)
        )

    def _decimals(self) -> int:
        """Two significant digits of the interval's half width; of the mean three where it has none."""
        half = (self.high - self.low) / 2
        if isfinite(half) and half > 1e-9 * abs(self.mean):
            return max(0, 1 - floor(log10(half)))
        return max(0, 2 - floor(log10(abs(self.mean)))) if self.mean else 0


class Measurements(dict[Any, Measured]):
    """Values of one kind, each at its place: along a range, by network, by data set.

    >>> few, more = Measured(0.8, 0.5, 1.1, 3, "points"), Measured(3, 2.4, 3.6, 3, "points")
    >>> gains = Measurements({200: few, 500: more})
    >>> str(gains), gains.all_positive, gains.largest
    ('200: +0.80 (0.50 to 1.10), 500: +3.00 (2.40 to 3.60) points (95 %, n = 3)', True, 500)
    """

    @classmethod
    def grouped(cls, values: pd.Series[Any], by: ArrayLike, unit: str = "", *, signed: bool = False) -> Self:
        """The mean of each group of values, with its interval over them; places in their order of appearance.

        >>> import pandas as pd
        >>> rows = pd.DataFrame({"layer": [1, 1, 2, 2], "norm": [1.0, 1.2, 3.0, 3.2]})
        >>> Measurements.grouped(rows["norm"], rows["layer"]).means
        {1: 1.1, 2: 3.1}
        """
        groups = values.groupby(np.asarray(by), sort=False)
        return cls({place: Measured.of(group, unit, signed=signed) for place, group in groups})

    @property
    def all_positive(self) -> bool | None:
        """Whether all are above zero; None where none is shown not to be, and not all are shown to be."""
        return every(*(value.positive for value in self.values()))

    @property
    def all_negative(self) -> bool | None:
        """Whether all are below zero; None as above."""
        return every(*(value.negative for value in self.values()))

    @property
    def means(self) -> dict[Any, float]:
        """The means, by place."""
        return {place: value.mean for place, value in self.items()}

    @property
    def largest(self) -> Any:
        """The place of the largest mean."""
        return max(self, key=self.means.__getitem__)

    @property
    def smallest(self) -> Any:
        """The place of the smallest mean."""
        return min(self, key=self.means.__getitem__)

    @property
    def basis(self) -> str:
        """What the intervals rest on, "95 %, n = 10", where that is the same for all; else empty."""
        bases = {value.basis for value in self.values()}
        return bases.pop() if len(bases) == 1 else ""

    def __str__(self) -> str:
        listed = ", ".join(f"{named(place)}: {value.short}" for place, value in self.items())
        written = f"{listed} {next(reversed(self.values())).unit}".rstrip()
        return f"{written} ({self.basis})" if self.basis else written


def every(*answers: bool | np.bool_ | None) -> bool | None:
    """Whether all are true, where None is an open question (Kleene's logic): one that is false decides.

    >>> every(True, True), every(True, None), every(False, None)
    (True, None, False)
    """
    if any(answer is not None and not answer for answer in answers):
        return False
    return None if None in answers else True


def some(*answers: bool | np.bool_ | None) -> bool | None:
    """Whether one is true, where None is an open question: one that is true decides.

    >>> some(True, None), some(False, None), some(False, False)
    (True, None, False)
    """
    if any(answers):
        return True
    return None if None in answers else False


def tabulated(place: str, series: Mapping[str, Mapping[Any, Measured]]) -> pd.DataFrame:
    """Values as a table: a row for each place (whose name is given), a column for each series.

    A series with intervals gets their bounds in columns beside it. A place that a series lacks is NaN.

    >>> tabulated("n", {"error": Measurements({1: Measured(3, 2, 4, 9), 2: Measured(1, 0, 2, 9)})})
       n  error  low  high
    0  1      3    2     4
    1  2      1    0     2
    """
    import pandas as pd

    columns: dict[str, Any] = {place: list(dict.fromkeys(at for values in series.values() for at in values))}
    for name, values in series.items():
        which = f" ({name})" if len(series) > 1 else ""
        bounded = any(isfinite(value.low) and value.high > value.low for value in values.values())
        for head, part in ((name, "mean"), (f"low{which}", "low"), (f"high{which}", "high")):
            if part == "mean" or bounded:
                columns[head] = [getattr(values.get(at), part, np.nan) for at in columns[place]]
    return pd.DataFrame(columns)


def named(place: Any) -> str:
    """A place in words: thousands separated.

    >>> named(50_000), named("2×100")
    ('50,000', '2×100')
    """
    return f"{place:,}" if isinstance(place, int) else str(place)


def enumerated(words: Iterable[str]) -> str:
    """Words as an English enumeration.

    >>> enumerated(["a"]), enumerated("abc"), enumerated([])
    ('a', 'a, b and c', 'none')
    """
    *most, last = list(words) or ["none"]
    return f"{', '.join(most)} and {last}" if most else last
