"""A comparison's figures as SVG: effects, learning curves, costs. Numbers come in; only drawing is here.

Each is laid out for a width in CSS pixels with letters of 11 to 13 pixels: a page shows one drawn for a
desk or one drawn for a phone, instead of shrinking letters. Colours are Okabe and Ito's (2008), told
apart by colour-blind readers; no colour says anything that a sign or a shape does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, isfinite
from statistics import median

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from trainwright.comparison.results import ArmResult, Comparison, Curve, Difference
from trainwright.report import quantities, verdicts
from trainwright.report.canvas import INK, canvas, lines

WIDE, NARROW = 760, 330
SMALL = 11
LINE = 15  # pixels from one line of text to the next
BLUE, VERMILLION, ORANGE, GREEN = "#0072B2", "#D55E00", "#E69F00", "#009E73"
COLOURS = {
    "helps": BLUE,
    "hurts": VERMILLION,
    "no difference": GREEN,
    "inconclusive": ORANGE,
    "changed nothing": GREEN,
}
MARKERS = {"helps": "o", "hurts": "s", "no difference": "D", "inconclusive": "o", "changed nothing": "D"}


def effects(comparison: Comparison, width: int = WIDE) -> str:
    """Forest plot: each arm's difference to the reference, its interval and its verdict.

    The line at zero is the reference, the band around it holds the differences too small to matter; an
    arrow at the rim marks what lies beyond it.
    """
    beside = width >= 600
    unit = quantities.unit(comparison)
    judged = [(arm, arm.difference) for arm in verdicts.by_effect(comparison) if arm.difference]
    names = [lines(arm.name, 30 if beside else 42) for arm, _ in judged]
    rooms = [max(44, LINE * len(name) + 14) if beside else LINE * len(name) + 48 for name in names]
    left, right = (232, 200) if beside else (12, 12)
    height = sum(rooms) or 1  # a study of the reference alone has no rows
    with canvas(width, height + 66) as drawing:
        axes = drawing.panel(left, 6, width - left - right, height)
        axes.set_ylim(height, 0)
        reach = _reach([difference for _, difference in judged], comparison.delta) * unit.factor
        _effect_axis(axes, comparison.delta * unit.factor, reach)
        top = 0.0
        for (arm, difference), name, room in zip(judged, names, rooms, strict=True):
            mean, interval = quantities.difference(difference.interval, unit)
            if beside:
                y = top + room / 2
                for index, line in enumerate(name):
                    drawing.say(line, left - 12, 6 + y + LINE * (index - (len(name) - 1) / 2), ha="right")
                drawing.say(verdicts.signed(verdicts.word(arm)), width - right + 16, 6 + y - 8, weight="bold")
                drawing.say(f"{mean} {interval}", width - right + 16, 6 + y + 9, fontsize=SMALL)
            else:
                foot = top + 18 + LINE * len(name)
                y = foot + 18
                for index, line in enumerate(name):
                    drawing.say(line, 4, top + 18 + LINE * index, weight="bold", fontsize=SMALL)
                drawing.say(verdicts.signed(verdicts.word(arm)), 4, foot, fontsize=SMALL)
                drawing.say(f"{mean} {interval}", width - 4, foot, fontsize=SMALL, ha="right")
            # On a phone the line at zero leaves room for the names.
            half = room / 2 if beside else 15
            axes.plot([0, 0], [y - half, y + half], color=INK, lw=1, solid_capstyle="butt")
            _effect(axes, difference, unit.factor, reach, y)
            top += room
        middle = left + (width - left - right) / 2
        text = f"difference in {comparison.metric}, {unit.difference}"
        drawing.say(text, middle, drawing.height - 26, fontsize=SMALL, ha="center")
        drawing.say("← better · worse →", middle, drawing.height - 10, fontsize=SMALL, ha="center")
        said = [f"{arm.name}: {verdicts.word(arm)}" for arm, _ in judged]
        return drawing.svg(f"effects-{width}", f"Differences to {comparison.reference}. {'; '.join(said)}.")


def curves(comparison: Comparison, width: int = WIDE) -> str:
    """Learning curves, one panel per arm: the mean validation error and its band over seeds, along steps.

    Grey behind it is the reference; ticks at the foot mark the steps whose weights were kept, one per seed,
    a triangle their median.
    """
    arms = verdicts.by_effect(comparison)
    columns = max(1, min(len(arms), width // 240))
    names = [lines(arm.name, 28 if columns > 1 else 40) for arm in arms]
    left, gap, inner = 56, 20, 128
    panel = min(420, (width - left - 10 - gap * (columns - 1)) / columns)
    rows = ceil(len(arms) / columns)
    titles = [LINE * max(map(len, names[row * columns : (row + 1) * columns])) + 8 for row in range(rows)]
    scale = _Scale.of(comparison)
    behind = next((_validation(arm) for arm in arms if arm.name == comparison.reference), None)
    with canvas(width, sum(titles) + rows * (inner + 32) + 18) as drawing:
        for index, (arm, name) in enumerate(zip(arms, names, strict=True)):
            row, column = divmod(index, columns)
            x, y = left + column * (panel + gap), sum(titles[: row + 1]) + row * (inner + 32)
            for number, line in enumerate(reversed(name)):
                drawing.say(line, x, y - 10 - LINE * number, weight="bold", fontsize=SMALL)
            axes = drawing.panel(x, y, panel, inner)
            _curve_axis(axes, comparison, scale, labelled=column == 0)
            if behind and arm.name != comparison.reference:
                _curve(axes, behind, INK, alpha=0.4)
            if curve := _validation(arm):
                _curve(axes, curve, BLUE, alpha=1)
            else:
                drawing.say("diverged: no curve", x + panel, y + 14, ha="right", fontsize=SMALL)
            _kept(axes, arm)
        drawing.say("training steps", left, drawing.height - 9, fontsize=SMALL)
        said = ", ".join(arm.name for arm in arms)
        return drawing.svg(f"curves-{width}", f"Validation error along training steps for {said}.")


def costs(comparison: Comparison, width: int = WIDE) -> str:
    """Seconds of one training and the memory of its state, one bar per arm."""
    arms = verdicts.by_effect(comparison)
    parts: list[tuple[str, list[float], Callable[[float], str]]] = [
        ("time per training", [arm.seconds for arm in arms], quantities.duration),
        ("memory", [float(arm.memory_bytes) for arm in arms], quantities.memory),
    ]
    beside = width >= 600
    names = [lines(arm.name, 30 if beside else 42) for arm in arms]
    rooms = [max(28, LINE * len(name) + 10) if beside else LINE * len(name) + 26 for name in names]
    left, label = (232, 70) if beside else (4, 76)
    block = sum(rooms) + 30
    bar = (width - left) / (2 if beside else 1) - label
    with canvas(width, block if beside else 2 * block) as drawing:
        for index, (title, values, spell) in enumerate(parts):
            x, top = (left + index * (bar + label), 26) if beside else (left, index * block + 26)
            drawing.say(title, x, top - 14, weight="bold")
            axes = drawing.panel(x, top, bar, sum(rooms))
            axes.set_axis_off()
            axes.set_ylim(sum(rooms), 0)
            axes.set_xlim(0, max([value for value in values if isfinite(value)], default=0) or 1)
            y = 0.0
            for name, value, room in zip(names, values, rooms, strict=True):
                middle = y + (room / 2 if beside else LINE * len(name) + 11)
                for number, line in enumerate(name if index == 0 or not beside else []):
                    if beside:
                        height = middle + LINE * (number - (len(name) - 1) / 2)
                        drawing.say(line, left - 12, top + height, ha="right", fontsize=SMALL)
                    else:
                        drawing.say(line, left, top + y + 8 + LINE * number, fontsize=SMALL)
                axes.barh(middle, value if isfinite(value) else 0, height=13, color=BLUE)
                end = bar * (value / axes.get_xlim()[1] if isfinite(value) else 0)
                drawing.say(spell(value), x + end + 6, top + middle, fontsize=SMALL)
                y += room
        return drawing.svg(
            f"costs-{width}",
            "Time and memory of one training, per arm: the table below has all.",
        )


def _reach(differences: list[Difference], delta: float) -> float:
    """How far the axis goes to either side: to the end of the longest interval, unless a gap shows that it
    would squeeze the others to a point, as an arm that diverged would."""
    ends = sorted(
        max(abs(value) for value in (i.mean, i.low, i.high) if isfinite(value))
        for i in (difference.interval for difference in differences)
    )
    reach = max([*ends[:1], 1.3 * delta])
    for end in ends:
        if end > 5 * reach:
            break
        reach = max(reach, end)
    return 1.06 * reach or 1.0


def _effect_axis(axes: Axes, delta: float, reach: float) -> None:
    axes.set_xlim(-reach, reach)
    axes.axvspan(-delta, delta, color=INK, alpha=0.09, lw=0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda x, _: ("+" if x > 0 else "") + quantities.significant(x))
    )
    axes.tick_params(labelsize=SMALL)


def _effect(axes: Axes, difference: Difference, factor: float, reach: float, y: float) -> None:
    interval, verdict = difference.interval, difference.verdict
    mean, low, high = (factor * value for value in (interval.mean, interval.low, interval.high))
    colour = COLOURS[verdict]
    if isfinite(low) and isfinite(high):
        axes.plot([max(low, -reach), min(high, reach)], [y, y], color=colour, lw=2.4, solid_capstyle="butt")
    if abs(mean) <= reach:
        face = "none" if verdict == "inconclusive" else colour
        axes.plot(mean, y, MARKERS[verdict], ms=8, color=colour, mew=2, mfc=face, zorder=3)
    for side, arrow in ((-1, "<"), (1, ">")):
        if any(isfinite(value) and value * side > reach for value in (mean, low, high)):
            axes.plot(side * reach, y, arrow, ms=9, color=colour, clip_on=False, zorder=4)


@dataclass(frozen=True)
class _Scale:
    """The axes that all learning curves share."""

    steps: float
    low: float
    high: float
    logarithmic: bool

    @staticmethod
    def of(comparison: Comparison) -> _Scale:
        found = [curve for curve in map(_validation, comparison.arms) if curve]
        means = [value for curve in found for value in curve.mean if isfinite(value)]
        if not means:
            return _Scale(1, 0, 1, logarithmic=False)
        steps, low, high = max(curve.steps[-1] for curve in found), min(means), max(means)
        # An error that falls to a sixth would lie flat on the floor of a linear axis.
        if low > 0 and high / low > 6:
            return _Scale(steps, low / 1.5, high * 1.1, logarithmic=True)
        margin = 0.12 * (high - low) or 0.1 * abs(high) or 1.0
        return _Scale(steps, low - margin, high + margin, logarithmic=False)


def _validation(arm: ArmResult) -> Curve | None:
    """The arm's validation error along training, if any seed got as far as its first evaluation."""
    curve = arm.curves.get("validation_error")
    return curve if curve and curve.steps else None


def _curve_axis(axes: Axes, comparison: Comparison, scale: _Scale, *, labelled: bool) -> None:
    # The curves are those of the error, whatever the metric.
    unit = quantities.unit(comparison) if comparison.task == "regression" else quantities.percent()
    if scale.logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.set(xlim=(0, scale.steps * 1.02), ylim=(scale.low, scale.high))
    axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: quantities.number(x)))
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda y, _: quantities.significant(y * unit.factor) + unit.error if labelled else "")
    )
    axes.grid(axis="y", color=INK, alpha=0.14, lw=0.8)
    axes.tick_params(labelsize=SMALL, length=3)


def _curve(axes: Axes, curve: Curve, colour: str, alpha: float) -> None:
    axes.fill_between(curve.steps, curve.low, curve.high, color=colour, alpha=0.25 * alpha, lw=0)
    axes.plot(curve.steps, curve.mean, color=colour, lw=1.6, alpha=alpha)


def _kept(axes: Axes, arm: ArmResult) -> None:
    if not arm.best_steps:
        return
    foot = axes.get_xaxis_transform()
    ticks = [0.06] * len(arm.best_steps)
    axes.plot(arm.best_steps, ticks, "|", ms=8, mew=1.2, color=VERMILLION, alpha=0.6, transform=foot)
    axes.plot(median(arm.best_steps), 0.06, "^", ms=6, color=VERMILLION, transform=foot)
