"""The figure of an ablation path: the metric of what is left, part after part, with its interval."""

from __future__ import annotations

from math import isfinite

from matplotlib.ticker import FuncFormatter, MaxNLocator

from trainwright.comparison.path import Path
from trainwright.comparison.results import Comparison, Interval
from trainwright.report import quantities
from trainwright.report.canvas import INK, canvas, lines
from trainwright.report.figures import BLUE, GREEN, LINE, ORANGE, SMALL, VERMILLION, WIDE
from trainwright.report.recommendation import CONTRIBUTION

COLOURS = {"helps": BLUE, "hurts": VERMILLION, "no difference": GREEN, "inconclusive": ORANGE}


def drawn(comparison: Comparison, path: Path, width: int = WIDE) -> str:
    """One row for the whole recipe and one for each part taken out, down to the plain recipe; the colour of a
    row says what the part was worth."""
    unit = quantities.unit(comparison)
    rows: list[tuple[str, Interval, str, str]] = [("the best recipe", path.start, INK, "")]
    for step in path.steps:
        verdict, words = CONTRIBUTION[step.verdict]
        rows.append((f"without {step.part}", step.error, COLOURS[verdict], words))
    beside = width >= 600
    names = [lines(name, 30 if beside else 42) for name, *_ in rows]
    rooms = [max(40, LINE * len(name) + 14) if beside else LINE * len(name) + 44 for name in names]
    left, right = (232, 170) if beside else (12, 12)
    with canvas(width, sum(rooms) + 52) as drawing:
        axes = drawing.panel(left, 6, width - left - right, sum(rooms))
        axes.set_ylim(sum(rooms), 0)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlim(*_span([interval for _, interval, *_ in rows], unit.factor))
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: quantities.significant(x) + unit.error))
        axes.tick_params(labelsize=SMALL)
        top, before = 0.0, None
        for (_, interval, colour, words), name, room in zip(rows, names, rooms, strict=True):
            y = top + (room / 2 if beside else LINE * len(name) + 26)
            size = quantities.size(interval.mean, unit)
            for index, line in enumerate(name):
                if beside:
                    height = 6 + y + LINE * (index - (len(name) - 1) / 2)
                    drawing.say(line, left - 12, height, ha="right")
                else:
                    drawing.say(line, 4, top + 16 + LINE * index, weight="bold", fontsize=SMALL)
            if beside:
                drawing.say(words, width - right + 16, 6 + y - 8, weight="bold")
                drawing.say(size, width - right + 16, 6 + y + (9 if words else 0), fontsize=SMALL)
            else:
                drawing.say(f"{words} {size}", width - 4, top + 16, fontsize=SMALL, ha="right")
            low, mean, high = (unit.factor * v for v in (interval.low, interval.mean, interval.high))
            if before:
                axes.plot([before[0], mean], [before[1], y], color=INK, lw=1, alpha=0.4)
            if isfinite(low) and isfinite(high):
                axes.plot([low, high], [y, y], color=colour, lw=2.4, solid_capstyle="butt")
            axes.plot(mean, y, "o", ms=8, color=colour, zorder=3)
            before = (mean, y)
            top += room
        drawing.say(
            comparison.metric,
            left + (width - left - right) / 2,
            drawing.height - 10,
            fontsize=SMALL,
            ha="center",
        )
        said = "; ".join(f"{name}: {quantities.size(i.mean, unit)} {words}" for name, i, _, words in rows)
        return drawing.svg(f"path-{width}", f"From the best recipe to the plain one. {said}.")


def _span(intervals: list[Interval], factor: float) -> tuple[float, float]:
    """From the lowest bound to the highest, with a margin."""
    means = [factor * interval.mean for interval in intervals]
    bounds = [factor * bound for i in intervals for bound in (i.low, i.high) if isfinite(bound)]
    low, high = min([*means, *bounds]), max([*means, *bounds])
    margin = 0.05 * (high - low) or 0.1 * abs(high) or 1.0
    return low - margin, high + margin
