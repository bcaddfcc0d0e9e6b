"""Initialisation: the first weights decide whether anything can be learnt, and how fast.

All zeros: the units of a layer are equal, receive equal gradients and stay equal for ever. Random weights
break that symmetry, and their size decides what ten layers make of a signal: each multiplies its mean square
by n·Var(w), halved by a rectifier, and the gradient's likewise on its way back. Above 1 it explodes (or, with
tanh, saturates the units), below 1 it vanishes. U(±1/√m) has 1/3, Glorot's U(±√(6/(m+n))) 1, He's normal rule
2, made for the rectifier's half.

The lecture prints Glorot's rule without the root over the 6: U(±6/√(m+n)), six times the variance. Both are
shown: the printed one drives tanh units flat.

Biases: with the output's set to the logarithms of the classes' frequencies, the network begins where it has
nothing more to learn about these: its first loss is the entropy of the classes. A hidden bias of 0.1 is to
let most rectified linear units start active. What it does depends on the weights beside it: under U(±1/√m)
the signal fades until a unit's input is little else than the biases; under He's rule it stays the larger
part. The book warns that the bias does not suit every rule: some, such as random-walk initialisation, count
on biases that hardly matter.

Above: the mean square of the activations, and the gradient that arrives, in ten rectified layers of 100 units
on digits (the gradient is that of the biases, over a batch of 512); under it the same in ten tanh layers, and
these units' saturation. Beside that, first losses on digits with unequal classes. At the bottom, active and
dead units by rule and bias.

Source: Goodfellow, Bengio & Courville 2016, section 8.4; Glorot & Bengio 2010; He et al. 2015, arXiv
1502.01852. The book names no network for these; digits and the widths are chosen here.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trainwright.base import keys
from trainwright.base.config import config
from trainwright.comparison import paired
from trainwright.data import Dataset, load
from trainwright.diagnosis.instruments import LayerStats, measure_layers
from trainwright.exhibit import Claim, Exhibit, ExhibitResult, cautions
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.runs.run import Run
from trainwright.strategies.activation import Activation
from trainwright.strategies.initialization import Initialization as Strategy
from trainwright.studies.defaults import Budget
from trainwright.training.building import Training, build, named_arrays
from trainwright.training.fit import fit

BOOK = "Goodfellow, Bengio & Courville 2016, section 8.4"
WIDTH, DEPTH = 100, 10
RULES = {
    "U(±1/√m)": Strategy("fan_in_uniform"),
    "Glorot": Strategy("glorot_uniform"),
    "as the lecture prints it": Strategy("lecture"),
    "He": Strategy("he_normal"),
    "orthogonal": Strategy("orthogonal"),
    "normal, 0.01": Strategy("normal"),
}
FACTORS = dict(zip(RULES, (1 / 3, 1, 6, 2, 1, WIDTH * 1e-4), strict=True))  # n·Var(w)
MORE_ALIKE = 10  # times as alike is far more alike
BIASED = ("U(±1/√m)", "He")  # the rules under which a hidden bias is tried
STYLES = dict(zip(RULES, ("C1-s", "C0-o", "C3-^", "C2-D", "C5--v", "C6-x"), strict=True))


@config
class Initialization(Exhibit):
    """Symmetry, variance through ten layers, the first loss, and active rectifiers."""

    title: ClassVar[str] = "Initialisation: symmetry, and what ten layers make of a signal"

    def make(self, budget: Budget, store: Path) -> ExhibitResult:
        seeds = 40 if budget == "full" else 8
        rectified, tanh = (measure_rules(function, seeds) for function in ("relu", "tanh"))
        biases, losses, symmetry = measure_biases(seeds), measure_first_losses(seeds), measure_symmetry()
        return ExhibitResult(
            name=self.name,
            title=self.title,
            figure=_draw(rectified, tanh, losses, biases),
            tables={
                f"{what}, {function} layers (mean over seeds)": _by_layer(seen, name)
                for function, seen in (("rectified", rectified), ("tanh", tanh))
                for what, name in (
                    ("Mean square of the activations", "mean square"),
                    ("Norm of the gradient (biases)", "gradient"),
                )
            }
            | {
                "Symmetry: after training from zeros and from He's rule": symmetry,
                "First loss with unequal classes, nats": losses.groupby(["weights", "output bias"])[
                    ["first loss", "entropy"]
                ]
                .mean()
                .reset_index(),
                "Rectified units at the start, %": biases.groupby(["rule", "bias"], sort=False)[
                    ["active", "dead"]
                ]
                .mean()
                .reset_index(),
            },
            claims=(
                symmetry_claim(symmetry),
                factor_claim(rectified),
                _glorot_claim(tanh),
                _lecture_claim(tanh),
                loss_claim(losses),
                *(bias_claim(biases, rule) for rule in BIASED),
            ),
            notes=(
                "The book names no network: ten layers of 100 units on digits, and where said two of 64.",
                "The zeros get a hidden bias of 0.1: without it no gradient would pass a rectifier at all.",
                *cautions(),
            ),
        )


def measure_rules(function: Any, seeds: int) -> pd.DataFrame:
    """Each layer's readings at the first step, for each rule and seed."""
    data, tables = load("digits"), []
    base = Recipe(Mlp((WIDTH,) * DEPTH), (Activation(function),))
    for rule, strategy in RULES.items():
        for seed in range(seeds):
            layers = _read(base, strategy, data, seed).layers.iloc[:DEPTH]
            columns = {
                "rule": rule,
                "seed": seed,
                "layer": range(1, DEPTH + 1),
                "mean square": layers["mean"] ** 2 + layers["deviation"] ** 2,
                "gradient": layers["bias_gradient"],
                "saturated, %": 100 * layers["saturated"],
            }
            tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def _by_layer(seen: pd.DataFrame, name: str) -> pd.DataFrame:
    return seen.groupby(["rule", "layer"])[name].mean().unstack("rule")[list(RULES)]


def measure_biases(seeds: int) -> pd.DataFrame:
    """The share of active responses and of dead units in % of all rectified layers, by rule and bias."""
    data, rows = load("digits"), []
    base = Recipe(Mlp((WIDTH,) * DEPTH), (Activation("relu"),))
    for rule in BIASED:
        for bias in (0.0, 0.1):
            strategy = Strategy(RULES[rule].rule, hidden_bias=bias)
            for seed in range(seeds):
                layers = _read(base, strategy, data, seed).layers
                rows.append((rule, bias, seed, 100 * layers["active"].mean(), 100 * layers["dead"].mean()))
    return pd.DataFrame(rows, columns=["rule", "bias", "seed", "active", "dead"])


def measure_first_losses(seeds: int) -> pd.DataFrame:
    """The loss before the first step on digits of unequal frequencies, and the classes' entropy."""
    data, rows = _unequal(), []
    for weights in ("normal", "he_normal"):
        for bias in ("zeros", "marginals"):
            strategy = Strategy.from_json({"rule": weights, "output_bias": bias})
            for seed in range(seeds):
                reading = _read(Recipe(), strategy, data, seed)
                rows.append((weights, bias, seed, reading.log_loss, reading.guess))
    return pd.DataFrame(rows, columns=["weights", "output bias", "seed", "first loss", "entropy"])


def measure_symmetry() -> pd.DataFrame:
    """How many different units each layer has after training, and the validation error."""
    data, rows = load("digits"), []
    for rule in ("zeros", "he_normal"):
        strategy = Strategy.from_json({"rule": rule, "hidden_bias": 0.1})
        run = fit(Recipe(Mlp((64, 64)), (strategy,), 0.1, epochs=20), data)
        first, second = different_units(run)[:2]
        rows.append((rule, first, second, 100 * run.history["validation_error"][-1]))
    heads = ["weights", "different units, layer 1", "layer 2", "validation error, %"]
    return pd.DataFrame(rows, columns=heads)


def different_units(run: Run) -> list[int]:
    """How many units of each layer differ from each other in their incoming weights, to the last bit."""
    return [np.unique(w, axis=1).shape[1] for name, w in run.weights.items() if "kernel" in name]


def symmetry_claim(symmetry: pd.DataFrame) -> Claim:
    zeros, random = (row for _, row in symmetry.iterrows())
    return Claim(
        "Units with equal inputs and equal first weights stay equal: zeros never break the symmetry.",
        BOOK,
        f"After 20 passes 64 + 64 units that began at zero are still {zeros.iloc[1]} + {zeros.iloc[2]}"
        f" different ones, to the last bit (validation error {zeros.iloc[3]:.0f} %); drawn at random they are"
        f" {random.iloc[1]} + {random.iloc[2]} ({random.iloc[3]:.1f} %).",
        bool(zeros.iloc[1] == zeros.iloc[2] == 1 < min(random.iloc[1], random.iloc[2])),
    )


def factor_claim(rectified: pd.DataFrame) -> Claim:
    """A rectified layer multiplies the mean square by n·Var(w)/2, within the interval over seeds."""
    seen, all_within = [], True
    for rule, factor in FACTORS.items():
        table = rectified[rectified["rule"] == rule].pivot(
            index="seed", columns="layer", values="mean square"
        )
        logs = np.log((table[DEPTH] / table[1]).to_numpy()) / (DEPTH - 1)
        one = paired.estimate(logs)
        low, high = one.interval(0.99)
        # A layer's mean square, of `WIDTH` squares of rectified normals, has a relative variance of 5/WIDTH;
        # half of that the mean of the logarithm is below the logarithm of the mean.
        theory = math.log(factor / 2)
        all_within &= low <= theory and high >= theory - 2.5 / WIDTH
        seen.append(f"{rule} {math.exp(one.mean):.3g} ({factor / 2:.3g})")
    return Claim(
        "A layer of rectified units multiplies the mean square by n·Var(w)/2.",
        "He et al. 2015, equation 9",
        f"Per layer, in brackets by theory: {'; '.join(seen)}; n = {one.count} seeds,"
        f" {'all' if all_within else 'not all'} within the 99 % intervals.",
        bool(all_within),
    )


def loss_claim(losses: pd.DataFrame) -> Claim:
    small = losses[losses["weights"] == "normal"].set_index("output bias")
    off = (small["first loss"] - small["entropy"]).abs()["marginals"].max()
    plain = losses[(losses["weights"] == "he_normal")].groupby("output bias")["first loss"].mean()
    return Claim(
        "Biases that solve softmax(b) = c for the classes' frequencies c let the network begin at them.",
        BOOK,
        f"With small weights the first loss is within {off:.0e} nats of the entropy,"
        f" {small['entropy'].iloc[0]:.3f}; with zero biases it is {small['first loss']['zeros'].mean():.3f}"
        f" (ln 10 = {math.log(10):.3f}). Under He's rule the random weights add to it:"
        f" {plain['marginals']:.2f} and {plain['zeros']:.2f}.",
        # Weights of 0.01 make outputs of some 0.01; a softmax's loss is then off by less than that.
        bool(off < 0.01),
    )


def bias_claim(biases: pd.DataFrame, rule: str) -> Claim:
    group = biases[biases["rule"] == rule]
    without, with_ = (group[group["bias"] == bias] for bias in (0.0, 0.1))
    most = paired.estimate(with_["active"].to_numpy()).interval(0.95)[0]
    active, dead = (_difference(with_[name], without[name]) for name in ("active", "dead"))
    return Claim(
        "A bias of 0.1 lets rectified linear units be active for most inputs at the start, and fewer of them"
        f" dead: under {rule}.",
        BOOK,
        f"Over ten layers {with_['active'].mean():.0f} % of the responses are active instead of"
        f" {without['active'].mean():.0f} %, and {with_['dead'].mean():.1f} % of the units are dead for all"
        f" inputs instead of {without['dead'].mean():.1f} % (differences {active[0]:+.1f} to {active[1]:+.1f}"
        f" and {dead[0]:+.1f} to {dead[1]:+.1f} points, 95 %, n = {len(with_)} seeds).",
        most > 50 and active[0] > 0 and dead[1] < 0,
    )


def _glorot_claim(tanh: pd.DataFrame) -> Claim:
    """The spread over layers: the largest mean square (and gradient) of a layer over the smallest."""
    layers = tanh.groupby(["rule", "seed"])[["mean square", "gradient"]]
    spread = layers.max() / layers.min()
    glorot, fan_in = spread.loc["Glorot"], spread.loc["U(±1/√m)"]
    count = int(((fan_in / glorot).to_numpy() >= MORE_ALIKE).all(axis=1).sum())
    return Claim(
        "The normalised rule keeps the variance of activations and of gradients far more alike over the"
        " layers than U(±1/√m) does.",
        "Glorot & Bengio 2010, figures 6 and 7",
        f"Over ten tanh layers the activations' mean square varies {glorot['mean square'].mean():.1f}-fold"
        f" with Glorot's rule and {fan_in['mean square'].mean():,.0f}-fold with U(±1/√m); the gradient"
        f" {glorot['gradient'].mean():.1f}-fold and {fan_in['gradient'].mean():,.0f}-fold; in {count} of"
        f" {len(glorot)} seeds both are at least {MORE_ALIKE} times as alike.",
        count == len(glorot),
    )


def _lecture_claim(tanh: pd.DataFrame) -> Claim:
    flat = tanh.groupby(["rule", "seed"])["saturated, %"].mean()
    printed, glorot = flat.loc["as the lecture prints it"], flat.loc["Glorot"]
    low, high = _difference(printed, glorot)
    return Claim(
        "Glorot's bound is √(6/(m+n)); as printed, 6/√(m+n), it is √6 times that, and tanh units saturate.",
        "Glorot & Bengio 2010, equation 16; the lecture's slide",
        f"{printed.mean():.0f} % of the responses are saturated (slope below a tenth of the steepest) with"
        f" the printed rule, {glorot.mean():.1f} % with Glorot's (difference {low:.0f} to {high:.0f} points,"
        f" 95 %, n = {len(printed)} seeds).",
        bool(low > 0),
    )


def _difference(one: pd.Series[float], other: pd.Series[float]) -> tuple[float, float]:
    """The 95 % interval of the mean difference, paired by seed: both are in the seeds' order."""
    return paired.estimate(one.to_numpy() - other.to_numpy()).interval(0.95)


def _read(base: Recipe, strategy: Strategy, data: Dataset, seed: int) -> LayerStats:
    """The readings of the base recipe at a rule's first weights: one program serves all rules."""
    recipe = base.replace(strategies=(*base.strategies, strategy))
    weights = named_arrays(build(Training(recipe, data, seed))[1])
    return measure_layers(base, data, seed, weights=weights)


def _unequal() -> Dataset:
    """Digits of which each class has 0.7 times as many as the one before."""
    data = load("digits")
    kept = keys.generator(0, "unequal").random(len(data.targets)) < 0.7**data.targets
    return load((data.inputs[kept], data.targets[kept]), task="classification")


def _draw(rectified: pd.DataFrame, tanh: pd.DataFrame, losses: pd.DataFrame, biases: pd.DataFrame) -> Figure:
    figure = Figure(figsize=(7.6, 11.4))
    axes = figure.subplots(4, 2)
    for row, (function, seen) in enumerate((("rectified", rectified), ("tanh", tanh))):
        _draw_layers(axes[row, 0], seen, "mean square")
        axes[row, 0].set(ylabel="mean square of activations", title=f"Forward, {function} units")
        _draw_layers(axes[row, 1], seen, "gradient")
        axes[row, 1].set(ylabel="norm of the gradient (biases)", title=f"Backward, {function} units")
    _draw_layers(axes[2, 0], tanh, "saturated, %")
    axes[2, 0].set(yscale="linear", ylabel="saturated responses, %", title="Saturation, tanh units")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3)
    _draw_losses(axes[2, 1], losses)
    for place, (name, title) in enumerate({"active": "Active responses", "dead": "Dead units"}.items()):
        _draw_biases(axes[3, place], biases, name)
        axes[3, place].set(ylabel="%", title=f"{title}, rectified, at the start")
    axes[3, 0].legend(loc="lower left")
    return figure


def _draw_biases(axes: Axes, biases: pd.DataFrame, name: str) -> None:
    """A point for each seed, by rule and bias."""
    for place, rule in enumerate(BIASED):
        for bias, colour, marker, shift in ((0.0, "C1", "s", -0.2), (0.1, "C0", "o", 0.2)):
            chosen = biases[(biases["rule"] == rule) & (biases["bias"] == bias)][name]
            at = place + shift + np.linspace(-0.12, 0.12, len(chosen))
            label = f"bias {bias:g}" if place == 0 else None
            axes.plot(at, chosen, marker, ms=5, mfc="none", color=colour, label=label)
    axes.set_xticks(range(len(BIASED)), BIASED)
    axes.set(xlim=(-0.5, 1.5), ylim=(0, 100) if name == "active" else (0, None))


def _draw_layers(axes: Axes, seen: pd.DataFrame, name: str) -> None:
    for rule, style in STYLES.items():
        mean = seen[seen["rule"] == rule].groupby("layer")[name].mean()
        axes.plot(mean.index, mean, style[2:], color=style[:2], ms=4.5, lw=1.4, label=rule)
    axes.set(yscale="log", xlabel="layer", xticks=range(1, DEPTH + 1))
    axes.grid(axis="y")


def _draw_losses(axes: Axes, losses: pd.DataFrame) -> None:
    places = {"normal": "small weights", "he_normal": "He's rule"}
    for place, weights in enumerate(places):
        for bias, colour, marker, shift in (("zeros", "C1", "s", -0.2), ("marginals", "C0", "o", 0.2)):
            chosen = losses[(losses["weights"] == weights) & (losses["output bias"] == bias)]["first loss"]
            at = place + shift + np.linspace(-0.12, 0.12, len(chosen))
            label = f"output bias: {bias}" if place == 0 else None
            axes.plot(at, chosen, marker, ms=5, mfc="none", color=colour, label=label)
    axes.axhline(losses["entropy"].iloc[0], color="black", lw=1, label="entropy of the classes")
    axes.set_xticks(range(2), list(places.values()))
    axes.set(ylabel="first loss, nats", title="The first loss, unequal classes", xlim=(-0.5, 1.5))
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.7 * (high - low))  # room for the legend
    axes.legend(loc="upper left")
