"""Momentum: gradient descent crosses a narrow valley to and fro, momentum runs along it.

In a valley whose walls are κ times as steep as its floor, the steepest descent points at the opposite wall.
Its steps must be small enough for the walls and are then too small for the floor. Momentum adds up what
successive gradients agree on (along) and cancels what they don't (across).

Above: the book's figure 8.5, from the same point at the same learning rate; arrows are the steps that descent
would make. Lower left: steps to the tolerance, each method with its best constants. Descent needs
(κ/2) ln(1/tolerance). Were momentum's error to fall as αᵗᐟ², it would need (√κ/2) ln(1/tolerance); it falls
as (1 + ct) αᵗᐟ², which takes about half as many again. Lower right: under a constant gradient the speed
becomes ε‖g‖/(1−α).

Source: Goodfellow, Bengio & Courville 2016, section 8.3.2, Algorithms 8.2 and 8.3, figure 8.5; Polyak 1964
for the rates; Lessard, Recht & Packard 2016 (arXiv 1408.3595), table 1, for Nesterov's on quadratics.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trainwright import exhibit as ex
from trainwright.strategies import momentum

BOOK = "Goodfellow, Bengio & Courville 2016"
DESCENT, NESTEROV = "gradient descent", "Nesterov"
TOLERANCE = 1e-6  # of the first distance to the minimum
STEEPNESS, DRAWN_STEPS = 50.0, 25  # of the drawn valley
RATE, DECAY = 1.9 / STEEPNESS, 0.6  # in it
START = np.array([1.0, 4.0])  # across and along the valley
LOOKS = {DESCENT: (ex.VERMILLION, "o"), "momentum": (ex.BLUE, "s"), NESTEROV: (ex.GREEN, "D")}
DASHES = {0.5: ":", 0.9: "-", 0.99: "--"}  # by α
# The error P(t) ρᵗ meets the tolerance at t = (L + log P) / −log ρ with L = log(1/tolerance), and 1/−log ρ
# grows as √κ. P is well above 1 and grows no faster than t, so it adds less than the factor 1 / (1 − 1/L).
ROOT = (0.5, 0.5 / (1 - 1 / math.log(1 / TOLERANCE)))  # between what d log(steps) / d log(κ) lies
Floats = NDArray[np.float64]
SCALES = ex.scales(conditions=(np.logspace(1, 4, 7), np.logspace(1, 6, 11)))  # κ


class Rule(NamedTuple):
    """Gradient descent with a learning rate, and with momentum or without."""

    rate: float
    momentum: momentum.Momentum | None = None


@ex.config
class Momentum(ex.Exhibit):
    """Paths on an ill-conditioned quadratic, steps against the condition number, and terminal speeds."""

    title = "Momentum runs along a valley that gradient descent crosses to and fro"

    def make(self, budget: ex.Budget, store: Path) -> ex.ExhibitResult:
        rules = {DESCENT: Rule(RATE), "momentum": Rule(RATE, momentum.Momentum(DECAY))}
        paths = {name: walk(rule, slope_of(STEEPNESS), START, DRAWN_STEPS) for name, rule in rules.items()}
        steps, speeds = count_steps(SCALES[budget].conditions), measure_speeds(tuple(DASHES))
        final = pd.DataFrame({"α": speeds.columns, "speed / ε‖g‖": speeds.iloc[-1].to_numpy()})
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
                f"diverges from 2/λ₁ on) and α = {DECAY}.",
                "Nothing here depends on chance; all is computed in double precision.",
            ),
        )


def slope_of(condition: float) -> Callable[[Floats], Floats]:
    """The gradient in a valley whose walls are so many times as steep as its floor."""
    return lambda theta: np.array([condition, 1.0]) * theta


def walk(
    rule: Rule, gradient: Callable[[Floats], Floats], start: Floats, steps: int, tolerance: float = 0.0
) -> Floats:
    """The points (steps + 1, dimensions) that a rule visits; it ends early within tolerance of zero."""
    theta, path = start, [start]
    update = rule.momentum.update() if rule.momentum else None
    state: Any = update.init(theta)._replace(v=np.zeros_like(theta)) if update else None
    target = tolerance * np.linalg.norm(start)
    while len(path) <= steps and np.linalg.norm(theta) > target:
        move = -rule.rate * gradient(theta)
        if update:
            move, state = update.update(move, state, theta)
        theta = theta + move
        path.append(theta)
    return np.array(path)


def best_rules(condition: float) -> dict[str, Rule]:
    """The best constant rates and decays for curvatures from 1 to `condition`."""
    root, wide = math.sqrt(condition), math.sqrt(3 * condition + 1)
    decay, ahead = ((root - 1) / (root + 1)) ** 2, (wide - 2) / (wide + 2)
    return {
        DESCENT: Rule(2 / (condition + 1)),
        "momentum": Rule(4 / (root + 1) ** 2, momentum.Momentum(decay)),
        NESTEROV: Rule(4 / (3 * condition + 1), momentum.Momentum(ahead, nesterov=True)),
    }


def count_steps(conditions: Floats) -> pd.DataFrame:
    """Steps to the tolerance against the condition number, counted and by theory."""

    def counted(condition: float) -> dict[str, int]:
        valley, most, start = slope_of(condition), 100 * int(condition) + 100, np.ones(2)
        rules = best_rules(condition).items()
        counts = {name: len(walk(rule, valley, start, most, TOLERANCE)) - 1 for name, rule in rules}
        return counts | theoretical_steps(condition)

    return ex.grid(counted, κ=conditions)


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
    return {f"{DESCENT}, theory": descent, "momentum, theory": int(np.argmax(error <= TOLERANCE))}


def measure_speeds(decays: tuple[float, ...], steps: int = 2000) -> pd.DataFrame:
    """The speed, in units of ε‖g‖, after each step under a constant gradient; a column per decay."""
    bodies = {decay: Rule(1.0, momentum.Momentum(decay)) for decay in decays}
    paths = {decay: walk(rule, lambda _: -np.ones(1), np.ones(1), steps) for decay, rule in bodies.items()}
    speeds = {decay: np.diff(path[:, 0]) for decay, path in paths.items()}
    return pd.DataFrame(speeds, index=pd.RangeIndex(1, steps + 1, name="step"))


@ex.claim(
    "Gradient descent wastes time moving back and forth across the valley; momentum goes lengthwise.",
    f"{BOOK}, figure 8.5",
)
def lengthwise(paths: dict[str, Floats]) -> ex.Judged:
    """Momentum crosses less often, goes less across, and comes further along; points (steps + 1, 2)."""
    crossed = {name: int((np.diff(np.sign(path[:, 0])) != 0).sum()) for name, path in paths.items()}
    travel = {name: np.abs(np.diff(path, axis=0)).sum(axis=0) for name, path in paths.items()}
    across = {name: float(way[0] / way.sum()) for name, way in travel.items()}
    left = {name: abs(path[-1, 1] / path[0, 1]) for name, path in paths.items()}
    said = [
        f"{name} crossed the floor {crossed[name]} times, {across[name]:.0%} of its way went across, and "
        f"{left[name]:.0%} of the way along was left"
        for name in paths
    ]
    less = all(measure["momentum"] < measure[DESCENT] for measure in (crossed, across, left))
    return f"In {len(paths['momentum']) - 1} steps {'; '.join(said)}.", less


@ex.claim(
    "Gradient descent's steps grow in proportion to the condition number κ.",
    "Polyak 1964; theory of quadratics",
)
def proportional(steps: pd.DataFrame) -> ex.Judged:
    """The slope is 1 (a count rounded up, 692 for 691.2, moves it by less than 0.001), as the form says."""
    slope, off = growth(steps, DESCENT), off_theory(steps, DESCENT)
    seen = (
        f"The slope of log(steps) against log(κ) is {slope:.3f} for κ from 100 to {steps['κ'].max():,.0f}; "
        f"the exact form of (κ/2) ln(1/tolerance) is {off} off at most."
    )
    return seen, abs(slope - 1) < 0.005 and off <= 1


@ex.claim("Momentum's steps grow only as √κ.", "Polyak 1964; theory of quadratics")
def square_root(steps: pd.DataFrame) -> ex.Judged:
    """The slope lies within theory's bounds, and the counts are those of the closed form."""
    slope, off, last = growth(steps, "momentum"), off_theory(steps, "momentum"), steps.iloc[-1]
    simple = -math.sqrt(last["κ"]) / 2 * math.log(TOLERANCE)
    seen = (
        f"The slope is {slope:.3f} (theory: {ROOT[0]} to {ROOT[1]:.3f}: more than ½ by the factor (1 + ct)); "
        f"the closed form is {off} off at most. At κ = {last['κ']:,.0f} it takes {last['momentum']:,.0f} "
        f"steps, where (√κ/2) ln(1/tolerance) is {simple:,.0f} and descent takes {last[DESCENT]:,.0f}."
    )
    return seen, ROOT[0] < slope < ROOT[1] and off <= 1


@ex.claim("Nesterov's momentum has the same √κ.", "Lessard, Recht & Packard 2016, table 1")
def nesterov(steps: pd.DataFrame) -> ex.Judged:
    """The slope lies within theory's bounds."""
    slope, last = growth(steps, NESTEROV), steps[NESTEROV].iloc[-1]
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


def growth(steps: pd.DataFrame, name: str) -> float:
    """d log(steps) / d log(κ) from κ = 100 on, by least squares."""
    far = steps[steps["κ"] >= 100]
    return float(np.polyfit(np.log(far["κ"]), np.log(far[name]), 1)[0])


def off_theory(steps: pd.DataFrame, name: str) -> int:
    """By how many steps the count and the closed form differ at most."""
    return int((steps[name] - steps[f"{name}, theory"]).abs().max())


def draw(paths: dict[str, Floats], steps: pd.DataFrame, speeds: pd.DataFrame) -> Figure:
    """Both paths; below them steps against κ, and speeds."""
    figure, panels = ex.sheet(6.4, "descent momentum", "counts speeds")
    draw_path(panels["descent"], paths[DESCENT], DESCENT)
    draw_path(panels["momentum"], paths["momentum"], "momentum")
    for point in paths["momentum"][:-1:2]:
        at, move = on_page(point), on_page(-RATE * slope_of(STEEPNESS)(point))
        if math.hypot(*move) > 0.15:
            arrow: dict[str, Any] = {
                "color": ex.BLACK,
                "lw": 0.8,
                "head_width": 0.1,
                "length_includes_head": True,
            }
            panels["momentum"].arrow(*at, *move, **arrow)
    looks: dict[str, dict[str, Any]] = {}
    for name, (colour, marker) in LOOKS.items():
        looks[name] = {"color": colour, "ls": "", "marker": marker}
        looks[f"_{name}, theory"] = {"color": colour, "lw": 1.2}
    unnamed = {f"{name}, theory": f"_{name}, theory" for name in LOOKS}
    counts, title = steps.set_index("κ").rename(columns=unnamed), "Steps: ∝ κ, and ∝ √κ (lines: theory)"
    ex.curves(panels["counts"], counts, title, "condition number κ", "steps", looks=looks, log="xy")
    dashes, title = {f"α = {a}": {"ls": dash} for a, dash in DASHES.items()}, "Speed (lines: 1/(1 − α))"
    named = speeds.add_prefix("α = ")
    ex.curves(panels["speeds"], named, title, "step", "speed / ε‖g‖", looks=dashes, log="xy")
    for decay in DASHES:
        ex.level(panels["speeds"], 1 / (1 - decay), color=ex.BLACK, ls="-")
    return figure


def draw_path(axes: Axes, path: Floats, name: str) -> None:
    """A path down the valley, over its contours."""
    x, y = np.meshgrid(np.linspace(-3.6, 1.2, 200), np.linspace(-1.2, 4.2, 200))
    heights = (STEEPNESS * (x + y) ** 2 + (y - x) ** 2) / 4
    axes.contour(x, y, heights, levels=np.geomspace(0.3, 300, 9), colors="0.75", linewidths=0.8)
    points, (colour, _) = on_page(path), LOOKS[name]
    axes.plot(points[:, 0], points[:, 1], "o-", ms=3.5, lw=1.3, color=colour)
    axes.plot(*points[0], "s", ms=7, color=colour)
    axes.plot(0, 0, "*", ms=11, color=ex.BLACK)
    axes.set(xlabel="θ₁", ylabel="θ₂", aspect="equal", title=f"{DRAWN_STEPS} steps of {name}")


def on_page(point: Floats) -> Floats:
    """From (across, along) to the page, as in the book: steepest along [1, 1], flattest along [1, −1]."""
    across, along = point[..., 0], point[..., 1]
    return np.stack([across - along, across + along], axis=-1) / math.sqrt(2)
