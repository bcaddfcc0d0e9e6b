"""Initialisation: the first weights decide whether anything can be learnt, and how fast.

All zeros: the units of a layer are equal, receive equal gradients and stay equal for ever. Random weights
break that symmetry, and their size decides what ten layers make of a signal: each multiplies its mean square
by n·Var(w), halved by a rectifier, and the gradient's likewise on its way back. Above 1 it explodes (or, with
tanh, saturates the units), below 1 it vanishes. U(±1/√m) has 1/3, Glorot's U(±√(6/(m+n))) 1, He's normal rule
2, made for the rectifier's half. The lecture prints Glorot's rule without the root over the 6.

With the output's biases at the logarithms of the classes' frequencies the first loss is their entropy. A
hidden bias of 0.1 is to let most rectified units start active. What it does depends on the weights: under
U(±1/√m) the signal fades until a unit's input is little else than biases.

Source: Goodfellow, Bengio & Courville 2016, section 8.4; Glorot & Bengio 2010; He et al. 2015, arXiv
1502.01852.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from trainwright.base import keys
from trainwright.base.config import config
from trainwright.data import Dataset, load
from trainwright.diagnosis.instruments import LayerStats, measure_layers
from trainwright.exhibit import Claim, Exhibit, ExhibitResult, Measured, change, intervals_cover, samples
from trainwright.exhibit.panels import MARKERS, curves, level, points
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.runs.run import Run
from trainwright.strategies import initialization
from trainwright.strategies.activation import Activation
from trainwright.studies.defaults import Budget
from trainwright.training.building import Training, build, named_arrays
from trainwright.training.fit import fit

BOOK = "Goodfellow, Bengio & Courville 2016, section 8.4"
WIDTH, DEPTH = 100, 10
FAN_IN, GLOROT, PRINTED, HE = "U(±1/√m)", "Glorot", "as the lecture prints it", "He"
RULES = {
    FAN_IN: "fan_in_uniform",
    GLOROT: "glorot_uniform",
    PRINTED: "lecture",
    HE: "he_normal",
    "orthogonal": "orthogonal",
    "normal, 0.01": "normal",
}
FACTORS = dict(zip(RULES, (1 / 3, 1, 6, 2, 1, WIDTH * 1e-4), strict=True))  # n·Var(w)
Function = Literal["relu", "tanh"]
MORE_ALIKE = 10  # times as alike is far more alike
BIASED = (FAN_IN, HE)  # the rules under which a hidden bias is tried
SCALES: dict[Budget, int] = {"quick": 8, "full": 40}  # seeds


@config
class Initialization(Exhibit):
    """Symmetry, variance through ten layers, the first loss, and active rectifiers."""

    title = "Initialisation: symmetry, and what ten layers make of a signal"

    def make(self, budget: Budget, store: Path) -> ExhibitResult:
        seeds = SCALES[budget]
        layers = {"rectified": measure_rules("relu", seeds), "tanh": measure_rules("tanh", seeds)}
        biases, losses, symmetry = measure_biases(seeds), measure_first_losses(seeds), measure_symmetry()
        by_layer = {
            f"{what}, {units} layers (mean over seeds)": averaged(rows, column).reset_index()
            for units, rows in layers.items()
            for what, column in (
                ("Mean square of the activations", "mean square"),
                ("Norm of the gradient (biases)", "gradient"),
            )
        }
        by_bias, by_output = biases.groupby(["rule", "bias"], sort=False), losses.groupby(["weights", "bias"])
        return self.result(
            draw(layers, losses, biases),
            {
                **by_layer,
                "Symmetry: after training from zeros and from He's rule": symmetry,
                "First loss with unequal classes, nats": by_output.mean().drop(columns="seed").reset_index(),
                "Rectified units at the start, %": by_bias.mean().drop(columns="seed").reset_index(),
            },
            (
                stays_symmetric(symmetry),
                factor(layers["rectified"]),
                more_alike(layers["tanh"]),
                saturates(layers["tanh"]),
                first_loss(losses),
                *(more_active(biases, rule) for rule in BIASED),
            ),
            (
                f"The book names no network: {DEPTH} layers of {WIDTH} units on digits, {seeds} seeds, and "
                "two of 64 for symmetry and first losses. Gradients are those of the biases, over a batch "
                "of 512.",
                "The zeros get a hidden bias of 0.1: without it no gradient would pass a rectifier at all.",
                "The book warns that a bias does not suit every rule: random-walk initialisation counts on "
                "biases that hardly matter.",
                intervals_cover(),
            ),
        )  # fmt: skip


def at_start(base: Recipe, data: Dataset, seed: int, rule: str, **settings: object) -> LayerStats:
    """What the instruments read at a rule's first weights: one program serves all rules."""
    strategy = initialization.Initialization.from_json({"rule": rule, **settings})
    weights = named_arrays(build(Training(base.adding(strategy), data, seed))[1])
    return measure_layers(base, data, seed, weights=weights)


def deep(function: Function) -> Recipe:
    return Recipe(Mlp((WIDTH,) * DEPTH), (Activation(function),))


def measure_rules(function: Function, seeds: int) -> pd.DataFrame:
    """Each layer's readings at the first step, for each rule and seed."""
    data, tables = load("digits"), []
    for name, rule in RULES.items():
        for seed in range(seeds):
            layers = at_start(deep(function), data, seed, rule).layers.iloc[:DEPTH]
            columns = {
                "rule": name,
                "seed": seed,
                "layer": range(1, DEPTH + 1),
                "mean square": layers["mean"] ** 2 + layers["deviation"] ** 2,
                "gradient": layers["bias_gradient"],
                "saturated": 100 * layers["saturated"],
            }
            tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def measure_biases(seeds: int) -> pd.DataFrame:
    """The share of active responses and of dead units in % of all rectified layers, by rule and bias."""
    data, rows = load("digits"), []
    for rule in BIASED:
        for bias in (0.0, 0.1):
            for seed in range(seeds):
                layers = at_start(deep("relu"), data, seed, RULES[rule], hidden_bias=bias).layers
                rows.append((rule, bias, seed, *(100 * layers[["active", "dead"]].mean())))
    return pd.DataFrame(rows, columns=["rule", "bias", "seed", "active", "dead"])


def measure_first_losses(seeds: int) -> pd.DataFrame:
    """The loss (nats) before the first step on digits of unequal frequencies, and the classes' entropy."""
    data, rows = unequal(), []
    for weights in ("normal", "he_normal"):
        for bias in ("zeros", "marginals"):
            for seed in range(seeds):
                reading = at_start(Recipe(), data, seed, weights, output_bias=bias)
                rows.append((weights, bias, seed, reading.log_loss, reading.guess))
    return pd.DataFrame(rows, columns=["weights", "bias", "seed", "first loss", "entropy"])


def unequal() -> Dataset:
    """Digits of which each class has 0.7 times as many as the one before."""
    data = load("digits")
    kept = keys.generator(0, "unequal").random(len(data.targets)) < 0.7**data.targets
    return load((data.inputs[kept], data.targets[kept]), task="classification")


def measure_symmetry() -> pd.DataFrame:
    """How many different units each layer has after training, and the validation error."""
    data, rows = load("digits"), []
    for rule in ("zeros", "he_normal"):
        strategy = initialization.Initialization.from_json({"rule": rule, "hidden_bias": 0.1})
        run = fit(Recipe(Mlp((64, 64)), (strategy,), 0.1, epochs=20), data)
        units = (different_units(run, layer) for layer in ("hidden1", "hidden2"))
        rows.append((rule, *units, 100 * run.history["validation_error"][-1]))
    return pd.DataFrame(rows, columns=["weights", "units, layer 1", "units, layer 2", "validation error, %"])


def different_units(run: Run, layer: str) -> int:
    """How many units of a layer differ from each other in their incoming weights, to the last bit."""
    return len(np.unique(run.weights[f"{layer}/kernel"], axis=1).T)


# The sources' statements beside the numbers.


def stays_symmetric(symmetry: pd.DataFrame) -> Claim:
    """One different unit in each layer after training from zeros, and more from random weights."""
    (_, *zeros, worse), (_, *random, error) = symmetry.to_numpy().tolist()
    return Claim(
        "Units with equal inputs and equal first weights stay equal: zeros never break the symmetry.",
        BOOK,
        f"After 20 passes 64 + 64 units that began at zero are still {zeros[0]} + {zeros[1]} different "
        f"ones, to the last bit (validation error {worse:.0f} %); drawn at random they are {random[0]} + "
        f"{random[1]} ({error:.1f} %).",
        zeros == [1, 1] and min(random) > 1,
    )


def factor(rectified: pd.DataFrame) -> Claim:
    """Within the 99 % interval over seeds, for every rule.

    A layer's mean square, of `WIDTH` squares of rectified normals, has a relative variance of 5/WIDTH; half
    of that the mean of the logarithm is below the logarithm of the mean.
    """
    seen, within = [], []
    for rule, group in rectified.groupby("rule", sort=False):
        table = np.log(group.pivot(index="seed", columns="layer", values="mean square").to_numpy())
        logs = Measured.of((table[:, -1] - table[:, 0]) / (table.shape[1] - 1), level=0.99)
        theory = FACTORS[str(rule)] / 2
        within.append(logs.low <= math.log(theory) <= logs.high + 2.5 / WIDTH)
        seen.append(f"{rule} {math.exp(logs.mean):.3g} ({theory:.3g})")
    return Claim(
        "A layer of rectified units multiplies the mean square by n·Var(w)/2.",
        "He et al. 2015, equation 9",
        f"Per layer, in brackets by theory: {'; '.join(seen)}; {sum(within)} of {len(within)} within the 99 %"
        f" intervals, n = {logs.n}.",
        all(within),
    )


def more_alike(tanh: pd.DataFrame) -> Claim:
    """In every seed: the largest mean square (and gradient) of a layer over the smallest."""
    layers = tanh.groupby(["rule", "seed"])[["mean square", "gradient"]]
    spread = layers.max() / layers.min()
    glorot, fan_in = spread.loc[GLOROT], spread.loc[FAN_IN]
    count = int(((fan_in / glorot).to_numpy() >= MORE_ALIKE).all(axis=1).sum())
    said = [
        f"the {what} varies {glorot[what].mean():.1f}-fold with Glorot's rule and "
        f"{fan_in[what].mean():,.0f}-fold with U(±1/√m)"
        for what in ("mean square", "gradient")
    ]
    return Claim(
        "The normalised rule keeps the variance of activations and of gradients far more alike over the"
        " layers than U(±1/√m) does.",
        "Glorot & Bengio 2010, figures 6 and 7",
        f"Over ten tanh layers {', '.join(said)}; in {count} of {len(glorot)} seeds both are at least"
        f" {MORE_ALIKE} times as alike.",
        count == len(glorot),
    )


def saturates(tanh: pd.DataFrame) -> Claim:
    """More flat responses than with Glorot's rule, paired by seed."""
    flat = tanh.groupby(["rule", "seed"])["saturated"].mean().reset_index()
    more = change(flat, "saturated", PRINTED, GLOROT, "points", by="rule")
    means = flat.groupby("rule")["saturated"].mean()
    return Claim(
        "Glorot's bound is √(6/(m+n)); as printed, 6/√(m+n), it is √6 times that, and tanh units saturate.",
        "Glorot & Bengio 2010, equation 16; the lecture's slide",
        f"{means[PRINTED]:.0f} % of the responses are saturated (slope below a tenth of the steepest)"
        f" with the printed rule, {means[GLOROT]:.1f} % with Glorot's: {more}.",
        more.positive,
    )


def first_loss(losses: pd.DataFrame) -> Claim:
    """Weights of 0.01 make outputs of some 0.01, so the loss may be off the entropy by less than that."""
    small = losses[(losses["weights"] == "normal") & (losses["bias"] == "marginals")]
    off, entropy = (small["first loss"] - small["entropy"]).abs().max(), losses["entropy"].iloc[0]
    means = losses.groupby(["weights", "bias"])["first loss"].mean()
    return Claim(
        "Biases that solve softmax(b) = c for the classes' frequencies c let the network begin at them.",
        BOOK,
        f"With small weights the first loss is within {off:.0e} nats of the entropy, {entropy:.3f}; with "
        f"zero biases it is {means['normal', 'zeros']:.3f} (ln 10 = {math.log(10):.3f}). Under He's rule "
        f"the random weights add to it: {means['he_normal', 'marginals']:.2f} and "
        f"{means['he_normal', 'zeros']:.2f}.",
        bool(off < 0.01),
    )


def more_active(biases: pd.DataFrame, rule: str) -> Claim:
    """Most responses active with the bias, more than without, and fewer units dead: each by its interval."""
    group = biases[biases["rule"] == rule]
    with_bias = group[group["bias"] == 0.1]
    active, dead = (Measured.of(with_bias[name], "%", signed=False) for name in ("active", "dead"))
    more, fewer = (change(group, name, 0.1, 0.0, "points", by="bias") for name in ("active", "dead"))
    return Claim(
        "A bias of 0.1 lets rectified linear units be active for most inputs at the start, and fewer of them"
        f" dead: under {rule}.",
        BOOK,
        f"Over ten layers so many responses are active: {active}, a change of {more}; units dead for all "
        f"inputs: {dead}, a change of {fewer}.",
        active.low > 50 and more.positive and fewer.negative,
    )


# The figure.


def averaged(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """A column's mean over the seeds, layer by layer, a column for each rule."""
    return rows.pivot_table(column, "layer", "rule")[list(RULES)]


def draw(layers: dict[str, pd.DataFrame], losses: pd.DataFrame, biases: pd.DataFrame) -> Figure:
    """Forward and backward, rectified and tanh; saturation, first losses, active and dead units."""
    figure = Figure(figsize=(7.6, 11.4))
    axes = figure.subplots(4, 2)
    looks = {rule: {"marker": marker, "ms": 4.5} for rule, marker in zip(RULES, MARKERS, strict=False)}
    panels = [
        (axes[row, place], averaged(layers[units], column), f"{title}, {units} units", ylabel, "y")
        for row, units in enumerate(("rectified", "tanh"))
        for place, (column, title, ylabel) in enumerate(
            (("mean square", "Forward", "mean square"), ("gradient", "Backward", "norm of the gradient"))
        )
    ]
    panels.append((axes[2, 0], averaged(layers["tanh"], "saturated"), "Saturation, tanh units", "%", ""))
    for place, table, title, ylabel, log in panels:
        curves(place, table, looks=looks, title=title, ylabel=ylabel, xlabel="layer", log=log, legend=None)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    first = losses.replace({"normal": "small weights", "he_normal": "He's rule"}).groupby("bias", sort=False)
    by_output = {f"output bias: {bias}": samples(g, "first loss", "weights") for bias, g in first}
    top = float(losses["first loss"].max())  # above it there is room for the legend
    points(
        axes[2, 1], by_output, title="The first loss, unequal classes", ylabel="nats", ylim=(None, 1.2 * top)
    )
    level(axes[2, 1], losses["entropy"].iloc[0], "entropy of the classes")
    for place, (name, title) in enumerate({"active": "Active responses", "dead": "Dead units"}.items()):
        groups = {f"bias {bias}": samples(g, name, "rule") for bias, g in biases.groupby("bias")}
        points(axes[3, place], groups, title=f"{title}, rectified, at the start", ylabel="%")
    return figure
