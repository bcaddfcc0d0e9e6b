"""Dropout: training a network in which units are left out at random averages many networks in one.

Srivastava et al. 2014: each unit is kept with probability p, anew for every example. When predicting, all
units are used and their outgoing weights multiplied by p. For a linear unit that is exactly the average over
all 2ⁿ thinned networks (figure 2); for deeper networks it is an approximation, which averaging many random
passes shows to be a good one (section 7.5, figure 11).

Figure 4 trains networks of 2, 3 and 4 layers, of 1024 and 2048 units, with and without dropout (p = 0.8 at
the inputs, 0.5 at hidden units) and the same other settings: the errors end in two separate groups. Section
7.3 varies p, section 7.4 the number of training examples: with very few of them dropout does not help, then
its gain grows up to a point and declines. Section 7.2 looks at an autoencoder's features: fewer units are
active with dropout.

Deviations. Where the paper multiplies weights by p when predicting, what a unit passes on is divided by p in
training: the same model with other first weights and learning rates. Momentum ends at 0.95 in the paper, here
it is 0.9 throughout; the norm of a unit's weights is bounded by 2 there, by nothing here. Figure 9a has three
layers of 2048 units, figure 10 layers of 1024, 1024 and 2048 and 100 examples or more; here both have two of
1024, and 200 examples or more. Features are the classifier's, not an autoencoder's, and random passes those
of the network that had most examples. Figure 4 draws the test error along training; here that is the error on
validation examples, and the test examples judge the end, so training uses 50,000 of the 60,000. The paper
makes a million updates, the full version 15,000 for figure 4 and 10,000 for the rest, some two hours on two
cores. Dropout takes two to three times as long (appendix A); where figure 4's groups do not separate,
trainings too short, the lower momentum and the missing bound may each be the cause.

The quick version is a model of all that: halved images, layers of 100 units, a thousand examples; and since
100 units are few, it keeps more of them, p = 0.9 at the inputs and 0.8 at hidden units (appendix A: a layer
of n units should become one of n / p).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from flax import nnx
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from trainwright.base import keys
from trainwright.base.config import config
from trainwright.comparison import paired
from trainwright.comparison.compare import Comparison, Interval, compare
from trainwright.data import Dataset, DataSpec, load
from trainwright.data.pixels import halved
from trainwright.exhibit import Claim, Exhibit, ExhibitResult, cautions
from trainwright.model import Model
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.report.figures import BLUE, VERMILLION
from trainwright.runs.run import Run
from trainwright.runs.store import Store
from trainwright.strategies import dropout
from trainwright.strategies.momentum import Momentum
from trainwright.studies.defaults import Budget
from trainwright.studies.study import Study, run_all
from trainwright.task import Classification
from trainwright.training import predict

PASSES, KEPT, DRAWS = 50, 100, 20  # sets of up to 50 random passes, drawn 20 times from 100
SOURCE = "Srivastava et al. 2014"
Errors = NDArray[np.float64]
Points = tuple[float, float, float]  # percentage points: mean and 95 % interval


@dataclass(frozen=True, eq=False)
class Plan:
    """The exhibit's studies: networks of figure 4, retention probabilities, training set sizes."""

    networks: Study
    retention: Study
    sizes: dict[int, Study]


def plan(budget: Budget) -> Plan:
    """What is trained."""
    quick = budget == "quick"
    widths, depths = ((100,) if quick else (1024, 2048)), (2, 3, 4)
    base = Recipe(strategies=(Momentum(0.9),), learning_rate=0.05, batch_size=50 if quick else 128)
    brief = base.replace(steps=1000 if quick else 10_000, evaluate_every=100 if quick else 1000)
    long = brief if quick else base.replace(steps=15_000, evaluate_every=1000)
    data = _halved_mnist() if quick else DataSpec("mnist")
    examples = 1000 if quick else None
    seeds = 8 if quick else 3

    def arms(recipe: Recipe, network: Mlp, name: str) -> dict[str, Recipe]:
        plain = recipe.replace(network=network)
        dropping = (dropout.Dropout(*((0.2, 0.1) if quick else (0.5, 0.2))), *recipe.strategies)
        return {name: plain, f"{name} with dropout": plain.replace(strategies=dropping)}

    networks: dict[str, Recipe] = {}
    for depth, width in product(depths, widths):
        networks |= arms(long, Mlp((width,) * depth), f"{depth}×{width}")
    small = Mlp((widths[0],) * 2)
    plain = brief.replace(network=small)
    kept = {
        f"{p}": plain.replace(strategies=(dropout.Dropout(hidden_rate=1 - p), Momentum(0.9)))
        for p in ((0.2, 0.5, 0.8) if quick else (0.2, 0.4, 0.5, 0.6, 0.8))
    }
    return Plan(
        Study(replace(data, examples=examples), networks, seeds=seeds if quick else 1),
        Study(replace(data, examples=examples), {**kept, "1.0": plain}, seeds=seeds),
        {
            size: Study(replace(data, examples=size), arms(brief, small, "plain"), seeds=seeds)
            for size in ((100, 1000, 3000) if quick else (200, 500, 1000, 5000, 10_000, 50_000))
        },
    )


def _halved_mnist() -> DataSpec:
    """4,000 training and 2,500 test images of 14×14 pixels."""
    data = load("mnist")
    parts = data.splits.train[:4000], data.splits.test[:2500]
    arrays = [array for rows in parts for array in (halved(data.inputs[rows]), data.targets[rows])]
    return DataSpec(arrays, task="classification")


@dataclass(frozen=True, eq=False)
class Measured:
    """What the trainings gave; errors are fractions."""

    networks: list[Comparison]
    """Each network without and with dropout."""
    retention: Comparison
    """Retention probabilities of hidden units beside 1.0."""
    sizes: dict[int, Comparison]
    passes: Errors
    """(models, DRAWS, PASSES): test error when 1, 2, ... random passes are averaged."""
    scaled: Errors
    """(models,): test error of the same models with all units, scaled."""
    activations: dict[str, NDArray[np.float32]]
    """First-layer activations on test images, (models × images × units), without and with dropout."""
    units: pd.DataFrame
    """Figure 2: the average over all thinned networks and the prediction of the scaled one, per unit."""


def measure(plan: Plan, folder: Path) -> Measured:
    """Train what the store in `folder` has not, compare, and look into those that had most examples."""
    networks, retention, *sized = run_all([plan.networks, plan.retention, *plan.sizes.values()], folder)
    pairs = [networks[i : i + 2] for i in range(0, len(networks), 2)]
    most = plan.sizes[max(plan.sizes)]
    runs = [Store(folder).read(one.digest, weights=True) for one in most.plan]
    plain, dropped = runs[: most.seeds], runs[most.seeds :]
    data = most.dataset()
    x, y = data.inputs[data.splits.test], data.targets[data.splits.test]
    return Measured(
        networks=[compare(pair, reference=pair[0].name) for pair in pairs],
        retention=compare(retention, reference="1.0"),
        sizes={size: compare(pair, reference="plain") for size, pair in zip(plan.sizes, sized, strict=True)},
        passes=np.array([passes(run, data, x, y) for run in dropped]),
        scaled=np.array([np.mean(run.predictions["test"].argmax(axis=1) != y) for run in dropped]),
        activations={
            f"{how} dropout": np.array([_first_layer(run, x) for run in runs])
            for how, runs in (("without", plain), ("with", dropped))
        },
        units=equality(),
    )


def passes(run: Run, data: Dataset, x: NDArray[np.float32], y: NDArray[Any]) -> Errors:
    """(DRAWS, PASSES): the error when the first k passes of a random set are averaged, k = 1, 2, ...

    The sets share passes, so at k = PASSES the scatter between them is some 30 % too small: √(1 - 50/100).
    """
    graphdef, state = nnx.split(Model.of(run, data).network())
    seeds = jax.random.split(jax.random.key(run.seed), KEPT)
    chances = np.exp(np.asarray(_random_passes(graphdef, state, jnp.asarray(x), seeds)))
    rng, errors = keys.generator(run.seed, "passes"), []
    for _ in range(DRAWS):
        summed = np.cumsum(chances[rng.permutation(KEPT)[:PASSES]], axis=0)  # largest where the mean is
        errors.append(np.mean(summed.argmax(axis=-1) != y, axis=-1))
    return np.array(errors)


@partial(jax.jit, static_argnums=0)
def _random_passes(graphdef: Any, state: Any, x: jax.Array, keys: jax.Array) -> jax.Array:
    model = nnx.merge(graphdef, state)
    logs: jax.Array = jax.lax.map(
        lambda key: predict.predict(model, (), x, Classification(10), key=key), keys
    )
    return logs


def _first_layer(run: Run, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The first hidden layer's rectified activations, (images, units)."""
    z = x.reshape(len(x), -1) @ run.weights["hidden1/kernel"] + run.weights["hidden1/bias"]
    rectified: NDArray[np.float32] = np.maximum(z, 0)
    return rectified


def equality(inputs: int = 10, units: int = 12) -> pd.DataFrame:
    """Figure 2 by enumeration: a unit's output averaged over all 2^inputs masks, and with scaled inputs.

    `linear` compares the units themselves; `rectified` what they pass on, max(0, z), where it is not exact.
    """
    rng = np.random.default_rng(0)
    x, w = rng.random(inputs), rng.standard_normal((inputs, units))
    masks = np.array(list(product((0, 1), repeat=inputs)))
    rows = []
    for p in (0.5, 0.8):
        chance = p ** masks.sum(axis=1) * (1 - p) ** (inputs - masks.sum(axis=1))
        thinned = (masks * x) @ w
        layer = dropout.DropoutLayer(1 - p, "hidden1", "test")
        scaled = np.asarray(layer(jnp.asarray(x, jnp.float32), key=None, training=False), np.float64) @ w
        for unit in range(units):
            linear = chance @ thinned[:, unit]
            rectified = chance @ np.maximum(thinned[:, unit], 0)
            rows.append((p, linear, scaled[unit], rectified, max(scaled[unit], 0.0)))
    columns = ["p", "linear: average", "linear: scaled", "rectified: average", "rectified: scaled"]
    return pd.DataFrame(rows, columns=columns)


@config
class Dropout(Exhibit):
    """Figures 2, 4, 8, 9a, 10 and 11 of the dropout paper."""

    title = "Dropout: many thinned networks, averaged"

    def make(self, budget: Budget, store: Path) -> ExhibitResult:
        measured = measure(plan(budget), store)
        first = measured.networks[0].arms[0]
        notes = (
            f"Figure 4's networks: {first.parameters:,} weights and more, {first.recipe['steps']:,} updates "
            f"of batch {first.recipe['batch_size']}; the paper makes a million.",
            *(
                "Scaled down: MNIST at 14×14 pixels, 1,000 training examples, layers of 100 units, "
                "p = 0.9 and 0.8; the full version has figure 4's networks and p.",
            )
            * (budget == "quick"),
            *cautions(*measured.networks, measured.retention, *measured.sizes.values()),
        )
        return ExhibitResult(self.name, self.title, draw(measured), tables(measured), claims(measured), notes)


def tables(measured: Measured) -> dict[str, pd.DataFrame]:
    """The numbers behind the figure."""
    pairs = {pair.reference: pair for pair in measured.networks}
    kept = [(arm.name, 100 * arm.error.mean) for arm in measured.retention.arms]
    errors = 100 * measured.passes
    means, deviations = errors.mean(axis=(0, 1)), errors.std(axis=1, ddof=1).mean(axis=0)
    along = [(str(k), means[k - 1], deviations[k - 1]) for k in (1, 2, 5, 10, 20, PASSES)]
    along.append(("scaled", 100 * measured.scaled.mean(), np.nan))
    features = [(name, a.mean(), 100 * np.mean(a > 0)) for name, a in measured.activations.items()]
    columns = ["network", "mean activation", "active (%)"]
    over = (_intervals(measured.networks[0]), _intervals(next(iter(measured.sizes.values()))))
    return {
        f"Test error (%) of figure 4's networks; {over[0]}": _gains("network", pairs),
        f"Test error (%) by training examples; {over[1]}": _gains("examples", measured.sizes),
        "Test error (%) by retention p of hidden units": pd.DataFrame(kept, columns=["p", "test error"]),
        "Test error (%) of k random passes averaged; deviation over sets of k": pd.DataFrame(
            along, columns=["k", "test error", "deviation"]
        ),
        "Features of the first layer": pd.DataFrame(features, columns=columns),
        "Figure 2: average over all thinned networks, and scaled": measured.units,
    }


def _gains(label: str, pairs: Mapping[Any, Comparison]) -> pd.DataFrame:
    rows = [
        (name, *(100 * arm.error.mean for arm in pair.arms), *np.round(_gain(pair), 4))
        for name, pair in pairs.items()
    ]
    return pd.DataFrame(rows, columns=[label, "without", "with", "gain", "gain, low", "gain, high"])


def _gain(pair: Comparison) -> Points:
    """What dropout takes off the error, with an interval over seeds or, for one, over examples."""
    found = pair.arms[1].difference
    one = found and (found.interval if len(pair.arms[0].seeds) > 1 else found.over_examples)
    assert one
    return -100 * one.mean, -100 * one.high, -100 * one.low


def _intervals(pair: Comparison) -> str:
    """What the intervals of `_gain` are over."""
    seeds, examples = len(pair.arms[0].seeds), pair.data["examples"]["test"]
    if seeds > 1:
        return f"95 % intervals, n = {seeds} seeds"
    return (
        f"95 % intervals over the {examples:,} test examples of one training each, "
        "which leave out the scatter of trainings"
    )


def _points(differences: Errors) -> Points:
    one = paired.estimate(100 * differences)
    return one.mean, *one.interval(0.95)


def _said(points: Points) -> str:
    return "{:+.2f} ({:+.2f} to {:+.2f})".format(*points)


def claims(measured: Measured) -> tuple[Claim, ...]:
    """The paper's statements beside the numbers."""
    return (
        _equal(measured.units),
        _groups(measured.networks),
        _middle(measured.retention),
        _growing(measured.sizes),
        _approximates(measured.passes, measured.scaled),
        _sparser(measured.activations),
    )


def _equal(units: pd.DataFrame) -> Claim:
    """Float32 inputs are off by a few 2⁻²⁴, times weights below 5, summed over ten: by less than 1e-5."""
    off = (units["linear: average"] - units["linear: scaled"]).abs().max()
    passed = (units["rectified: average"] - units["rectified: scaled"]).abs().max()
    return Claim(
        "Multiplying by p when predicting gives a unit's expected output over all thinned networks.",
        f"{SOURCE}, figure 2",
        f"all 1,024 masks of 10 inputs, {len(units)} linear units: they differ by {off:.1e} at most; after "
        f"rectification, where it is an approximation, by {passed:.2f}.",
        bool(off < 1e-5),
    )


def _groups(pairs: list[Comparison]) -> Claim:
    gains = {pair.reference: _gain(pair) for pair in pairs}
    worst = max(pair.arms[1].error.mean for pair in pairs)
    best = min(pair.arms[0].error.mean for pair in pairs)
    return Claim(
        "Without tuning, dropout lowers the error of every architecture, and the errors form two groups.",
        f"{SOURCE}, figure 4",
        "gain in test error "
        + ", ".join(f"{name}: {_said(gain)}" for name, gain in gains.items())
        + f" points; {_intervals(pairs[0])}. The worst with dropout has {100 * worst:.2f} %, the best "
        f"without {100 * best:.2f} %.",
        all(low > 0 for _, low, _ in gains.values()) and worst < best,
    )


def _middle(retention: Comparison) -> Claim:
    """The middle is the p strictly between the ends that is best on validation."""
    along = sorted(retention.arms, key=lambda arm: float(arm.name))
    low, *between, high = along
    best = min(between, key=lambda arm: arm.grid[0].validation_error)
    rises = [_points(np.array(end.errors) - np.array(best.errors)) for end in (low, high)]
    return Claim(
        f"Keeping too few units (p = {low.name}) or all of them (p = 1) is worse than a p in between.",
        f"{SOURCE}, section 7.3, figure 9a (a flat valley from p = 0.4 to 0.8)",
        ", ".join(f"{100 * arm.error.mean:.2f} % at p = {arm.name}" for arm in along)
        + f"; against p = {best.name}, the best on validation, p = {low.name} {_said(rises[0])} and p = 1 "
        f"{_said(rises[1])} points (95 % intervals, n = {len(best.errors)} seeds).",
        all(least > 0 for _, least, _ in rises),
    )


def _growing(sizes: dict[int, Comparison]) -> Claim:
    gains = {size: _gain(pair) for size, pair in sizes.items()}
    least, *larger = sizes
    margin = 100 * sizes[least].delta
    errors = [[np.array(arm.errors) for arm in sizes[size].arms] for size in larger]
    judged = paired.judge(np.stack([dropped - plain for plain, dropped in errors], axis=1), delta=0)
    helped = [size for size, one in zip(larger, judged, strict=True) if one.verdict == "helps"]
    return Claim(
        "With very few examples dropout gives no improvement; with more it does.",
        f"{SOURCE}, section 7.4, figure 10",
        "gain "
        + ", ".join(f"{_said(gain)} at {size:,}" for size, gain in gains.items())
        + f" examples, in points; {_intervals(sizes[least])}. At {least:,} less than {margin:.2f}, a tenth "
        "of the error, is no improvement; of the others it helps (Holm's correction) at "
        f"{' and '.join(f'{size:,}' for size in helped) or 'none'}. The gain is largest at "
        f"{max(gains, key=lambda size: gains[size][0]):,}.",
        gains[least][2] < margin and bool(helped),
    )


def _approximates(passes: Errors, scaled: Errors) -> Claim:
    """As good: the interval of the difference lies within a tenth of the scaled network's error."""
    averaged = passes.mean(axis=1)
    single, many = (_points(averaged[:, k] - scaled) for k in (0, -1))
    margin = 10 * scaled.mean()
    return Claim(
        f"Averaging {PASSES} random passes is as good as weight scaling; a single pass is worse.",
        f"{SOURCE}, section 7.5, figure 11",
        f"test error {100 * scaled.mean():.2f} % with scaled weights; one pass {_said(single)} points, "
        f"{PASSES} passes {_said(many)} points (95 % intervals, n = {len(scaled)} models); as good is within "
        f"{margin:.2f} points, a tenth of the error.",
        bool(single[1] > 0 and -margin < many[1] and many[2] < margin),
    )


def _sparser(activations: dict[str, NDArray[np.float32]]) -> Claim:
    plain, dropped = (100 * (a > 0).mean(axis=(1, 2), dtype=np.float64) for a in activations.values())
    means = [float(a.mean()) for a in activations.values()]
    low, high = paired.estimate(dropped - plain).interval(0.95)
    return Claim(
        "With dropout fewer hidden units are active.",
        f"{SOURCE}, section 7.2, figures 7 and 8",
        f"first layer on test images: {plain.mean():.1f} % of the units are active without dropout, "
        f"{dropped.mean():.1f} % with it (difference {low:.1f} to {high:.1f} points, 95 % interval, "
        f"n = {len(plain)} seeds); mean activation {means[0]:.2f} and {means[1]:.2f}.",
        high < 0,
    )


def draw(measured: Measured) -> Figure:
    """Six panels: figures 4, 9a, 10, 11, 8 and 2 of the paper."""
    figure = Figure(figsize=(7.6, 10.2), layout="constrained")
    (networks, retention), (sizes, passes), (features, units) = panels = figure.subplots(3, 2)
    _networks(networks, measured.networks)
    kept = {float(arm.name): arm.error for arm in measured.retention.arms}
    _line(retention, dict(sorted(kept.items())), VERMILLION, "o")
    retention.set(title="Retention of hidden units", xlabel="p (kept)", ylabel="test error (%)")
    for index, (name, colour, marker) in enumerate((("without", BLUE, "s"), ("with", VERMILLION, "o"))):
        along = {size: pair.arms[index].error for size, pair in measured.sizes.items()}
        _line(sizes, along, colour, marker, f"{name} dropout")
    sizes.set(title="Size of the data set", xlabel="training examples", ylabel="test error (%)")
    sizes.set(xscale="log", yscale="log")
    sizes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    sizes.yaxis.set_major_formatter("{x:g}")
    sizes.yaxis.set_minor_locator(NullLocator())
    _passes(passes, measured)
    _features(features, measured.activations)
    for name, colour, marker in (("linear", VERMILLION, "o"), ("rectified", BLUE, "s")):
        points = [measured.units[f"{name}: {how}"] for how in ("average", "scaled")]
        units.scatter(*points, s=22, color=colour, marker=marker, alpha=0.7, label=name)
    units.axline((0, 0), slope=1, color="#555555", lw=1)
    units.set(title="One unit, all masks", xlabel="average over 1,024 networks", ylabel="scaled network")
    for axes in panels.flat:
        axes.spines[["top", "right"]].set_visible(False)
        axes.title.set_fontsize(11)
    for axes in (sizes, passes, features, units):
        axes.legend()
    return figure


def _networks(axes: Axes, pairs: list[Comparison]) -> None:
    """Colour for dropout, dashes for depth, thickness for width; the legend names these, not each curve."""
    shapes = [tuple(pair.reference.split("×")) for pair in pairs]
    dashes = dict(zip(dict.fromkeys(depth for depth, _ in shapes), ("-", "--", ":"), strict=False))
    thickness = dict(zip(dict.fromkeys(width for _, width in shapes), (1.3, 2.6), strict=False))
    for (depth, width), pair in zip(shapes, pairs, strict=True):
        for arm, colour in zip(pair.arms, (BLUE, VERMILLION), strict=True):
            curve = arm.curves["validation_error"]
            look: dict[str, Any] = {"ls": dashes[depth], "lw": thickness[width], "color": colour}
            axes.plot(curve.steps, 100 * np.array(curve.mean), **look)
    final = [100 * arm.curves["validation_error"].mean[-1] for pair in pairs for arm in pair.arms]
    axes.set_ylim(0.8 * min(final), 2.2 * max(final))
    axes.set(title="Figure 4: depths and widths", xlabel="weight updates", ylabel="validation error (%)")
    axes.xaxis.set_major_locator(MaxNLocator(4))
    named: list[tuple[str, dict[str, Any]]] = [
        ("without dropout", {"color": BLUE}),
        ("with dropout", {"color": VERMILLION}),
        *((f"{depth} layers", {"ls": style, "color": "#555555"}) for depth, style in dashes.items()),
        *((f"{width} units", {"lw": lw, "color": "#555555"}) for width, lw in thickness.items()),
    ]
    axes.legend([Line2D([], [], **drawn) for _, drawn in named], [name for name, _ in named], ncols=2)


def _line(axes: Axes, along: Mapping[Any, Interval], colour: str, marker: str, label: str = "") -> None:
    mean, low, high = 100 * np.array([(one.mean, one.low, one.high) for one in along.values()]).T
    half = mean - low, high - mean
    axes.errorbar(list(along), mean, half, color=colour, marker=marker, capsize=3, lw=1.4, label=label)


def _passes(axes: Axes, measured: Measured) -> None:
    k = np.arange(1, PASSES + 1)
    mean, spread = 100 * measured.passes.mean(axis=(0, 1)), 100 * measured.passes.std(axis=1).mean(axis=0)
    axes.plot(k, mean, color=VERMILLION, label="k random passes, averaged\n(± deviation over sets of k)")
    axes.fill_between(k, mean - spread, mean + spread, color=VERMILLION, alpha=0.2, lw=0)
    axes.axhline(100 * measured.scaled.mean(), color=BLUE, ls="--", label="weight scaling")
    axes.set(title="Monte-Carlo averaging", xlabel="passes k", ylabel="test error (%)")


def _features(axes: Axes, activations: dict[str, NDArray[np.float32]]) -> None:
    bins = np.linspace(0, float(np.quantile(activations["without dropout"], 0.999)), 40)
    for (name, a), colour in zip(activations.items(), (BLUE, VERMILLION), strict=True):
        share = 100 * np.histogram(a, bins)[0] / a.size
        axes.stairs(share, bins, color=colour, lw=1.5, label=f"{name}: {100 * np.mean(a > 0):.0f} % active")
    axes.set(title="First-layer features", xlabel="activation", ylabel="share per bin (%)", yscale="log")
