"""Dropout: training a network in which units are left out at random averages many networks in one.

Srivastava et al. 2014: each unit is kept with probability p, anew for every example. When predicting, all
units are used and their outgoing weights multiplied by p. For a linear unit that is exactly the average over
all 2ⁿ thinned networks (figure 2); for deeper networks it is an approximation, which averaging many random
passes shows to be a good one (section 7.5, figure 11).

Figure 4 trains networks of 2, 3 and 4 layers, of 1024 and 2048 units, with and without dropout (p = 0.8 at
the inputs, 0.5 at hidden units) and the same other settings: the errors end in two separate groups. Section
7.3 varies p, section 7.4 the number of training examples: with very few of them dropout does not help, then
its gain grows. Section 7.2 looks at an autoencoder's features: fewer units are active with dropout.

Deviations: figure 4 draws the test error along training; here that is the error on validation examples, and
the test examples judge the end, so training uses 50,000 of the 60,000. The features are those of the
classifier, not of an autoencoder. The quick version is a model of all that: halved images, 100 units, a
thousand examples; and since 100 units are few, it keeps more of them, p = 0.9 at the inputs and 0.8 at hidden
units (appendix A: a layer of n units should become one of n / p). The full one makes 30,000 of the paper's
million updates, which takes a night on two cores. Dropout takes two to three times as long (appendix A);
where figure 4's groups do not separate, the likeliest cause is that the trainings were too short.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from numpy.typing import NDArray

from trainwright import paired, predict
from trainwright.compare import ArmRuns, Comparison, Interval, compare
from trainwright.data import DataSpec, load
from trainwright.data.pixels import halved
from trainwright.defaults import Budget
from trainwright.exhibit import Claim, Exhibit, Exhibited
from trainwright.model import Model
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.report.figures import BLUE, VERMILLION
from trainwright.run import Run
from trainwright.store import Store
from trainwright.strategies import dropout
from trainwright.strategies.momentum import Momentum
from trainwright.study import Study, run_all
from trainwright.value import value

PASSES = 50
SOURCE = "Srivastava et al. 2014"
Errors = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Plan:
    """The exhibit's studies: networks of figure 4, retention probabilities, training set sizes."""

    networks: Study
    retention: Study
    sizes: dict[int, Study]

    @property
    def all(self) -> list[Study]:
        return [self.networks, self.retention, *self.sizes.values()]


def plan(budget: Budget) -> Plan:
    """What is trained."""
    quick = budget == "quick"
    widths, depths = ((100,) if quick else (1024, 2048)), (2, 3, 4)
    base = Recipe(strategies=(Momentum(0.9),), learning_rate=0.05, batch_size=50 if quick else 128)
    brief = base.replace(steps=1000 if quick else 10_000, evaluate_every=100 if quick else 1000)
    long = brief if quick else base.replace(steps=30_000, evaluate_every=1000)
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
        Study(_with(data, examples), networks, seeds=seeds if quick else 1),
        Study(_with(data, examples), {**kept, "1.0": plain}, seeds=seeds),
        {
            size: Study(_with(data, size), arms(brief, small, "plain"), seeds=seeds)
            for size in ((100, 1000, 3000) if quick else (200, 500, 1000, 5000, 10_000, 50_000))
        },
    )


def _halved_mnist() -> DataSpec:
    """4,000 training and 2,500 test images of 14×14 pixels."""
    data = load("mnist")
    parts = data.splits.train[:4000], data.splits.test[:2500]
    arrays = [array for rows in parts for array in (halved(data.inputs[rows]), data.targets[rows])]
    return DataSpec(arrays, task="classification")


def _with(data: DataSpec, examples: int | None) -> DataSpec:
    return DataSpec(data.source, task=data.task, examples=examples)


@dataclass(frozen=True, eq=False)
class Measured:
    """What the trainings gave; errors are fractions."""

    networks: list[Comparison]
    """Each network without and with dropout."""
    retention: Comparison
    """Retention probabilities of hidden units beside 1.0."""
    sizes: dict[int, Comparison]
    passes: Errors
    """(models, PASSES): test error when 1, 2, ... random passes are averaged."""
    scaled: Errors
    """(models,): test error of the same models with all units, scaled."""
    activations: dict[str, NDArray[np.float32]]
    """First-layer activations on test images, (models × images × units), without and with dropout."""
    units: pd.DataFrame
    """Figure 2: the average over all thinned networks and the prediction of the scaled one, per unit."""


def measure(plan: Plan, folder: Path) -> Measured:
    """Train what the store in `folder` has not, and compare."""
    networks, retention, *sized = run_all(plan.all, folder)
    pairs = [compare(networks[i : i + 2], reference=networks[i].name) for i in range(0, len(networks), 2)]
    models = {name: list(_runs(plan.networks, name, folder)) for name in list(plan.networks.arms)[:2]}
    plain, dropped = models.values()
    data = plan.networks.dataset()
    x, y = data.inputs[data.splits.test], data.targets[data.splits.test]
    curves = np.array([passes(run, data, x, y) for run in dropped])
    return Measured(
        networks=pairs,
        retention=compare(retention, reference="1.0"),
        sizes={size: _pair(runs) for size, runs in zip(plan.sizes, sized, strict=True)},
        passes=curves,
        scaled=np.array([np.mean(run.predictions["test"].argmax(axis=1) != y) for run in dropped]),
        activations={"without dropout": _first_layer(plain, x), "with dropout": _first_layer(dropped, x)},
        units=equality(),
    )


def _pair(runs: list[ArmRuns]) -> Comparison:
    return compare(runs, reference=runs[0].name)


def _runs(study: Study, arm: str, folder: Path) -> list[Run]:
    """The runs of an arm with their weights."""
    return [Store(folder).read(one.digest, weights=True) for one in study.plan if one.arm == arm]


def passes(run: Run, data: Any, x: NDArray[np.float32], y: NDArray[Any]) -> Errors:
    """(PASSES,): the error when the first k random passes are averaged, k = 1, 2, ..."""
    model = Model.of(run, data)
    graphdef, state = nnx.split(model.network())
    keys = jax.random.split(jax.random.key(run.seed), PASSES)
    logs = np.asarray(_random_passes(graphdef, state, jnp.asarray(x), keys), np.float64)
    averaged = np.cumsum(np.exp(logs), axis=0)  # the sum has the same largest class as the mean
    errors: Errors = np.mean(averaged.argmax(axis=-1) != y, axis=-1)
    return errors


@partial(jax.jit, static_argnums=0)
def _random_passes(graphdef: Any, state: Any, x: jax.Array, keys: jax.Array) -> jax.Array:
    model = nnx.merge(graphdef, state)
    logs: jax.Array = jax.lax.map(lambda key: predict.predict(model, (), x, "classification", key=key), keys)
    return logs


def _first_layer(runs: list[Run], x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The first hidden layer's rectified activations, (models, images, units)."""
    flat, found = x.reshape(len(x), -1), []
    for run in runs:
        first = min(name for name in run.weights if "kernel" in name)
        bias = run.weights[first.replace("kernel", "bias")]
        found.append(np.maximum(flat @ run.weights[first] + bias, 0))
    return np.stack(found)


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


@value
class Dropout(Exhibit):
    """Figures 2, 4, 8, 9a, 10 and 11 of the dropout paper."""

    title = "Dropout: many thinned networks, averaged"

    def make(self, budget: Budget, store: Path) -> Exhibited:
        measured = measure(plan(budget), store)
        first = measured.networks[0].arms[0]
        notes = (
            f"Figure 4's networks: {first.parameters:,} weights and more, {first.recipe['steps']:,} updates "
            f"of batch {first.recipe['batch_size']}, {len(first.seeds)} seeds; the paper makes a million.",
            *(
                "Scaled down: MNIST at 14×14 pixels, 1,000 training examples, layers of 100 units, "
                "p = 0.9 and 0.8; the full version has the paper's networks and p.",
            )
            * (budget == "quick"),
        )
        return Exhibited(self.name, self.title, draw(measured), tables(measured), claims(measured), notes)


def tables(measured: Measured) -> dict[str, pd.DataFrame]:
    """The numbers behind the figure."""
    pairs = {pair.reference: pair for pair in measured.networks}
    kept = [(arm.name, 100 * arm.error.mean) for arm in measured.retention.arms]
    averaged = 100 * measured.passes.mean(axis=0)
    steps = [k for k in (1, 2, 5, 10, 20, 50) if k <= PASSES]
    return {
        "Test error (%) of figure 4's networks": _gains("network", pairs),
        "Test error (%) by training examples": _gains("examples", measured.sizes),
        "Test error (%) by retention probability of hidden units": pd.DataFrame(
            kept, columns=["p", "test error"]
        ),
        "Test error (%) of k random passes averaged": pd.DataFrame(
            {
                "k": [*steps, "scaled"],
                "test error": [*averaged[np.array(steps) - 1], 100 * measured.scaled.mean()],
            }
        ),
        "Features of the first layer": pd.DataFrame(
            [(name, a.mean(), 100 * np.mean(a > 0)) for name, a in measured.activations.items()],
            columns=["network", "mean activation", "active (%)"],
        ),
        "Figure 2: average over all thinned networks, and scaled": measured.units,
    }


def _gains(label: str, pairs: Mapping[Any, Comparison]) -> pd.DataFrame:
    rows = []
    for name, pair in pairs.items():
        plain, dropped = pair.arms
        interval = _gain(pair)
        rows.append((name, *(100 * n for n in (plain.error.mean, dropped.error.mean, *interval))))
    return pd.DataFrame(rows, columns=[label, "without", "with", "gain", "gain, low", "gain, high"])


def _gain(pair: Comparison) -> tuple[float, float, float]:
    """Error without minus error with dropout: mean and interval, over seeds or, for one, over examples."""
    difference = pair.arms[1].difference
    assert difference
    interval = difference.interval if len(pair.arms[0].seeds) > 1 else difference.over_examples
    assert interval
    return -interval.mean, -interval.high, -interval.low


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
    """The scaled inputs are float32, each off by 2⁻²⁴ of itself; the sum of ten by a little more."""
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
    gains = [(pair.reference, *_gain(pair)) for pair in pairs]
    worst = max(pair.arms[1].error.mean for pair in pairs)
    best = min(pair.arms[0].error.mean for pair in pairs)
    seeds = len(pairs[0].arms[0].seeds)
    return Claim(
        "Without tuning, dropout lowers the error of every architecture, and the errors form two groups.",
        f"{SOURCE}, figure 4",
        "gain in test error "
        + ", ".join(
            f"{name}: {100 * mean:.2f} points ({100 * low:.2f} to {100 * high:.2f})"
            for name, mean, low, high in gains
        )
        + f"; 95 % intervals, n = {seeds}. The worst with dropout has {100 * worst:.2f} %, the best without "
        f"{100 * best:.2f} %.",
        all(low > 0 for _, _, low, _ in gains) and worst < best,
    )


def _middle(retention: Comparison) -> Claim:
    """The middle is the p strictly between the ends that is best on validation."""
    along = sorted(retention.arms, key=lambda arm: float(arm.name))
    low, *between, high = along
    best = min(between, key=lambda arm: arm.grid[0].validation_error)
    rises = [paired.estimate(np.array(end.errors) - np.array(best.errors)) for end in (low, high)]
    spans = [100 * np.array(rise.interval(0.95)) for rise in rises]
    return Claim(
        f"Keeping too few units (p = {low.name}) or all of them (p = 1) is worse than a p in between.",
        f"{SOURCE}, section 7.3, figure 9a (a flat valley from p = 0.4 to 0.8)",
        ", ".join(f"{100 * arm.error.mean:.2f} % at p = {arm.name}" for arm in along)
        + f"; against p = {best.name}, the best on validation, "
        + " and ".join(
            f"p = {end.name} by {100 * rise.mean:+.2f} points ({span[0]:.2f} to {span[1]:.2f})"
            for end, rise, span in zip((low, high), rises, spans, strict=True)
        )
        + f", n = {rises[0].count} seeds.",
        all(bool(span[0] > 0) for span in spans),
    )


def _growing(sizes: dict[int, Comparison]) -> Claim:
    gains = {size: _gain(pair) for size, pair in sizes.items()}
    least = gains[min(gains)]
    return Claim(
        "With very few examples dropout gives no improvement; with more it does.",
        f"{SOURCE}, section 7.4, figure 10",
        "gain "
        + ", ".join(
            f"{100 * mean:.2f} points ({100 * low:.2f} to {100 * high:.2f}) at {size:,}"
            for size, (mean, low, high) in gains.items()
        )
        + " examples.",
        least[1] <= 0 and any(low > 0 for _, low, _ in gains.values()),
    )


def _approximates(passes: Errors, scaled: Errors) -> Claim:
    """Two methods are taken as equal within one standard deviation over the models, as in the paper."""
    spread = float(scaled.std(ddof=1)) if len(scaled) > 1 else float(np.sqrt(scaled[0] / 10_000))
    one, many = float(passes[:, 0].mean()), float(passes[:, -1].mean())
    return Claim(
        f"Averaging {PASSES} random passes is as good as weight scaling; a single pass is worse.",
        f"{SOURCE}, section 7.5, figure 11",
        f"one pass {100 * one:.2f} %, {PASSES} passes {100 * many:.2f} %, scaled {100 * scaled.mean():.2f} % "
        f"(standard deviation {100 * spread:.2f}), n = {len(scaled)} models.",
        abs(many - scaled.mean()) < spread < one - scaled.mean(),
    )


def _sparser(activations: dict[str, NDArray[np.float32]]) -> Claim:
    plain, dropped = ((a > 0).mean(axis=(1, 2), dtype=np.float64) for a in activations.values())
    means = [float(a.mean()) for a in activations.values()]
    seen = (
        f"first layer on test images: {100 * plain.mean():.1f} % of the units are active without dropout, "
        f"{100 * dropped.mean():.1f} % with it; mean activation {means[0]:.2f} and {means[1]:.2f}"
    )
    if len(plain) == 1:
        return Claim(
            _SPARSE, f"{SOURCE}, section 7.2", seen + ", one model each.", bool(dropped[0] < plain[0])
        )
    low, high = paired.estimate(dropped - plain).interval(0.95)
    seen += (
        f"; difference in active units {100 * low:.1f} to {100 * high:.1f} points, n = {len(plain)} seeds."
    )
    return Claim(_SPARSE, f"{SOURCE}, section 7.2, figures 7 and 8", seen, high < 0)


_SPARSE = "With dropout fewer hidden units are active."


def draw(measured: Measured) -> Figure:
    """Six panels: figures 4, 9a, 10, 11, 8 and 2 of the paper."""
    figure = Figure(figsize=(7.6, 10.2), layout="constrained")
    (networks, retention), (sizes, passes), (features, units) = panels = figure.subplots(3, 2)
    _networks(networks, measured.networks)
    kept = sorted(measured.retention.arms, key=lambda arm: float(arm.name))
    _line(retention, [(float(arm.name), arm.error) for arm in kept], VERMILLION, "o", None)
    retention.set(title="Retention of hidden units", xlabel="p (kept)", ylabel="test error (%)")
    for index, (name, colour, marker) in enumerate((("without", BLUE, "s"), ("with", VERMILLION, "o"))):
        along = [(size, pair.arms[index].error) for size, pair in measured.sizes.items()]
        _line(sizes, along, colour, marker, f"{name} dropout")
    sizes.set(title="Size of the data set", xlabel="training examples", ylabel="test error (%)")
    sizes.set(xscale="log", yscale="log")
    sizes.yaxis.set_major_formatter("{x:g}")
    sizes.yaxis.set_minor_formatter("{x:g}")
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
    for axes in (networks, sizes, passes, features, units):
        axes.legend(fontsize=9, frameon=False)
    return figure


def _networks(axes: Axes, pairs: list[Comparison]) -> None:
    for number, pair in enumerate(pairs):
        for arm, colour in zip(pair.arms, (BLUE, VERMILLION), strict=True):
            curve = arm.curves["validation_error"]
            style = ("-", "--", ":")[number % 3] if len(pairs) <= 3 else ("-", "--", ":")[number // 2]
            width = 1.5 if len(pairs) <= 3 else 1 + number % 2
            label = f"{pair.reference}{', dropout' if colour == VERMILLION else ''}"
            axes.plot(curve.steps, [100 * e for e in curve.mean], style, color=colour, lw=width, label=label)
    final = [100 * arm.curves["validation_error"].mean[-1] for pair in pairs for arm in pair.arms]
    axes.set_ylim(0.8 * min(final), 2.2 * max(final))
    axes.set(title="Figure 4: depths and widths", xlabel="weight updates", ylabel="validation error (%)")


def _line(
    axes: Axes, along: Sequence[tuple[float, Interval]], colour: str, marker: str, label: str | None
) -> None:
    x, errors = [at for at, _ in along], [error for _, error in along]
    mean = np.array([100 * error.mean for error in errors])
    bars = [mean - [100 * error.low for error in errors], [100 * error.high for error in errors] - mean]
    finite = np.where(np.isfinite(bars), bars, 0)
    axes.errorbar(x, mean, finite, color=colour, marker=marker, capsize=3, lw=1.4, label=label)


def _passes(axes: Axes, measured: Measured) -> None:
    k = np.arange(1, PASSES + 1)
    mean, spread = 100 * measured.passes.mean(axis=0), 100 * measured.passes.std(axis=0)
    axes.plot(k, mean, color=VERMILLION, label="k random passes, averaged")
    axes.fill_between(k, mean - spread, mean + spread, color=VERMILLION, alpha=0.2, lw=0)
    axes.axhline(100 * measured.scaled.mean(), color=BLUE, ls="--", label="weight scaling")
    axes.set(title="Monte-Carlo averaging", xlabel="passes k", ylabel="test error (%)")


def _features(axes: Axes, activations: dict[str, NDArray[np.float32]]) -> None:
    bins = np.linspace(0, float(np.quantile(activations["without dropout"], 0.999)), 40)
    for (name, a), colour in zip(activations.items(), (BLUE, VERMILLION), strict=True):
        share = 100 * np.histogram(a, bins)[0] / a.size
        axes.stairs(share, bins, color=colour, lw=1.5, label=f"{name}: {100 * np.mean(a > 0):.0f} % active")
    axes.set(title="First-layer features", xlabel="activation", ylabel="share per bin (%)", yscale="log")
