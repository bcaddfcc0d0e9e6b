"""Dropout: training a network in which units are left out at random averages many networks in one.

Srivastava et al. 2014: each unit is kept with probability p, anew for every example. When predicting, all
units are used and their outgoing weights multiplied by p. For a linear unit that is exactly the average over
all 2ⁿ thinned networks (figure 2); for deeper networks it is an approximation, which averaging many random
passes shows to be a good one (section 7.5, figure 11).

Here p is varied (section 7.3), and the number of training examples: with very few, dropout should gain
nothing, with more it should (section 7.4). With it fewer units should be active (section 7.2). The paper's
figure 4 is an exhibit of its own, `architectures`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainwright import exhibit as ex
from trainwright.diagnosis.averaging import all_masks, averaged_passes
from trainwright.diagnosis.layers import activations

PAPER = "Srivastava et al. 2014, "
PASSES, KEPT, DRAWS = 50, 100, 20  # sets of up to 50 random passes, drawn 20 times from 100
Features = dict[str, NDArray[np.float32]]  # first-layer activations (models, images, units), by network
SCALES = ex.scales(
    images=({"pool": 12_000, "test": 2500, "halved": True}, {}),
    width=(100, 1024),
    drop=((0.2, 0.1), (0.5, 0.2)),  # rates of hidden units and of inputs
    batch=(50, 100),
    steps=(1000, 8000),
    every=(100, 1000),
    seeds=(8, 3),
    retained=((0.2, 0.5, 0.8), (0.2, 0.4, 0.5, 0.6, 0.8)),  # p of hidden units in section 7.3, beside 1
    examples=(1000, None),  # to train on in section 7.3
    sizes=((100, 1000, 3000), (200, 500, 1000, 5000, 10_000, 50_000)),  # training examples in section 7.4
    note=(
        "Scaled down: MNIST at 14×14 pixels. As 100 units are few, more of them are kept than the "
        "paper's 0.8 and 0.5 (appendix A: a layer of n units should become one of n / p).",
        "Dropout takes two to three times as long (appendix A), and the paper makes a million updates.",
    ),
)


def studies(s: ex.Scale) -> dict[Any, ex.Study]:
    """Without and with dropout at each size of section 7.4; and section 7.3's "retention"."""
    pair = {"without": "", "with": f"dropout{s.drop},"}
    kept = {str(p): f"dropout({1 - p})," for p in s.retained} | {"1.0": ""}
    return {size: study(s, pair, size) for size in s.sizes} | {"retention": study(s, kept, s.examples)}


def study(s: ex.Scale, dropout: dict[str, str], examples: int | None) -> ex.Study:
    """Two hidden layers with each of these, each seed with training examples of its own."""
    plain = ex.network(s.width, s.width, learning_rate=0.05, batch_size=s.batch)
    plain = plain.replace(steps=s.steps, evaluate_every=s.every)
    shared = "momentum(0.9), rate_schedule('cosine')"
    arms = {arm: ex.adding(plain, f"{text} {shared}") for arm, text in dropout.items()}
    return ex.Study(ex.images("mnist", train=examples, **s.images), arms, s.seeds)


@ex.config
class Dropout(ex.Exhibit):
    """Figures 2, 8, 9a, 10 and 11 of the dropout paper."""

    title = "Dropout: many thinned networks, averaged"

    def make(self, budget: ex.Budget, store: Path) -> ex.ExhibitResult:
        s = SCALES[budget]
        trained, units = studies(s), all_masks(10, 12, retained=(0.5, 0.8))
        compared = ex.compare_all(trained, store)
        sizes = ex.Sweep({size: compared[size] for size in s.sizes})
        between = compared["retention"].best_on_validation(*map(str, s.retained[1:]))
        varied = trained["retention"]
        retention = replace(varied, reference=between.name, loaded=varied.dataset()).compare(store)
        most = trained[s.sizes[-1]]
        features = {f"{arm} dropout": np.array(ex.look_into(most, arm, store, hidden1)) for arm in most.arms}
        scaled = np.array(compared[s.sizes[-1]].arm("with").errors)
        passes = partial(averaged_passes, passes=PASSES, kept=KEPT, draws=DRAWS)
        averaged = np.array(ex.look_into(most, "with", store, passes))
        errors = {"p": by_p(retention), "k": by_passes(averaged)}
        by_retention = ex.tabulated("p", {"test error": errors["p"]})
        by_k = ex.tabulated("k", {"test error": errors["k"]}).iloc[[0, 1, 4, 9, 19, -1]]
        active = pd.DataFrame(
            [(name, a.mean(), (a > 0).mean()) for name, a in features.items()],
            columns=["network", "mean activation", "share active"],
        )
        by_size = f"Test error (%) by training examples; intervals: {sizes.gains('with').basis}"
        return self.result(
            draw(sizes, errors, features, units),
            {
                by_size: sizes.table("examples"),
                "Test error (%) by retention p of hidden units": by_retention,
                "Test error (%) of k random passes averaged; low and high: ± deviation over sets of k": by_k,
                "Features of the first layer": active,
                "Figure 2: average over all thinned networks, and scaled": units,
            },
            (
                equal(units),
                best_in_between(retention),
                more_examples(sizes),
                as_good_as_scaled(averaged, scaled),
                sparser(features),
            ),
            (
                f"Two hidden layers of {s.width:,} units, {s.steps:,} updates of batch {s.batch}. Kept with "
                f"dropout: p = {1 - s.drop[1]:g} at the inputs, {1 - s.drop[0]:g} at hidden units.",
                s.note,
                "Units that are kept are divided by p in training, instead of multiplying weights by p when "
                "predicting: the same model with other initial weights and learning rates. Momentum is 0.9, "
                "the rate falls as half a cosine, and weights have no bound; the paper's momentum ends at "
                "0.95, its bound is 2.",
                "The paper's figure 9a has three layers of 2048 units, its figure 10 layers of 1024, 1024 "
                "and 2048; here both have two. Features are the classifier's, not an autoencoder's; passes "
                "and features are those of the networks that had most examples.",
                f"Sets of passes share some of {KEPT}: at {PASSES} their scatter is √(1 − {PASSES}/{KEPT}) "
                "of that of independent ones.",
                *ex.cautions(*compared.values(), redrawn=True),
            ),
        )


def hidden1(run: ex.Run, data: ex.Dataset) -> NDArray[np.float32]:
    """First-layer activations on the test images, (images, units)."""
    return activations(run, data, data.standardized(data.splits.test)[0], "hidden1")


@ex.claim(
    "Multiplying by p when predicting gives a unit's expected output over all thinned networks.",
    PAPER + "figure 2",
)
def equal(units: pd.DataFrame) -> ex.Judged:
    """Float32 inputs are off by a few 2⁻²⁴, times weights below 5, summed over ten: by less than 1e-5."""
    linear, rectified = (
        (units[f"{kind}: average"] - units[f"{kind}: scaled"]).abs().max() for kind in ("linear", "rectified")
    )
    seen = (
        f"over all 1,024 masks of 10 inputs, {len(units)} linear units differ by {linear:.1e} at most; after "
        f"rectification, where it is an approximation, by {rectified:.2f}."
    )
    return seen, linear < 1e-5


def best_in_between(retention: ex.Comparison) -> ex.Claim:
    """The ends beside the p in between that is best on validation: the comparison's reference."""
    least, *_, most = errors = by_p(retention)
    ends = ex.Measurements({f"p = {p}": retention.gain(str(p)) for p in (least, most)})
    return ex.Claim(
        f"Keeping too few units (p = {least}) or all of them (p = 1) is worse than a p in between.",
        PAPER + "section 7.3, figure 9a (a flat valley from p = 0.4 to 0.8)",
        f"test error by p: {errors}; gain over p = {retention.reference}, the best on validation: {ends}.",
        ends.all_negative,
    )


def by_p(retention: ex.Comparison) -> ex.Measurements:
    """The test error by p, from the smallest on."""
    return ex.Measurements({float(p): error for p, error in sorted(retention.errors.items())})


@ex.claim(
    "With very few examples dropout gives no improvement; with more it does.",
    PAPER + "section 7.4, figure 10",
)
def more_examples(sizes: ex.Sweep) -> ex.Judged:
    """The same verdicts along the whole range, as everywhere: a gain that is not believed is none yet."""
    (least, first), *larger = sizes.verdicts("with").items()
    seen = (
        f"gain by number of examples {ex.told(sizes, 'with')}; at {ex.named(least)} the verdict is: {first}. "
        f"The gain is largest at {ex.named(sizes.gains('with').largest)}."
    )
    none = ex.some(ex.agrees(first, "no difference"), ex.agrees(first, "hurts"))
    return seen, ex.every(none, ex.some(*(ex.agrees(verdict) for _, verdict in larger)))


@ex.claim(
    f"Averaging {PASSES} random passes is as good as weight scaling; a single pass is worse.",
    PAPER + "section 7.5, figure 11",
)
def as_good_as_scaled(averaged: ex.Floats, scaled: ex.Floats) -> ex.Judged:
    """As good: the interval of the difference lies within a tenth of the scaled network's error.

    `averaged`: (models, DRAWS, PASSES), see `averaged_passes`; `scaled`: (models,), of the same models.
    """
    more = averaged.mean(axis=1) - scaled[:, None]
    one, many = (ex.Measured.percent(more[:, k]) for k in (0, -1))
    error = ex.Measured.percent(scaled, signed=False)
    seen = (
        f"test error with scaled weights: {error}; more of it with one pass: {one}, with {PASSES} passes: "
        f"{many}. As good is within {error.mean / 10:.2f} points, a tenth of the error."
    )
    return seen, ex.every(one.positive, many.within(error.mean / 10))


@ex.claim("With dropout fewer hidden units are active.", PAPER + "section 7.2, figures 7 and 8")
def sparser(features: Features) -> ex.Judged:
    """The change's whole interval lies below zero; `features`: without and with dropout."""
    plain, dropped = ((a > 0).mean(axis=(1, 2), dtype=np.float64) for a in features.values())
    change = ex.Measured.percent(dropped - plain)
    seen = (
        f"first layer, test images: {plain.mean():.1%} of the units are active without dropout, "
        f"{dropped.mean():.1%} with it, a change of {change}; mean activation "
        f"{' and '.join(f'{a.mean():.2f}' for a in features.values())}."
    )
    return seen, change.negative


def by_passes(averaged: ex.Floats) -> ex.Measurements:
    """The test error in % along the number of passes, ± the deviation over sets of so many."""
    mean, spread = averaged.mean(axis=(0, 1)), averaged.std(axis=1, ddof=1).mean(axis=0)
    rows = zip(mean, mean - spread, mean + spread, strict=True)
    return ex.Measurements({k: ex.Measured(*row, n=DRAWS).times(100, "%") for k, row in enumerate(rows, 1)})


def draw(sizes: ex.Sweep, errors: ex.Along, features: Features, units: pd.DataFrame) -> ex.Figure:
    """Five panels: figures 9a, 10, 11, 8 and 2 of the paper."""
    figure, panels = ex.sheet(10.2, "p sizes", "k features", "units units")
    error, passes = "test error (%)", {"k random passes (band: sets of k)": errors["k"]}
    ex.along(panels["p"], {"p": errors["p"]}, "Retention of hidden units", "p (kept)", error)
    ex.along(panels["sizes"], sizes.series, "Size of the data set", "training examples", error, log="xy")
    ex.curves(panels["k"], passes, "Monte-Carlo averaging", "passes k", error)
    *_, scaled = sizes.errors("with").values()
    ex.level(panels["k"], scaled.mean, "weight scaling")
    bins = np.linspace(0, float(np.quantile(features["without dropout"], 0.999)), 40)
    active = {f"{name}: {(a > 0).mean():.0%} active": a for name, a in features.items()}
    ex.shares(panels["features"], active, bins, "First-layer features", "activation")
    markers = {"rectified": {"ls": "", "marker": "s"}, "linear": {"ls": "", "marker": "o"}}
    pairs = {kind: units.set_index(f"{kind}: average")[f"{kind}: scaled"] for kind in markers}
    panels["units"].axline((0, 0), slope=1, color=ex.GREY, lw=1)
    title, average = "One unit, all masks", "average over 1,024 networks"
    ex.curves(panels["units"], pairs, title, average, "scaled network", looks=markers)
    return figure
