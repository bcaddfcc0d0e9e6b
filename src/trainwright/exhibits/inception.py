"""Inception: what batch norm makes of a deep image network, five times over.

Ioffe & Szegedy 2015, section 4.2, figures 2 and 3: Inception on ImageNet, as it was and with batch norm
(BN-Baseline); at 5 and 30 times its learning rate, with the other changes that batch norm allows (BN-x5,
BN-x30); and at 5 times with sigmoids in place of rectified linear units (BN-x5-Sigmoid). What is compared is
the number of steps until a network is as good as Inception ever gets, and how good it gets itself. Two more
are trained that the paper tells of: five times the learning rate, and sigmoids, both without batch norm.

Here the pictures are those of Fashion-MNIST, and Inception is scaled down to some of its modules, with fewer
channels, behind one convolution.

Deviations: the paper's dropout, local response normalisation and photometric distortions are left out
everywhere, so that the changes of BN-x5 and BN-x30 are the rate, a fifth of the L2 penalty, and a decay of
the rate six times as fast. Predictions use running averages, as the paper's curves do (section 3.1).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from flax import nnx
from pydantic import Field

from trainwright import exhibit as ex
from trainwright.flow import begin_images, scaled
from trainwright.layers.window import Window
from trainwright.network import Network, NetworkBuilder
from trainwright.networks.inception_bn import MODULES, inception

PAPER = "Ioffe & Szegedy 2015, section 4.2"
PLAIN, BASELINE, X5, X30, SIGMOID = CURVES = (
    "Inception", "BN-Baseline", "BN-x5", "BN-x30", "BN-x5-Sigmoid",
)  # fmt: skip
PLAIN_X5, PLAIN_SIGMOID = "Inception-x5", "Inception-Sigmoid"
PUBLISHED = pd.DataFrame(  # the paper's figure 3: millions of steps until 72.2 %, and the highest accuracy
    {"steps (millions)": [31.0, 13.3, 2.1, 2.7, np.nan], "highest (%)": [72.2, 72.7, 73.0, 74.8, 69.8]},
    pd.Index(CURVES, name="network"),
)
LOOKS = {
    PLAIN: {"color": ex.BLACK, "ls": "--"}, BASELINE: {"color": ex.BLUE, "ls": ":"},
    X5: {"color": ex.GREEN}, X30: {"color": ex.VERMILLION}, SIGMOID: {"color": ex.PINK, "ls": "-."},
}  # fmt: skip
CHANCE = 10.0  # %, of ten classes
LEARNED = 2 * CHANCE  # a network that never gets above this has learned nothing
L2, FINAL = 1e-4, 0.5  # the penalty, and the share of the learning rate that is left in the end
SCALES = ex.scales(
    images=({"train": 2500, "pool": 6000, "test": 500, "halved": True}, {}),
    modules=(("3c", "5a"), ("3a", "3c", "4a", "4e", "5a", "5b")),
    width=(12, 25),
    rate=(0.02, 0.01),
    steps=(400, 10_000),
    every=(20, 250),
    seeds=(3, 4),
)


@ex.config
class SmallInception(Network):
    """Some of Inception's modules behind one convolution; for images whose sides can be halved as often as
    these modules do."""

    modules: tuple[str, ...]
    """Which ones, by their names in the paper's figure 5; those that end in c or e halve the image."""
    width: Annotated[int, Field(ge=1)]
    """Channels of every layer but the output, in per cent of the published ones."""

    def build(self, shape: tuple[int, ...], outputs: int, builder: NetworkBuilder) -> nnx.Module:
        flow = begin_images(self.name, shape, builder)
        flow = flow.convolution("conv1", scaled(64, self.width), Window(3, padding="same"))
        for name in self.modules:
            flow = inception(f"inception_{name}", MODULES[name], flow, self.width)
        return flow.global_average("average").output(outputs).network()


def study(s: ex.Scale) -> ex.Study:
    """The five networks, and the two that do without batch norm what it should take."""
    plain = ex.network(
        strategies=f"momentum(0.9), l2({L2}), rate_schedule('exponential', final={FINAL})",
        learning_rate=s.rate, batch_size=32, steps=s.steps, evaluate_every=s.every,
    ).replace(network=SmallInception(s.modules, s.width))  # fmt: skip
    norm = "batch_norm(statistics='running')"  # before each activation
    normed = ex.adding(plain, norm)
    sigmoid = ex.adding(plain, "activation('sigmoid'), initialization('glorot_uniform')")
    arms = {
        PLAIN: plain,
        BASELINE: normed,
        X5: hastened(normed, 5),
        X30: hastened(normed, 30),
        SIGMOID: hastened(ex.adding(sigmoid, norm), 5),
        PLAIN_X5: hastened(plain, 5),
        PLAIN_SIGMOID: sigmoid,
    }
    return ex.Study(ex.images("fashion_mnist", **s.images), arms, s.seeds)


def hastened(recipe: ex.Recipe, times: float) -> ex.Recipe:
    """At so many times the learning rate, which decays six times as fast; with a fifth of the penalty."""
    hastened = ex.adding(recipe, f"l2({L2 / 5}), rate_schedule('exponential', final={FINAL**6})")
    return hastened.replace(learning_rate=times * recipe.learning_rate)


@ex.config
class Inception(ex.Exhibit):
    """Steps until as good as Inception without batch norm, and how good each network gets."""

    title = "Inception: what batch norm makes of a deep image network"

    def make(self, budget: ex.Budget, store: Path) -> ex.ExhibitResult:
        s = SCALES[budget]
        trained = study(s)
        curves = accuracies(ex.evaluations(trained.run(store)))
        reached, pixels = outcomes(curves), trained.dataset().shape[0]
        return self.result(
            draw(curves, reached),
            {
                "Validation accuracy: steps until Inception's best, and the best": table(reached),
                "Published, on ImageNet": PUBLISHED,
            },
            (claim(reached) for claim in (sooner, much_sooner, higher, saturating, unstable)),
            (
                f"Modules {', '.join(s.modules)} with {s.width} % of their channels; images of "
                f"{pixels}×{pixels} pixels; {ex.described(trained)} That is Inception's rate; "
                "those of x5 and x30 are 5 and 30 times it.",
                "A training that never gets as good counts as if it did at its last step. The highest of "
                "many evaluations is a little too high, for all networks alike.",
                ex.intervals_cover(redrawn="train" in s.images),
            ),
        )


def accuracies(evaluations: pd.DataFrame) -> pd.DataFrame:
    """The same rows with the validation accuracy in %; NaN from where a loss was no longer finite."""
    losses = evaluations["training loss"] + evaluations["validation loss"]
    return evaluations.assign(accuracy=(100 - evaluations["validation error"]).where(losses.abs() < np.inf))


def outcomes(curves: pd.DataFrame) -> pd.DataFrame:
    """A row for each training: its highest accuracy in %; the first step at which it is as good as the plain
    network with the same seed ever gets, infinite if it never is; and whether it diverged."""
    trainings = curves.set_index("step").groupby(["arm", "seed"], sort=False)["accuracy"]
    best, diverged = trainings.max(), trainings.size() > trainings.count()
    goals = 100 - best[PLAIN]  # as errors, by seed
    steps = [ex.arrival(100 - accuracy, goals[seed]) for (_, seed), accuracy in trainings]
    reached = pd.DataFrame({"best": best.fillna(CHANCE), "steps": steps, "diverged": diverged})
    return reached.assign(last=curves["step"].max()).reset_index()


def to_the_best(reached: pd.DataFrame, arm: str, other: str) -> ex.Race:
    """Two networks on their way to being as good as the plain one ever gets."""
    steps = reached.pivot(index="seed", columns="arm", values="steps")
    return ex.race(steps[arm], steps[other], reached["last"].max())


def in_half_the_steps(reached: pd.DataFrame, arm: str) -> ex.Judged:
    """The ratio of an arm's steps to the plain network's is below a half, and every training gets there."""
    ratio, (own, plain), (missed, _) = to_the_best(reached, arm, PLAIN)
    published = PUBLISHED["steps (millions)"]
    seen = (
        f"{arm} takes {own:,.0f} steps (median) to be as good as {PLAIN} gets, which takes {plain:,.0f}: "
        f"ratio {ratio}; {missed} of {ratio.n} never get there. Published: "
        f"{published[arm] / published[PLAIN]:.2f}."
    )
    return seen, ex.every(ratio.below(0.5), missed == 0)


@ex.claim("With batch norm alone Inception is as good in less than half the steps.", f"{PAPER}, BN-Baseline")
def sooner(reached: pd.DataFrame) -> ex.Judged:
    """By the interval, see `in_half_the_steps`."""
    return in_half_the_steps(reached, BASELINE)


@ex.claim(
    "At five times the rate it is as good in a fraction of the steps (less than half), and sooner than "
    "with batch norm alone.",
    f"{PAPER}, BN-x5",
)
def much_sooner(reached: pd.DataFrame) -> ex.Judged:
    """As `sooner`, and the steps are fewer than BN-Baseline's by the interval of their ratio."""
    seen, holds = in_half_the_steps(reached, X5)
    ratio = to_the_best(reached, X5, BASELINE).ratio
    return f"{seen} Over {BASELINE}'s steps: ratio {ratio}.", ex.every(holds, ratio.below(1))


@ex.claim("At thirty times the rate it gets better in the end than at five times.", f"{PAPER}, BN-x30")
def higher(reached: pd.DataFrame) -> ex.Judged:
    """The difference of the highest accuracies is above zero by its whole interval."""
    more = ex.change(reached, "best", X30, X5, "points")
    return f"the highest accuracy of {X30} less that of {X5}: {more}. Published: +1.8 points.", more.positive


@ex.claim(
    "With batch norm it can be trained with sigmoids; without, it stays at chance.", f"{PAPER}, BN-x5-Sigmoid"
)
def saturating(reached: pd.DataFrame) -> ex.Judged:
    """Every training with batch norm gets above twice chance, and none without."""
    above = reached.pivot(index="seed", columns="arm", values="best") > LEARNED
    holds = above[SIGMOID].all() and not above[PLAIN_SIGMOID].any()
    return f"{bests(reached, SIGMOID, PLAIN_SIGMOID)}; twice chance is {LEARNED:g} %.", holds


@ex.claim("Without batch norm, five times the learning rate makes the training diverge.", PAPER)
def unstable(reached: pd.DataFrame) -> ex.Judged:
    """Every training ends with a loss that is not finite, or never gets above twice chance."""
    trainings = reached[reached["arm"] == PLAIN_X5]
    diverged = trainings["diverged"]
    stuck = (trainings["best"] <= LEARNED) & ~diverged
    seen = (
        f"{diverged.sum()} of {len(trainings)} trainings of {PLAIN_X5} diverge, {stuck.sum()} more never get "
        f"above twice chance; {bests(reached, PLAIN_X5, PLAIN)}."
    )
    return seen, (diverged | stuck).all()


def bests(reached: pd.DataFrame, *arms: str) -> str:
    """The highest accuracies of these arms, in words."""
    rows = reached[reached["arm"].isin(arms)]
    return f"highest accuracy of {ex.Measurements.grouped(rows['best'], rows['arm'], '%')}"


def table(reached: pd.DataFrame) -> pd.DataFrame:
    """Every network's steps, highest accuracy and trainings that diverged."""
    groups = reached.groupby("arm", sort=False)
    best = ex.Measurements.grouped(reached["best"], reached["arm"])
    shown = ex.tabulated("network", {"highest (%)": best})
    shown.insert(1, "steps, median", groups["steps"].median().replace(np.inf, np.nan).to_numpy())
    shown["diverged"] = groups["diverged"].sum().to_numpy()
    return shown


def draw(curves: pd.DataFrame, reached: pd.DataFrame) -> ex.Figure:
    """Figure 2: accuracy along training, and Inception's best; below, each network's highest accuracy."""
    figure, panels = ex.sheet(6.6, "curves", "bests", height_ratios=(1.7, 1))
    percent = "validation accuracy (%)"
    title = "Accuracy along training"
    drawn = ex.series(curves[curves["arm"].isin(CURVES)].dropna(), "accuracy", "step")
    ex.curves(panels["curves"], drawn, title, "step", percent, looks=LOOKS, ylim=(0, 100))
    ex.level(panels["curves"], reached["best"][reached["arm"] == PLAIN].mean(), f"{PLAIN}'s best")
    seeds = {"": ex.samples(reached, "best", "arm")}
    title = "Highest accuracy of each training"
    ex.points(panels["bests"], seeds, title, ylabel=percent, ylim=(0, 100))
    ex.level(panels["bests"], CHANCE, ls=":")
    return figure
