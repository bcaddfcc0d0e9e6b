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
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from trainwright import exhibit as ex
from trainwright.base import keys
from trainwright.training.building import Training, build, named_arrays

BOOK = "Goodfellow, Bengio & Courville 2016, section 8.4"
WIDTH, DEPTH = 100, 10
FAN_IN, GLOROT, PRINTED, HE, SMALL = "U(±1/√m)", "Glorot", "as the lecture prints it", "He", "normal, 0.01"
RULES = {  # the package's name, and n·Var(w)
    FAN_IN: ("fan_in_uniform", 1 / 3),
    GLOROT: ("glorot_uniform", 1.0),
    PRINTED: ("lecture", 6.0),
    HE: ("he_normal", 2.0),
    "orthogonal": ("orthogonal", 1.0),
    SMALL: ("normal", WIDTH * 1e-4),
}
BIASED = (FAN_IN, HE)  # the rules under which a hidden bias is tried
SQUARE, GRADIENT = READ = ["mean square of the activations", "norm of the gradient (biases)"]
MORE_ALIKE = 10  # times as alike is far more alike
SCALES = ex.scales(seeds=(8, 40))


@ex.config
class Initialization(ex.Exhibit):
    """Symmetry, variance through ten layers, the first loss, and active rectifiers."""

    title = "Initialisation: symmetry, and what ten layers make of a signal"

    def make(self, budget: ex.Budget, store: Path) -> ex.ExhibitResult:
        seeds = SCALES[budget].seeds
        layers = {"rectified": measure_rules("relu", seeds), "tanh": measure_rules("tanh", seeds)}
        biases, losses, symmetry = measure_biases(seeds), measure_first_losses(seeds), measure_symmetry()
        by_layers = {
            f"{column.capitalize()}, {units} layers (mean over seeds)": by_layer(rows, column)
            for units, rows in layers.items()
            for column in READ
        }
        of_losses, of_biases = (
            rows.drop(columns="seed").groupby(["rule", "bias"], sort=False).mean().reset_index()
            for rows in (losses, biases)
        )
        return self.result(
            draw(layers, losses, biases),
            {
                **by_layers,
                "Symmetry: after training from zeros and from He's rule": symmetry,
                "First loss with unequal classes, nats": of_losses,
                "Rectified units at the start, %": of_biases,
            },
            (
                *(stays_symmetric(symmetry), factor(layers["rectified"])),
                *(more_alike(layers["tanh"]), saturates(layers["tanh"]), first_loss(losses)),
                *(more_active(biases, rule) for rule in BIASED),
            ),
            (
                f"The book names no network: {DEPTH} layers of {WIDTH} units on digits, {seeds} seeds, and "
                "two of 64 for symmetry and first losses. Gradients are those of the biases, over a batch "
                "of 512.",
                "The zeros get a hidden bias of 0.1: without it no gradient would pass a rectifier at all.",
                "The book warns that a bias does not suit every rule: random-walk initialisation counts on "
                "biases that hardly matter.",
                ex.intervals_cover(),
            ),
        )


def at_start(base: ex.Recipe, data: ex.Dataset, seed: int, rule: str, bias: str) -> ex.LayerStats:
    """What the instruments read at a rule's first weights: one program serves all rules."""
    recipe = ex.adding(base, f"initialization('{RULES[rule][0]}', {bias})")
    return ex.measure_layers(base, data, seed, weights=named_arrays(build(Training(recipe, data, seed))[1]))


def measure_rules(
    function: str, seeds: int, rules: Iterable[str] = RULES, biases: Iterable[float] = (0.0,)
) -> pd.DataFrame:
    """Each layer's readings at the first step, for each rule, hidden bias and seed; shares of units in %."""
    data, recipe = ex.load("digits"), ex.network(*[WIDTH] * DEPTH, strategies=f"activation('{function}')")

    def layers(rule: str, bias: float, seed: int) -> pd.DataFrame:
        stats = at_start(recipe, data, seed, rule, f"hidden_bias={bias}").layers.drop("output")
        shares, squares = stats[["saturated", "active", "dead"]], stats[["mean", "deviation"]] ** 2
        read = {SQUARE: squares.sum(axis=1), GRADIENT: stats["bias_gradient"]}
        return (100 * shares).assign(layer=range(1, DEPTH + 1), **read)

    return ex.grid(layers, rule=rules, bias=biases, seed=range(seeds))


def measure_biases(seeds: int) -> pd.DataFrame:
    """The shares of active responses and of dead units in all rectified layers, by rule, bias and seed."""
    by_bias = measure_rules("relu", seeds, BIASED, (0.0, 0.1)).groupby(["rule", "bias", "seed"], sort=False)
    return by_bias[["active", "dead"]].mean().reset_index()


def measure_first_losses(seeds: int) -> pd.DataFrame:
    """The loss (nats) before the first step on digits of unequal frequencies, and the classes' entropy."""
    data = unequal()

    def losses(rule: str, bias: str, seed: int) -> dict[str, float]:
        stats = at_start(ex.Recipe(), data, seed, rule, f"output_bias='{bias}'")
        return {"first loss": stats.log_loss, "entropy": stats.guess}

    return ex.grid(losses, rule=(SMALL, HE), bias=("zeros", "marginals"), seed=range(seeds))


def unequal() -> ex.Dataset:
    """Digits of which each class has 0.7 times as many as the one before."""
    data = ex.load("digits")
    kept = keys.generator(0, "unequal").random(len(data.targets)) < 0.7**data.targets
    return ex.load((data.inputs[kept], data.targets[kept]), task="classification")


def measure_symmetry() -> pd.DataFrame:
    """How many units of each layer differ after training, to the last bit, and the validation error."""

    def different(rule: str) -> dict[str, float]:
        strategies = f"initialization('{rule}', hidden_bias=0.1)"
        recipe = ex.network(64, 64, strategies=strategies, learning_rate=0.1, epochs=20)
        run = ex.fit(recipe, ex.load("digits"))
        first, second = (len(np.unique(run.weights[f"hidden{n}/kernel"], axis=1).T) for n in (1, 2))
        error = 100 * run.history["validation_error"][-1]
        return {"units, layer 1": first, "units, layer 2": second, "validation error, %": error}

    return ex.grid(different, weights=("zeros", "he_normal"))


@ex.claim("Units with equal inputs and equal first weights stay equal: zeros never break the symmetry.", BOOK)
def stays_symmetric(symmetry: pd.DataFrame) -> ex.Judged:
    """One different unit in each layer after training from zeros, and more from random weights."""
    (_, *zeros, worse), (_, *random, error) = symmetry.to_numpy().tolist()
    seen = (
        f"After 20 passes 64 + 64 units that began at zero are still {zeros[0]} + {zeros[1]} different "
        f"ones, to the last bit (validation error {worse:.0f} %); drawn at random they are {random[0]} + "
        f"{random[1]} ({error:.1f} %)."
    )
    return seen, zeros == [1, 1] and min(random) > 1


@ex.claim(
    "A layer of rectified units multiplies the mean square by n·Var(w)/2.", "He et al. 2015, equation 9"
)
def factor(rectified: pd.DataFrame) -> ex.Judged:
    """Within the 99 % interval over seeds, for every rule.

    A layer's mean square, of `WIDTH` squares of rectified normals, has a relative variance of 5/WIDTH; half
    of that the mean of the logarithm is below the logarithm of the mean.
    """
    seen, within = [], []
    for rule, group in rectified.groupby("rule", sort=False):
        table = np.log(group.pivot(index="seed", columns="layer", values=SQUARE).to_numpy())
        logs, theory = ex.Measured.of(np.diff(table).mean(axis=1), level=0.99), RULES[str(rule)][1] / 2
        within.append(logs.low <= math.log(theory) <= logs.high + 2.5 / WIDTH)
        seen.append(f"{rule} {math.exp(logs.mean):.3g} ({theory:.3g})")
    told = f"{sum(within)} of {len(within)} within the 99 % intervals, n = {logs.n}"
    return f"Per layer, in brackets by theory: {'; '.join(seen)}; {told}.", all(within)


@ex.claim(
    "The normalised rule keeps the variance of activations and of gradients far more alike over the layers "
    "than U(±1/√m) does.",
    "Glorot & Bengio 2010, figures 6 and 7",
)
def more_alike(tanh: pd.DataFrame) -> ex.Judged:
    """In every seed: the largest mean square (and gradient) of a layer over the smallest."""
    layers = tanh.groupby(["rule", "seed"])[READ]
    spread = layers.max() / layers.min()
    glorot, fan_in = spread.loc[GLOROT], spread.loc[FAN_IN]
    alike = ((fan_in / glorot).to_numpy() >= MORE_ALIKE).all(axis=1)
    said = [
        f"the {what} varies {glorot[what].mean():.1f}-fold with Glorot's rule and "
        f"{fan_in[what].mean():,.0f}-fold with U(±1/√m)"
        for what in READ
    ]
    seen = (
        f"Over ten tanh layers {', '.join(said)}; in {alike.sum()} of {len(glorot)} seeds both are at least "
        f"{MORE_ALIKE} times as alike."
    )
    return seen, alike.all()


@ex.claim(
    "Glorot's bound is √(6/(m+n)); as printed, 6/√(m+n), it is √6 times that, and tanh units saturate.",
    "Glorot & Bengio 2010, equation 16; the lecture's slide",
)
def saturates(tanh: pd.DataFrame) -> ex.Judged:
    """More flat responses than with Glorot's rule, paired by seed."""
    flat = tanh.groupby(["rule", "seed"])["saturated"].mean().reset_index()
    more = ex.change(flat, "saturated", PRINTED, GLOROT, "points", by="rule")
    means = flat.groupby("rule")["saturated"].mean()
    seen = (
        f"{means[PRINTED]:.0f} % of the responses are saturated (slope below a tenth of the steepest)"
        f" with the printed rule, {means[GLOROT]:.1f} % with Glorot's: {more}."
    )
    return seen, more.positive


@ex.claim(
    "Biases that solve softmax(b) = c for the classes' frequencies c let the network begin at them.", BOOK
)
def first_loss(losses: pd.DataFrame) -> ex.Judged:
    """Weights of 0.01 make outputs of some 0.01, so the loss may be off the entropy by less than that."""
    small = losses[(losses["rule"] == SMALL) & (losses["bias"] == "marginals")]
    off, entropy = (small["first loss"] - small["entropy"]).abs().max(), losses["entropy"].iloc[0]
    means = losses.groupby(["rule", "bias"])["first loss"].mean()
    seen = (
        f"With small weights the first loss is within {off:.0e} nats of the entropy, {entropy:.3f}; with "
        f"zero biases it is {means[SMALL, 'zeros']:.3f} (ln 10 = {math.log(10):.3f}). Under He's rule the "
        f"random weights add to it: {means[HE, 'marginals']:.2f} and {means[HE, 'zeros']:.2f}."
    )
    return seen, off < 0.01


def more_active(biases: pd.DataFrame, rule: str) -> ex.Claim:
    """Most responses active with the bias, more than without, and fewer units dead: each by its interval."""
    group = biases[biases["rule"] == rule]
    active, dead = (
        ex.Measured.of(group[name][group["bias"] == 0.1], "%", signed=False) for name in ("active", "dead")
    )
    more, fewer = (ex.change(group, name, 0.1, 0.0, "points", by="bias") for name in ("active", "dead"))
    return ex.Claim(
        "A bias of 0.1 lets rectified linear units be active for most inputs at the start, and fewer of them"
        f" dead: under {rule}.",
        BOOK,
        f"Over ten layers so many responses are active: {active}, a change of {more}; units dead for all "
        f"inputs: {dead}, a change of {fewer}.",
        ex.every(active.above(50), more.positive, fewer.negative),
    )


def by_layer(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """A column's mean over the seeds, layer by layer, a column for each rule."""
    return rows.pivot_table(column, "layer", "rule")[list(RULES)]


def draw(layers: dict[str, pd.DataFrame], losses: pd.DataFrame, biases: pd.DataFrame) -> ex.Figure:
    """Forward and backward, rectified and tanh; saturation, first losses, active and dead units."""
    signals = (f"Forward,{units} Backward,{units}" for units in layers)
    figure, panels = ex.sheet(11.4, *signals, "saturated first", "active dead")
    looks = {rule: {"marker": marker, "ms": 4.5} for rule, marker in zip(RULES, ex.MARKERS, strict=False)}
    for units, rows in layers.items():
        for way, column in zip(("Forward", "Backward"), READ, strict=True):
            axes, means, title = panels[f"{way},{units}"], by_layer(rows, column), f"{way}, {units} units"
            ex.curves(axes, means, title, "layer", column, looks=looks, log="y", legend=None)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    flat, title = by_layer(layers["tanh"], "saturated"), "Saturation, tanh units"
    ex.curves(panels["saturated"], flat, title, "layer", "%", looks=looks, legend=None)
    for name, rows, column, title, ylabel in (
        ("first", losses, "first loss", "First loss by output bias, unequal classes", "nats"),
        ("active", biases, "active", "Active responses, rectified, at the start", "%"),
        ("dead", biases, "dead", "Dead units, rectified, at the start", "%"),
    ):
        groups = {f"bias: {bias}": ex.samples(g, column, "rule") for bias, g in rows.groupby("bias")}
        ex.points(panels[name], groups, title, ylabel=ylabel)
    ex.level(panels["first"], losses["entropy"].iloc[0], "entropy of the classes")
    panels["first"].set_ylim(top=1.2 * losses["first loss"].max())  # for the legend
    return figure
