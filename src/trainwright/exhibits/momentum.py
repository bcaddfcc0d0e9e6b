"""Momentum: gradient descent crosses a narrow valley to and fro, momentum runs along it.

In a valley whose walls are κ times as steep as its floor, the steepest descent points at the opposite wall.
Its steps must be small enough for the walls and are then too small for the floor. Momentum adds up what
successive gradients agree on (along) and cancels what they don't (across).

Above: the book's figure 8.5, from the same point at the same learning rate; arrows are the steps that descent
would make. Below: steps to the tolerance, each method with its best constants. Descent needs
(κ/2) ln(1/tolerance). Were momentum's error to fall as αᵗᐟ², it would need (√κ/2) ln(1/tolerance); it falls
as (1 + ct) αᵗᐟ², which takes about half as many again. Last, the speed under a constant gradient.

Source: Goodfellow, Bengio & Courville 2016, section 8.3.2, Algorithms 8.2 and 8.3, figure 8.5; Polyak 1964
for the rates; Lessard, Recht & Packard 2016 (arXiv 1408.3595), table 1, for Nesterov's on quadratics.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, log, sqrt
from pathlib import Path

import numpy as np
import pandas as pd

from trainwright import exhibit as ex
from trainwright.strategies import momentum

BOOK, THEORY = "Goodfellow, Bengio & Courville 2016", "Polyak 1964; theory of quadratics"
DESCENT, MOMENTUM, NESTEROV = METHODS = ["gradient descent", "momentum", "Nesterov"]
TOLERANCE = 1e-6  # of the first distance to the minimum
STEEPNESS = 50.0  # κ of the drawn valley
RATE = 1.9 / STEEPNESS  # in it
PAGE = np.array([[1, 1], [-1, 1]]) / sqrt(2)  # as in the book: steepest along [1, 1], flattest along [1, −1]
# The error P(t) ρᵗ meets the tolerance at t = (L + log P) / −log ρ with L = log(1/tolerance), and 1/−log ρ
# grows as √κ. P is well above 1 and grows no faster than t, so it adds less than the factor 1 / (1 − 1/L).
ROOT = (0.5, 0.5 / (1 - 1 / log(1 / TOLERANCE)))  # between what d log(steps) / d log(κ) lies
SCALES = ex.scales(conditions=(np.logspace(1, 4, 7), np.logspace(1, 6, 11)))  # κ


@ex.config
class Momentum(ex.Exhibit):
    """Paths on an ill-conditioned quadratic, steps against the condition number, and terminal speeds."""

    title = "Momentum runs along a valley that gradient descent crosses to and fro"

    def make(self, budget: ex.Budget, store: Path) -> ex.ExhibitResult:
        rules = {DESCENT: momentum.Momentum(0.0), MOMENTUM: momentum.Momentum(0.6)}
        valley, start = slope_of(STEEPNESS), np.array([1.0, 4.0])  # across it and along it
        paths = {name: ex.walk(rule, RATE, valley, start, steps=25) for name, rule in rules.items()}
        steps, speeds = count_steps(SCALES[budget].conditions), measure_speeds()
        final = speeds.iloc[-1].rename("speed / ε‖g‖").rename_axis("α").reset_index()
        final["1 / (1 − α)"] = 1 / (1 - final["α"])
        return self.result(
            draw(paths, steps, speeds),
            {
                f"Steps until the distance to the minimum is {TOLERANCE:g} of the first": steps,
                f"Terminal speed under a constant gradient, after {len(speeds):,} steps": final,
            },
            (lengthwise(paths), proportional(steps), square_root(steps), nesterov(steps), terminal(final)),
            (
                f"The book does not print its figure's matrix: here κ = {STEEPNESS:g}, ε = 1.9/λ₁ (descent "
                "diverges from 2/λ₁ on) and α = 0.6.",
                "Nothing here depends on chance; all is computed in double precision.",
            ),
        )


def slope_of(κ: float) -> Callable[[ex.Floats], ex.Floats]:
    """The gradient in a valley whose walls are κ times as steep as its floor."""
    return lambda theta: np.array([κ, 1.0]) * theta


def count_steps(conditions: ex.Floats) -> pd.DataFrame:
    """Steps to the tolerance against the condition number, counted and by theory.

    Each method has the best constant rate and decay for curvatures from 1 to the condition number.
    """

    def counted(κ: float) -> dict[str, int]:
        root, wide, near = sqrt(κ), sqrt(3 * κ + 1), TOLERANCE * sqrt(2)
        rules = {
            DESCENT: (momentum.Momentum(0.0), 2 / (κ + 1)),
            MOMENTUM: (momentum.Momentum(((root - 1) / (root + 1)) ** 2), 4 / (root + 1) ** 2),
            NESTEROV: (momentum.Momentum((wide - 2) / (wide + 2), nesterov=True), 4 / (3 * κ + 1)),
        }
        paths = {name: ex.walk(*rule, slope_of(κ), np.ones(2), near=near) for name, rule in rules.items()}
        return {name: len(path) - 1 for name, path in paths.items()} | theoretical_steps(κ)

    return ex.grid(counted, κ=conditions).set_index("κ")


def theoretical_steps(κ: float) -> dict[str, int]:
    """The first step within tolerance, by the closed forms of the error along each eigenvector.

    Gradient descent: the factor (κ−1)/(κ+1) per step. Momentum at its best constants has a double root
    ±s, s = (√κ−1)/(√κ+1), at both ends of the spectrum, so the errors are (1 + (1∓s)t)(±s)ᵗ.
    """
    descent = ceil(log(1 / TOLERANCE) / log((κ + 1) / (κ - 1)))
    s = (sqrt(κ) - 1) / (sqrt(κ) + 1)
    t = np.arange(int(20 * log(1 / TOLERANCE) * sqrt(κ)))
    error = np.hypot(1 + (1 + s) * t, 1 + (1 - s) * t) / sqrt(2) * s**t
    return {f"{DESCENT}, theory": descent, f"{MOMENTUM}, theory": int(np.argmax(error <= TOLERANCE))}


def measure_speeds(decays: tuple[float, ...] = (0.5, 0.9, 0.99), steps: int = 2000) -> pd.DataFrame:
    """The speed, in units of ε‖g‖, after each step under a constant gradient; a column per decay."""
    bodies = {decay: momentum.Momentum(decay) for decay in decays}
    paths = {α: ex.walk(body, 1.0, np.ones_like, np.ones(1), steps=steps) for α, body in bodies.items()}
    return pd.DataFrame({α: -np.diff(path[:, 0]) for α, path in paths.items()}, range(1, steps + 1))


@ex.claim(
    "Gradient descent wastes time moving back and forth across the valley; momentum goes lengthwise.",
    f"{BOOK}, figure 8.5",
)
def lengthwise(paths: dict[str, ex.Floats]) -> ex.Judged:
    """Momentum crosses less often, goes less across, and comes further along; points (steps + 1, 2)."""
    seen, measured = [], {}
    for name, path in paths.items():
        crossed = (np.diff(np.sign(path[:, 0])) != 0).sum()
        across, along = np.abs(np.diff(path, axis=0)).sum(axis=0)
        left = abs(path[-1, 1] / path[0, 1])
        measured[name] = np.array([crossed, across / (across + along), left])
        seen.append(
            f"{name} crossed the floor {crossed} times, {across / (across + along):.0%} of its way went "
            f"across, and {left:.0%} of the way along was left"
        )
    less = (measured[MOMENTUM] < measured[DESCENT]).all()
    return f"In {len(paths[MOMENTUM]) - 1} steps {'; '.join(seen)}.", less


@ex.claim("Gradient descent's steps grow in proportion to the condition number κ.", THEORY)
def proportional(steps: pd.DataFrame) -> ex.Judged:
    """The slope is 1 (a count rounded up, 692 for 691.2, moves it by less than 0.001), as the form says."""
    slope, off = (
        ex.exponent(steps.loc[100:, DESCENT]),
        (steps[DESCENT] - steps[f"{DESCENT}, theory"]).abs().max(),
    )
    seen = (
        f"The slope of log(steps) against log(κ) is {slope:.3f} for κ from 100 to {steps.index[-1]:,.0f}; "
        f"the exact form of (κ/2) ln(1/tolerance) is {off} off at most."
    )
    return seen, abs(slope - 1) < 0.005 and off <= 1


@ex.claim("Momentum's steps grow only as √κ.", THEORY)
def square_root(steps: pd.DataFrame) -> ex.Judged:
    """The slope lies within theory's bounds, and the counts are those of the closed form."""
    slope, off = (
        ex.exponent(steps.loc[100:, MOMENTUM]),
        (steps[MOMENTUM] - steps[f"{MOMENTUM}, theory"]).abs().max(),
    )
    κ, last = steps.index[-1], steps.iloc[-1]
    simple = sqrt(κ) / 2 * log(1 / TOLERANCE)
    seen = (
        f"The slope is {slope:.3f} (theory: {ROOT[0]} to {ROOT[1]:.3f}: more than ½ by the factor (1 + ct)); "
        f"the closed form is {off} off at most. At κ = {κ:,.0f} it takes {last[MOMENTUM]:,.0f} "
        f"steps, where (√κ/2) ln(1/tolerance) is {simple:,.0f} and descent takes {last[DESCENT]:,.0f}."
    )
    return seen, ROOT[0] < slope < ROOT[1] and off <= 1


@ex.claim("Nesterov's momentum has the same √κ.", "Lessard, Recht & Packard 2016, table 1")
def nesterov(steps: pd.DataFrame) -> ex.Judged:
    """The slope lies within theory's bounds."""
    slope, last = ex.exponent(steps.loc[100:, NESTEROV]), steps[NESTEROV].iloc[-1]
    seen = f"The slope is {slope:.3f} (theory: {ROOT[0]} to {ROOT[1]:.3f}); {last:,} steps at the largest κ."
    return seen, ROOT[0] < slope < ROOT[1]


@ex.claim(
    "A gradient that stays the same is followed at the speed ε‖g‖/(1−α): 2, 10 and 100 times as fast.",
    f"{BOOK}, section 8.3.2",
)
def terminal(final: pd.DataFrame) -> ex.Judged:
    """The speeds reached are the formula's, to six digits."""
    reached = [f"{speed:.3g} at α = {alpha:g}" for alpha, speed, _ in final.to_numpy()]
    same = np.allclose(final["speed / ε‖g‖"], final["1 / (1 − α)"], rtol=1e-6)
    return f"Times ε‖g‖: {', '.join(reached)}.", same


def draw(paths: dict[str, ex.Floats], steps: pd.DataFrame, speeds: pd.DataFrame) -> ex.Figure:
    """Both paths; below them steps against κ, and speeds."""
    figure, panels = ex.sheet(6.4, "descent momentum", "counts speeds")
    for axes, name, colour in zip(panels.values(), paths, ex.PALETTE, strict=False):
        draw_path(axes, paths[name] @ PAGE, f"{len(paths[name]) - 1} steps of {name}", colour)
    at = paths[MOMENTUM][:-1:2]
    arrows = *(at @ PAGE).T, *(-RATE * slope_of(STEEPNESS)(at) @ PAGE).T
    panels["momentum"].quiver(*arrows, angles="xy", scale_units="xy", scale=1, width=0.004)
    ex.curves(panels["counts"], steps.filter(like="theory").add_prefix("_"))
    looks = {name: {"ls": "", "marker": marker} for name, marker in zip(METHODS, ex.MARKERS, strict=False)}
    title, label = "Steps: ∝ κ, and ∝ √κ (lines: theory)", "condition number κ"
    ex.curves(panels["counts"], steps[METHODS], title, label, "steps", looks=looks, log="xy")
    title, label = "Speed (lines: 1/(1 − α))", "speed / ε‖g‖"
    ex.curves(panels["speeds"], speeds.add_prefix("α = "), title, "step", label, log="xy")
    for decay in speeds.columns.to_numpy(float):
        ex.level(panels["speeds"], 1 / (1 - decay), color=ex.BLACK, ls=":")
    return figure


def draw_path(axes: ex.Axes, path: ex.Floats, title: str, colour: str) -> None:
    """A path down the valley on the page, (points, 2), over its contours."""
    x, y = np.meshgrid(np.linspace(-3.6, 1.2, 200), np.linspace(-1.2, 4.2, 200))
    heights = (STEEPNESS * (x + y) ** 2 + (y - x) ** 2) / 4
    axes.contour(x, y, heights, levels=np.geomspace(0.3, 300, 9), colors="0.75", linewidths=0.8)
    axes.plot(*path.T, "o-", ms=3.5, lw=1.3, color=colour)
    axes.plot(*path[0], "s", ms=7, color=colour)
    axes.plot(0, 0, "*", ms=11, color=ex.BLACK)
    axes.set(xlabel="θ₁", ylabel="θ₂", aspect="equal", title=title)
