"""Measured: a mean with its interval, its n and its unit, which writes itself.

The numbers of a claim: what an arm gains, by how much a loss falls, how many more units are active.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import floor, isfinite, log10
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from trainwright.comparison import paired


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

    @property
    def positive(self) -> bool:
        """Whether the whole interval lies above zero."""
        return self.low > 0

    @property
    def negative(self) -> bool:
        """Whether the whole interval lies below zero."""
        return self.high < 0

    def within(self, margin: float) -> bool:
        """Whether the whole interval lies between -margin and margin."""
        return -margin < self.low and self.high < margin

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

    @property
    def all_positive(self) -> bool:
        """Whether every interval lies above zero."""
        return all(value.positive for value in self.values())

    @property
    def all_negative(self) -> bool:
        """Whether every interval lies below zero."""
        return all(value.negative for value in self.values())

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

    def __str__(self) -> str:
        listed = ", ".join(f"{named(place)}: {value.short}" for place, value in self.items())
        last = next(reversed(self.values()))
        bases = {value.basis for value in self.values()}
        return f"{listed} {last.unit}".rstrip() + (f" ({bases.pop()})" if len(bases) == 1 else "")


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
