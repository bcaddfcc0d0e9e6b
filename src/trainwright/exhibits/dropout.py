"""Dropout: training a network in which units are left out at random averages many networks in one.

Srivastava et al. 2014: each unit is kept with probability p, anew for every example. When predicting, all
units are used and their outgoing weights multiplied by p. For a linear unit that is exactly the average over
all 2ⁿ thinned networks (figure 2); for deeper networks it is an approximation, which averaging many random
passes shows to be a good one (section 7.5, figure 11).

Figure 4 trains networks of 2, 3 and 4 layers, of 1024 and 2048 units, with and without dropout (p = 0.8 at
the inputs, 0.5 at hidden units) and otherwise the same settings: the errors end in two separate groups.
Section 7.3 varies p. Section 7.4 varies the number of training examples: with very few of them dropout does
not help, then its gain grows up to a point and declines. Section 7.2 looks at an autoencoder's features:
fewer units are active with dropout.

Deviations. Where the paper multiplies weights by p when predicting, here what a unit passes on is divided by
p in training: the same model with other initial weights and learning rates. The paper's momentum ends at 0.95
and it bounds the norm of a unit's weights by 2; here momentum is 0.9 throughout and there is no bound. Figure
9a has three layers of 2048 units, figure 10 layers of 1024, 1024 and 2048 and 100 examples or more; here both
have two of 1024, and 200 examples or more. Features are the classifier's, not an autoencoder's, and random
passes those of the network that had most examples. Figure 4 draws the test error along training; here that is
the error on validation examples, and the test examples judge the end, so training uses 50,000 of the 60,000.
The paper makes a million updates, the full version 15,000 for figure 4 and 10,000 for the rest, some two
hours on two cores. Dropout takes two to three times as long (appendix A): where figure 4's groups do not
separate, trainings too short, the lower momentum and the missing bound may each be the cause.

The quick version is a model of all that: halved images, layers of 100 units, a thousand examples; and since
100 units are few, it keeps more of them, p = 0.9 at the inputs and 0.8 at hidden units (appendix A: a layer
of n units should become one of n / p).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from flax import nnx
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from trainwright.base import keys
from trainwright.base.config import config
from trainwright.comparison.results import Comparison
from trainwright.data import Dataset
from trainwright.diagnosis.layers import activations
from trainwright.exhibit import (
    Claim,
    Exhibit,
    ExhibitResult,
    Measured,
    Measurements,
    Sweep,
    cautions,
    compare_all,
    enumerated,
    images,
    named,
    runs_of,
)
from trainwright.exhibit.panels import BLUE, GREY, VERMILLION, along, band, plain_log_ticks, shares
from trainwright.model import Model
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.runs.run import Run
from trainwright.strategies import dropout
from trainwright.strategies.momentum import Momentum
from trainwright.studies.defaults import Budget
from trainwright.studies.study import Study
from trainwright.task import Classification
from trainwright.training.predict import predict

PAPER = "Srivastava et al. 2014"
PASSES, KEPT, DRAWS = 50, 100, 20  # sets of up to 50 random passes, drawn 20 times from 100
Errors = NDArray[np.float64]


class Scale(NamedTuple):
    """How large everything is."""

    images: dict[str, Any]
    """Which of MNIST's images: see `images`."""
    widths: tuple[int, ...]
    """Units of a hidden layer."""
    drop: dropout.Dropout
    batch: int
    figure_4: tuple[int, int]
    """Its steps and seeds."""
    steps: int
    seeds: int
    retained: tuple[float, ...]
    """The p of hidden units in section 7.3, beside 1."""
    examples: int | None
    """To train on in figure 4 and in section 7.3."""
    sizes: tuple[int, ...]
    """Training examples in section 7.4."""


SCALES: dict[Budget, Scale] = {
    "quick": Scale(
        images={"pool": 12_000, "test": 2500, "halved": True}, widths=(100,), drop=dropout.Dropout(0.2, 0.1),
        batch=50, figure_4=(1000, 8), steps=1000, seeds=8,
        retained=(0.2, 0.5, 0.8), examples=1000, sizes=(100, 1000, 3000),
    ),
    "full": Scale(
        images={}, widths=(1024, 2048), drop=dropout.Dropout(0.5, 0.2),
        batch=128, figure_4=(15_000, 1), steps=10_000, seeds=3,
        retained=(0.2, 0.4, 0.5, 0.6, 0.8), examples=None, sizes=(200, 500, 1000, 5000, 10_000, 50_000),
    ),
}  # fmt: skip


class Studies(NamedTuple):
    """What is trained: each architecture of figure 4, each p of section 7.3, each size of section 7.4."""

    networks: dict[str, Study]
    retention: Study
    sizes: dict[int, Study]


def studies(s: Scale) -> Studies:
    """Networks without and with dropout; the training examples are drawn anew for each seed."""

    def study(arms: dict[str, Recipe], examples: int | None, seeds: int) -> Study:
        return Study(images("mnist", train=examples, **s.images), arms, seeds)

    def pair(hidden: tuple[int, ...], steps: int) -> dict[str, Recipe]:
        plain = base.replace(network=Mlp(hidden), steps=steps)
        return {"without": plain, "with": plain.replace(strategies=(s.drop, *plain.strategies))}

    base = Recipe(strategies=(Momentum(0.9),), learning_rate=0.05, batch_size=s.batch)
    base = base.replace(evaluate_every=s.steps // 10)
    steps, seeds = s.figure_4
    small = pair((s.widths[0],) * 2, s.steps)
    plain = small["without"]
    kept = {str(p): plain.replace(strategies=(dropout.Dropout(1 - p), *plain.strategies)) for p in s.retained}
    return Studies(
        {
            f"{depth}×{width}": study(pair((width,) * depth, steps), s.examples, seeds)
            for depth, width in product((2, 3, 4), s.widths)
        },
        study({**kept, "1.0": plain}, s.examples, s.seeds),
        {size: study(small, size, s.seeds) for size in s.sizes},
    )


class Seen(NamedTuple):
    """What the trainings gave."""

    networks: Sweep
    retention: Comparison
    """Over the p in between that is best on validation."""
    sizes: Sweep
    averaged: Errors
    """(models, DRAWS, PASSES): see `passes`; of the networks with dropout that had most examples."""
    scaled: Errors
    """(models,): test errors of the same networks with all units, scaled."""
    features: dict[str, NDArray[np.float32]]
    """First-layer activations (models, images, units), without and with dropout."""
    units: pd.DataFrame
    """Figure 2."""


def see(s: Scale, store: Path) -> Seen:
    """Train what the store has not, compare, and look into the networks that had most examples."""
    plan = studies(s)
    compared = compare_all({**plan.networks, "retention": plan.retention, **plan.sizes}, store)
    between = compared["retention"].best_on_validation(*map(str, s.retained[1:]))
    most = plan.sizes[s.sizes[-1]]
    without, dropped = (runs_of(most, arm, store) for arm in most.arms)
    return Seen(
        Sweep({name: compared[name] for name in plan.networks}),
        replace(plan.retention, reference=between.name).compare(store),
        Sweep({size: compared[size] for size in plan.sizes}),
        np.array([passes(run, most.dataset(run.seed)) for run in dropped]),
        np.array(compared[s.sizes[-1]].arm("with").errors),
        {
            f"{how} dropout": np.array([first_layer(run, most.dataset(run.seed)) for run in runs])
            for how, runs in (("without", without), ("with", dropped))
        },
        average_by_enumeration(),
    )


@config
class Dropout(Exhibit):
    """Figures 2, 4, 8, 9a, 10 and 11 of the dropout paper."""

    title = "Dropout: many thinned networks, averaged"

    def make(self, budget: Budget, store: Path) -> ExhibitResult:
        s = SCALES[budget]
        seen = see(s, store)
        comparisons = (*seen.networks.comparisons.values(), seen.retention, *seen.sizes.comparisons.values())
        parameters = min(arm.parameters for comparison in comparisons for arm in comparison.arms)
        return self.result(
            draw(seen),
            tables(seen),
            (
                equal(seen.units),
                two_groups(seen.networks),
                best_in_between(seen.retention),
                more_examples(seen.sizes),
                as_good_as_scaled(seen.averaged, seen.scaled),
                sparser(seen.features),
            ),
            (
                f"Figure 4's networks: {parameters:,} weights or more, {s.figure_4[0]:,} updates of batch "
                f"{s.batch}; the paper makes a million.",
                "Scaled down: MNIST at 14×14 pixels, 1,000 training examples, layers of 100 units, p = 0.9 "
                "and 0.8; the full version has figure 4's networks and p."
                if budget == "quick"
                else "",
                *cautions(*comparisons, redrawn=True),
            ),
        )


def passes(run: Run, data: Dataset) -> Errors:
    """(DRAWS, PASSES): the test error when the first k passes of a random set are averaged, k = 1, 2, ...

    The sets share passes, so at k = PASSES the scatter between them is some 30 % too small: √(1 - 50/100).
    """
    graphdef, state = nnx.split(Model.of(run, data).network())
    x, y = data.standardized(data.splits.test)
    seeds = jax.random.split(jax.random.key(run.seed), KEPT)
    chances = np.exp(np.asarray(_random_passes(graphdef, state, jnp.asarray(x), seeds)))
    rng, errors = keys.generator(run.seed, "passes"), []
    for _ in range(DRAWS):
        summed = np.cumsum(chances[rng.permutation(KEPT)[:PASSES]], axis=0)  # largest where the mean is
        errors.append(np.mean(summed.argmax(axis=-1) != y, axis=-1))
    return np.array(errors)


@partial(jax.jit, static_argnums=0)
def _random_passes(graphdef: Any, state: Any, x: jax.Array, seeds: jax.Array) -> jax.Array:
    model = nnx.merge(graphdef, state)
    logs: jax.Array = jax.lax.map(lambda key: predict(model, (), x, Classification(10), key=key), seeds)
    return logs


def first_layer(run: Run, data: Dataset) -> NDArray[np.float32]:
    """The first hidden layer's activations on test images, (images, units)."""
    x, _ = data.standardized(data.splits.test)
    return activations(run, data, x, "hidden1")


def average_by_enumeration(inputs: int = 10, units: int = 12) -> pd.DataFrame:
    """Figure 2: a unit's output averaged over all 2^inputs masks, and that of the scaled unit.

    `linear` compares the units themselves; `rectified` what they pass on, max(0, z), where it is not exact.
    """
    rng = np.random.default_rng(0)
    x, w = rng.random(inputs), rng.standard_normal((inputs, units))
    masks = np.array(list(product((0, 1), repeat=inputs)))
    thinned = (masks * x) @ w
    rows = []
    for p in (0.5, 0.8):
        chance = p ** masks.sum(axis=1) * (1 - p) ** (inputs - masks.sum(axis=1))
        layer = dropout.DropoutLayer(1 - p, "hidden1", "test")
        scaled = np.asarray(layer(jnp.asarray(x, jnp.float32), key=None, training=False), np.float64) @ w
        rows.append(
            pd.DataFrame(
                {
                    "p": p,
                    "linear: average": chance @ thinned,
                    "linear: scaled": scaled,
                    "rectified: average": chance @ np.maximum(thinned, 0),
                    "rectified: scaled": np.maximum(scaled, 0),
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


# The paper's statements beside the numbers.


def equal(units: pd.DataFrame) -> Claim:
    """Float32 inputs are off by a few 2⁻²⁴, times weights below 5, summed over ten: by less than 1e-5."""
    linear = (units["linear: average"] - units["linear: scaled"]).abs().max()
    rectified = (units["rectified: average"] - units["rectified: scaled"]).abs().max()
    return Claim(
        "Multiplying by p when predicting gives a unit's expected output over all thinned networks.",
        f"{PAPER}, figure 2",
        f"over all 1,024 masks of 10 inputs, {len(units)} linear units differ by {linear:.1e} at most; after "
        f"rectification, where it is an approximation, by {rectified:.2f}.",
        bool(linear < 1e-5),
    )


def two_groups(networks: Sweep) -> Claim:
    """All gain, and even the worst network with dropout is better than the best without."""
    gains = networks.gains("with")
    worst = max(networks.errors("with").means.values())
    best = min(networks.errors("without").means.values())
    return Claim(
        "Without tuning, dropout lowers the error of every architecture, and the errors form two groups.",
        f"{PAPER}, figure 4",
        f"gain in test error {gains}; the worst network with dropout has {worst:.2f} %, the best without "
        f"{best:.2f} %.",
        gains.all_positive and worst < best,
    )


def best_in_between(retention: Comparison) -> Claim:
    """The ends beside the p in between that is best on validation: the comparison's reference."""
    by_p = sorted((arm.name for arm in retention.arms), key=float)
    ends = Measurements({f"p = {p}": retention.gain(p) for p in (by_p[0], by_p[-1])})
    errors = ", ".join(f"{retention.error_of(p).mean:.2f} % at p = {p}" for p in by_p)
    return Claim(
        f"Keeping too few units (p = {by_p[0]}) or all of them (p = 1) is worse than a p in between.",
        f"{PAPER}, section 7.3, figure 9a (a flat valley from p = 0.4 to 0.8)",
        f"test error {errors}; gain over p = {retention.reference}, the best on validation: {ends}.",
        ends.all_negative,
    )


def more_examples(sizes: Sweep) -> Claim:
    """The same verdicts along the whole range, as everywhere: a gain that is not believed is none yet."""
    gains, verdicts = sizes.gains("with"), sizes.verdicts("with")
    least, *larger = verdicts
    helped = [named(size) for size, verdict in verdicts.items() if verdict == "helps"]
    return Claim(
        "With very few examples dropout gives no improvement; with more it does.",
        f"{PAPER}, section 7.4, figure 10",
        f"gain by number of examples {gains}; it helps (Holm's correction over the sizes) at "
        f"{enumerated(helped)}; at {named(least)} the verdict is: {verdicts[least]}. The gain is largest at "
        f"{named(gains.largest)}.",
        verdicts[least] in ("no difference", "hurts") and any(verdicts[size] == "helps" for size in larger),
    )


def as_good_as_scaled(averaged: Errors, scaled: Errors) -> Claim:
    """As good: the interval of the difference lies within a tenth of the scaled network's error.

    `averaged`: (models, DRAWS, PASSES), and `scaled`: (models,), test errors of the same models.
    """
    by_k = 100 * (averaged.mean(axis=1) - scaled[:, None])
    one, many, margin = (
        Measured.of(by_k[:, 0], "points"),
        Measured.of(by_k[:, -1], "points"),
        10 * scaled.mean(),
    )
    return Claim(
        f"Averaging {PASSES} random passes is as good as weight scaling; a single pass is worse.",
        f"{PAPER}, section 7.5, figure 11",
        f"test error {100 * scaled.mean():.2f} % with scaled weights; more of it with one pass: {one}, with "
        f"{PASSES} passes: {many}. As good is within {margin:.2f} points, a tenth of the error.",
        one.positive and many.within(margin),
    )


def sparser(features: dict[str, NDArray[np.float32]]) -> Claim:
    """`features`: first-layer activations (models, images, units), without and with dropout."""
    plain, dropped = (100 * (a > 0).mean(axis=(1, 2), dtype=np.float64) for a in features.values())
    means = [float(a.mean()) for a in features.values()]
    change = Measured.of(dropped - plain, "points")
    return Claim(
        "With dropout fewer hidden units are active.",
        f"{PAPER}, section 7.2, figures 7 and 8",
        f"first layer, test images: {plain.mean():.1f} % of the units are active without dropout, "
        f"{dropped.mean():.1f} % with it, a change of {change}; mean activation {means[0]:.2f} and "
        f"{means[1]:.2f}.",
        change.negative,
    )


# The numbers and the figure.


def tables(seen: Seen) -> dict[str, pd.DataFrame]:
    """The numbers behind the figure."""
    networks, retention, sizes, averaged, scaled, features, units = seen
    by_p = [(arm.name, retention.error_of(arm.name).mean) for arm in retention.arms]
    means, deviations = 100 * averaged.mean(axis=(0, 1)), 100 * averaged.std(axis=1, ddof=1).mean(axis=0)
    by_k = [(str(k), means[k - 1], deviations[k - 1]) for k in (1, 2, 5, 10, 20, PASSES)]
    by_k.append(("scaled", 100 * scaled.mean(), np.nan))
    active = [(name, a.mean(), 100 * np.mean(a > 0)) for name, a in features.items()]
    bases = [next(iter(sweep.gains("with").values())).basis for sweep in (networks, sizes)]
    return {
        f"Test error (%) of figure 4's networks; intervals: {bases[0]}": networks.table("network"),
        f"Test error (%) by training examples; intervals: {bases[1]}": sizes.table("examples"),
        "Test error (%) by retention p of hidden units": pd.DataFrame(by_p, columns=["p", "test error"]),
        "Test error (%) of k random passes averaged; deviation over sets of k": pd.DataFrame(
            by_k, columns=["k", "test error", "deviation"]
        ),
        "Features of the first layer": pd.DataFrame(
            active, columns=["network", "mean activation", "active (%)"]
        ),
        "Figure 2: average over all thinned networks, and scaled": units,
    }


def draw(seen: Seen) -> Figure:
    """Six panels: figures 4, 9a, 10, 11, 8 and 2 of the paper."""
    networks, retention, sizes, averaged, scaled, features, units = seen
    figure = Figure(figsize=(7.6, 10.2), layout="constrained")
    (curves, by_p), (by_size, by_k), (histogram, enumeration) = figure.subplots(3, 2)
    draw_networks(curves, networks)

    kept = sorted((float(arm.name), arm.name) for arm in retention.arms)
    along(by_p, {p: retention.error_of(name) for p, name in kept}, color=VERMILLION)
    by_p.set(title="Retention of hidden units", xlabel="p (kept)", ylabel="test error (%)")

    along(by_size, sizes.errors("without"), color=BLUE, marker="s", label="without dropout")
    along(by_size, sizes.errors("with"), color=VERMILLION, label="with dropout")
    by_size.set(
        title="Size of the data set", xlabel="training examples", ylabel="test error (%)", xscale="log"
    )
    plain_log_ticks(by_size)

    mean, spread = 100 * averaged.mean(axis=(0, 1)), 100 * averaged.std(axis=1).mean(axis=0)
    label = "k random passes, averaged\n(± deviation over sets of k)"
    band(by_k, range(1, PASSES + 1), mean, mean - spread, mean + spread, color=VERMILLION, label=label)
    by_k.axhline(100 * scaled.mean(), color=BLUE, ls="--", label="weight scaling")
    by_k.set(title="Monte-Carlo averaging", xlabel="passes k", ylabel="test error (%)")

    bins = np.linspace(0, float(np.quantile(features["without dropout"], 0.999)), 40)
    active = {f"{name}: {100 * np.mean(a > 0):.0f} % active": a for name, a in features.items()}
    shares(histogram, active, bins, (BLUE, VERMILLION))
    histogram.set(title="First-layer features", xlabel="activation")

    for name, colour, marker in (("linear", VERMILLION, "o"), ("rectified", BLUE, "s")):
        x, y = units[f"{name}: average"], units[f"{name}: scaled"]
        enumeration.scatter(x, y, s=22, color=colour, marker=marker, alpha=0.7, label=name)
    enumeration.axline((0, 0), slope=1, color=GREY, lw=1)
    enumeration.set(
        title="One unit, all masks", xlabel="average over 1,024 networks", ylabel="scaled network"
    )
    for axes in (by_size, by_k, histogram, enumeration):
        axes.legend()
    return figure


def draw_networks(axes: Axes, networks: Sweep) -> None:
    """Colour for dropout, dashes for depth, thickness for width; the legend names these, not each curve."""
    depths, widths = (
        dict.fromkeys(parts) for parts in zip(*(n.split("×") for n in networks.comparisons), strict=True)
    )
    dashes = dict(zip(depths, ("-", "--", ":"), strict=True))
    thickness = dict(zip(widths, (1.3, 2.6), strict=False))
    final = []
    for name, comparison in networks.comparisons.items():
        depth, width = name.split("×")
        for arm, colour in (("without", BLUE), ("with", VERMILLION)):
            curve = comparison.arm(arm).curves["validation_error"]
            percent = 100 * np.array(curve.mean)
            axes.plot(curve.steps, percent, ls=dashes[depth], lw=thickness[width], color=colour)
            final.append(percent[-1])
    axes.set_ylim(0.8 * min(final), 2.2 * max(final))
    axes.set(title="Figure 4: depths and widths", xlabel="weight updates", ylabel="validation error (%)")
    axes.xaxis.set_major_locator(MaxNLocator(4))
    looks: dict[str, dict[str, Any]] = {
        "without dropout": {"color": BLUE},
        "with dropout": {"color": VERMILLION},
        **{f"{depth} layers": {"ls": style, "color": GREY} for depth, style in dashes.items()},
        **{f"{width} units": {"lw": lw, "color": GREY} for width, lw in thickness.items()},
    }
    axes.legend([Line2D([], [], **look) for look in looks.values()], list(looks), ncols=2)
