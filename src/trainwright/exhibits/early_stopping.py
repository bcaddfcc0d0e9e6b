"""Early stopping: the validation loss falls, turns and rises, and the weights of its lowest point are kept.

Every n steps the network is scored on validation data. While the loss falls, the weights are copied; j counts
the evaluations in a row that brought no improvement. When j reaches the patience p, training ends, and the
copy θ* of step i* is handed over. So the number of steps is a hyperparameter that one training chooses. The
validation examples that this takes can be given back: Algorithm 7.2 trains anew on all data for i* steps;
Algorithm 7.3 goes on from θ* with all data until the validation loss is as low as the training loss was at
θ*, which may never happen. Weights that stop early stay near where they began: the first weights act as a
prior.

Source: Goodfellow, Bengio & Courville 2016, section 7.8, Algorithms 7.1 to 7.3 and figure 7.3, a maxout
network on MNIST whose settings the book does not give; here one hidden layer of maxout units of two pieces.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trainwright.base.config import config
from trainwright.exhibit import (
    Claim,
    Exhibit,
    ExhibitResult,
    Measured,
    Measurements,
    change,
    images,
    intervals_cover,
    runs_of,
    samples,
    scores,
    series,
    tabulated,
)
from trainwright.exhibit.panels import BLACK, BLUE, GREEN, ORANGE, along, curves, framed, level, points
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.runs.run import Run
from trainwright.strategies import early_stopping
from trainwright.strategies.activation import Activation
from trainwright.strategies.initialization import Initialization
from trainwright.studies.defaults import Budget
from trainwright.studies.study import Study, run_all
from trainwright.training.building import Training, build, named_arrays

BOOK = "Goodfellow, Bengio & Courville 2016, "
NONE, ONCE, ANEW, ONWARD = WAYS = ("no stopping", "Algorithm 7.1", "Algorithm 7.2", "Algorithm 7.3")
SHORT = dict(zip(WAYS, ("none", "7.1", "7.2", "7.3"), strict=True))
STARTS = (0.03, 0.1, 0.3)  # standard deviations of the first weights
ALL_DATA = "Training anew on all data for i* steps makes use of the validation data too."
ONWARDS = "So does going on from θ* with all data."
Rows = pd.DataFrame


class Scale(NamedTuple):
    """How large everything is."""

    images: dict[str, Any]
    units: int
    rate: float
    batch: int
    steps: int
    every: int
    patience: int
    seeds: int
    note: str = ""


SCALES: dict[Budget, Scale] = {
    "quick": Scale(
        {"train": 600, "pool": 1200, "test": 2000, "halved": True},
        units=32, rate=0.5, batch=30, steps=1000, every=20, patience=10, seeds=30,
        note="Scaled down: so few examples that a network overfits within seconds; full is all of MNIST.",
    ),
    "full": Scale({}, units=240, rate=0.1, batch=100, steps=60_000, every=500, patience=20, seeds=10),
}  # fmt: skip


def studies(s: Scale) -> tuple[Study, Study]:
    """The recipe in each way; and without stopping and with it, from smaller and larger weights."""
    maxout, network = Activation("maxout", pieces=2), Mlp((s.units,))
    plain = Recipe(network, (maxout,), s.rate, s.batch, steps=s.steps, evaluate_every=s.every)
    once, anew, onward = (
        early_stopping.EarlyStopping.from_json({"patience": s.patience, "retrain": retrain})
        for retrain in ("no", "anew", "onward")
    )
    ways = {NONE: plain, ONCE: plain.adding(once), ANEW: plain.adding(anew), ONWARD: plain.adding(onward)}
    starts = {
        f"{way} {std}": ways[way].adding(Initialization("normal", std=std))
        for std in STARTS
        for way in (NONE, ONCE)
    }
    data = images("mnist", **s.images)
    return Study(data, ways, s.seeds), Study(data, starts, s.seeds)


class Seen(NamedTuple):
    """What the trainings gave."""

    rows: Rows
    """The scores of each way and seed: see `scores`."""
    runs: dict[str, list[Run]]
    """Without stopping and by Algorithm 7.1, seed by seed."""
    travel: Rows
    """By start, way and seed: how far the weights are from their first, and these from another seed's."""
    length: int
    """Steps without stopping."""
    patience: int

    @property
    def traces(self) -> list[pd.DataFrame]:
        """Algorithm 7.1 by hand on each curve without stopping."""
        return [transcribe(run, self.patience) for run in self.runs[NONE]]


def see(s: Scale, store: Path) -> Seen:
    """Train what the store has not, and measure."""
    ways, starts = studies(s)
    arms, _ = run_all([ways, starts], store)
    runs = {way: runs_of(ways, way, store) for way in (NONE, ONCE)}
    return Seen(scores(arms), runs, travelled(starts, store), s.steps, s.patience)


def transcribe(run: Run, patience: int) -> pd.DataFrame:
    """Algorithm 7.1 by hand, on the curve of a run that knows nothing of it; a row per evaluation."""
    rows: list[tuple[int, float, float, int, int]] = []
    j, v, best = 0, math.inf, 0
    for i, loss in zip(run.history["step"], run.history["validation_loss"], strict=True):
        j, v, best = (0, float(loss), int(i)) if loss < v else (j + 1, v, best)
        rows.append((int(i), float(loss), v, j, best))
        if j == patience:
            break
    return pd.DataFrame(rows, columns=["i", "v'", "v", "j", "i*"])


def travelled(study: Study, store: Path) -> Rows:
    """Distances from the first weights to the last, and to another seed's first, over all weights."""
    rows = []
    for arm, recipe in study.arms.items():
        runs, (way, start) = runs_of(study, arm, store), arm.rsplit(" ", 1)
        firsts = [first_weights(recipe, study, run.seed) for run in runs]
        for run, first, other in zip(runs, firsts, firsts[1:] + firsts[:1], strict=True):
            last = np.concatenate([run.weights[name].ravel() for name in sorted(run.weights)])
            distances = np.linalg.norm(last - first), np.linalg.norm(last - other)
            rows.append((float(start), way, run.seed, *map(float, distances)))
    return pd.DataFrame(rows, columns=["start", "arm", "seed", "travel", "to another's"])


def first_weights(recipe: Recipe, study: Study, seed: int) -> np.ndarray[Any, Any]:
    """All weights that a training begins with, in one row."""
    arrays = named_arrays(build(Training(recipe, study.dataset(seed), seed))[1])
    return np.concatenate([np.ravel(arrays[name]) for name in sorted(arrays)])


@config
class EarlyStopping(Exhibit):
    """Algorithm 7.1's trace on a real curve, 7.2 and 7.3 beside it, and how far the weights travel."""

    title = "Early stopping keeps the weights at which the validation loss was lowest"

    def make(self, budget: Budget, store: Path) -> ExhibitResult:
        s = SCALES[budget]
        seen = see(s, store)
        reached = seen.rows.groupby("arm", sort=False)[
            ["test loss", "test error", "steps", "best step"]
        ].mean()
        return self.result(
            draw(seen),
            {
                "Algorithm 7.1, step by step (seed 0)": seen.traces[0],
                "Test loss (nats), test error (%) and updates, means over seeds": reached.reset_index(),
                "Distance from the first weights": tabulated("their deviation", by_start(seen.travel)),
            },
            (
                returns_the_best(seen),
                stopping_helps(seen.rows),
                lower(seen.rows, "test loss", ANEW, ONCE, ALL_DATA, "Algorithm 7.2"),
                lower(seen.rows, "test loss", ONWARD, ONCE, ONWARDS, "Algorithm 7.3"),
                going_on_is_cheaper(seen),
                prior(seen.travel),
            ),
            (
                f"n = {s.every} steps of batch {s.batch} between evaluations, patience p = {s.patience}, "
                f"{s.steps:,} steps at most, learning rate {s.rate}, {s.units} units, {s.seeds} seeds. The "
                "recipe's length ends an Algorithm 7.3 that would not.",
                s.note,
                intervals_cover(redrawn=True),
            ),
        )  # fmt: skip


# The book's statements beside the numbers.


def returns_the_best(seen: Seen) -> Claim:
    """Both steps are those of the transcription, and the weights' score the lowest loss but for rounding."""
    ends = [(int(trace["i*"].iloc[-1]), int(trace["i"].iloc[-1])) for trace in seen.traces]
    stopped = seen.runs[ONCE]
    agree = sum((run.best_step, run.steps) == end for run, end in zip(stopped, ends, strict=True))
    lowest = np.array([run.history["validation_loss"].min() for run in stopped])
    returned = seen.rows.loc[seen.rows["arm"] == ONCE, "validation loss"].to_numpy()
    off = float(np.abs(returned / lowest - 1).max())
    return Claim(
        "Training ends p evaluations after the best, and returns the parameters and the step with the lowest"
        " validation loss, rather than the latest.",
        BOOK + "Algorithm 7.1",
        f"In {agree} of {len(ends)} seeds i* and the last step are those of a transcription by hand on the"
        f" curve without stopping; the weights handed over score within {off:.0e} of the lowest loss.",
        agree == len(ends) and off < 1e-5,
    )


def lower(rows: Rows, what: str, way: str, other: str, says: str, source: str, more: str = "") -> Claim:
    """The interval of the paired differences lies below zero."""
    less = change(rows, what, way, other, "nats" if "loss" in what else "updates")
    before, after = (rows.loc[rows["arm"] == arm, what].mean() for arm in (other, way))
    seen = f"{what} {after:,.4g} in {way}, {before:,.4g} in {other}: {less}.{more}"
    return Claim(says, BOOK + source, seen, less.negative)


def stopping_helps(rows: Rows) -> Claim:
    """Judged by the test loss; the error is told beside it."""
    errors = change(rows, "test error", ONCE, NONE, "points")
    return lower(
        rows, "test loss", ONCE, NONE,
        "The validation loss begins to rise; stopping at its lowest point gives a better test loss.",
        "section 7.8 and figure 7.3", f" The test error changes by {errors}.",
    )  # fmt: skip


def going_on_is_cheaper(seen: Seen) -> Claim:
    """By updates; beside it in how many seeds the recipe's length had to end Algorithm 7.3."""
    steps = seen.rows.pivot(index="seed", columns="arm", values="steps")
    best = seen.rows[seen.rows["arm"] == ONWARD].set_index("seed")["best step"]
    ended = int((best + steps[ONWARD] - steps[ONCE] >= seen.length).sum())
    return lower(
        seen.rows, "steps", ONWARD, ANEW, "Going on avoids the cost of training anew.", "section 7.8",
        f" The book warns that it may never end: the recipe's length had to end it in {ended} of "
        f"{len(steps)} seeds.",
    )  # fmt: skip


def prior(travel: Rows) -> Claim:
    """From every start: less far than without stopping, and nearer to their own first weights in each run."""
    ratios = Measurements()
    for start, group in travel.groupby("start"):
        by_way = group.pivot(index="seed", columns="arm", values="travel")
        ratios[start] = Measured.ratio(by_way[ONCE], by_way[NONE])
    kept = travel[travel["arm"] == ONCE]
    own = int((kept["travel"] < kept["to another's"]).sum())
    return Claim(
        "With early stopping the first weights act as a prior: the weights stay near where they begin.",
        f"the lecture; {BOOK}section 7.8 (a neighbourhood of the first weights)",
        "the weights kept are at so many times the distance that they come to without stopping, by the "
        f"standard deviation of the first: {ratios}; in {own} of {len(kept)} runs they are nearer to their "
        "own first weights than to those of another seed.",
        all(ratio.high < 1 for ratio in ratios.values()) and own == len(kept),
    )


def draw(seen: Seen) -> Figure:
    """One training with its trace; the four ways; how far the weights travel."""
    figure = Figure(figsize=(7.6, 8.4))
    axes = figure.subplots(3, 2, gridspec_kw={"height_ratios": (3, 2, 3)})
    draw_trace(axes[0, 0], axes[1, 0], seen.runs[NONE][0], seen.traces[0], seen.patience)
    ways = seen.rows.replace({"arm": SHORT})
    for place, what, ylabel in (
        (axes[0, 1], "test loss", "test loss (nats)"),
        (axes[1, 1], "steps", "updates made"),
        (axes[2, 1], "test error", "test error (%)"),
    ):
        points(
            place,
            {what: samples(ways, what, "arm")},
            ylabel=ylabel,
            xlabel="stopping by Algorithm (○ a seed, – mean)",
        )
    along(
        axes[2, 0], by_start(seen.travel), title="Distance from the first weights",
        xlabel="their standard deviation", ylabel="distance", log="x",
    )  # fmt: skip
    return figure


def by_start(travel: Rows) -> dict[str, Measurements]:
    """How far the weights travel in each way, by the standard deviation of the first."""
    return series(travel, "travel", "start")


def draw_trace(top: Axes, bottom: Axes, run: Run, trace: pd.DataFrame, patience: int) -> None:
    """The losses with v and θ*, and j below; what comes after the end is dotted."""
    end, best = int(trace["i"].iloc[-1]), int(trace["i*"].iloc[-1])
    losses = pd.DataFrame(
        {name: run.history[f"{name}_loss"] for name in ("train", "validation")}, index=run.history["step"]
    )
    colours = {"train": {"color": GREEN}, "validation": {"color": BLUE}}
    after = {name: look | {"ls": ":"} for name, look in colours.items()}
    curves(top, losses[losses.index >= end].add_prefix("_"), looks={f"_{k}": v for k, v in after.items()})
    curves(top, losses[losses.index <= end], looks=colours)
    curves(
        top,
        {"v, the lowest so far": trace.set_index("i")["v"]},
        looks={"v, the lowest so far": {"color": BLACK, "ls": "--", "lw": 1}},
    )
    top.plot(best, trace["v"].iloc[-1], "*", ms=13, color=ORANGE, label=f"θ*, at i* = {best:,}")
    framed(top, title="One training (seed 0)", ylabel="loss (nats)", log="y")
    bottom.step(trace["i"], trace["j"], where="post", color=BLUE)
    level(bottom, patience)
    framed(
        bottom,
        xlabel="step i",
        ylabel=f"j, the end\nat p = {patience}",
        xlim=top.get_xlim(),
        ylim=(0, 1.15 * patience),
    )
    for axes in (top, bottom):
        axes.axvspan(best, end, color=BLACK, alpha=0.08, lw=0)
