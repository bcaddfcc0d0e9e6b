"""Panels: the drawing that exhibits have in common, in one palette.

Each function draws into the axes that it is given and says nothing about their labels: those belong to the
exhibit's words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullLocator
from numpy.typing import ArrayLike, NDArray

from trainwright.comparison.measured import Measured
from trainwright.comparison.results import ArmResult
from trainwright.report.figures import BLUE, GREEN, ORANGE, VERMILLION

# Okabe and Ito's (2008) colours, told apart by colour-blind readers; their yellow is too light for lines.
PINK, SKY = "#CC79A7", "#56B4E9"
BLACK, GREY = "#000000", "#555555"
PALETTE = (BLUE, VERMILLION, GREEN, PINK, ORANGE, SKY, BLACK)

__all__ = [
    "BLACK",
    "BLUE",
    "GREEN",
    "GREY",
    "ORANGE",
    "PALETTE",
    "PINK",
    "SKY",
    "VERMILLION",
    "along",
    "band",
    "learning_curve",
    "plain_log_ticks",
    "shares",
]


def band(
    axes: Axes, x: ArrayLike, mean: ArrayLike, low: ArrayLike, high: ArrayLike, *, color: str, **look: Any
) -> None:
    """A curve with a band between low and high; `look` is the curve's."""
    axes.plot(np.asarray(x), np.asarray(mean), color=color, **look)
    axes.fill_between(np.asarray(x), np.asarray(low), np.asarray(high), color=color, alpha=0.2, lw=0)


def learning_curve(axes: Axes, arm: ArmResult, column: str, *, color: str, **look: Any) -> None:
    """A quantity along an arm's training steps, with the band over its seeds; a rate of errors in %.

    `column`: `train_loss`, `validation_loss` or `validation_error`.
    """
    curve, factor = arm.curves[column], 100 if column.endswith("error") and arm.loss else 1
    mean, low, high = (factor * np.array(values) for values in (curve.mean, curve.low, curve.high))
    band(axes, curve.steps, mean, low, high, color=color, **look)


def along(axes: Axes, values: Mapping[Any, Measured], *, color: str, **look: Any) -> None:
    """Values along the range of their places (numbers), each with its interval as an error bar."""
    mean, low, high = np.array([(value.mean, value.low, value.high) for value in values.values()]).T
    bars = np.nan_to_num((mean - low, high - mean), posinf=0.0)  # a single value has no interval
    look = {"marker": "o", "capsize": 3, "lw": 1.4, **look}
    axes.errorbar([float(place) for place in values], mean, bars, color=color, **look)


def shares(axes: Axes, values: Mapping[str, NDArray[Any]], bins: NDArray[Any], colors: Sequence[str]) -> None:
    """Histograms over each other, named: the share of each one's values in every bin, in %.

    What lies outside the bins counts in the whole.
    """
    for (name, numbers), color in zip(values.items(), colors, strict=True):
        axes.stairs(
            100 * np.histogram(numbers, bins)[0] / numbers.size, bins, color=color, lw=1.5, label=name
        )
    axes.set(ylabel="share per bin (%)", yscale="log")


def plain_log_ticks(axes: Axes) -> None:
    """A logarithmic y axis over less than two powers of ten, with plain numbers for ticks."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())
