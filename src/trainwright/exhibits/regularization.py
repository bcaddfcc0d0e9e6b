"""Regularization: a price on the weights keeps a network from learning its examples by heart.

The book adds a penalty to the loss, λ‖w‖₁ or λ/2 ‖w‖₂², or forbids weights outside a ball, ‖w‖ ≤ c for each
unit (max-norm). A network with far more weights than examples is trained at each strength of each. Without
any it fits its examples exactly, and some of that fit is chance; too strong a penalty leaves too little of
what is true. L2's pull is proportional to the weight, so none becomes zero. L1 pulls equally hard at all, so
a weight that earns less than λ goes all the way. What is fitted is the loss, and there a network without
penalty pays most: the surer it is of its examples, the dearer its errors on new ones. Errors are merely
counted; and stopping after a fixed number of steps already regularises, so gains in error are small.

Source: Goodfellow, Bengio & Courville 2016, sections 7.1.1, 7.1.2 and 7.2; Srivastava et al. 2014, section
5.1 (max-norm). The strengths are a grid of our own.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainwright import exhibit as ex

BOOK = "Goodfellow et al. 2016, "
INTRODUCTION = BOOK + "chapter 7, introduction"
AT_BEST = "at the strength that is best in validation loss"
STRENGTHS = {  # from weak to strong
    "L1": (1e-6, 1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2),
    "L2": (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
    "max-norm": (3.0, 2.0, 1.5, 1.0, 0.5, 0.25),
}
ARMS = {penalty: [f"{penalty} {strength:g}" for strength in of] for penalty, of in STRENGTHS.items()}
TOO_STRONG = {"L1": 10.0, "L2": 10.0, "max-norm": 0.5}  # times the best strength
COLOURS = {"none": ex.GREY, "L1": ex.VERMILLION, "L2": ex.BLUE, "max-norm": ex.GREEN}
RATE = 0.1
Weights = dict[str, NDArray[np.float32]]
SCALES = ex.scales(
    data=("digits", "mnist"),
    examples=(100, 1000),
    hidden=((64,), (256, 256)),
    batch=(25, 50),
    steps=(1500, 8000),
    seeds=(16, 10),
    note=("Scaled down: 8×8 digits and one hidden layer; full is MNIST and two layers of 256.", ""),
)


def study(s: ex.Scale) -> ex.Study:
    """Every strength of every penalty, beside none: few examples, many weights."""
    none = ex.network(*s.hidden, learning_rate=RATE, batch_size=s.batch, steps=s.steps)
    arms = {"none": none.replace(evaluate_every=s.steps // 12)}
    for penalty, strengths in STRENGTHS.items():
        strategy = penalty.lower().replace("-", "_")
        arms |= {f"{penalty} {by:g}": ex.adding(arms["none"], f"{strategy}({by})") for by in strengths}
    return ex.Study(ex.images(s.data, train=s.examples), arms, s.seeds)


@ex.config
class Regularization(ex.Exhibit):
    """Test error along the strength of L1, L2 and max-norm, and what each does to the weights."""

    title = "Penalties on the weights tame a network that overfits"

    def make(self, budget: ex.Budget, store: Path) -> ex.ExhibitResult:
        s = SCALES[budget]
        trained = study(s)
        runs = trained.run(store)
        rows, everything = ex.scores(runs), ex.compare(runs, reference="none")
        chosen = best(rows, "validation error")
        comparison = ex.compare([arm for arm in runs if arm.name in ("none", *chosen)], reference="none")
        shown = ["none", *(strongest(rows, penalty) for penalty in STRENGTHS)]
        weights = {arm: first_weights(trained, arm, store) for arm in shown}
        zeros = count_zeros(trained, weights, store)
        return self.result(
            draw(rows, weights, everything),
            {
                "Errors (%) and losses (nats, without penalty) at each strength": ex.means(rows),
                "Share of first-layer weights with |w| ≤ ε λ": zeros,
            },
            (
                *(lowers(comparison, arm) for arm in chosen),
                *(tames(rows), underfits(rows), trades(rows), sparse(zeros, weights)),
            ),
            (
                f"{s.data}, hidden layers of {s.hidden}; {ex.described(trained)}",
                s.note,
                "Strengths are chosen on validation examples, by error and by loss; test examples judge "
                "these choices.",
                "L1's step is ε λ long and cannot come closer to zero: a weight counts as zero where |w| ≤ "
                "ε λ, in every network alike. Weights of pixels that are blank in all training images are "
                "left out.",
                *ex.cautions(comparison, redrawn=True),
            ),
        )


def best(rows: pd.DataFrame, column: str = "validation loss") -> list[str]:
    """For each penalty the arm with the lowest mean."""
    return [str(ex.means(rows).loc[arms, column].idxmin()) for arms in ARMS.values()]


def strongest(rows: pd.DataFrame, penalty: str) -> str:
    """A penalty's strongest arm that costs at most a tenth of the validation error; the weakest if all do."""
    errors, arms = ex.means(rows)["validation error"], ARMS[penalty]
    return [arms[0], *(arm for arm in arms if errors[arm] <= 1.1 * errors["none"])][-1]


def first_weights(trained: ex.Study, arm: str, store: Path) -> NDArray[np.float32]:
    """The first layer's weights from pixels that are not blank throughout, over all seeds."""

    def inked(run: ex.Run, data: ex.Dataset) -> NDArray[np.float32]:
        return run.weights["hidden1/kernel"][data.inputs[data.splits.train].any(axis=0).ravel()].ravel()

    return np.concatenate(ex.look_into(trained, arm, store, inked))


def count_zeros(trained: ex.Study, weights: Weights, store: Path) -> pd.DataFrame:
    """For each λ of L1 the share of first-layer weights within ε λ: under L1, and under none and L2."""
    _, _, l2, _ = weights

    def small(strength: float) -> dict[str, float]:
        l1 = first_weights(trained, f"L1 {strength:g}", store)
        bound, compared = RATE * strength, {"L1": l1, "none": weights["none"], l2: weights[l2]}
        return {"ε λ": bound} | {name: np.mean(np.abs(w) <= bound) for name, w in compared.items()}

    return ex.grid(small, **{"λ of L1": STRENGTHS["L1"]})


def lowers(comparison: ex.Comparison, arm: str) -> ex.Claim:
    """By the comparison's verdict, at the strength that is best in validation error."""
    says = f"{arm.split()[0]} lowers the test error of a network that overfits."
    return ex.Claim.judged(says, BOOK + "sections 7.1 and 7.2", comparison, arm)


def changes_at_best(rows: pd.DataFrame, column: str) -> ex.Measurements:
    """What each penalty changes in a column, at the strength with the lowest validation loss."""
    return ex.Measurements({arm: ex.change(rows, column, arm, "none") for arm in best(rows)})


@ex.claim("A penalty tames a network that overfits: its loss on new examples falls.", INTRODUCTION)
def tames(rows: pd.DataFrame) -> ex.Judged:
    """Each penalty, judged by the test loss."""
    changes, loss = changes_at_best(rows, "test loss"), ex.means(rows)["test loss"]["none"]
    seen = f"test loss without penalty {loss:.3f} nats; {AT_BEST} it changes by {changes}."
    return seen, changes.all_negative


@ex.claim("Too strong a penalty makes the network underfit.", BOOK + "sections 5.2.2 and 7.1")
def underfits(rows: pd.DataFrame) -> ex.Judged:
    """Not at the grid's end, where the statement would be trivial, but at `TOO_STRONG` times the best."""
    fit, new = ex.Measurements(), ex.Measurements()
    for at_best in best(rows):
        penalty, strength = at_best.split()
        ratios = np.array(STRENGTHS[penalty]) / (TOO_STRONG[penalty] * float(strength))
        arm = ARMS[penalty][np.abs(np.log(ratios)).argmin()]
        fit[arm], new[arm] = (ex.change(rows, f"{on} loss", arm, at_best) for on in ("training", "test"))
    seen = (
        "at the strength nearest to ten times the one that is best in validation loss (half the bound for "
        f"max-norm), the training loss changes by {fit}, the test loss by {new}."
    )
    return seen, ex.every(fit.all_positive, new.all_positive)


@ex.claim(
    "A penalty trades fit to the training examples for a smaller gap between training and new examples.",
    INTRODUCTION,
)
def trades(rows: pd.DataFrame) -> ex.Judged:
    """At the best strength the training loss has risen, and its gap to the test loss has closed."""
    gaps = rows.assign(**{"gap loss": rows["test loss"] - rows["training loss"]})
    fit, gap = (changes_at_best(gaps, f"{what} loss") for what in ("training", "gap"))
    seen = (
        f"{AT_BEST} the training loss changes by {fit}; test minus training loss is "
        f"{ex.means(gaps)['gap loss']['none']:.3f} nats without penalty and changes by {gap}."
    )
    return seen, ex.every(fit.all_positive, gap.all_negative)


@ex.claim("L1 makes weights zero; L2 makes them small.", BOOK + "section 7.1.2")
def sparse(zeros: pd.DataFrame, weights: Weights) -> ex.Judged:
    """A bound of ε λ is far below the weights' size without penalty, so it catches hardly any by chance."""
    _, l1_arm, l2_arm, _ = weights
    bound, l1, none, l2 = zeros.iloc[ARMS["L1"].index(l1_arm)][["ε λ", "L1", "none", l2_arm]]
    before, after = (np.sqrt(np.mean(np.square(weights[arm]))) for arm in ("none", l2_arm))
    falls = (np.diff(zeros["L1"]) < 0).sum()
    seen = (
        f"at the largest strengths that cost at most a tenth of the validation error, {l1_arm} holds "
        f"{l1:.0%} of the first layer's weights at zero (|w| ≤ ε λ = {bound:.2g}); without penalty "
        f"{none:.2%}, with {l2_arm} {l2:.2%} of them are so small. Sparse is taken to be more than a tenth, "
        f"and more than five times as many as in both others. With λ the share fell at {falls} of "
        f"{len(zeros) - 1} steps. Root mean square weight: {before:.3f} without penalty, {after:.3f} with "
        f"{l2_arm}."
    )
    return seen, l1 > 0.1 and l1 > 5 * max(none, l2) and not falls and after < before


def draw(rows: pd.DataFrame, weights: Weights, everything: ex.Comparison) -> ex.Figure:
    """Error along strength (two panels), the weights' histograms, and the curves of the best in loss."""
    figure, panels = ex.sheet(7.4, "penalties norms", "histogram losses")
    draw_strengths(panels["penalties"], rows, "L1", "L2", xlabel="strength λ")
    draw_strengths(panels["norms"], rows, "max-norm", xlabel="largest norm c (weak to the right)")
    reach = np.quantile(np.abs(weights["none"]), 0.999)
    colours, bins = {arm: look_of(arm) for arm in weights}, np.linspace(-reach, reach, 62)
    ex.shares(panels["histogram"], weights, bins, "First-layer weights", "weight", looks=colours)
    lowest = min(best(rows), key=ex.means(rows)["validation loss"].__getitem__)
    for arm in ("none", lowest):
        looks = {f"{arm}, validation": look_of(arm), f"{arm}, train": look_of(arm, "--")}
        seen = {name: ex.curve(everything.arm(arm), f"{name.split()[-1]}_loss") for name in looks}
        ex.curves(panels["losses"], seen, "Learning curves", "step", "loss (nats)", looks=looks, log="y")
    return figure


def draw_strengths(axes: ex.Axes, rows: pd.DataFrame, *penalties: str, xlabel: str) -> None:
    """Test and validation errors along the strength, with intervals over the seeds for the test errors."""
    for penalty in penalties:
        kept = rows[rows["arm"].isin(ARMS[penalty])]
        strengths = kept["arm"].str.split().str[1].astype(float)
        test, validation = f"{penalty}, test", f"{penalty}, validation"
        errors = ex.Measurements.grouped(kept["test error"], strengths)
        ex.along(axes, {test: errors}, looks={test: look_of(penalty)})
        chosen = kept["validation error"].groupby(strengths).mean()
        ex.curves(axes, {validation: chosen}, looks={validation: look_of(penalty, ":")})
    ex.level(axes, ex.means(rows)["test error"]["none"], "none, test")
    ex.framed(axes, f"Error along the strength of {ex.enumerated(penalties)}", xlabel, "error (%)", log="xy")


def look_of(arm: str, dashes: str = "-") -> dict[str, str]:
    """A line in the colour of the arm's penalty."""
    return {"color": COLOURS[arm.split()[0]], "ls": dashes}
