"""Dropout: training a network in which units are left out at random averages many networks in one.

Srivastava et al. 2014: each unit is kept with probability p, anew for every example. When predicting, all
units are used and their outgoing weights multiplied by p. For a linear unit that is exactly the average over
all 2ⁿ thinned networks (figure 2); for deeper networks it is an approximation, which averaging many random
passes shows to be a good one (section 7.5, figure 11).

Figure 4 trains networks of several depths and widths without and with dropout and otherwise the same
settings: the errors end in two groups. Section 7.3 varies p. Section 7.4 varies the number of training
examples: with very few dropout does not help, then its gain grows up to a point and declines. Section 7.2
looks at features: fewer units are active with dropout.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
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
    curve,
    enumerated,
    images,
    named,
    runs_of,
    tabulated,
)
from trainwright.exhibit.panels import BLUE, GREY, VERMILLION, along, curves, framed, level, shares
from trainwright.model import Model
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.runs.run import Run
from trainwright.strategies import dropout
from trainwright.strategies.momentum import Momentum
from trainwright.studies.defaults import Budget
from trainwright.studies.study import Study
from trainwright.task import Classification
from trainwright.training.predict import random_passes

PAPER = "Srivastava et al. 2014, "
PASSES, KEPT, DRAWS = 50, 100, 20  # sets of up to 50 random passes, drawn 20 times from 100
Errors = NDArray[np.float64]
Features = dict[str, NDArray[np.float32]]


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
    notes: tuple[str, ...]


SCALES: dict[Budget, Scale] = {
    "quick": Scale(
        images={"pool": 12_000, "test": 2500, "halved": True}, widths=(100,), drop=dropout.Dropout(0.2, 0.1),
        batch=50, figure_4=(1000, 8), steps=1000, seeds=8,
        retained=(0.2, 0.5, 0.8), examples=1000, sizes=(100, 1000, 3000),
        notes=(
            "Scaled down: MNIST at 14×14 pixels. As 100 units are few, more of them are kept than the "
            "paper's 0.8 and 0.5 (appendix A: a layer of n units should become one of n / p).",
        ),
    ),
    "full": Scale(
        images={}, widths=(1024, 2048), drop=dropout.Dropout(0.5, 0.2),
        batch=128, figure_4=(15_000, 1), steps=10_000, seeds=3,
        retained=(0.2, 0.4, 0.5, 0.6, 0.8), examples=None, sizes=(200, 500, 1000, 5000, 10_000, 50_000),
        notes=(
            "Dropout takes two to three times as long (appendix A): where figure 4's groups do not separate, "
            "trainings too short, the lower momentum and the missing bound may each be the cause.",
        ),
    ),
}  # fmt: skip
DEVIATIONS = (
    "Units that are kept are divided by p in training, instead of multiplying weights by p when predicting: "
    "the same model with other initial weights and learning rates. Momentum is 0.9 throughout and weights "
    "have no bound; the paper's ends at 0.95, its bound is 2.",
    "The paper's figure 9a has three layers of 2048 units, its figure 10 layers of 1024, 1024 and 2048; "
    "here both have two. Features are the classifier's, not an autoencoder's; passes and features are "
    "those of the networks that had most examples. Figure 4's curves are of validation examples; test "
    "examples judge the end.",
    f"Sets of passes share some of {KEPT}: at {PASSES} their scatter is √(1 − {PASSES}/{KEPT}) of that of "
    "independent ones.",
)  # fmt: skip


def studies(s: Scale) -> dict[Any, Study]:
    """Each architecture of figure 4, as "2×1024", each size of section 7.4, and section 7.3's "retention".

    Networks without and with dropout; the training examples are drawn anew for each seed.
    """

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
    networks = {
        f"{depth}×{width}": study(pair((width,) * depth, steps), s.examples, seeds)
        for depth, width in product((2, 3, 4), s.widths)
    }
    sizes = {size: study(small, size, s.seeds) for size in s.sizes}
    return {**networks, **sizes, "retention": study({**kept, "1.0": plain}, s.examples, s.seeds)}


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
    features: Features
    """First-layer activations (models, images, units), without and with dropout."""
    units: pd.DataFrame
    """Figure 2."""

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        return (*self.networks.comparisons.values(), self.retention, *self.sizes.comparisons.values())


def see(s: Scale, store: Path) -> Seen:
    """Train what the store has not, compare, and look into the networks that had most examples."""
    plan, most = studies(s), s.sizes[-1]
    compared = compare_all(plan, store)
    between = compared["retention"].best_on_validation(*map(str, s.retained[1:]))
    data, test = plan[most].dataset, plan[most].dataset().splits.test
    features = {
        f"{arm} dropout": np.array([
            activations(run, data(run.seed), data(run.seed).standardized(test)[0], "hidden1")
            for run in runs_of(plan[most], arm, store)
        ])
        for arm in plan[most].arms
    }  # fmt: skip
    return Seen(
        Sweep({name: compared[name] for name in plan if "×" in str(name)}),
        replace(plan["retention"], reference=between.name).compare(store),
        Sweep({size: compared[size] for size in s.sizes}),
        np.array([passes(run, data(run.seed)) for run in runs_of(plan[most], "with", store)]),
        np.array(compared[most].arm("with").errors),
        features,
        average_by_enumeration(),
    )


@config
class Dropout(Exhibit):
    """Figures 2, 4, 8, 9a, 10 and 11 of the dropout paper."""

    title = "Dropout: many thinned networks, averaged"

    def make(self, budget: Budget, store: Path) -> ExhibitResult:
        s = SCALES[budget]
        seen = see(s, store)
        steps, _ = s.figure_4
        smallest = min(arm.parameters for one in seen.networks.comparisons.values() for arm in one.arms)
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
                f"Figure 4's networks: {smallest:,} weights or more, {steps:,} updates of batch {s.batch}, "
                f"the others {s.steps:,}; the paper makes a million. Kept with dropout: p = "
                f"{1 - s.drop.input_rate:g} at the inputs, {1 - s.drop.hidden_rate:g} at hidden units.",
                *s.notes,
                *DEVIATIONS,
                *cautions(*seen.comparisons, redrawn=True),
            ),
        )


def passes(run: Run, data: Dataset) -> Errors:
    """(DRAWS, PASSES): the test error when the first k passes of a random set are averaged, k = 1, 2, ..."""
    network, (x, y) = Model.of(run, data).network(), data.standardized(data.splits.test)
    key = jax.random.key(run.seed)
    chances = np.exp(random_passes(network, (), jnp.asarray(x), Classification(10), KEPT, key))
    rng, errors = keys.generator(run.seed, "passes"), []
    for _ in range(DRAWS):
        summed = np.cumsum(chances[rng.permutation(KEPT)[:PASSES]], axis=0)  # largest where the mean is
        errors.append(np.mean(summed.argmax(axis=-1) != y, axis=-1))
    return np.array(errors)


def average_by_enumeration(inputs: int = 10, units: int = 12) -> pd.DataFrame:
    """Figure 2: a unit's output averaged over all 2^inputs masks, and that of the scaled unit.

    `linear` compares the units themselves; `rectified` what they pass on, max(0, z), where it is not exact.
    """
    rng, tables = np.random.default_rng(0), []
    x, w = rng.random(inputs), rng.standard_normal((inputs, units))
    masks = np.array(list(product((0, 1), repeat=inputs)))
    thinned = (masks * x) @ w
    for p in (0.5, 0.8):
        chance = p ** masks.sum(axis=1) * (1 - p) ** (inputs - masks.sum(axis=1))
        layer = dropout.DropoutLayer(1 - p, "hidden1", "test")
        scaled = np.asarray(layer(jnp.asarray(x, jnp.float32), key=None, training=False), np.float64) @ w
        columns = {
            "p": p,
            "linear: average": chance @ thinned,
            "linear: scaled": scaled,
            "rectified: average": chance @ np.maximum(thinned, 0),
            "rectified: scaled": np.maximum(scaled, 0),
        }
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


# The paper's statements beside the numbers.


def equal(units: pd.DataFrame) -> Claim:
    """Float32 inputs are off by a few 2⁻²⁴, times weights below 5, summed over ten: by less than 1e-5."""
    linear = (units["linear: average"] - units["linear: scaled"]).abs().max()
    rectified = (units["rectified: average"] - units["rectified: scaled"]).abs().max()
    return Claim(
        "Multiplying by p when predicting gives a unit's expected output over all thinned networks.",
        PAPER + "figure 2",
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
        PAPER + "figure 4",
        f"gain in test error {gains}; the worst network with dropout has {worst:.2f} %, the best without "
        f"{best:.2f} %.",
        gains.all_positive and worst < best,
    )


def best_in_between(retention: Comparison) -> Claim:
    """The ends beside the p in between that is best on validation: the comparison's reference."""
    least, *_, most = errors = by_p(retention)
    ends = Measurements({f"p = {p}": retention.gain(str(p)) for p in (least, most)})
    return Claim(
        f"Keeping too few units (p = {least}) or all of them (p = 1) is worse than a p in between.",
        PAPER + "section 7.3, figure 9a (a flat valley from p = 0.4 to 0.8)",
        f"test error by p: {errors}; gain over p = {retention.reference}, the best on validation: {ends}.",
        ends.all_negative,
    )


def by_p(retention: Comparison) -> Measurements:
    """The test error by p, from the smallest on."""
    kept = sorted(float(arm.name) for arm in retention.arms)
    return Measurements({p: retention.error_of(str(p)) for p in kept})


def more_examples(sizes: Sweep) -> Claim:
    """The same verdicts along the whole range, as everywhere: a gain that is not believed is none yet."""
    gains, verdicts = sizes.gains("with"), sizes.verdicts("with")
    least, *larger = verdicts
    helped = [named(size) for size, verdict in verdicts.items() if verdict == "helps"]
    return Claim(
        "With very few examples dropout gives no improvement; with more it does.",
        PAPER + "section 7.4, figure 10",
        f"gain by number of examples {gains}; it helps (Holm's correction over the sizes) at "
        f"{enumerated(helped)}; at {named(least)} the verdict is: {verdicts[least]}. The gain is largest at "
        f"{named(gains.largest)}.",
        verdicts[least] in ("no difference", "hurts") and any(verdicts[size] == "helps" for size in larger),
    )


def as_good_as_scaled(averaged: Errors, scaled: Errors) -> Claim:
    """As good: the interval of the difference lies within a tenth of the scaled network's error.

    `averaged`: (models, DRAWS, PASSES), and `scaled`: (models,), test errors of the same models.
    """
    more = averaged.mean(axis=1) - scaled[:, None]
    one, many = (Measured.percent(more[:, k]) for k in (0, -1))
    error = Measured.percent(scaled, signed=False)
    return Claim(
        f"Averaging {PASSES} random passes is as good as weight scaling; a single pass is worse.",
        PAPER + "section 7.5, figure 11",
        f"test error with scaled weights: {error}; more of it with one pass: {one}, with {PASSES} passes: "
        f"{many}. As good is within {error.mean / 10:.2f} points, a tenth of the error.",
        one.positive and many.within(error.mean / 10),
    )


def sparser(features: Features) -> Claim:
    """`features`: first-layer activations (models, images, units), without and with dropout."""
    plain, dropped = ((a > 0).mean(axis=(1, 2), dtype=np.float64) for a in features.values())
    change = Measured.percent(dropped - plain)
    return Claim(
        "With dropout fewer hidden units are active.",
        PAPER + "section 7.2, figures 7 and 8",
        f"first layer, test images: {plain.mean():.1%} of the units are active without dropout, "
        f"{dropped.mean():.1%} with it, a change of {change}; mean activation "
        f"{' and '.join(f'{a.mean():.2f}' for a in features.values())}.",
        change.negative,
    )


# The numbers and the figure.


def by_passes(averaged: Errors) -> Measurements:
    """The test error in % along the number of passes, ± the deviation over sets of so many."""
    mean, spread = averaged.mean(axis=(0, 1)), averaged.std(axis=1, ddof=1).mean(axis=0)
    rows = zip(mean, mean - spread, mean + spread, strict=True)
    return Measurements({k: Measured(*row, n=DRAWS).times(100, "%") for k, row in enumerate(rows, 1)})


def tables(seen: Seen) -> dict[str, pd.DataFrame]:
    """The numbers behind the figure."""
    bases = [sweep.gains("with").basis for sweep in (seen.networks, seen.sizes)]
    active = [(name, a.mean(), (a > 0).mean()) for name, a in seen.features.items()]
    return {
        f"Test error (%) of figure 4's networks; intervals: {bases[0]}": seen.networks.table("network"),
        f"Test error (%) by training examples; intervals: {bases[1]}": seen.sizes.table("examples"),
        "Test error (%) by retention p of hidden units": tabulated("p", {"test error": by_p(seen.retention)}),
        "Test error (%) of k random passes averaged; low and high: ± deviation over sets of k": tabulated(
            "k", {"test error": by_passes(seen.averaged)}
        ).iloc[[0, 1, 4, 9, 19, -1]],
        "Features of the first layer": pd.DataFrame(
            active, columns=["network", "mean activation", "share active"]
        ),
        "Figure 2: average over all thinned networks, and scaled": seen.units,
    }


def draw(seen: Seen) -> Figure:
    """Six panels: figures 4, 9a, 10, 11, 8 and 2 of the paper."""
    figure = Figure(figsize=(7.6, 10.2))
    (networks, retention), (sizes, averaged), (histogram, enumeration) = figure.subplots(3, 2)
    draw_networks(networks, seen.networks)
    along(
        retention, {"p": by_p(seen.retention)},
        title="Retention of hidden units", xlabel="p (kept)", ylabel="test error (%)",
    )  # fmt: skip
    along(
        sizes, seen.sizes.series,
        title="Size of the data set", xlabel="training examples", ylabel="test error (%)", log="xy",
    )  # fmt: skip
    curves(
        averaged, {"k random passes (band: sets of k)": by_passes(seen.averaged)},
        title="Monte-Carlo averaging", xlabel="passes k", ylabel="test error (%)",
    )  # fmt: skip
    level(averaged, Measured.percent(seen.scaled).mean, "weight scaling")
    bins = np.linspace(0, float(np.quantile(next(iter(seen.features.values())), 0.999)), 40)
    active = {f"{name}: {(a > 0).mean():.0%} active": a for name, a in seen.features.items()}
    shares(histogram, active, bins, title="First-layer features", xlabel="activation")
    pairs = {
        name: seen.units.set_index(f"{name}: average")[f"{name}: scaled"] for name in ("rectified", "linear")
    }
    looks = {"rectified": {"ls": "", "marker": "s"}, "linear": {"ls": "", "marker": "o"}}
    enumeration.axline((0, 0), slope=1, color=GREY, lw=1)
    curves(
        enumeration, pairs, looks=looks,
        title="One unit, all masks", xlabel="average over 1,024 networks", ylabel="scaled network",
    )  # fmt: skip
    return figure


def draw_networks(axes: Axes, networks: Sweep) -> None:
    """Colour for dropout, dashes for depth, thickness for width; the legend names these, not each curve."""
    kinds = [name.split("×") for name in networks.comparisons]
    depths, widths = (list(dict.fromkeys(part)) for part in zip(*kinds, strict=True))
    looks: dict[str, dict[str, Any]] = {
        "without dropout": {"color": BLUE},
        "with dropout": {"color": VERMILLION},
        **{f"{n} layers": {"ls": ls, "color": GREY} for n, ls in zip(depths, ("-", "--", ":"), strict=True)},
        **{f"{n} units": {"lw": lw, "color": GREY} for n, lw in zip(widths, (1.3, 2.6), strict=False)},
    }
    final = []
    for (depth, width), comparison in zip(kinds, networks.comparisons.values(), strict=True):
        for arm in comparison.arms:
            look = looks[f"{depth} layers"] | looks[f"{width} units"] | looks[f"{arm.name} dropout"]
            mean = pd.Series(curve(arm, "validation_error").means)
            curves(axes, {arm.name: mean}, looks={arm.name: look}, legend=None)
            final.append(mean.iloc[-1])
    framed(
        axes, title="Figure 4: depths and widths", xlabel="weight updates", ylabel="validation error (%)",
        ylim=(0.8 * min(final), 2.2 * max(final)), legend=None,
    )  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.legend([Line2D([], [], **look) for look in looks.values()], list(looks), ncols=2)
