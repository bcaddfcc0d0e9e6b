"""Batch norm: layers whose inputs keep their distribution while the layers below them learn.

Ioffe & Szegedy 2015, section 4.1 and figure 1: MNIST, binary images, three fully connected hidden layers of
100 sigmoid units, 50,000 steps of batch 60, with and without batch norm before each sigmoid. With it the
network is right more often, and from early on (figure 1a). Figures 1b and 1c follow the input of one typical
sigmoid of the last hidden layer, its 15th, 50th and 85th percentiles: without batch norm they wander while
the layers below change, with it they stay where they are.

How fast a network trains is measured as in section 4.2: by the steps until it is as good as the one without
batch norm in the end. How stable an input is: by its wander, the range that a percentile covers along
training, as a share of the spread between them; much more stable means at most half.

The paper names neither rates, optimiser nor the first weights' deviation: here plain descent at four rates,
0.1, and a pixel is 1 above one half. Its figure 1a is of test examples; here validation examples draw the
curves, and test examples judge the end. The unit that is drawn is the one whose spread is the layer's median.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trainwright import exhibit as ex
from trainwright.diagnosis.traces import Trace, trace

PAPER = "Ioffe & Szegedy 2015, "
WITHOUT, WITH = "without", "with batch norm"
LOOKS = {WITHOUT: {"color": ex.BLUE, "ls": "--"}, WITH: {"color": ex.VERMILLION}}
PERCENTILES = (15, 50, 85)
EXAMPLES = 1000  # of the validation split, over which the percentiles are
PerSeed = dict[str, ex.Floats]  # by arm, (seeds,)
SCALES = ex.scales(
    images=({"train": 16_000, "pool": 40_000, "test": 2500}, {}),
    steps=(1500, 50_000),
    every=(100, 500),
    seeds=(4, 5),
    note=("Scaled down: 16,000 images, each seed's drawn from 40,000 of MNIST's, and 1,500 steps.", ""),
)


def study(s: ex.Scale) -> ex.Study:
    """The paper's network without and with batch norm, at several learning rates."""
    strategies = "activation('sigmoid'), initialization('normal', std=0.1)"
    plain = ex.network(100, 100, 100, strategies=strategies, batch_size=60)
    plain = plain.replace(steps=s.steps, evaluate_every=s.every)
    data = ex.images("mnist", binary=True, **s.images)
    arms = {WITHOUT: plain, WITH: ex.adding(plain, "batch_norm")}
    return ex.Study(data, arms, s.seeds, rates=(0.3, 1.0, 3.0, 10.0))


@ex.config
class BatchNorm(ex.Exhibit):
    """The paper's MNIST experiment: accuracy along training, and a sigmoid's input."""

    title = "Batch norm: how soon a network learns, and whether its inputs stay put"

    def make(self, budget: ex.Budget, store: Path) -> ex.ExhibitResult:
        s = SCALES[budget]
        trained = study(s)
        runs = trained.run(store)
        own, same = ex.compare(runs, reference=WITHOUT), ex.at_each_rate(runs, WITHOUT)
        reached, rate = arrivals(own, runs), own.arm(WITHOUT).learning_rate
        traces = trace_all(trained, rate)
        wander = {arm: np.array([np.median(seen.wander()) for seen in traces[arm]]) for arm in traces}
        best = ex.overview(own, "arm")
        best["steps, median"] = [np.median(reached[arm]) for arm in best["arm"]]
        best[f"wander at rate {rate:g}"] = [wander[arm].mean() for arm in best["arm"]]
        return self.result(
            draw(own, same, {arm: first for arm, (first, *_) in traces.items()}),
            {
                "Test error (%), both at the same learning rate; gain in points": same.table("learning rate"),
                f"Each at the rate chosen on validation; steps until as good as {WITHOUT} in the end": best,
            },
            (higher_at_each(same), higher(own), faster(reached, s.steps), stable(wander, rate)),
            (
                f"{ex.described(trained)} {s.note}",
                f"Percentiles over {EXAMPLES:,} validation images, both at rate {rate:g}, the best without "
                "batch norm; drawn: seed 0.",
                *ex.cautions(own, *same.comparisons.values(), redrawn="train" in s.images),
            ),
        )


def arrivals(own: ex.Comparison, runs: list[ex.ArmRuns]) -> PerSeed:
    """The first step, with each arm at its own rate, at which the validation error is no higher than the mean
    final one without batch norm; infinite where it never is."""
    rates = {arm.name: arm.learning_rate for arm in own.arms}
    rows = ex.evaluations(runs).set_index("step")
    chosen = rows[rows["learning rate"] == rows["arm"].map(rates)]
    errors = chosen.groupby(["arm", "seed"])["validation error"]
    found = errors.apply(ex.arrival, goal=errors.last()[WITHOUT].mean())
    return {arm: found[arm].to_numpy() for arm in rates}


def trace_all(trained: ex.Study, rate: float) -> dict[str, list[Trace]]:
    """Train each arm and seed once more, at this rate, and look often enough to see how the inputs begin."""

    def traced(recipe: ex.Recipe, seed: int) -> Trace:
        often = recipe.replace(learning_rate=rate, evaluate_every=100)
        return trace(often, trained.dataset(seed), seed, "hidden3", PERCENTILES, EXAMPLES)

    seeds = range(trained.seeds)
    return {arm: [traced(recipe, seed) for seed in seeds] for arm, recipe in trained.arms.items()}


@ex.claim(
    "At the same learning rate the network with batch norm reaches a higher test accuracy, at each of those "
    "tried.",
    PAPER + "figure 1a (at one learning rate, which it does not name)",
)
def higher_at_each(same: ex.Sweep) -> ex.Judged:
    """By the verdict at each rate, with Holm's correction over the rates."""
    holds = ex.every(*map(ex.agrees, same.verdicts(WITH).values()))
    return f"gain in accuracy by rate {ex.told(same, WITH)}.", holds


@ex.claim(
    "With batch norm the network reaches a higher test accuracy, each at its own learning rate.",
    PAPER + "figure 1a",
)
def higher(own: ex.Comparison) -> ex.Judged:
    """By the comparison's verdict."""
    rates = " and ".join(f"{arm.learning_rate:g}" for arm in own.arms)
    errors = " and ".join(f"{error:.2f} %" for error in own.errors.means.values())
    seen = f"at rates {rates} the test error is {errors}: a gain of {own.gain(WITH)}."
    return seen, ex.agrees(own.verdict(WITH))


@ex.claim("With batch norm the network trains faster.", PAPER + "section 4.1, figure 1a")
def faster(reached: PerSeed, last: int) -> ex.Judged:
    """A training without batch norm that never gets there counts as if it did at its last step, which is to
    its credit; of those with batch norm every one must."""
    ratio, (normed, plain), (missed, others) = ex.race(reached[WITH], reached[WITHOUT], last)
    seen = (
        "until the validation error is what it is in the end without batch norm, each at its own learning "
        f"rate: {plain:,.0f} steps without and {normed:,.0f} with batch norm (medians; ratio {ratio}). "
        f"{others} of {ratio.n} without and {missed} of {ratio.n} with batch norm never get there and count "
        f"as {last:,} steps."
    )
    return seen, ex.every(ratio.below(1), missed == 0)


@ex.claim(
    "With batch norm the distribution of a sigmoid's input is much more stable (it wanders at most half as "
    "far).",
    PAPER + "section 4.1, figure 1b, c",
)
def stable(wander: PerSeed, rate: float) -> ex.Judged:
    """Much more stable: the interval of the ratio lies below a half."""
    ratio = ex.Measured.ratio(wander[WITH], wander[WITHOUT])
    seen = (
        f"both at learning rate {rate:g}: the median unit's percentiles range along training over "
        f"{wander[WITHOUT].mean():.2f} times its spread (15th to 85th percentile) without and "
        f"{wander[WITH].mean():.2f} times with batch norm: ratio {ratio}."
    )
    return seen, ratio.below(0.5)


def draw(own: ex.Comparison, same: ex.Sweep, traces: dict[str, Trace]) -> ex.Figure:
    """Figure 1: errors along training; the typical sigmoid's input without and with batch norm."""
    figure, panels = ex.sheet(6.4, "errors errors", "b c")
    for comparison, width in ((same.comparisons[min(same.comparisons)], 1.0), (own, 2.0)):
        for arm in comparison.arms:
            label = f"{arm.name}, rate {arm.learning_rate:g}"
            errors, look = {label: ex.curve(arm, "validation_error")}, LOOKS[arm.name] | {"lw": width}
            ex.curves(panels["errors"], errors, looks={label: look})
    ex.framed(panels["errors"], "Errors along training", "step", "validation error (%)", log="y")
    rate, what = own.arm(WITHOUT).learning_rate, "one sigmoid's input:\nmedian, 15th to 85th percentile"
    for panel, (name, seen) in zip("bc", traces.items(), strict=True):
        rows = zip(seen.steps, *seen.percentiles[:, :, seen.typical()].T, strict=True)
        median = {step: ex.Measured(middle, low, high, n=EXAMPLES) for step, low, middle, high in rows}
        title = f"{name.capitalize()}, rate {rate:g}"
        ex.curves(panels[panel], {name: median}, title, "step", what, looks=LOOKS)
    panels["c"].sharey(panels["b"])
    panels["c"].autoscale()
    return figure
