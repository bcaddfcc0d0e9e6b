"""Dropout without tuning: one setting for every architecture, and two groups of errors.

Srivastava et al. 2014, figure 4: networks of two to four layers of 1024 or 2048 units, each trained without
and with dropout, all other settings the same. The errors form two groups, far apart, though nothing was
tuned for any of the networks: dropout does not owe its gain to a lucky architecture.

Units are kept with probability p. The paper's bound on the weights that lead to a unit goes with dropout, as
in its table 2: here c·p, because what is kept is divided by p in training.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from trainwright import exhibit as ex

PAPER = "Srivastava et al. 2014, figure 4"
DEPTHS, BOUND = (2, 3, 4), 2.0  # the paper's c
SCALES = ex.scales(
    images=({"train": 1000, "pool": 12_000, "test": 2500, "halved": True}, {}),
    widths=((100,), (1024, 2048)),
    kept=((0.8, 0.9), (0.5, 0.8)),  # p of hidden units and of inputs
    batch=(50, 128),
    steps=(1000, 24_000),
    every=(100, 1500),
    seeds=(8, 1),
    note=(
        "Scaled down: MNIST at 14×14 pixels. As 100 units are few, more of them are kept than the "
        "paper's 0.8 and 0.5 (appendix A: a layer of n units should become one of n / p).",
        "Dropout takes two to three times as long (appendix A): where the groups do not separate, trainings "
        "too short may be the cause.",
    ),
)


def studies(s: ex.Scale) -> dict[str, ex.Study]:
    """Without and with dropout, by architecture, such as "2×1024"; each seed with its own examples."""
    hidden, inputs = s.kept
    dropout = f"dropout({1 - hidden:g}, {1 - inputs:g}), max_norm({BOUND * hidden}, first={BOUND * inputs})"

    def study(depth: int, width: int) -> ex.Study:
        strategies = "momentum(0.9, nesterov=True), rate_schedule('cosine')"
        plain = ex.network(*[width] * depth, strategies=strategies, learning_rate=0.1, batch_size=s.batch)
        plain = plain.replace(steps=s.steps, evaluate_every=s.every)
        arms = {"without": plain, "with": ex.adding(plain, dropout)}
        return ex.Study(ex.images("mnist", **s.images), arms, s.seeds)

    return {f"{depth}×{width}": study(depth, width) for depth, width in product(DEPTHS, s.widths)}


@ex.config
class Architectures(ex.Exhibit):
    """Figure 4 of the dropout paper."""

    title = "Dropout without tuning: every architecture gains"

    def make(self, budget: ex.Budget, store: Path) -> ex.ExhibitResult:
        s = SCALES[budget]
        trained = studies(s)
        networks = ex.Sweep(ex.compare_all(trained, store))
        comparisons = networks.comparisons.values()
        smallest = min(arm.parameters for comparison in comparisons for arm in comparison.arms)
        return self.result(
            draw(networks),
            {f"Test error (%); intervals: {networks.gains('with').basis}": networks.table("network")},
            (two_groups(networks, apart(networks, trained, store)),),
            (
                f"Networks of {smallest:,} weights or more. {ex.described(next(iter(trained.values())))} The "
                "paper makes a million updates.",
                f"Kept with dropout: p = {s.kept[0]:g} of the hidden units and {s.kept[1]:g} of the inputs; "
                f"bound {BOUND:g}·p on the weights of a unit. Without it there is no bound.",
                s.note,
                "The rate falls as half a cosine, with Nesterov's momentum 0.9; the paper's momentum ends at "
                "0.95. Curves are of validation examples; test examples judge the end.",
                *ex.cautions(*comparisons, redrawn=True),
            ),
        )


@ex.claim(
    "Without tuning, dropout lowers the error of every architecture, and the errors form two groups.", PAPER
)
def two_groups(networks: ex.Sweep, between: ex.Measured) -> ex.Judged:
    """All gain, and even the worst network with dropout is better than the best without, by intervals."""
    gains, without, dropped = networks.gains("with"), networks.errors("without"), networks.errors("with")
    best, worst = without.smallest, dropped.largest
    seen = (
        f"gain in test error {gains}; between the groups: the worst network with dropout, {worst}, has "
        f"{dropped.means[worst]:.2f} %, the best without, {best}, {without.means[best]:.2f} %: {between}."
    )
    return seen, ex.every(gains.all_positive, between.positive)


def apart(networks: ex.Sweep, trained: dict[str, ex.Study], store: Path) -> ex.Measured:
    """What the worst network with dropout gains over the best without, where the groups are closest."""
    edges = {"without": networks.errors("without").smallest, "with": networks.errors("with").largest}
    best, worst = (
        replace(arm, name=f"{network} {name}")
        for name, network in edges.items()
        for arm in trained[network].run(store)
        if arm.name == name
    )
    return ex.compare([best, worst], reference=best.name).gain(worst.name)


def draw(networks: ex.Sweep) -> ex.Figure:
    """Colour for dropout, dashes for depth, thickness for width; the legend names these, not each curve."""
    figure, panels = ex.sheet(4.6, "networks")
    kinds = [name.split("×") for name in networks.comparisons]
    depths, widths = (list(dict.fromkeys(part)) for part in zip(*kinds, strict=True))
    dashes = zip(depths, ("-", "--", ":"), strict=True)
    looks: dict[str, dict[str, Any]] = {
        "without dropout": {"color": ex.BLUE},
        "with dropout": {"color": ex.VERMILLION},
        **{f"{n} layers": {"ls": ls, "color": ex.GREY} for n, ls in dashes},
        **{f"{n} units": {"lw": lw, "color": ex.GREY} for n, lw in zip(widths, (1.3, 2.6), strict=False)},
    }
    final = []
    for (depth, width), comparison in zip(kinds, networks.comparisons.values(), strict=True):
        for arm in comparison.arms:
            look = looks[f"{depth} layers"] | looks[f"{width} units"] | looks[f"{arm.name} dropout"]
            mean = pd.Series(ex.curve(arm, "validation_error").means)
            ex.curves(panels["networks"], {arm.name: mean}, looks={arm.name: look}, legend=None)
            final.append(mean.iloc[-1])
    title, limits = "Depths and widths", (0.8 * min(final), 2.2 * max(final))
    ex.framed(panels["networks"], title, "weight updates", "validation error (%)", ylim=limits, legend=None)
    panels["networks"].xaxis.set_major_locator(MaxNLocator(4))
    panels["networks"].legend([Line2D([], [], **look) for look in looks.values()], list(looks), ncols=2)
    return figure
