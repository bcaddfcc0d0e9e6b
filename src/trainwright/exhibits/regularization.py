"""Regularization: a price on the weights keeps a network from learning its examples by heart.

Goodfellow, Bengio & Courville 2016 add a penalty to the loss: λ‖w‖₁ (section 7.1.2) or λ/2 ‖w‖₂² (7.1.1),
or forbid weights outside a ball, ‖w‖ ≤ c for each unit (7.2; Srivastava et al. 2014, section 5.1). A network
with far more weights than examples is trained at each strength of each of the three. Without any it fits its
training examples exactly; some of that fit is chance, and the test error pays for it. Too strong a penalty
leaves too little of what is true, so along the strength the error falls and rises again.

The first two shrink weights in different ways. L2's pull is proportional to the weight: large weights give
way, none becomes zero. L1 pulls equally hard at all of them, so that a weight that earns less than λ goes all
the way to zero. A gradient step of L1 is ε λ long and cannot come closer to zero than that; so a weight
counts as zero here where |w| ≤ ε λ, and the other networks are measured with the same rule, each
penalty at the largest strength that costs at most a tenth of the validation error. Weights of pixels
that are blank in every training image are left out: the data say nothing about them.

What is fitted is the loss, and there a network without penalty pays most: the surer it is of its training
examples, the dearer are its errors on new ones. Errors are merely counted, however sure. And gradient descent
that stops after a fixed number of steps, from small weights, already regularises: here a network without
penalty is a strong opponent, and a gain of a few tenths of a point needs many seeds to be told from chance.

Source: the book's chapter 7; the penalties' strengths are a grid of our own. Each penalty's strength is
chosen on the validation examples, by error and by loss; the test examples judge only these choices.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trainwright.base.config import config
from trainwright.comparison import paired
from trainwright.comparison.compare import ArmResult, ArmRuns, Comparison, compare
from trainwright.data import DataSpec
from trainwright.exhibit import Claim, Exhibit, ExhibitResult, cautions
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.report.figures import BLUE, GREEN, ORANGE, VERMILLION
from trainwright.report.sentences import sentence
from trainwright.runs.score import score
from trainwright.runs.store import Store
from trainwright.strategies.l1 import L1
from trainwright.strategies.l2 import L2
from trainwright.strategies.max_norm import MaxNorm
from trainwright.strategy import Strategy
from trainwright.studies.defaults import Budget
from trainwright.studies.study import Study

STRENGTHS = {
    "L1": (1e-6, 1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2),
    "L2": (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
    "max-norm": (0.25, 0.5, 1.0, 1.5, 2.0, 3.0),
}
KINDS = {"L1": L1, "L2": L2, "max-norm": MaxNorm}
COLOURS = {"none": "#555555", "L1": VERMILLION, "L2": BLUE, "max-norm": GREEN}
MARKERS = {"L1": "s", "L2": "o", "max-norm": "D"}


def study_of(budget: Budget) -> Study:
    """Every strength of every penalty, beside none: few examples, many weights."""
    if budget == "quick":
        data, seeds = DataSpec("digits", examples=100), 16
        base = Recipe(Mlp((64,)), learning_rate=0.1, batch_size=25, steps=1500, evaluate_every=125)
    else:
        data, seeds = DataSpec("mnist", examples=1000), 10
        base = Recipe(Mlp((256, 256)), learning_rate=0.1, batch_size=50, steps=8000, evaluate_every=400)
    arms = {"none": base}
    for kind, strengths in STRENGTHS.items():
        for strength in strengths:
            penalty: Strategy = KINDS[kind](strength)
            arms[f"{kind} {strength:g}"] = base.replace(strategies=(penalty,))
    return Study(data, arms, seeds=seeds)


@dataclass(frozen=True, eq=False)
class Measured:
    """What the trainings gave."""

    errors: pd.DataFrame
    """Per arm: penalty, strength, mean validation and test error, training, validation and test loss."""
    chosen: Comparison
    """None beside each penalty at the strength with the lowest validation error."""
    tamed: dict[str, ArmResult]
    """None, and by penalty the strength with the lowest validation loss."""
    losses: dict[str, NDArray[np.float64]]
    """By the names of `tamed`: the test loss of each seed."""
    fits: dict[str, NDArray[np.float64]]
    """By the names of `tamed`: the training loss of each seed, over the last steps."""
    weights: dict[str, NDArray[np.float32]]
    """By arm, none and each penalty at its `strongest`: first-layer weights, all seeds together."""
    zeros: pd.DataFrame
    """Per strength of L1: the share of |w| ≤ ε λ under L1, and with the same bound under none and L2."""


def measure(study: Study, folder: Path) -> Measured:
    """Train what the store in `folder` has not, and compare."""
    runs = {arm.name: arm for arm in study.run(folder)}
    everything = compare(list(runs.values()), reference="none")
    losses = {name: losses_on_test(arm) for name, arm in runs.items()}
    rows = []
    for arm in everything.arms:
        kind, _, strength = arm.name.partition(" ")
        error = arm.grid[0].validation_error, arm.error.mean
        loss = arm.curves["train_loss"].mean[-1], arm.curves["validation_loss"].mean[-1]
        rows.append((arm.name, kind, float(strength or "nan"), *error, *loss, losses[arm.name].mean()))
    columns = ["arm", "penalty", "strength", "validation error", "test error"]
    columns += [f"{split} loss" for split in ("training", "validation", "test")]
    errors = pd.DataFrame(rows, columns=columns).set_index("arm")
    best = ["none", *(str(errors[errors.penalty == kind]["validation error"].idxmin()) for kind in KINDS)]
    chosen = compare([ArmRuns(name, runs[name].runs) for name in best], reference="none")
    arms = {arm.name: arm for arm in everything.arms}
    lowest = {kind: str(errors[errors.penalty == kind]["validation loss"].idxmin()) for kind in KINDS}
    tamed = {kind: arms[name] for kind, name in {"none": "none", **lowest}.items()}
    shown = ["none", *(strongest(errors, kind) for kind in KINDS)]
    weights = {name: _first_weights(study, name, folder) for name in {*shown, *_named("L1")}}
    return Measured(
        errors,
        chosen,
        tamed,
        {kind: losses[arm.name] for kind, arm in tamed.items()},
        {kind: losses_on_training(runs[arm.name]) for kind, arm in tamed.items()},
        {name: weights[name] for name in shown},
        _zeros(study, weights, shown[2]),
    )


def strongest(errors: pd.DataFrame, kind: str) -> str:
    """A penalty's strongest arm that costs at most a tenth of the validation error; the weakest if all do."""
    along = errors[errors.penalty == kind].sort_values("strength", ascending=kind == "max-norm")
    cheap = along[along["validation error"] <= 1.1 * errors["validation error"]["none"]]
    return str(cheap.index[0] if len(cheap) else along.index[-1])


def losses_on_test(arm: ArmRuns) -> NDArray[np.float64]:
    """The mean negative log-probability of the right class on test examples, per seed."""
    return np.array([score(run, "test").loss for run in next(iter(arm.runs.values()))])


def losses_on_training(arm: ArmRuns) -> NDArray[np.float64]:
    """The last training loss of the curve, without the penalty, per seed."""
    return np.array([run.history["train_loss"][-1] for run in next(iter(arm.runs.values()))])


def _named(kind: str) -> list[str]:
    return [f"{kind} {strength:g}" for strength in STRENGTHS[kind]]


def _first_weights(study: Study, arm: str, folder: Path) -> NDArray[np.float32]:
    """The first layer's weights from pixels that are not blank throughout, over all seeds."""
    data, store = study.dataset(), Store(folder)
    inked = data.inputs[data.splits.train].any(axis=0).ravel()
    first = min(name for name in store.read(study.plan[0].digest, weights=True).weights if "kernel" in name)
    digests = [one.digest for one in study.plan if one.arm == arm]
    kernels = [store.read(digest, weights=True).weights[first][inked] for digest in digests]
    return np.concatenate([kernel.ravel() for kernel in kernels])


def _zeros(study: Study, weights: dict[str, NDArray[np.float32]], l2: str) -> pd.DataFrame:
    rate = study.arms["none"].learning_rate
    rows = []
    for name, strength in zip(_named("L1"), STRENGTHS["L1"], strict=True):
        shares = [float(np.mean(np.abs(weights[arm]) <= rate * strength)) for arm in (name, "none", l2)]
        rows.append((strength, rate * strength, *shares))
    return pd.DataFrame(rows, columns=["λ of L1", "ε λ", "L1", "none", l2])


@config
class Regularization(Exhibit):
    """Test error along the strength of L1, L2 and max-norm, and what each does to the weights."""

    title = "Penalties on the weights tame a network that overfits"

    def make(self, budget: Budget, store: Path) -> ExhibitResult:
        study = study_of(budget)
        measured = measure(study, store)
        few, recipe = len(study.dataset().splits.train), study.arms["none"]
        note = (
            f"{study.data.source}, {few} training examples, {recipe.network}, {recipe.length(few):,} steps "
            f"of batch {recipe.batch_size} at learning rate {recipe.learning_rate:g}, {study.seeds} seeds."
        )
        scaled = ("Scaled down: 8×8 digits and one hidden layer; full is MNIST and two layers of 256.",) * (
            budget == "quick"
        )
        return ExhibitResult(
            self.name,
            self.title,
            draw(measured),
            {
                "Errors (fractions) and losses (nats) at each strength": measured.errors,
                "Share of first-layer weights with |w| ≤ ε λ": measured.zeros,
            },
            claims(measured),
            (note, *scaled, *cautions(measured.chosen)),
        )


def claims(measured: Measured) -> tuple[Claim, ...]:
    """The book's statements beside the numbers."""
    tamed = [
        Claim(
            f"{arm.name.split()[0]} lowers the test error of a network that overfits.",
            "Goodfellow et al. 2016, sections 7.1 and 7.2",
            sentence(arm, measured.chosen),
            arm.difference.verdict == "helps",
        )
        for arm in measured.chosen.arms
        if arm.difference
    ]
    return (*tamed, _tamed(measured), _turn(measured.errors), _fit(measured), _sparse(measured))


def _tamed(measured: Measured) -> Claim:
    """Each penalty at the strength with the lowest validation loss, judged by the test loss."""
    none, *others = measured.losses
    changes = {kind: paired.estimate(measured.losses[kind] - measured.losses[none]) for kind in others}
    said = (
        f"{measured.tamed[kind].name} {one.mean:+.3f} ({one.interval(0.95)[0]:+.3f} to "
        f"{one.interval(0.95)[1]:+.3f})"
        for kind, one in changes.items()
    )
    return Claim(
        "A penalty tames a network that overfits: its loss on new examples falls.",
        "Goodfellow et al. 2016, chapter 7, introduction",
        f"test loss without penalty {measured.losses[none].mean():.3f} nats; with the strength that is best "
        f"in validation loss {', '.join(said)} (95 % intervals, n = {len(measured.losses[none])} seeds, "
        "paired).",
        all(one.interval(0.95)[1] < 0 for one in changes.values()),
    )


def _turn(errors: pd.DataFrame) -> Claim:
    """Too strong a penalty underfits: the strongest does worse than none, on training and test examples."""
    none = errors.loc["none"]
    strongest = [errors.loc[name] for name in (_named("L1")[-1], _named("L2")[-1], _named("max-norm")[0])]
    higher = [bool(one["training loss"] > none["training loss"]) for one in strongest]
    return Claim(
        "Too strong a penalty makes the network underfit.",
        "Goodfellow et al. 2016, sections 5.2.2 and 7.1",
        f"test error {100 * none['test error']:.1f} % without penalty; at the strongest of each "
        + ", ".join(
            f"{100 * one['test error']:.1f} % ({name})" for one, name in zip(strongest, KINDS, strict=True)
        )
        + f"; the training loss is higher than without penalty for {sum(higher)} of the {len(higher)}.",
        all(higher) and all(one["test error"] > none["test error"] for one in strongest),
    )


def _fit(measured: Measured) -> Claim:
    """Along the strength the training loss never falls; at the best the gap to the test loss closes.

    A bound that is never met changes nothing, so neighbouring strengths may have the same loss.
    """
    rises = []
    for kind in KINDS:
        along = measured.errors[measured.errors.penalty == kind]
        along = along.sort_values("strength", ascending=kind != "max-norm")
        rises.append(bool(np.all(np.diff(along["training loss"]) >= 0)))
    gaps = {kind: loss - measured.fits[kind] for kind, loss in measured.losses.items()}
    none, *others = gaps
    changes = {kind: paired.estimate(gaps[kind] - gaps[none]) for kind in others}
    said = (
        f"{measured.tamed[kind].name} {one.mean:+.3f} ({one.interval(0.95)[0]:+.3f} to "
        f"{one.interval(0.95)[1]:+.3f})"
        for kind, one in changes.items()
    )
    return Claim(
        "A penalty trades fit to the training examples for a smaller gap between training and new examples.",
        "Goodfellow et al. 2016, chapter 7, introduction",
        f"training loss never falls as the strength grows for {sum(rises)} of {len(rises)} penalties; test "
        f"minus training loss without penalty {gaps[none].mean():.3f} nats; with the strength that is best "
        f"in validation loss {', '.join(said)} (95 % intervals, n = {len(gaps[none])} seeds, paired).",
        all(rises) and all(one.interval(0.95)[1] < 0 for one in changes.values()),
    )


def _sparse(measured: Measured) -> Claim:
    """Without penalty the weights are spread over about 1, so a bound of ε λ catches hardly any by chance."""
    zeros, (_, l1_name, l2_name, _) = measured.zeros, measured.weights
    row = zeros.loc[[f"L1 {strength:g}" == l1_name for strength in zeros["λ of L1"]]].iloc[0]
    l1, none, l2 = row.iloc[2:]
    size = {name: float(np.sqrt(np.mean(np.square(ones)))) for name, ones in measured.weights.items()}
    grows = np.diff(zeros["L1"]) >= 0
    return Claim(
        "L1 makes weights zero; L2 makes them small.",
        "Goodfellow et al. 2016, section 7.1.2",
        f"at the largest strengths that cost at most a tenth of the validation error, {l1_name} holds "
        f"{100 * l1:.0f} % of the first layer's weights at zero (|w| ≤ ε λ = {row['ε λ']:.2g}); without "
        f"penalty {100 * none:.2f} %, with {l2_name} "
        f"{100 * l2:.2f} % of them are so small. Sparse is taken to be more than a tenth, and more than five "
        f"times as many as in both others. With λ the share fell at {sum(~grows)} of {len(grows)} steps. "
        f"Root mean square weight: {size['none']:.3f} without penalty, {size[l2_name]:.3f} with {l2_name}.",
        bool(l1 > 0.1 and l1 > 5 * max(none, l2) and grows.all() and size[l2_name] < size["none"]),
    )


def draw(measured: Measured) -> Figure:
    """Error along strength (two panels), the weights' histograms, and the curves of the chosen strengths."""
    figure = Figure(figsize=(7.6, 7.4), layout="constrained")
    (penalties, norms), (histogram, curves) = figure.subplots(2, 2)
    _along(penalties, measured.errors, ("L1", "L2"), "strength λ")
    _along(norms, measured.errors, ("max-norm",), "largest norm c (weak to the right)")
    _histogram(histogram, measured.weights)
    lowest = min(KINDS, key=lambda kind: measured.tamed[kind].curves["validation_loss"].mean[-1])
    for kind in ("none", lowest):
        _curves(curves, measured.tamed[kind])
    curves.set(title="Learning curves", xlabel="step", ylabel="loss (nats)", yscale="log")
    curves.set_ylim(bottom=curves.get_ylim()[0] / 8)  # room for the legend
    curves.legend(fontsize=9, frameon=False, loc="lower left")
    for axes in (penalties, norms, histogram, curves):
        axes.spines[["top", "right"]].set_visible(False)
        axes.title.set_fontsize(11)
    return figure


def _along(axes: Axes, errors: pd.DataFrame, kinds: tuple[str, ...], label: str) -> None:
    for kind in kinds:
        along = errors[errors.penalty == kind]
        for split, style in (("test", "-"), ("validation", ":")):
            axes.plot(
                along.strength,
                100 * along[f"{split} error"],
                style,
                color=COLOURS[kind],
                marker=MARKERS[kind],
                markersize=5,
                lw=1.5 if split == "test" else 1,
                label=f"{kind}, {split}",
            )
    none = 100 * float(errors["test error"].iloc[0])
    axes.axhline(none, color=COLOURS["none"], ls="--", lw=1.2, label="no penalty, test")
    axes.set(title=f"Error along the strength of {' and '.join(kinds)}", xlabel=label, ylabel="error (%)")
    axes.set(xscale="log", yscale="log")
    ticks = [tick for tick in (1, 2, 5, 10, 20, 50, 90) if none / 2 < tick]
    axes.set_yticks(ticks, [str(tick) for tick in ticks])
    if kinds == ("max-norm",):
        axes.set_xticks(STRENGTHS["max-norm"], [f"{norm:g}" for norm in STRENGTHS["max-norm"]])
    axes.minorticks_off()
    axes.legend(fontsize=9, frameon=False)


def _histogram(axes: Axes, weights: dict[str, NDArray[np.float32]]) -> None:
    reach = float(np.quantile(np.abs(weights["none"]), 0.999))
    bins = np.linspace(-reach, reach, 62)
    for name, ones in weights.items():
        share = 100 * np.histogram(ones, bins)[0] / len(ones)
        axes.stairs(share, bins, label=name, color=COLOURS[name.split()[0]], lw=1.4)
    axes.set(title="First-layer weights", xlabel="weight", ylabel="share per bin (%)", yscale="log")
    axes.legend(fontsize=9, frameon=False)


def _curves(axes: Axes, arm: ArmResult) -> None:
    kind = arm.name.split()[0]
    colour = COLOURS[kind] if kind != "none" else ORANGE
    for column, style in (("validation_loss", "-"), ("train_loss", "--")):
        curve = arm.curves[column]
        name = column.removesuffix("_loss").replace("train", "training", 1)
        label = f"{'no penalty' if kind == 'none' else arm.name}, {name}"
        axes.plot(curve.steps, curve.mean, style, color=colour, label=label)
        axes.fill_between(curve.steps, curve.low, curve.high, color=colour, alpha=0.2, lw=0)
