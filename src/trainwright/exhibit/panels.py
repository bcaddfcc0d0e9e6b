"""Panels: the drawing that exhibits have in common, one call each, in one palette.

A panel takes what it draws as a mapping from names to values. The names become its legend (where there are
several), with colours and markers in the palette's order, or as `looks` says: Matplotlib's words for a line,
by name. Then come its title and the labels of its axes; `Scales` are what any panel may be told besides.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from types import MappingProxyType
from typing import Any, TypedDict, Unpack

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from numpy.typing import ArrayLike, NDArray

from trainwright.comparison.measured import Measured
from trainwright.report.figures import BLUE, GREEN, ORANGE, VERMILLION

# Okabe and Ito's (2008) colours, told apart by colour-blind readers; their yellow is too light for lines.
PINK, SKY = "#CC79A7", "#56B4E9"
BLACK, GREY = "#000000", "#555555"
PALETTE = (BLUE, VERMILLION, GREEN, PINK, ORANGE, SKY, BLACK)
MARKERS = ("o", "s", "D", "^", "v", "X", "P")

__all__ = [
    "BLACK",
    "BLUE",
    "GREEN",
    "GREY",
    "MARKERS",
    "ORANGE",
    "PALETTE",
    "PINK",
    "SKY",
    "VERMILLION",
    "Scales",
    "along",
    "curves",
    "framed",
    "level",
    "looks",
    "pictures",
    "points",
    "shares",
    "sheet",
    "strips",
]

Look = Mapping[str, Any]
Looks = Mapping[str, Look]
Values = Mapping[Any, Measured]
PLAIN: Looks = MappingProxyType({})


class Scales(TypedDict, total=False):
    """How a panel's axes run, and where its legend is."""

    log: str
    """Which axes are logarithmic: "x", "y" or "xy"; with plain numbers over less than two powers of ten."""
    xlim: tuple[float | None, float | None]
    ylim: tuple[float | None, float | None]
    legend: str | None
    """Where the legend is, in Matplotlib's words; None for none. Default: "best", with two names or more."""


def sheet(height: float, *rows: str, **options: Any) -> tuple[Figure, dict[str, Axes]]:
    """A figure of a page's width and a height in inches, and its panels by name.

    Each row names its panels, from left to right; one that is named twice is twice as wide. `options` are for
    Matplotlib's `subplot_mosaic`: ratios of heights and widths, shared axes.

    >>> figure, panels = sheet(4.2, "left right", "wide wide")
    >>> list(panels)
    ['left', 'right', 'wide']
    """
    figure, layout = Figure(figsize=(7.6, height)), [row.split() for row in rows]
    panels: dict[str, Axes] = figure.subplot_mosaic(layout, **options)  # type: ignore[arg-type]
    return figure, panels


def strips(height: float, *ratios: float) -> tuple[Figure, list[SubFigure]]:
    """A figure of a page's width and a height in inches, and its parts from top to bottom, in these ratios.

    For a figure whose rows are of different kinds: each part has subplots, a legend or a title of its own.

    >>> figure, (pictures, panels) = strips(7.6, 1, 4.6)
    """
    figure = Figure(figsize=(7.6, height))
    return figure, list(figure.subfigures(len(ratios), 1, squeeze=False, height_ratios=ratios)[:, 0])


def along(
    axes: Axes,
    series: Mapping[str, Values],
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
    *,
    looks: Looks = PLAIN,
    **scales: Unpack[Scales],
) -> None:
    """Values along a range, each with its interval as an error bar.

    Places are numbers, or words, which stand side by side in their order.
    """
    for number, (name, values) in enumerate(series.items()):
        mean, low, high = _bounds(values)
        bars = np.nan_to_num((mean - low, high - mean), posinf=0.0)  # a single value has no interval
        x = _places(axes, values, number, len(series))
        look: dict[str, Any] = {"marker": MARKERS[number % len(MARKERS)], "capsize": 3, "lw": 1.4, "ms": 5}
        if _worded(values):
            look["ls"] = ""  # there is nothing between words
        axes.errorbar(x, mean, bars, label=name, **(look | _look(name, number, looks)))
    framed(axes, title, xlabel, ylabel, **scales)


def curves(
    axes: Axes,
    series: Mapping[str, Values | pd.Series[Any]] | pd.DataFrame,
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
    *,
    looks: Looks = PLAIN,
    **scales: Unpack[Scales],
) -> None:
    """Curves along a range, with a band for the interval.

    A table's columns, or a series of plain numbers, run along the index and have no band.
    """
    for number, (name, values) in enumerate(series.items()):
        look = {"lw": 1.6} | _look(str(name), number, looks)
        if isinstance(values, pd.Series):
            axes.plot(values.index, values, label=str(name), **look)
            continue
        mean, low, high = _bounds(values)
        if "y" in scales.get("log", ""):
            low = np.where(low > 0, low, mean / 4)  # a logarithmic axis has no place for zero
        axes.plot(list(values), mean, label=str(name), **look)
        axes.fill_between(list(values), low, high, color=look["color"], alpha=0.2, lw=0)
    framed(axes, title, xlabel, ylabel, **scales)


def points(
    axes: Axes,
    series: Mapping[str, Mapping[Hashable, ArrayLike]],
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
    *,
    looks: Looks = PLAIN,
    **scales: Unpack[Scales],
) -> None:
    """Every single value at its place, beside each other, and a bar at their mean."""
    for number, (name, groups) in enumerate(series.items()):
        look = {"marker": MARKERS[number % len(MARKERS)]} | _look(name, number, looks)
        for place, (x, group) in enumerate(
            zip(_places(axes, groups, number, len(series)), groups.values(), strict=True)
        ):
            values, room = np.asarray(group, np.float64), 0.3 / len(series)
            at = x + np.linspace(-room, room, len(values))
            label = name if place == 0 else None
            axes.plot(at, values, ls="", ms=4, mfc="none", label=label, **look)
            axes.plot([x - room, x + room], [values.mean()] * 2, color=BLACK, lw=2, zorder=3)
    framed(axes, title, xlabel, ylabel, **scales)


def shares(
    axes: Axes,
    series: Mapping[str, NDArray[Any]],
    bins: NDArray[Any],
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
    *,
    looks: Looks = PLAIN,
    **scales: Unpack[Scales],
) -> None:
    """Histograms over each other: the share of each one's values in every bin, in %.

    What lies outside the bins counts in the whole.
    """
    for number, (name, values) in enumerate(series.items()):
        heights = 100 * np.histogram(values, bins)[0] / values.size
        axes.stairs(heights, bins, label=name, **({"lw": 1.5} | _look(name, number, looks)))
    framed(axes, title, xlabel, ylabel or "share per bin (%)", **({"log": "y"} | scales))


def level(axes: Axes, value: float, label: str = "", *, color: str = GREY, ls: str = "--") -> None:
    """A horizontal line to compare with; one that has a label is named in the legend."""
    axes.axhline(value, color=color, ls=ls, lw=1.2, label=label or None, zorder=1)
    if label:
        framed(axes)


def pictures(figure: Figure | SubFigure, images: Mapping[str, NDArray[Any]], **look: Any) -> None:
    """Pictures side by side, dark where they are large, each over its name; `look` is for `imshow`."""
    look = {"cmap": "gray_r", "vmin": 0, "vmax": 1} | look
    panels = figure.subplots(1, len(images), squeeze=False)[0]
    for axes, (name, image) in zip(panels, images.items(), strict=True):
        axes.imshow(image, **look)
        axes.set_xlabel(name, fontsize=9)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(True)


def framed(axes: Axes, title: str = "", xlabel: str = "", ylabel: str = "", **scales: Unpack[Scales]) -> None:
    """What every panel ends with: its words (those that are given), its scales and its legend."""
    log, place = scales.pop("log", ""), scales.pop("legend", "best")
    words = {"title": title, "xlabel": xlabel, "ylabel": ylabel}
    axes.set(**{name: text for name, text in words.items() if text}, **scales)
    for letter in log:
        axis: Axis = getattr(axes, f"{letter}axis")
        axes.set(**{f"{letter}scale": "log"})
        low, high = axis.get_view_interval()
        if high < 100 * low:
            few = (
                MaxNLocator(5)
                if high < 4 * low
                else LogLocator(subs=(1, 2, 3, 5, 7) if high < 12 * low else (1, 2, 5))
            )
            axis.set_major_locator(few)
            axis.set_major_formatter("{x:,g}")
            axis.set_minor_locator(NullLocator())
    if place and len(axes.get_legend_handles_labels()[1]) > 1:
        options: dict[str, Any] = {"loc": place}
        axes.legend(**options)


def _look(name: str, number: int, looks: Looks) -> dict[str, Any]:
    return {"color": PALETTE[number % len(PALETTE)], **looks.get(name, {})}


def _bounds(values: Values) -> NDArray[np.float64]:
    """Mean, low and high, (3, values)."""
    return np.array([(value.mean, value.low, value.high) for value in values.values()]).T


def _places(axes: Axes, values: Mapping[Any, Any], number: int, count: int) -> list[float]:
    """Where values stand: at their numbers, or named side by side, several series beside each other."""
    if not _worded(values):
        return [float(place) for place in values]
    axes.set_xticks(range(len(values)), list(values))
    axes.tick_params(axis="x", rotation=35 if len("".join(values)) > 40 else 0)
    axes.set_xlim(-0.5, len(values) - 0.5)
    shift = 0.7 * ((number + 0.5) / count - 0.5)
    return list(np.arange(len(values)) + shift)


def _worded(values: Mapping[Any, Any]) -> bool:
    """Whether places are words and not numbers."""
    return any(isinstance(place, str) for place in values)


def looks(*names: str) -> dict[str, dict[str, Any]]:
    """Colours and markers in the palette's order, by name: for panels that show some of these each.

    >>> looks("plain", "mirror")["mirror"]
    {'color': '#D55E00', 'marker': 's'}
    """
    return {
        name: {"color": color, "marker": marker}
        for name, color, marker in zip(names, PALETTE, MARKERS, strict=False)
    }
