"""One hidden layer is enough: it comes as close to a continuous function as one likes, given enough units.

The proof can be watched. A steep sigmoid is a step; two of them make a bump; a row of bumps of the right
heights follows any continuous function. With N bumps and sigmoids of steepness w, no point is further off
than L (1/(2N) + 2 ln 2 / w), where L is the function's steepest slope: the network's value is the average of
the bumps' heights around a point, blurred by a logistic distribution of scale 1/w, whose mean distance from
zero is 2 ln 2 / w; and no height is more than half a bump's width out of place. Those weights are written
down, not learned. Beside that network are others of the same form that learned from examples.

Source: Nielsen 2015, Neural Networks and Deep Learning, chapter 4, with its function 0.2 + 0.4 x² +
0.3 x sin 15x + 0.05 cos 50x; Cybenko 1989; Hornik, Stinchcombe & White 1989.

The book fits the inverse sigmoid of the function; here the output is linear and the sum the function itself.
The theorem says that good weights exist, not that gradient descent finds them: with He's initial weights all
units of one input bend at the same place. So the units start spread over the inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from trainwright import exhibit as ex
from trainwright.diagnosis.layers import layer_values
from trainwright.site import Kernel, Site
from trainwright.strategy import Strategy

NIELSEN = "Nielsen 2015, chapter 4"
SCALES = ex.scales(
    widths=((4, 8, 16, 32, 64), (4, 8, 16, 32, 64, 128, 256)), steps=(12_000, 100_000), seeds=(5, 20)
)
SURFACE_WIDTHS = (8, 96)
BUMPS = (4, 8, 16, 32, 64, 128)
STEEPNESS = 50  # times the number of bumps: a step takes a tenth of a bump's width
LINE = (np.arange(500)[:, None] + 0.5) / 500  # where trained networks are judged
SIDE = 40
SQUARE = np.stack(np.meshgrid(*[(np.arange(SIDE) + 0.5) / SIDE] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
Function = Callable[[ex.Floats], ex.Floats]  # (points, inputs) -> (points,)
Trained = dict[int, ex.Floats]  # by width: what each seed's network says at the test points, (seeds, points)


def nielsen(points: ex.Floats) -> ex.Floats:
    """The function of Nielsen's chapter 4, of one input."""
    x = points[:, 0]
    return np.asarray(0.2 + 0.4 * x**2 + 0.3 * x * np.sin(15 * x) + 0.05 * np.cos(50 * x))


def surface(points: ex.Floats) -> ex.Floats:
    """A surface over the unit square."""
    x, y = points.T
    return np.asarray(0.5 + 0.3 * np.sin(2 * np.pi * x) * np.cos(3 * np.pi * y) + 0.2 * x)


@ex.config
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


@ex.config
class Universality(ex.Exhibit):
    """One hidden layer approximates any continuous function: constructed, and trained."""

    title = "One hidden layer approximates any continuous function"

    def make(self, budget: ex.Budget, store: Path) -> ex.ExhibitResult:
        s, built = SCALES[budget], measure_constructed(BUMPS)
        lines = train(nielsen, LINE, s.widths, s.seeds, s.steps, store)
        surfaces = train(surface, SQUARE, SURFACE_WIDTHS, s.seeds, s.steps // 2, store)
        errors, flat = largest_errors(lines, nielsen(LINE)), largest_errors(surfaces, surface(SQUARE))
        return self.result(
            draw(built, lines, errors, surfaces),
            {
                "Constructed networks: largest error on [0, 1]": built,
                "Trained networks: largest error at 500 points": spread(errors),
                "Trained networks, surface: largest error at 1,600 points": spread(flat),
            },
            (can_be_built(built), falls_with_width(errors), holds_for_surfaces(flat)),
            (
                f"{s.seeds} seeds of each width; {s.steps:,} steps in one dimension, {s.steps // 2:,} for "
                "the surface, of batch 100, with Adam.",
                ex.intervals_cover(),
            ),
        )


def constructed(bumps: int, x: ex.Floats) -> ex.Floats:
    """What a network of 2 × bumps sigmoid units with written-down weights says at the points (points, 1)."""
    edges, w = np.linspace(0, 1, bumps + 1), STEEPNESS * bumps
    heights = nielsen((edges[:-1, None] + edges[1:, None]) / 2)
    steps = np.concatenate([[-1], edges[1:-1], edges[1:-1], [2]])  # up, and down; the outermost out of sight
    weights = {
        "hidden1/kernel": np.full((1, 2 * bumps), w),
        "hidden1/bias": -w * steps,
        "output/kernel": np.concatenate([heights, -heights])[:, None],
        "output/bias": np.zeros(1),
    }
    recipe, inputs = ex.network(2 * bumps, strategies="activation('sigmoid')"), x.astype(np.float32)
    single = {name: array.astype(np.float32) for name, array in weights.items()}
    said = layer_values(recipe, ex.whole(inputs, inputs[:, 0]), single, inputs, "output")
    return said[:, 0].astype(np.float64)


def measure_constructed(bumps: Sequence[int]) -> pd.DataFrame:
    """The largest error on [0, 1] of the constructed networks, and its bound; a row for each number."""
    x = np.linspace(0, 1, 20_001)[:, None]
    steepest = np.abs(np.diff(nielsen(x))).max() / (x[1, 0] - x[0, 0])

    def errors(n: int) -> dict[str, float]:
        bound = steepest * (1 / (2 * n) + 2 * np.log(2) / (STEEPNESS * n))
        off = np.abs(constructed(n, x) - nielsen(x)).max()
        return {"hidden units": 2 * n, "largest error": off, "bound": bound}

    return pd.DataFrame(map(errors, bumps)).set_index("hidden units")


def train(
    function: Function, test: ex.Floats, widths: Sequence[int], seeds: int, steps: int, store: Path
) -> Trained:
    """What networks of each width say at the test points (points, inputs) after training."""
    x = np.random.default_rng(0).uniform(size=(2000 * test.shape[1], test.shape[1]))
    arrays = [part.astype(np.float32) for part in (x, function(x), test, function(test))]
    strategies = "activation('sigmoid'), spread, adam, rate_schedule"
    base = ex.network(strategies=strategies, learning_rate=0.03, batch_size=100, steps=steps)
    arms = {str(width): base.replace(network=ex.Mlp((width,))) for width in widths}
    runs = ex.Study(ex.DataSpec(arrays, task="regression"), arms, seeds).run(store)
    return {
        int(arm.name): np.stack([run.predictions["test"].ravel() for run in next(iter(arm.runs.values()))])
        for arm in runs
    }


def largest_errors(trained: Trained, truth: ex.Floats) -> pd.DataFrame:
    """The largest error at the test points: a row for each width, a column for each seed."""
    errors = {width: np.abs(said - truth).max(axis=1) for width, said in trained.items()}
    return pd.DataFrame.from_dict(errors, orient="index").rename_axis("hidden units")


def spread(errors: pd.DataFrame) -> pd.DataFrame:
    """Over the seeds."""
    return errors.agg(["median", "min", "max"], axis=1).set_axis(["median", "least", "most"], axis=1)


@ex.claim(
    "A network with one hidden layer can be built that follows the function as closely as one likes.",
    f"{NIELSEN}; the lecture's universality theorem",
)
def can_be_built(built: pd.DataFrame) -> ex.Judged:
    """Every width is within its bound."""
    below = built["largest error"] <= built["bound"]
    listed = [f"{error:.2g} with {n} units" for n, error in built["largest error"].iloc[[0, -1]].items()]
    seen = (
        f"the largest error is {ex.enumerated(listed)}; {below.sum()} of {len(below)} widths are within the "
        "bound, which falls as one over the number of units."
    )
    return seen, below.all()


@ex.claim("The more hidden units, the better the approximation; training finds such networks too.", NIELSEN)
def falls_with_width(errors: pd.DataFrame) -> ex.Judged:
    """The slope of log error over log width, fitted for each seed, is negative by its whole interval."""
    fitted = np.polyfit(np.log(errors.index.to_numpy(float)), np.log(errors.to_numpy()), 1)[0]
    power, medians = ex.Measured.of(fitted), errors.median(axis=1)
    seen = (
        f"the largest error of trained networks falls as width to the power {power}; its "
        f"median fell at {(np.diff(medians) < 0).sum()} of {len(medians) - 1} steps in width."
    )
    return seen, power.negative


@ex.claim("The same holds for functions of several inputs.", f"{NIELSEN}, many input variables")
def holds_for_surfaces(errors: pd.DataFrame) -> ex.Judged:
    """Of the largest error a part is left, below 1 by its whole interval."""
    (few, first), *_, (many, last) = errors.iterrows()
    left = ex.Measured.ratio(last, first)
    seen = (
        f"of a surface's largest error {first.median():.3f} with {few} units, {last.median():.3f} is left "
        f"with {many}: {left.times(100, '%')}."
    )
    return seen, left.below(1)


def draw(built: pd.DataFrame, lines: Trained, errors: pd.DataFrame, surfaces: Trained) -> ex.Figure:
    """Networks beside the function, constructed and trained; errors along the width; surfaces."""
    figure, (top, middle, bottom) = ex.strips(9.4, 3, 3.2, 2.9)
    panels = {
        "Constructed": {f"{2 * n} units": constructed(n, LINE) for n in (4, 32)},
        "Trained": {f"{width} units": lines[width][0] for width in (min(lines), max(lines))},
    }
    for axes, (kind, said) in zip(top.subplots(1, 2, sharey=True), panels.items(), strict=True):
        axes.plot(LINE, nielsen(LINE), color=ex.BLACK, lw=3, alpha=0.25, label="function")
        ex.curves(axes, pd.DataFrame(said, LINE[:, 0]), f"{kind} networks", "x", "f(x)", legend="upper left")
    axes, medians = middle.subplots(), f"trained: median, and each of {errors.shape[1]} seeds"
    axes.plot(errors, "o", color=ex.GREEN, ms=4, alpha=0.5)
    series = {"bound": built["bound"], "constructed": built["largest error"], medians: errors.median(axis=1)}
    looks = {"bound": {"ls": "--"}, "constructed": {"marker": "s"}, medians: {"marker": "o"}}
    title = "The error falls as the layer grows"
    ex.curves(axes, series, title, "hidden units", "largest error", looks=looks, log="xy")
    axes.set_xscale("log", base=2)
    shown = {"Surface": surface(SQUARE)}
    for width, (first, *_) in surfaces.items():
        shown[f"{width} units: error ≤ {np.abs(first - surface(SQUARE)).max():.2g}"] = first
    squares = {title: heights.reshape(SIDE, SIDE).T for title, heights in shown.items()}
    ex.pictures(bottom, squares, cmap="viridis", origin="lower", vmin=0.15, vmax=1.05)
    bottom.colorbar(bottom.axes[0].images[0], ax=bottom.axes, label="height", shrink=0.8)
    return figure
