"""Dropout: training a network in which units are left out at random averages many networks in one.

Srivastava et al. 2014: each unit is kept with probability p, anew for every example. When predicting, all
units are used and their outgoing weights multiplied by p. For a linear unit that is exactly the average over
all 2ⁿ thinned networks (figure 2); for deeper networks it is an approximation, which averaging many random
passes shows to be a good one (section 7.5, figure 11).

Here p is varied (section 7.3), and the number of training examples: with very few, dropout should gain
nothing, with more it should (section 7.4). With it fewer units should be active (section 7.2). The paper's
figure 4 is an exhibit of its own, `architectures`.

Deviations: units that are kept are divided by p in training, instead of multiplying weights by p when
predicting: the same model with other initial weights and learning rates. Momentum is 0.9 (the paper's ends at
0.95), the rate falls as half a cosine, and weights have no bound (the paper's is 2). All networks have two
layers (the paper's three of 2048 units in figure 9a, and 1024, 1024 and 2048 in figure 10). Features are the
classifier's, not an autoencoder's. Sets of passes share some of 100: at 50 their scatter is √(1 − 50/100) of
that of independent ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainwright import exhibit as ex
from trainwright.diagnosis.averaging import all_masks, averaged_passes, by_passes
from trainwright.diagnosis.layers import activations

PAPER = "Srivastava et al. 2014, "
LOOKS = {"rectified": {"ls": "", "marker": "s"}, "linear": {"ls": "", "marker": "o"}}
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
    plain = ex.network(s.width, s.width, learning_rate=0.05, batch_size=s.batch)
    plain = plain.replace(steps=s.steps, evaluate_every=s.every)

    def study(dropout: dict[str, str], examples: int | None) -> ex.Study:
        shared = "momentum(0.9), rate_schedule('cosine')"
        arms = {arm: ex.adding(plain, f"{text} {shared}") for arm, text in dropout.items()}
        return ex.Study(ex.images("mnist", train=examples, **s.images), arms, s.seeds)

    pair = {"without": "", "with": f"dropout{s.drop},"}
    kept = {str(p): f"dropout({1 - p})," for p in s.retained} | {"1.0": ""}
    return {size: study(pair, size) for size in s.sizes} | {"retention": study(kept, s.examples)}


@ex.config
class Dropout(ex.Exhibit):
    """Figures 2, 8, 9a, 10 and 11 of the dropout paper."""

    title = "Dropout: many thinned networks, averaged"

    def make(self, budget: ex.Budget, store: Path) -> ex.ExhibitResult:
        s = SCALES[budget]
        trained, units = studies(s), all_masks(10, 12, retained=(0.5, 0.8))
        compared = ex.compare_all(trained, store)
        sizes = ex.Sweep({size: compared[size] for size in s.sizes})
        between = compared["retention"].best_on_validation(*map(str, s.retained[1:])).name
        retention = ex.compare(trained["retention"].run(store), reference=between)
        most, largest = trained[s.sizes[-1]], compared[s.sizes[-1]]
        features = {f"{arm} dropout": np.array(ex.look_into(most, arm, store, hidden1)) for arm in most.arms}
        averaged = np.array(ex.look_into(most, "with", store, averaged_passes))
        by_p = {"test error": ex.Measurements({float(p): e for p, e in retention.errors.items()})}
        by_k = {"test error": by_passes(averaged)}
        by_size = f"Test error (%) by training examples; intervals: {sizes.gains('with').basis}"
        active = [(name, a.mean(), (a > 0).mean()) for name, a in features.items()]
        return self.result(
            draw(sizes, by_p, by_k, features, units),
            {
                by_size: sizes.table("examples"),
                "Test error (%) by retention p of hidden units": ex.tabulated("p", by_p),
                "Test error (%) of k random passes averaged; low and high: ± deviation over sets of k": (
                    ex.tabulated("k", by_k).iloc[[0, 1, 4, 9, 19, -1]]
                ),
                "Features of the first layer": pd.DataFrame(
                    active, columns=["network", "mean activation", "share active"]
                ),
                "Figure 2: average over all thinned networks, and scaled": units,
            },
            (
                equal(units),
                best_in_between(retention),
                more_examples(sizes),
                as_good_as_scaled(averaged, np.array(largest.arm("with").errors)),
                sparser(features),
            ),
            (
                f"Two hidden layers of {s.width:,} units, {s.steps:,} updates of batch {s.batch}. Kept with "
                f"dropout: p = {1 - s.drop[1]:g} at the inputs, {1 - s.drop[0]:g} at hidden units.",
                s.note,
                "Passes and features are those of the networks that had most examples.",
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
    off = {kind: (units[f"{kind}: average"] - units[f"{kind}: scaled"]).abs().max() for kind in LOOKS}
    seen = (
        f"over all 1,024 masks of 10 inputs, {len(units)} linear units differ by {off['linear']:.1e} at "
        f"most; after rectification, where it is an approximation, by {off['rectified']:.2f}."
    )
    return seen, off["linear"] < 1e-5


@ex.claim(
    "Keeping too few units (p = 0.2) or all of them (p = 1) is worse than a p in between.",
    PAPER + "section 7.3, figure 9a (a flat valley from p = 0.4 to 0.8)",
)
def best_in_between(retention: ex.Comparison) -> ex.Judged:
    """The ends beside the p in between that is best on validation: the comparison's reference."""
    least, *_, most = errors = retention.errors
    ends = ex.Measurements({f"p = {p}": retention.gain(p) for p in (least, most)})
    over = f"gain over p = {retention.reference}, the best on validation"
    return f"test error by p: {errors}; {over}: {ends}.", ends.all_negative


@ex.claim(
    "With very few examples dropout gives no improvement; with more it does.",
    PAPER + "section 7.4, figure 10",
)
def more_examples(sizes: ex.Sweep) -> ex.Judged:
    """The same verdicts along the whole range, as everywhere: a gain that is not believed is none yet."""
    first, *larger = sizes.verdicts("with").values()
    largest = ex.named(sizes.gains("with").largest)
    seen = f"gain by number of examples {ex.told(sizes, 'with')}. The gain is largest at {largest}."
    none = ex.some(ex.agrees(first, "no difference"), ex.agrees(first, "hurts"))
    return seen, ex.every(none, ex.some(*map(ex.agrees, larger)))


@ex.claim(
    "Averaging 50 random passes is as good as weight scaling; a single pass is worse.",
    PAPER + "section 7.5, figure 11",
)
def as_good_as_scaled(averaged: ex.Floats, scaled: ex.Floats) -> ex.Judged:
    """As good: the interval of the difference lies within a tenth of the scaled network's error.

    `averaged`: (models, sets, passes), see `averaged_passes`; `scaled`: (models,), of the same models.
    """
    more = averaged.mean(axis=1) - scaled[:, None]
    one, many = (ex.Measured.percent(more[:, k]) for k in (0, -1))
    error = ex.Measured.percent(scaled, signed=False)
    seen = (
        f"test error with scaled weights: {error}; more of it with one pass: {one}, with 50 passes: "
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


def draw(
    sizes: ex.Sweep, by_p: ex.Along, by_k: ex.Along, features: Features, units: pd.DataFrame
) -> ex.Figure:
    """Five panels: figures 9a, 10, 11, 8 and 2 of the paper."""
    figure, panels = ex.sheet(10.2, "p sizes", "k features", "units units")
    error = "test error (%)"
    ex.along(panels["p"], by_p, "Retention of hidden units", "p (kept)", error)
    ex.along(panels["sizes"], sizes.series, "Size of the data set", "training examples", error, log="xy")
    passes = {"k random passes (band: sets of k)": by_k["test error"]}
    ex.curves(panels["k"], passes, "Monte-Carlo averaging", "passes k", error)
    *_, scaled = sizes.errors("with").means.values()
    ex.level(panels["k"], scaled, "weight scaling")
    bins = np.linspace(0, float(np.quantile(features["without dropout"], 0.999)), 40)
    active = {f"{name}: {(a > 0).mean():.0%} active": a for name, a in features.items()}
    ex.shares(panels["features"], active, bins, "First-layer features", "activation")
    pairs = {kind: units.set_index(f"{kind}: average")[f"{kind}: scaled"] for kind in LOOKS}
    panels["units"].axline((0, 0), slope=1, color=ex.GREY, lw=1)
    title, average = "One unit, all masks", "average over 1,024 networks"
    ex.curves(panels["units"], pairs, title, average, "scaled network", looks=LOOKS)
    return figure
