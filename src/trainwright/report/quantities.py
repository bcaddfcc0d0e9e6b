"""How quantities and names are written: one spelling for terminal, Markdown, HTML and figures.

A quantity that comes with an interval is written as two pieces, the number and its uncertainty, so
that a narrow table may put the second under the first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import floor, inf, isfinite, log10
from unicodedata import category

from trainwright.comparison.results import Comparison, Interval

MISSING = "–"
MINUS = "−"
NO_INTERVAL = "(no interval)"
CONTROL = ("Cc", "Cs", "Cn")  # control characters, halves of surrogate pairs, what is no character
Pieces = tuple[str, str]


@dataclass(frozen=True)
class Unit:
    """How a comparison's errors and their differences are written, the same in every table and sentence."""

    factor: float
    """Shown number per number in the comparison: 100 for fractions, else 1."""
    error: str
    """What follows an error: " %" or nothing."""
    difference: str
    """The unit of a difference, in words."""
    points: str
    """The same in short, as it follows a number: " points" or nothing."""
    axis: str
    """The unit of an error on an axis."""
    decimals: int
    """Decimals of every error, difference and bound; negative where they are rounded to tens or hundreds."""

    @property
    def percent(self) -> bool:
        return self.factor == 100


def unit(comparison: Comparison) -> Unit:
    """Percent for fractions; else the target's unit, nats, or the score itself.

    All errors, differences and bounds share their decimals. Percentages have two, or up to four where the
    narrowest interval would read as nothing. In other units the narrowest interval's half-width has two
    significant digits, as long as that leaves the reference's error between three and six.
    """
    half = _narrowest(comparison) / 2
    if comparison.unit == "fraction":
        return percent(min(max(-_magnitude(100 * half), 2), 4))
    size = _magnitude(comparison.arm(comparison.reference).error.mean)
    decimals = min(max(1 - _magnitude(half) if isfinite(half) else 3 - size, 2 - size), 5 - size)
    words = {"target": "target's unit", "nats": "nats", "score": "score"}[comparison.unit]
    return plain(decimals, words, points=" nats" if comparison.unit == "nats" else "")


def percent(decimals: int = 2) -> Unit:
    """Fractions, written in percent."""
    return Unit(100, " %", "percentage points", " points", "%", decimals)


def plain(decimals: int, words: str = "target's unit", points: str = "") -> Unit:
    """Numbers in a unit of their own, written as they are."""
    return Unit(1, "", words, points, words, decimals)


def _narrowest(comparison: Comparison) -> float:
    """The width of the narrowest interval; infinite if there is none. Equal numbers' rounding is no width."""
    shown = [arm.difference.interval if arm.difference else arm.error for arm in comparison.arms]
    widths = [interval.high - interval.low for interval in shown]
    return min((width for width in widths if width > 1e-8 * max(abs(shown[0].mean), 1e-300)), default=inf)


def _magnitude(value: float) -> int:
    """The power of ten of a number's first digit; 0 for zero and for what is not finite."""
    return floor(log10(abs(value))) if value and isfinite(value) else 0


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
    """One training's error: a regression's in the target's unit, others in percent.

    >>> single(0.0250696, "classification"), single(12.3456, "regression")
    ('2.51 %', '12.35')
    """
    return size(error, percent()) if task != "regression" else significant(error, 4)


def size(value: float, unit: Unit) -> str:
    """An error without its uncertainty.

    >>> size(0.0231, percent()), size(12345.6, plain(decimals=-1))
    ('2.31 %', '12,350')
    """
    text = number(value * unit.factor, unit.decimals)
    return text if text == MISSING else text + unit.error


def error(interval: Interval, unit: Unit) -> Pieces:
    """An error and the half-width of its interval.

    >>> error(Interval(0.0231, 0.02, 0.0262), percent())
    ('2.31 %', '± 0.31 %')
    """
    half = (interval.high - interval.low) / 2
    return size(interval.mean, unit), f"± {size(half, unit)}" if isfinite(half) else NO_INTERVAL


def difference(interval: Interval, unit: Unit) -> Pieces:
    """A difference with its sign, and its interval.

    >>> difference(Interval(-0.008, -0.011, -0.005), percent())
    ('−0.80', '[−1.10, −0.50]')
    """
    mean, low, high = (
        number(unit.factor * value, unit.decimals, signed=True)
        for value in (interval.mean, interval.low, interval.high)
    )
    return mean, NO_INTERVAL if MISSING in (low, high) else f"[{low}, {high}]"


def margin(comparison: Comparison) -> str:
    """The smallest difference that matters."""
    return amount(comparison.delta, unit(comparison))


def amount(value: float, unit: Unit) -> str:
    """How large a difference is, in words; the target's unit goes unsaid.

    >>> amount(0.0031, percent()), amount(0.01, percent()), amount(12345.6, plain(decimals=-1))
    ('0.31 percentage points', '1 percentage point', '12,300')
    """
    size = significant(value * unit.factor, 2 if unit.percent else 3)
    words = unit.difference if size != "1" else unit.difference.removesuffix("s")
    return f"{size} {words}" if unit.points else size


def share(part: float) -> str:
    """A part of a whole, in percent.

    >>> share(0.4), share(float("nan"))
    ('40 %', '–')
    """
    return f"{number(100 * part)} %" if isfinite(part) else MISSING


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
