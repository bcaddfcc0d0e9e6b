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

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from trainwright import exhibit as ex
from trainwright.base import keys
from trainwright.training.building import Training, build, named_arrays

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
MORE_ALIKE = 10  # times as alike is far more alike
BIASED = (FAN_IN, HE)  # the rules under which a hidden bias is tried
SCALES = ex.scales(seeds=(8, 40))


@ex.config
class Initialization(ex.Exhibit):
    """Symmetry, variance through ten layers, the first loss, and active rectifiers."""

    title = "Initialisation: symmetry, and what ten layers make of a signal"

    def make(self, budget: ex.Budget, store: Path) -> ex.ExhibitResult:
        seeds = SCALES[budget].seeds
        rectified, tanh = (measure_rules(function, seeds) for function in ("relu", "tanh"))
        biases, losses, symmetry = measure_biases(seeds), measure_first_losses(seeds), measure_symmetry()
        what = {"Mean square of the activations": "mean square", "Norm of the gradient (biases)": "gradient"}
        by_layer = {
            f"{head}, {units} layers (mean over seeds)": averaged(rows, column).reset_index()
            for units, rows in (("rectified", rectified), ("tanh", tanh))
            for head, column in what.items()
        }
        by_bias, by_output = biases.groupby(["rule", "bias"], sort=False), losses.groupby(["weights", "bias"])
        return self.result(
            draw(rectified, tanh, losses, biases),
            {
                **by_layer,
                "Symmetry: after training from zeros and from He's rule": symmetry,
                "First loss with unequal classes, nats": by_output.mean().drop(columns="seed").reset_index(),
                "Rectified units at the start, %": by_bias.mean().drop(columns="seed").reset_index(),
            },
            (
                *(stays_symmetric(symmetry), factor(rectified), more_alike(tanh), saturates(tanh)),
                *(first_loss(losses), *(more_active(biases, rule) for rule in BIASED)),
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


def at_start(base: ex.Recipe, data: ex.Dataset, seed: int, initialization: str) -> ex.LayerStats:
    """What the instruments read at a rule's first weights: one program serves all rules."""
    recipe = ex.adding(base, f"initialization({initialization})")
    return ex.measure_layers(base, data, seed, weights=named_arrays(build(Training(recipe, data, seed))[1]))


def deep(function: str) -> ex.Recipe:
    return ex.network(*[WIDTH] * DEPTH, strategies=f"activation('{function}')")


def measure_rules(function: str, seeds: int) -> pd.DataFrame:
    """Each layer's readings at the first step, for each rule and seed."""
    data, recipe = ex.load("digits"), deep(function)

    def layers(rule: str, seed: int) -> pd.DataFrame:
        stats = at_start(recipe, data, seed, f"'{RULES[rule]}'").layers.iloc[:DEPTH]
        columns = {
            "layer": range(1, DEPTH + 1),
            "mean square": stats["mean"] ** 2 + stats["deviation"] ** 2,
            "gradient": stats["bias_gradient"],
            "saturated": 100 * stats["saturated"],
        }
        return pd.DataFrame(columns)

    return ex.grid(layers, rule=RULES, seed=range(seeds))


def measure_biases(seeds: int) -> pd.DataFrame:
    """The share of active responses and of dead units in % of all rectified layers, by rule and bias."""
    data, recipe = ex.load("digits"), deep("relu")

    def shares(rule: str, bias: float, seed: int) -> pd.Series[float]:
        stats = at_start(recipe, data, seed, f"'{RULES[rule]}', hidden_bias={bias}")
        return 100 * stats.layers[["active", "dead"]].mean()

    return ex.grid(shares, rule=BIASED, bias=(0.0, 0.1), seed=range(seeds))


def measure_first_losses(seeds: int) -> pd.DataFrame:
    """The loss (nats) before the first step on digits of unequal frequencies, and the classes' entropy."""
    data = unequal()

    def losses(weights: str, bias: str, seed: int) -> dict[str, float]:
        stats = at_start(ex.Recipe(), data, seed, f"'{weights}', output_bias='{bias}'")
        return {"first loss": stats.log_loss, "entropy": stats.guess}

    return ex.grid(losses, weights=("normal", "he_normal"), bias=("zeros", "marginals"), seed=range(seeds))


def unequal() -> ex.Dataset:
    """Digits of which each class has 0.7 times as many as the one before."""
    data = ex.load("digits")
    kept = keys.generator(0, "unequal").random(len(data.targets)) < 0.7**data.targets
    return ex.load((data.inputs[kept], data.targets[kept]), task="classification")


def measure_symmetry() -> pd.DataFrame:
    """How many units of each layer differ after training, to the last bit, and the validation error."""

    def different(rule: str) -> dict[str, float]:
        strategies = f"initialization('{rule}', hidden_bias=0.1)"
        run = ex.fit(
            ex.network(64, 64, strategies=strategies, learning_rate=0.1, epochs=20), ex.load("digits")
        )
        units = [len(np.unique(run.weights[f"hidden{n}/kernel"], axis=1).T) for n in (1, 2)]
        error = 100 * run.history["validation_error"][-1]
        return {"units, layer 1": units[0], "units, layer 2": units[1], "validation error, %": error}

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
        table = np.log(group.pivot(index="seed", columns="layer", values="mean square").to_numpy())
        logs = ex.Measured.of((table[:, -1] - table[:, 0]) / (table.shape[1] - 1), level=0.99)
        theory = FACTORS[str(rule)] / 2
        within.append(logs.low <= math.log(theory) <= logs.high + 2.5 / WIDTH)
        seen.append(f"{rule} {math.exp(logs.mean):.3g} ({theory:.3g})")
    told = f"Per layer, in brackets by theory: {'; '.join(seen)}; {sum(within)} of {len(within)} within the "
    return f"{told}99 % intervals, n = {logs.n}.", all(within)


@ex.claim(
    "The normalised rule keeps the variance of activations and of gradients far more alike over the layers "
    "than U(±1/√m) does.",
    "Glorot & Bengio 2010, figures 6 and 7",
)
def more_alike(tanh: pd.DataFrame) -> ex.Judged:
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
    seen = (
        f"Over ten tanh layers {', '.join(said)}; in {count} of {len(glorot)} seeds both are at least"
        f" {MORE_ALIKE} times as alike."
    )
    return seen, count == len(glorot)


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
    small = losses[(losses["weights"] == "normal") & (losses["bias"] == "marginals")]
    off, entropy = (small["first loss"] - small["entropy"]).abs().max(), losses["entropy"].iloc[0]
    means = losses.groupby(["weights", "bias"])["first loss"].mean()
    seen = (
        f"With small weights the first loss is within {off:.0e} nats of the entropy, {entropy:.3f}; with "
        f"zero biases it is {means['normal', 'zeros']:.3f} (ln 10 = {math.log(10):.3f}). Under He's rule "
        f"the random weights add to it: {means['he_normal', 'marginals']:.2f} and "
        f"{means['he_normal', 'zeros']:.2f}."
    )
    return seen, off < 0.01


def more_active(biases: pd.DataFrame, rule: str) -> ex.Claim:
    """Most responses active with the bias, more than without, and fewer units dead: each by its interval."""
    group = biases[biases["rule"] == rule]
    with_bias = group[group["bias"] == 0.1]
    active, dead = (ex.Measured.of(with_bias[name], "%", signed=False) for name in ("active", "dead"))
    more, fewer = (ex.change(group, name, 0.1, 0.0, "points", by="bias") for name in ("active", "dead"))
    return ex.Claim(
        "A bias of 0.1 lets rectified linear units be active for most inputs at the start, and fewer of them"
        f" dead: under {rule}.",
        BOOK,
        f"Over ten layers so many responses are active: {active}, a change of {more}; units dead for all "
        f"inputs: {dead}, a change of {fewer}.",
        active.low > 50 and more.positive and fewer.negative,
    )


def averaged(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """A column's mean over the seeds, layer by layer, a column for each rule."""
    return rows.pivot_table(column, "layer", "rule")[list(RULES)]


def draw(rectified: pd.DataFrame, tanh: pd.DataFrame, losses: pd.DataFrame, biases: pd.DataFrame) -> Figure:
    """Forward and backward, rectified and tanh; saturation, first losses, active and dead units."""
    figure, panels = ex.sheet(11.4, "f b", "F B", "saturated first", "active dead")
    looks = {rule: {"marker": marker, "ms": 4.5} for rule, marker in zip(RULES, ex.MARKERS, strict=False)}
    for name, rows, column, title, ylabel, log in (
        ("f", rectified, "mean square", "Forward, rectified units", "mean square", "y"),
        ("b", rectified, "gradient", "Backward, rectified units", "norm of the gradient", "y"),
        ("F", tanh, "mean square", "Forward, tanh units", "mean square", "y"),
        ("B", tanh, "gradient", "Backward, tanh units", "norm of the gradient", "y"),
        ("saturated", tanh, "saturated", "Saturation, tanh units", "%", ""),
    ):
        means = averaged(rows, column)
        ex.curves(panels[name], means, title, "layer", ylabel, looks=looks, log=log, legend=None)
    figure.legend(*panels["f"].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    first = losses.replace({"normal": "small weights", "he_normal": "He's rule"}).groupby("bias", sort=False)
    by_output = {f"output bias: {bias}": ex.samples(g, "first loss", "weights") for bias, g in first}
    room = 1.2 * float(losses["first loss"].max())  # for the legend
    title = "The first loss, unequal classes"
    ex.points(panels["first"], by_output, title, ylabel="nats", ylim=(None, room))
    ex.level(panels["first"], losses["entropy"].iloc[0], "entropy of the classes")
    for name, title in {"active": "Active responses", "dead": "Dead units"}.items():
        groups = {f"bias {bias}": ex.samples(g, name, "rule") for bias, g in biases.groupby("bias")}
        ex.points(panels[name], groups, f"{title}, rectified, at the start", ylabel="%")
    return figure
