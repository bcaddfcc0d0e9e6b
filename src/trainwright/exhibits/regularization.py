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
chosen on the validation examples, by error and by loss; the test examples judge only these choices. Every
seed draws training examples of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trainwright.base.config import config
from trainwright.comparison.compare import ArmRuns, Comparison, compare
from trainwright.exhibit import (
    Claim,
    Exhibit,
    ExhibitResult,
    Measured,
    Measurements,
    cautions,
    enumerated,
    images,
    runs_of,
)
from trainwright.exhibit.panels import BLUE, GREEN, GREY, ORANGE, VERMILLION, along, learning_curve, shares
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.runs.score import score
from trainwright.strategies.l1 import L1
from trainwright.strategies.l2 import L2
from trainwright.strategies.max_norm import MaxNorm
from trainwright.studies.defaults import Budget
from trainwright.studies.study import Study

BOOK = "Goodfellow et al. 2016, "
PENALTIES = {"L1": L1, "L2": L2, "max-norm": MaxNorm}
STRENGTHS = {  # from weak to strong
    "L1": (1e-6, 1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2),
    "L2": (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
    "max-norm": (3.0, 2.0, 1.5, 1.0, 0.5, 0.25),
}
TOO_STRONG = {"L1": 10.0, "L2": 10.0, "max-norm": 0.5}  # times the best strength
LOOKS = {"L1": (VERMILLION, "s"), "L2": (BLUE, "o"), "max-norm": (GREEN, "D")}
Weights = dict[str, NDArray[np.float32]]


class Scale(NamedTuple):
    """How large everything is."""

    data: str
    examples: int
    hidden: tuple[int, ...]
    batch: int
    steps: int
    seeds: int


SCALES: dict[Budget, Scale] = {
    "quick": Scale("digits", 100, (64,), batch=25, steps=1500, seeds=16),
    "full": Scale("mnist", 1000, (256, 256), batch=50, steps=8000, seeds=10),
}


def names(penalty: str, strengths: Iterable[float]) -> list[str]:
    """The arms of a penalty."""
    return [f"{penalty} {strength:g}" for strength in strengths]


def study(s: Scale) -> Study:
    """Every strength of every penalty, beside none: few examples, many weights."""
    plain = Recipe(Mlp(s.hidden), learning_rate=0.1, batch_size=s.batch, steps=s.steps)
    arms = {"none": plain.replace(evaluate_every=s.steps // 12)}
    for penalty, strengths in STRENGTHS.items():
        recipes = (arms["none"].adding(PENALTIES[penalty](strength)) for strength in strengths)
        arms |= dict(zip(names(penalty, strengths), recipes, strict=True))
    return Study(images(s.data, train=s.examples), arms, s.seeds)


@config
class Regularization(Exhibit):
    """Test error along the strength of L1, L2 and max-norm, and what each does to the weights."""

    title = "Penalties on the weights tame a network that overfits"

    def make(self, budget: Budget, store: Path) -> ExhibitResult:
        s = SCALES[budget]
        trained = study(s)
        runs = trained.run(store)
        scores = scored(runs)
        chosen = [best(scores, penalty, "validation error") for penalty in PENALTIES]
        comparison = compare([arm for arm in runs if arm.name in ("none", *chosen)], reference="none")
        everything = compare(runs, reference="none")
        weights = first_layers(trained, scores, store)
        zeros = count_zeros(trained, weights, store)
        return self.result(
            draw(scores, weights, everything),
            {
                "Errors (fractions) and losses (nats) at each strength": means(scores),
                "Share of first-layer weights with |w| ≤ ε λ": zeros,
            },
            (
                *(lowers(comparison, arm) for arm in chosen),
                tames(scores),
                underfits(scores),
                trades(scores),
                sparse(zeros, weights),
            ),
            (
                f"{s.data}, {s.examples} training examples, {s.steps:,} steps of batch {s.batch} at learning "
                f"rate 0.1, hidden layers of {s.hidden}, {s.seeds} seeds.",
                "Scaled down: 8×8 digits and one hidden layer; full is MNIST and two layers of 256."
                if budget == "quick"
                else "",
                *cautions(comparison, redrawn=True),
            ),
        )


def scored(runs: list[ArmRuns]) -> pd.DataFrame:
    """A row for each run: arm, penalty, strength, seed, errors (fractions) and losses (nats, no penalty)."""
    rows = []
    for arm in runs:
        penalty, _, strength = arm.name.partition(" ")
        for run in next(iter(arm.runs.values())):
            row = {
                "arm": arm.name,
                "penalty": penalty,
                "strength": float(strength or "nan"),
                "seed": run.seed,
            }
            validation, test = score(run, "validation"), score(run, "test")
            row |= {"validation error": validation.error, "test error": test.error}
            row |= {"training loss": run.history["train_loss"][-1]}
            rows.append(row | {"validation loss": validation.loss, "test loss": test.loss})
    return pd.DataFrame(rows)


def means(scores: pd.DataFrame) -> pd.DataFrame:
    """The scores averaged over the seeds, by arm."""
    kept = ["arm", "penalty", "strength"]
    averaged = scores.groupby(kept, sort=False, dropna=False).mean().drop(columns="seed")
    return averaged.reset_index(kept[1:])


def best(scores: pd.DataFrame, penalty: str, column: str) -> str:
    """The arm of a penalty with the lowest mean."""
    return str(scores[scores.penalty == penalty].groupby("arm")[column].mean().idxmin())


def tamed(scores: pd.DataFrame) -> list[str]:
    """For each penalty the arm with the lowest validation loss."""
    return [best(scores, penalty, "validation loss") for penalty in PENALTIES]


def change(scores: pd.DataFrame, column: str, arm: str, other: str = "none") -> Measured:
    """An arm's loss minus another's, seed by seed."""
    by_seed = scores.pivot(index="seed", columns="arm", values=column)
    return Measured.of(by_seed[arm] - by_seed[other], "nats")


def first_layers(trained: Study, scores: pd.DataFrame, store: Path) -> Weights:
    """First-layer weights of none and of each penalty at its `strongest`."""
    arms = ["none", *(strongest(scores, penalty) for penalty in PENALTIES)]
    return {arm: first_weights(trained, arm, store) for arm in arms}


def count_zeros(trained: Study, weights: Weights, store: Path) -> pd.DataFrame:
    """For each λ of L1 the share of first-layer weights within ε λ: under L1, and under none and L2."""
    rate, (_, _, l2, _), rows = trained.arms["none"].learning_rate, weights, []
    for strength in STRENGTHS["L1"]:
        l1 = first_weights(trained, f"L1 {strength:g}", store)
        compared = {"L1": l1, "none": weights["none"], l2: weights[l2]}
        small = {arm: float(np.mean(np.abs(w) <= rate * strength)) for arm, w in compared.items()}
        rows.append({"λ of L1": strength, "ε λ": rate * strength, **small})
    return pd.DataFrame(rows)


def strongest(scores: pd.DataFrame, penalty: str) -> str:
    """A penalty's strongest arm that costs at most a tenth of the validation error; the weakest if all do."""
    errors, arms = means(scores)["validation error"], names(penalty, STRENGTHS[penalty])
    return [arms[0], *(arm for arm in arms if errors[arm] <= 1.1 * errors["none"])][-1]


def first_weights(trained: Study, arm: str, store: Path) -> NDArray[np.float32]:
    """The first layer's weights from pixels that are not blank throughout, over all seeds."""
    kernels = []
    for run in runs_of(trained, arm, store):
        data = trained.dataset(run.seed)
        inked = data.inputs[data.splits.train].any(axis=0).ravel()
        kernels.append(run.weights["hidden1/kernel"][inked].ravel())
    return np.concatenate(kernels)


# The book's statements beside the numbers.


def lowers(comparison: Comparison, arm: str) -> Claim:
    """The penalty at the strength with the lowest validation error, by the comparison's verdict."""
    difference = comparison.arm(arm).difference
    verdict = difference.verdict if difference else "cannot tell"
    return Claim(
        f"{arm.split()[0]} lowers the test error of a network that overfits.",
        BOOK + "sections 7.1 and 7.2",
        f"{arm}, the best in validation error, takes {comparison.gain(arm)} off a test error of "
        f"{comparison.error_of('none').mean:.2f} %; verdict, with Holm's correction: {verdict}.",
        verdict == "helps",
    )


def tames(scores: pd.DataFrame) -> Claim:
    """Each penalty at the strength with the lowest validation loss, judged by the test loss."""
    changes = Measurements({arm: change(scores, "test loss", arm) for arm in tamed(scores)})
    return Claim(
        "A penalty tames a network that overfits: its loss on new examples falls.",
        BOOK + "chapter 7, introduction",
        f"test loss without penalty {means(scores)['test loss']['none']:.3f} nats; at the strength "
        f"that is best in validation loss it changes by {changes}.",
        changes.all_negative,
    )


def underfits(scores: pd.DataFrame) -> Claim:
    """Not at the grid's end, where the statement would be trivial, but at `TOO_STRONG` times the best."""
    fit, new = Measurements(), Measurements()
    for at_best in tamed(scores):
        penalty, strength = at_best.split()
        wanted = TOO_STRONG[penalty] * float(strength)
        nearest = min(STRENGTHS[penalty], key=lambda x: abs(np.log(x / wanted)))
        arm = f"{penalty} {nearest:g}"
        fit[arm], new[arm] = (change(scores, f"{on} loss", arm, at_best) for on in ("training", "test"))
    return Claim(
        "Too strong a penalty makes the network underfit.",
        BOOK + "sections 5.2.2 and 7.1",
        "at ten times the strength that is best in validation loss (half the bound for max-norm), the "
        f"training loss changes by {fit}, the test loss by {new}.",
        fit.all_positive and new.all_positive,
    )


def trades(scores: pd.DataFrame) -> Claim:
    """Along the strength the training loss never falls; at the best the gap to the test loss closes.

    A bound that is never met changes nothing, so neighbouring strengths may have the same loss.
    """
    gaps = scores.assign(gap=scores["test loss"] - scores["training loss"])
    changes = Measurements({arm: change(gaps, "gap", arm) for arm in tamed(scores)})
    fit = means(gaps)
    falls = [p for p, x in STRENGTHS.items() if np.any(np.diff(fit["training loss"][names(p, x)]) < 0)]
    return Claim(
        "A penalty trades fit to the training examples for a smaller gap between training and new examples.",
        BOOK + "chapter 7, introduction",
        f"along the strength the training loss falls for {enumerated(falls)} of the penalties; test minus "
        f"training loss without penalty {fit.gap['none']:.3f} nats; at the strength that is best in "
        f"validation loss it changes by {changes}.",
        not falls and changes.all_negative,
    )


def sparse(zeros: pd.DataFrame, weights: Weights) -> Claim:
    """Without penalty the weights are spread over about 1, so a bound of ε λ catches hardly any by chance."""
    _, l1_arm, l2_arm, _ = weights
    row = zeros[[f"L1 {strength:g}" == l1_arm for strength in zeros["λ of L1"]]].iloc[0]
    l1, none, l2 = row[["L1", "none", l2_arm]]
    size = {arm: float(np.sqrt(np.mean(np.square(w)))) for arm, w in weights.items()}
    falls = int((np.diff(zeros["L1"]) < 0).sum())
    return Claim(
        "L1 makes weights zero; L2 makes them small.",
        BOOK + "section 7.1.2",
        f"at the largest strengths that cost at most a tenth of the validation error, {l1_arm} holds "
        f"{100 * l1:.0f} % of the first layer's weights at zero (|w| ≤ ε λ = {row['ε λ']:.2g}); without "
        f"penalty {100 * none:.2f} %, with {l2_arm} {100 * l2:.2f} % of them are so small. Sparse is "
        "taken to be more than a tenth, and more than five times as many as in both others. With λ the share "
        f"fell at {falls} of {len(zeros) - 1} steps. Root mean square weight: {size['none']:.3f} without "
        f"penalty, {size[l2_arm]:.3f} with {l2_arm}.",
        bool(l1 > 0.1 and l1 > 5 * max(none, l2) and not falls and size[l2_arm] < size["none"]),
    )


def draw(scores: pd.DataFrame, weights: Weights, everything: Comparison) -> Figure:
    """Error along strength (two panels), the weights' histograms, and the curves of the best in loss."""
    figure = Figure(figsize=(7.6, 7.4), layout="constrained")
    (penalties, norms), (histogram, curves) = figure.subplots(2, 2)
    draw_strengths(penalties, scores, "L1", "L2")
    penalties.set(xlabel="strength λ")
    draw_strengths(norms, scores, "max-norm")
    norms.set(xlabel="largest norm c (weak to the right)")
    norms.set_xticks(STRENGTHS["max-norm"], [f"{norm:g}" for norm in STRENGTHS["max-norm"]])
    norms.minorticks_off()

    reach = float(np.quantile(np.abs(weights["none"]), 0.999))
    shares(
        histogram, weights, np.linspace(-reach, reach, 62), [GREY, *(colour for colour, _ in LOOKS.values())]
    )
    histogram.set(title="First-layer weights", xlabel="weight")

    losses = means(scores)["validation loss"]
    lowest = min(tamed(scores), key=lambda arm: float(losses[arm]))
    for arm, colour in (("none", ORANGE), (lowest, LOOKS[lowest.split()[0]][0])):
        for split, dashes in (("validation", "-"), ("train", "--")):
            label = f"{arm.replace('none', 'no penalty')}, {split.replace('train', 'training')}"
            learning_curve(curves, everything.arm(arm), f"{split}_loss", color=colour, ls=dashes, label=label)
    curves.set(title="Learning curves", xlabel="step", ylabel="loss (nats)", yscale="log")
    curves.set_ylim(bottom=curves.get_ylim()[0] / 8)  # room for the legend
    for axes in (penalties, norms, histogram, curves):
        axes.legend()
    return figure


def draw_strengths(axes: Axes, scores: pd.DataFrame, *penalties: str) -> None:
    """Test and validation errors along the strength, with intervals over the seeds for the test errors."""
    for penalty in penalties:
        colour, marker = LOOKS[penalty]
        at = scores[scores.penalty == penalty].groupby("strength")
        test = {strength: Measured.of(100 * rows["test error"], "%") for strength, rows in at}
        along(axes, test, color=colour, marker=marker, label=f"{penalty}, test")
        validation = 100 * at["validation error"].mean()
        axes.plot(
            validation.index,
            validation,
            ":",
            color=colour,
            marker=marker,
            ms=4,
            lw=1,
            label=f"{penalty}, validation",
        )
    none = 100 * float(means(scores)["test error"]["none"])
    axes.axhline(none, color=GREY, ls="--", lw=1.2, label="no penalty, test")
    ticks = [tick for tick in (1, 2, 5, 10, 20, 50, 90) if none / 2 < tick]
    axes.set(title=f"Error along the strength of {' and '.join(penalties)}", ylabel="error (%)")
    axes.set(xscale="log", yscale="log")
    axes.set_yticks(ticks, [str(tick) for tick in ticks])
    axes.tick_params(axis="y", which="minor", left=False)
