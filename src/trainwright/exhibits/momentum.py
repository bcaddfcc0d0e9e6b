"""Momentum: gradient descent crosses a narrow valley to and fro, momentum runs along it.

In a valley whose walls are κ times as steep as its floor, the steepest descent points at the opposite wall.
Its steps must be small enough for the walls and are then too small for the floor. Momentum adds up what
successive gradients agree on (along) and cancels what they don't (across).

The upper panels are the book's figure 8.5: a quadratic, the same first point and the same learning rate for
both. The arrows on momentum's path are the steps that gradient descent would make from there. Lower left: how
many steps it takes to come a million times closer to the minimum. Gradient descent has its best constant
rate, 2/(λ₁+λₙ), and needs (κ/2) ln(1/tolerance) steps; momentum has its best rate and decay and needs about
(√κ/2) ln(1/tolerance), a little more because its error falls as (1 + ct) αᵗᐟ²; the lines are these formulas.
Nesterov's momentum has the constants of Lessard, Recht & Packard. Lower right: a body pushed by the same
gradient all the time reaches the speed ε‖g‖/(1−α).

Source: Goodfellow, Bengio & Courville 2016, section 8.3.2, Algorithms 8.2 and 8.3, figure 8.5; Polyak 1964
for the rates; Lessard, Recht & Packard 2016 (arXiv 1408.3595), table 1, for Nesterov's on quadratics.

The book does not print figure 8.5's matrix. Here the walls are 50 times as steep as the floor and the rate is
1.9 of the 2/λ₁ at which descent begins to diverge, and α = 0.6.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trainwright.base.config import config
from trainwright.exhibit import Claim, Exhibit, ExhibitResult
from trainwright.strategies.momentum import Momentum as Strategy
from trainwright.studies.defaults import Budget

Floats = NDArray[np.float64]
TOLERANCE = 1e-6
STEEPNESS = 50.0  # of the drawn valley
DRAWN_STEPS = 25
START = np.array([1.0, 4.0])  # across and along the valley
BOOK = "Goodfellow, Bengio & Courville 2016"
NAMES = ("gradient descent", "momentum", "Nesterov")


class Rule(NamedTuple):
    """Gradient descent with a learning rate, and with momentum or without."""

    rate: float
    momentum: Strategy | None = None


@config
class Momentum(Exhibit):
    """Paths on an ill-conditioned quadratic, steps against the condition number, and terminal speeds."""

    title: ClassVar[str] = "Momentum runs along a valley that gradient descent crosses to and fro"

    def make(self, budget: Budget, store: Path) -> ExhibitResult:
        paths = measure_paths()
        steps = measure_steps(np.logspace(1, 4 if budget == "quick" else 6, 7 if budget == "quick" else 11))
        speeds = measure_speeds((0.5, 0.9, 0.99))
        final = pd.DataFrame({"α": speeds.columns, "speed / ε‖g‖": speeds.iloc[-1].to_numpy()})
        final["1 / (1 − α)"] = 1 / (1 - final["α"])
        return ExhibitResult(
            name=self.name,
            title=self.title,
            figure=_draw(paths, steps, speeds),
            tables={
                f"Steps until the distance to the minimum is {TOLERANCE:g} of the first": steps,
                "Terminal speed under a constant gradient, after 2,000 steps": final,
            },
            claims=(*_path_claims(paths), *_step_claims(steps), _speed_claim(final)),
            notes=(
                "The book does not print its figure's matrix: here κ = 50, ε = 1.9/λ₁ and α = 0.6.",
                "Nothing here depends on chance; all is computed in double precision.",
            ),
        )


def best_rules(condition: float) -> dict[str, Rule]:
    """The best constant rates and decays for curvatures from 1 to `condition`."""
    root, nesterov = math.sqrt(condition), math.sqrt(3 * condition + 1)
    return {
        "gradient descent": Rule(2 / (condition + 1)),
        "momentum": Rule(4 / (root + 1) ** 2, Strategy(((root - 1) / (root + 1)) ** 2)),
        "Nesterov": Rule(4 / (3 * condition + 1), Strategy((nesterov - 2) / (nesterov + 2), nesterov=True)),
    }


def descend(rule: Rule, curvatures: Floats, start: Floats, steps: int, tolerance: float = 0.0) -> Floats:
    """The points (steps + 1, dimensions) that a rule visits on ½ Σ λᵢ θᵢ²; it ends early within tolerance."""
    theta, path = start, [start]
    update = rule.momentum.update() if rule.momentum else None
    state: Any = update.init(theta)._replace(v=np.zeros_like(theta)) if update else None
    target = tolerance * np.linalg.norm(start)
    while len(path) <= steps and np.linalg.norm(theta) > target:
        move = -rule.rate * curvatures * theta
        if update:
            move, state = update.update(move, state, theta)
        theta = theta + move
        path.append(theta)
    return np.array(path)


def measure_paths() -> dict[str, Floats]:
    """Both paths (steps + 1, 2) down the drawn valley: across and along it, at the same learning rate."""
    curvatures = np.array([STEEPNESS, 1.0])
    rate = 1.9 / STEEPNESS
    rules = {"gradient descent": Rule(rate), "momentum": Rule(rate, Strategy(0.6))}
    return {name: descend(rule, curvatures, START, DRAWN_STEPS) for name, rule in rules.items()}


def measure_steps(conditions: Floats) -> pd.DataFrame:
    """Steps to the tolerance against the condition number, counted and by theory."""
    rows = []
    for condition in conditions:
        curvatures, start = np.array([condition, 1.0]), np.ones(2)
        counted = {
            name: len(descend(rule, curvatures, start, 100 * int(condition) + 100, TOLERANCE)) - 1
            for name, rule in best_rules(condition).items()
        }
        theory = {f"{name}, theory": count for name, count in theoretical_steps(condition).items()}
        rows.append({"κ": condition, **counted, **theory})
    return pd.DataFrame(rows)


def theoretical_steps(condition: float) -> dict[str, int]:
    """The first step within tolerance, by the closed forms of the error along each eigenvector.

    Gradient descent: the factor (κ−1)/(κ+1) per step. Momentum at its best constants has a double root
    ±s, s = (√κ−1)/(√κ+1), at both ends of the spectrum, so the errors are (1 + (1∓s)t)(±s)ᵗ.
    """
    log = math.log(1 / TOLERANCE)
    descent = math.ceil(log / math.log((condition + 1) / (condition - 1)))
    s = (math.sqrt(condition) - 1) / (math.sqrt(condition) + 1)
    t = np.arange(int(20 * log * math.sqrt(condition)))
    error = np.hypot(1 + (1 + s) * t, 1 + (1 - s) * t) / math.sqrt(2) * s**t
    return {"gradient descent": descent, "momentum": int(np.argmax(error <= TOLERANCE))}


def measure_speeds(decays: tuple[float, ...], steps: int = 2000) -> pd.DataFrame:
    """The speed, in units of ε‖g‖, after each step under a constant gradient; a column per decay."""
    columns = {}
    for decay in decays:
        update = Strategy(decay).update()
        state: Any = update.init(np.zeros(1))._replace(v=np.zeros(1))
        speed = []
        for _ in range(steps):
            move, state = update.update(np.ones(1), state)
            speed.append(float(move[0]))
        columns[decay] = speed
    return pd.DataFrame(columns, index=pd.RangeIndex(1, steps + 1, name="step"))


def slope(conditions: pd.Series[float], counts: pd.Series[float]) -> float:
    """d log(steps) / d log(κ), by least squares."""
    return float(np.polyfit(np.log(conditions), np.log(counts), 1)[0])


def slope_bounds(name: str, condition: float) -> tuple[float, float]:
    """Between what d log(steps) / d log(κ) lies for κ from `condition` on, under a momentum's best rule.

    The error P(t) ρᵗ meets the tolerance at t = (L + log P) / g, with L = log(1/tolerance) and g = −log ρ.
    1/g grows as √κ or faster, and the less so the larger κ. P is well above 1 and grows with t or slower, so
    that it adds less than the factor 1 / (1 − 1/L).
    """
    near = condition * np.array([1, 1 + 1e-4])
    ratio = 1 - 2 / (np.sqrt(near) + 1 if name == "momentum" else np.sqrt(3 * near + 1))
    growth = -np.diff(np.log(-np.log(ratio))) / np.diff(np.log(near))
    return 0.5, float(growth[0]) / (1 - 1 / math.log(1 / TOLERANCE))


def crossings(path: Floats) -> int:
    """How many steps end on the other side of the valley's floor."""
    return int((np.diff(np.sign(path[:, 0])) != 0).sum())


def _path_claims(paths: dict[str, Floats]) -> tuple[Claim, ...]:
    plain, momentum = paths["gradient descent"], paths["momentum"]
    share = {name: abs(path[-1, 1] / path[0, 1]) for name, path in paths.items()}
    across = {name: np.abs(np.diff(path, axis=0)).sum(axis=0) for name, path in paths.items()}
    wasted = {name: float(travel[0] / travel.sum()) for name, travel in across.items()}
    return (
        Claim(
            "Gradient descent wastes time moving back and forth across the valley; momentum goes more"
            " lengthwise.",
            f"{BOOK}, figure 8.5",
            f"In {DRAWN_STEPS} steps gradient descent changed sides {crossings(plain)} times, and"
            f" {wasted['gradient descent']:.0%} of its way went across; momentum {crossings(momentum)} times"
            f" and {wasted['momentum']:.0%}. Along the valley {share['gradient descent']:.0%} of the way was"
            f" left to gradient descent, {share['momentum']:.0%} to momentum.",
            wasted["momentum"] < wasted["gradient descent"]
            and share["momentum"] < share["gradient descent"]
            and crossings(plain) > crossings(momentum),
        ),
    )


def _step_claims(steps: pd.DataFrame) -> tuple[Claim, ...]:
    slopes = {name: slope(steps["κ"], steps[name]) for name in NAMES}
    bounds = {name: slope_bounds(name, steps["κ"].min()) for name in NAMES[1:]}
    within = {name: low < slopes[name] < high for name, (low, high) in bounds.items()}
    theory = {name: f"theory: {low:.3f} to {high:.3f}" for name, (low, high) in bounds.items()}
    off = {name: int((steps[name] - steps[f"{name}, theory"]).abs().max()) for name in NAMES[:2]}
    said = f"for κ from {steps['κ'].min():.0f} to {steps['κ'].max():,.0f}"
    return (
        Claim(
            "Gradient descent's steps grow in proportion to the condition number κ.",
            "Polyak 1964; theory of quadratics",
            f"The slope of log(steps) against log(κ) is {slopes['gradient descent']:.3f} {said};"
            f" the exact form of (κ/2) ln(1/tolerance) is {off['gradient descent']} off at most.",
            # At κ = 10 the exact form's slope is 1.007; a count rounded up, 69 for 68.8, moves it by 0.002.
            abs(slopes["gradient descent"] - 1) < 0.01 and off["gradient descent"] <= 1,
        ),
        Claim(
            "Momentum's steps grow only as √κ.",
            "Polyak 1964; theory of quadratics",
            f"The slope is {slopes['momentum']:.3f} ({theory['momentum']}: more than ½ by the factor (1 + ct)"
            f" and at small κ); the closed form is {off['momentum']} off at most. At κ ="
            f" {steps['κ'].iloc[-1]:,.0f}: {steps['momentum'].iloc[-1]:,} steps against"
            f" {steps['gradient descent'].iloc[-1]:,}.",
            within["momentum"] and off["momentum"] <= 1,
        ),
        Claim(
            "Nesterov's momentum has the same √κ.",
            "Lessard, Recht & Packard 2016, table 1",
            f"The slope is {slopes['Nesterov']:.3f} ({theory['Nesterov']});"
            f" {steps['Nesterov'].iloc[-1]:,} steps at the largest κ.",
            within["Nesterov"],
        ),
    )


def _speed_claim(final: pd.DataFrame) -> Claim:
    reached = [
        f"{speed:.3g} at α = {decay:g}" for decay, speed, _ in final.itertuples(index=False, name=None)
    ]
    return Claim(
        "A gradient that stays the same is followed at the speed ε‖g‖/(1−α): 2, 10 and 100 times as fast.",
        f"{BOOK}, section 8.3.2",
        f"Times ε‖g‖: {', '.join(reached)}.",
        bool(np.allclose(final["speed / ε‖g‖"], final["1 / (1 − α)"], rtol=1e-6)),
    )


def _draw(paths: dict[str, Floats], steps: pd.DataFrame, speeds: pd.DataFrame) -> Figure:
    figure = Figure(figsize=(7.6, 6.4))
    (left, right), (scaling, terminal) = figure.subplots(2, 2)
    _draw_path(left, paths["gradient descent"], "C1", "gradient descent")
    _draw_path(right, paths["momentum"], "C0", "momentum, α = 0.6")
    for point in paths["momentum"][:-1:2]:
        step = -1.9 / STEEPNESS * np.array([STEEPNESS, 1.0]) * point
        if np.linalg.norm(_turned(step)) > 0.15:
            x, y = _turned(point)
            dx, dy = _turned(step)
            right.arrow(x, y, dx, dy, color="black", lw=0.8, head_width=0.1, length_includes_head=True)
    for name, marker, colour in zip(NAMES, "so^", ("C1", "C0", "C2"), strict=True):
        scaling.plot(steps["κ"], steps[name], marker, ms=6, color=colour, label=name, zorder=3)
        if f"{name}, theory" in steps:
            scaling.plot(steps["κ"], steps[f"{name}, theory"], color=colour, lw=1.2)
    scaling.set(xscale="log", yscale="log", xlabel="condition number κ", ylabel="steps to the tolerance")
    scaling.set_title("Steps: ∝ κ, and ∝ √κ (lines: theory)")
    scaling.legend()
    scaling.grid()
    for (decay, speed), colour, line in zip(
        speeds.items(), ("C2", "C0", "C3"), (":", "-", "--"), strict=True
    ):
        alpha = float(str(decay))
        terminal.plot(speeds.index, speed, line, color=colour, label=f"α = {alpha:g}", lw=2)
        terminal.axhline(1 / (1 - alpha), color="black", lw=0.7, zorder=1)
    terminal.set(xscale="log", yscale="log", xlabel="step", ylabel="speed in units of ε‖g‖")
    terminal.set_title("Speed under a constant gradient\n(lines: 1/(1 − α))")
    terminal.legend(loc="upper left", bbox_to_anchor=(0, 0.97))
    terminal.grid()
    return figure


def _turned(point: Floats) -> Floats:
    """From (across, along) to the page, as in the book: steepest along [1, 1], flattest along [1, −1]."""
    across, along = point[..., 0], point[..., 1]
    return np.stack([across - along, across + along], axis=-1) / math.sqrt(2)


def _draw_path(axes: Axes, path: Floats, colour: str, name: str) -> None:
    x, y = np.meshgrid(np.linspace(-3.6, 1.2, 200), np.linspace(-1.2, 4.2, 200))
    heights = (STEEPNESS * (x + y) ** 2 + (y - x) ** 2) / 4
    axes.contour(x, y, heights, levels=np.geomspace(0.3, 300, 9), colors="0.75", linewidths=0.8)
    points = _turned(path)
    axes.plot(points[:, 0], points[:, 1], "o-", ms=3.5, lw=1.3, color=colour)
    axes.plot(*points[0], "s", ms=7, color=colour)
    axes.plot(0, 0, "*", ms=11, color="black")
    axes.set(xlabel="θ₁", ylabel="θ₂", aspect="equal", title=f"{DRAWN_STEPS} steps of {name}")
