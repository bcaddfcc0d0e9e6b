"""One hidden layer is enough: it comes as close to a continuous function as one likes, given enough units.

The proof can be watched. A steep sigmoid is a step; two of them make a bump; a row of bumps of the right
heights follows any continuous function. With N bumps and sigmoids of steepness w, no point is further off
than L (1/(2N) + 2 ln 2 / w), where L is the function's steepest slope: the network's value is the average of
the bumps' heights around a point, blurred by a logistic distribution of scale 1/w, whose mean distance from
zero is 2 ln 2 / w; and no height is more than half a bump's width out of place. The weights of that network
are written down, not learned; it is an Mlp like any other. Beside it are networks of the same form that
learned from examples, in one dimension and for a surface over two.

Source: Nielsen 2015, Neural Networks and Deep Learning, chapter 4, with its function 0.2 + 0.4 x² +
0.3 x sin 15x + 0.05 cos 50x; Cybenko 1989; Hornik, Stinchcombe & White 1989.

The book sets the bumps by hand and matches the weighted sum to the inverse sigmoid of the function; here the
output is linear, so that the sum is the function itself. The theorem says that good weights exist, not that
gradient descent finds them: with the package's usual first weights all units of a network with one input
bend at the same place, and training makes slow work of it. So the units start spread over the inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trainwright.base.config import config
from trainwright.comparison import paired
from trainwright.data import DataSpec
from trainwright.exhibit import Claim, Exhibit, ExhibitResult, intervals_cover
from trainwright.network import NetworkBuilder
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.strategies import Activation, Adam, RateSchedule
from trainwright.strategy import Kernel, Site, Strategy
from trainwright.studies.defaults import Budget
from trainwright.studies.study import Study

Array = NDArray[np.float64]

BUMPS = (4, 8, 16, 32, 64, 128)
WIDTHS: dict[Budget, tuple[int, ...]] = {"quick": (4, 8, 16, 32, 64), "full": (4, 8, 16, 32, 64, 128, 256)}
SURFACE_WIDTHS = (8, 96)
STEEPNESS = 50  # times the number of bumps: a step takes a tenth of a bump's width
GRID = (np.arange(500) + 0.5) / 500
SIDE = 40  # the surface is judged at 40 x 40 points


@config
class Spread(Strategy):
    """Start with the hidden units' steps spread over the inputs, the steeper the more units there are."""

    def initial_kernel(self, site: Site, rng: np.random.Generator) -> Kernel:
        drawn, units = rng.normal(size=site.kernel_shape), site.units
        if site.stage == "output":
            return (drawn / site.fan_in).astype(np.float32)
        steepness = units ** (1 / site.fan_in)
        return np.asarray(steepness * drawn / np.linalg.norm(drawn, axis=0), np.float32)

    def initial_bias(self, site: Site, rng: np.random.Generator) -> Kernel:
        if site.stage == "output":
            return np.zeros(site.units, np.float32)
        reach = 1.8 * site.units ** (1 / site.fan_in)  # standardised uniform inputs lie within 1.73
        return rng.uniform(-reach, reach, site.units).astype(np.float32)


def nielsen(x: Array) -> Array:
    """The function of Nielsen's chapter 4."""
    curve: Array = 0.2 + 0.4 * x**2 + 0.3 * x * np.sin(15 * x) + 0.05 * np.cos(50 * x)
    return curve


def nielsen_slope(x: Array) -> Array:
    """Its derivative."""
    slope: Array = 0.8 * x + 0.3 * np.sin(15 * x) + 4.5 * x * np.cos(15 * x) - 2.5 * np.sin(50 * x)
    return slope


def surface(x: Array) -> Array:
    """A surface over the unit square, (points, 2) -> (points,)."""
    heights: Array = 0.5 + 0.3 * np.sin(2 * np.pi * x[:, 0]) * np.cos(3 * np.pi * x[:, 1]) + 0.2 * x[:, 0]
    return heights


def construct(function: Callable[[Array], Array], bumps: int) -> Callable[[Array], Array]:
    """A network of 2 x bumps sigmoid units whose weights are written down, as a function on [0, 1]."""
    edges = np.linspace(0, 1, bumps + 1)
    heights = function((edges[:-1] + edges[1:]) / 2)
    up, down = edges[:-1].copy(), edges[1:].copy()
    up[0], down[-1] = -1, 2  # the outermost steps are out of sight
    builder = NetworkBuilder((Activation("sigmoid"),), 0, inputs=lambda: np.zeros((1, 1), np.float32))
    network: Any = Mlp((2 * bumps,)).build((1,), 1, builder)
    hidden, output = network.parts["hidden1"], network.parts["output"]
    steps, w = np.concatenate([up, down]), STEEPNESS * bumps
    hidden.kernel[...] = jnp.full((1, 2 * bumps), w, jnp.float32)
    hidden.bias[...] = jnp.asarray(-w * steps, jnp.float32)
    output.kernel[...] = jnp.asarray(np.concatenate([heights, -heights])[:, None], jnp.float32)
    return lambda x: np.asarray(network(jnp.asarray(x[:, None], jnp.float32))[:, 0], np.float64)


def measure_constructed(bumps: tuple[int, ...]) -> pd.DataFrame:
    """The largest error on [0, 1] of the constructed networks, and its bound."""
    x = np.linspace(0, 1, 20_001)
    steepest = np.abs(nielsen_slope(x)).max()
    rows = [
        {
            "hidden units": 2 * n,
            "largest error": np.abs(construct(nielsen, n)(x) - nielsen(x)).max(),
            "bound": steepest * (1 / (2 * n) + 2 * np.log(2) / (STEEPNESS * n)),
        }
        for n in bumps
    ]
    return pd.DataFrame(rows)


def measure_trained(
    widths: tuple[int, ...], seeds: int, steps: int, dimensions: int, store: Path
) -> dict[int, Array]:
    """What trained networks of each width say at the test points, (seeds, points)."""
    rng = np.random.default_rng(0)
    if dimensions == 1:
        x, test = rng.uniform(size=(2000, 1)), GRID[:, None]
        values = [nielsen(points[:, 0]) for points in (x, test)]
    else:
        x, test = rng.uniform(size=(4000, 2)), _square()
        values = [surface(points) for points in (x, test)]
    arrays = [part.astype(np.float32) for part in (x, values[0], test, values[1])]
    strategies = (Activation("sigmoid"), Spread(), Adam(), RateSchedule())
    recipe = Recipe(strategies=strategies, learning_rate=0.03, batch_size=100, steps=steps)
    arms = {str(width): recipe.replace(network=Mlp((width,))) for width in widths}
    found = Study(DataSpec(tuple(arrays), task="regression"), arms, seeds).run(store)
    return {
        width: np.stack([np.ravel(run.predictions["test"]) for run in next(iter(arm.runs.values()))])
        for width, arm in zip(widths, found, strict=True)
    }


def largest_errors(trained: dict[int, Array], truth: Array) -> pd.DataFrame:
    """The largest error at the test points: a row per width, a column per seed."""
    errors = {width: np.abs(said - truth).max(axis=1) for width, said in trained.items()}
    return pd.DataFrame.from_dict(errors, orient="index").rename_axis("hidden units")


def slopes(errors: pd.DataFrame) -> paired.Estimate:
    """The slope of log error over log width, one for each seed."""
    fitted = np.polyfit(np.log(errors.index.to_numpy(float)), np.log(errors.to_numpy()), 1)
    return paired.estimate(fitted[0])


def _square() -> Array:
    side = (np.arange(SIDE) + 0.5) / SIDE
    return np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2)


@config
class Universality(Exhibit):
    """One hidden layer approximates any continuous function: constructed, and trained."""

    title: ClassVar[str] = "One hidden layer approximates any continuous function"

    def make(self, budget: Budget, store: Path) -> ExhibitResult:
        steps, seeds = (12_000, 5) if budget == "quick" else (100_000, 20)
        constructed = measure_constructed(BUMPS)
        curves = measure_trained(WIDTHS[budget], seeds, steps, 1, store)
        surfaces = measure_trained(SURFACE_WIDTHS, seeds, steps // 2, 2, store)
        errors = largest_errors(curves, nielsen(GRID))
        flat = largest_errors(surfaces, surface(_square()))
        return ExhibitResult(
            self.name,
            self.title,
            _draw(constructed, curves, errors, surfaces, flat),
            {
                "Constructed networks: largest error on [0, 1]": constructed,
                "Trained networks: largest error at 500 points, median of the seeds": _medians(errors),
                "Trained networks, surface: largest error at 1,600 points, median of the seeds": _medians(
                    flat
                ),
            },
            claims(constructed, errors, flat),
            (
                f"{seeds} seeds of each width, {steps:,} steps in one dimension, {steps // 2:,} for the"
                " surface; steps of batch 100, Adam, units spread over the inputs at the start.",
                intervals_cover(),
            ),
        )


def _medians(errors: pd.DataFrame) -> pd.DataFrame:
    summary = {"median": errors.median(axis=1), "least": errors.min(axis=1), "most": errors.max(axis=1)}
    return pd.DataFrame(summary).reset_index()


def claims(constructed: pd.DataFrame, errors: pd.DataFrame, flat: pd.DataFrame) -> tuple[Claim, ...]:
    """What the theorem says, held against the networks: constructed, trained, and of a surface."""
    first, last = constructed.iloc[0], constructed.iloc[-1]
    trend, drop = slopes(errors), paired.estimate(-np.diff(np.log10(flat.to_numpy()), axis=0)[0])
    below = constructed["largest error"] <= constructed["bound"]
    low, high = trend.interval(0.95)
    least, most = drop.interval(0.95)
    return (
        Claim(
            "A network with one hidden layer can be built that follows the function as closely as one likes.",
            "Nielsen 2015, chapter 4; the lecture's universality theorem",
            f"With {first['hidden units']:.0f} units the largest error is {first['largest error']:.3f}, with"
            f" {last['hidden units']:.0f} it is {last['largest error']:.4f}. At {below.sum()} of"
            f" {len(below)} widths it is within its bound, which falls as one over the number of units.",
            bool(below.all()),
        ),
        Claim(
            "The more hidden units, the better the approximation; training finds such networks too.",
            "Nielsen 2015, chapter 4",
            f"The largest error of trained networks falls as width to the power {trend.mean:.2f} (95 %"
            f" interval {low:.2f} to {high:.2f}, n = {trend.count} seeds).",
            high < 0,
        ),
        Claim(
            "The same holds for functions of several inputs.",
            "Nielsen 2015, chapter 4, many input variables",
            f"Of a surface's largest error {flat.iloc[0].median():.3f} with {flat.index[0]} units,"
            f" {flat.iloc[-1].median():.3f} is left with {flat.index[-1]}: a factor of {10**drop.mean:.0f}"
            f" (95 % interval {10**least:.0f} to {10**most:.0f}, n = {drop.count} seeds).",
            least > 0,
        ),
    )


def _draw(
    constructed: pd.DataFrame,
    curves: dict[int, Array],
    errors: pd.DataFrame,
    surfaces: dict[int, Array],
    flat: pd.DataFrame,
) -> Figure:
    figure = Figure(figsize=(7.6, 9.4), layout="constrained")
    rows: Any = figure.subfigures(3, 1, height_ratios=(3, 3.2, 2.9))
    top, middle, bottom = rows
    for axes, kind in zip(top.subplots(1, 2, sharey=True), ("constructed", "trained"), strict=True):
        _draw_curves(axes, kind, curves)
    _draw_errors(middle.subplots(), constructed, errors)
    _draw_surfaces(bottom, surfaces, flat)
    return figure


def _draw_curves(axes: Axes, kind: str, curves: dict[int, Array]) -> None:
    axes.plot(GRID, nielsen(GRID), color="black", lw=3, alpha=0.25, label="function")
    shown: list[tuple[int, Array]] = (
        [(2 * bumps, construct(nielsen, bumps)(GRID)) for bumps in (4, 32)]
        if kind == "constructed"
        else [(width, said[0]) for width, said in curves.items() if width in (min(curves), max(curves))]
    )
    for (units, said), style in zip(shown, ("--", "-"), strict=True):
        axes.plot(GRID, said, style, lw=1.3, label=f"{units} units")
    axes.set(
        title=f"{kind.capitalize()} networks", xlabel="x", ylabel="f(x)" if kind == "constructed" else ""
    )
    axes.legend(loc="upper left")


def _draw_errors(axes: Axes, constructed: pd.DataFrame, errors: pd.DataFrame) -> None:
    units = constructed["hidden units"]
    axes.loglog(units, constructed["bound"], "--", color="C0", lw=1, label="constructed: bound")
    axes.loglog(units, constructed["largest error"], "s-", color="C0", ms=5, label="constructed")
    axes.loglog(errors.index, errors.to_numpy(), "o", color="C1", ms=4, alpha=0.5)
    label = f"trained: median, and each of {errors.shape[1]} seeds"
    axes.loglog(errors.index, errors.median(axis=1), "o-", color="C1", ms=5, label=label)
    ticks = sorted({*units, *errors.index})
    axes.set_xticks(ticks, [str(tick) for tick in ticks], minor=False)
    axes.minorticks_off()
    axes.set(title="The error falls as the layer grows", xlabel="hidden units", ylabel="largest error")
    axes.grid(visible=True)
    axes.legend()


def _draw_surfaces(figure: Any, surfaces: dict[int, Array], flat: pd.DataFrame) -> None:
    shown = {"Surface": surface(_square())}
    for width, said in surfaces.items():
        shown[f"{width} units: error ≤ {flat.to_numpy()[list(surfaces).index(width), 0]:.2g}"] = said[0]
    panels = figure.subplots(1, len(shown), sharey=True)
    for axes, (title, heights) in zip(panels, shown.items(), strict=True):
        image = axes.imshow(
            heights.reshape(SIDE, SIDE).T, origin="lower", extent=(0, 1, 0, 1), vmin=0.15, vmax=1.05
        )
        axes.set(title=title, xlabel="x₁", xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    panels[0].set_ylabel("x₂")
    figure.colorbar(image, ax=panels, label="height", shrink=0.8)
