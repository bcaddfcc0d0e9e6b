"""How quantities and names are written: one spelling for terminal, Markdown, HTML and figures.

A quantity that comes with an interval is written as two pieces, the number and its uncertainty, so
that a narrow table may put the second under the first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import floor, isfinite, log10
from unicodedata import category

from trainwright.comparison.results import Comparison, Interval

MISSING = "–"
MINUS = "−"
CONTROL = ("Cc", "Cs", "Cn")  # control characters, halves of surrogate pairs, what is no character
Pieces = tuple[str, str]


@dataclass(frozen=True)
class Unit:
    """The unit that a comparison's errors are shown in."""

    factor: float
    """Shown number per number in the comparison: 100 for fractions, 1 for a target's own unit."""
    error: str
    """What follows an error: " %" or nothing."""
    difference: str
    """The unit of a difference, in words."""
    axis: str
    """The unit of an error on an axis."""

    @property
    def percent(self) -> bool:
        return self.factor == 100


PERCENT = Unit(100, " %", "percentage points", "%")
TARGET = Unit(1, "", "target's unit", "target's unit")


def unit(comparison: Comparison) -> Unit:
    """Percent for the fractions of classification, the target's own unit for regression."""
    return PERCENT if comparison.task == "classification" else TARGET


def number(value: float, decimals: int = 0, *, signed: bool = False) -> str:
    """A number with a true minus sign and thousands separated; a dash for what is not finite.

    >>> number(-0.8, 2), number(1234.6), number(-0.0001, 2), number(float("nan"))
    ('−0.80', '1,235', '0.00', '–')
    """
    if not isfinite(value):
        return MISSING
    value = round(value, decimals) + 0.0  # adding 0.0 turns a negative zero into zero
    digits = f"{abs(value):,.{max(decimals, 0)}f}"
    sign = MINUS if value < 0 else "+" if signed and value > 0 else ""
    return sign + digits


def significant(value: float, digits: int = 3) -> str:
    """A number with so many significant digits and no needless zeros.

    >>> significant(0.0123456), significant(12345.0), significant(0.1), significant(3e-7)
    ('0.0123', '12,300', '0.1', '3×10⁻⁷')
    """
    if not isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    exponent = floor(log10(abs(value)))
    if not -5 < exponent < 9:
        mantissa, power = f"{value:.{digits - 1}e}".split("e")
        return typeset(f"{mantissa.rstrip('0').rstrip('.')}e{power}")
    text = number(value, digits - 1 - exponent)
    return text.rstrip("0").rstrip(".") if "." in text else text


def typeset(text: str) -> str:
    """A sentence with its numbers written as everywhere: true minus signs, none at zero, powers of ten, a
    space that does not break before %.

    >>> typeset("off by 3e-07, -1.5 points (-2 to -0.0), 95% or 5 %, 4-layer nets, 1e+09")
    'off by 3×10⁻⁷, −1.5 points (−2 to 0.0), 95\xa0% or 5\xa0%, 4-layer nets, 10⁹'
    """
    text = re.sub(r"\b(\d[\d.]*)e([+-]?)0*(\d+)\b", _power, text)
    text = re.sub(r"(?<![\w.)])[-+](0(\.0+)?)(?!\.?\d)", r"\1", text)
    text = re.sub(r"(?<![\w.)])-(?=\d)", MINUS, text)
    return re.sub(r"(?<=\d) ?%", "\N{NO-BREAK SPACE}%", text)


def _power(found: re.Match[str]) -> str:
    mantissa, sign, exponent = found.groups()
    power = "10" + (sign + exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "+"))
    return power if mantissa == "1" else f"{mantissa}×{power}"


def single(error: float, task: str) -> str:
    """One training's error: in percent for classification, else in the target's unit.

    >>> single(0.0250696, "classification"), single(12.3456, "regression")
    ('2.51 %', '12.35')
    """
    return f"{number(100 * error, 2)}{PERCENT.error}" if task == "classification" else significant(error, 4)


def error(interval: Interval, unit: Unit) -> Pieces:
    """An error and the half-width of its interval.

    >>> error(Interval(0.0231, 0.02, 0.0262), PERCENT)
    ('2.31 %', '± 0.31 %')
    """
    mean, half = interval.mean * unit.factor, (interval.high - interval.low) / 2 * unit.factor
    decimals = _decimals(unit, half, mean, half)
    text = number(mean, decimals) + unit.error
    return text, f"± {number(half, decimals)}{unit.error}" if isfinite(half) else "(no interval)"


def difference(interval: Interval, unit: Unit) -> Pieces:
    """A difference with its sign, and its interval.

    >>> difference(Interval(-0.008, -0.011, -0.005), PERCENT)
    ('−0.80', '[−1.10, −0.50]')
    """
    mean, low, high = (unit.factor * value for value in (interval.mean, interval.low, interval.high))
    decimals = _decimals(unit, high - low, mean, low, high)
    text = number(mean, decimals, signed=True)
    if not (isfinite(low) and isfinite(high)):
        return text, "(no interval)"
    return text, f"[{number(low, decimals, signed=True)}, {number(high, decimals, signed=True)}]"


def margin(comparison: Comparison) -> str:
    """The smallest difference that matters, with its unit."""
    shown = unit(comparison)
    size = significant(comparison.delta * shown.factor, 2 if shown.percent else 3)
    return f"{size} {shown.difference}" if shown.percent else f"{size} (in the {shown.difference})"


def level(comparison: Comparison) -> str:
    """The level of the intervals: "95 %"."""
    return f"{comparison.level * 100:g} %"


def probability(p: float | None) -> str:
    """A p-value with two significant digits.

    >>> probability(0.0312), probability(1e-9), probability(None)
    ('0.031', '< 0.0001', '–')
    """
    if p is None or not isfinite(p):
        return MISSING
    return "< 0.0001" if p < 1e-4 else significant(p, 2)


def duration(seconds: float) -> str:
    """
    >>> duration(0.0421), duration(75.2), duration(9000)
    ('0.0421 s', '75.2 s', '2.5 h')
    """
    if not isfinite(seconds) or seconds < 120:
        return f"{significant(seconds)} s"
    return f"{significant(seconds / 60)} min" if seconds < 7200 else f"{significant(seconds / 3600)} h"


def memory(size: float) -> str:
    """
    >>> memory(123_456_789), memory(35_900), memory(0)
    ('123 MB', '35.9 kB', '–')
    """
    if size <= 0:  # a platform that cannot tell reports none
        return MISSING
    unit, name = next((pair for pair in ((1e9, "GB"), (1e6, "MB")) if size >= pair[0]), (1e3, "kB"))
    return f"{significant(size / unit)} {name}"


def printable(name: str) -> str:
    """A name without control characters: a terminal would obey them, and XML may not hold them.

    >>> printable("red\\x1b[31m")
    'red�[31m'
    """
    return "".join(
        c if c in "\n\t" or category(c) not in CONTROL else "\N{REPLACEMENT CHARACTER}" for c in name
    )


def _decimals(unit: Unit, width: float, *values: float) -> int:
    """Percentages: two, or more if a narrow interval would read as nothing. Else three significant digits
    of the largest value, shared by all so that they line up."""
    if unit.percent:  # a width below a millionth is the rounding of equal numbers
        return max(2, -floor(log10(width))) if isfinite(width) and width > 1e-6 else 2
    largest = max((abs(value) for value in values if isfinite(value)), default=0.0)
    return 2 - floor(log10(largest)) if largest > 0 else 2
