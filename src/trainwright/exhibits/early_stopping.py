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

from pathlib import Path

import numpy as np
import pandas as pd

from trainwright import exhibit as ex
from trainwright.diagnosis.travel import first_and_last
from trainwright.report.quantities import significant
from trainwright.studies.together import run_all

BOOK = "Goodfellow, Bengio & Courville 2016, "
RETRAIN = {"Algorithm 7.1": "no", "Algorithm 7.2": "anew", "Algorithm 7.3": "onward"}
NONE, ONCE, ANEW, ONWARD = "no stopping", *RETRAIN
STARTS = (0.03, 0.1, 0.3)  # standard deviations of the first weights
ALL_DATA = "Training anew on all data for i* steps makes use of the validation data too."
ONWARDS = "So does going on from θ* with all data."
Rows = pd.DataFrame
SCALES = ex.scales(
    images=({"train": 600, "pool": 1200, "test": 2000, "halved": True}, {}),
    units=(32, 240),
    rate=(0.5, 0.1),
    batch=(30, 100),
    steps=(1000, 40_000),
    every=(20, 500),
    patience=(10, 20),
    seeds=(30, 5),
    note=("Scaled down: so few examples that a network overfits within seconds; full is all of MNIST.", ""),
)


def studies(s: ex.Scale) -> tuple[ex.Study, ex.Study]:
    """The recipe in each way; and without stopping and with it, from smaller and larger weights."""
    plain = ex.network(s.units, strategies="activation('maxout', pieces=2)", learning_rate=s.rate)
    plain = plain.replace(batch_size=s.batch, steps=s.steps, evaluate_every=s.every)
    ways = {NONE: plain} | {
        way: ex.adding(plain, f"early_stopping(patience={s.patience}, retrain='{retrain}')")
        for way, retrain in RETRAIN.items()
    }
    starts = {
        f"{way} {std}": ex.adding(ways[way], f"initialization('normal', std={std})")
        for std in STARTS
        for way in (NONE, ONCE)
    }
    data = ex.images("mnist", **s.images)
    return ex.Study(data, ways, s.seeds), ex.Study(data, starts, s.seeds)


def transcribe(run: ex.Run, patience: int) -> Rows:
    """Algorithm 7.1 by hand, on the curve of a run that knows nothing of it; a row per evaluation."""
    rows, j, v, best = list[tuple[int, float, float, int, int]](), 0, np.inf, 0
    for i, loss in zip(run.history["step"].tolist(), run.history["validation_loss"].tolist(), strict=True):
        j, v, best = (0, loss, i) if loss < v else (j + 1, v, best)
        rows.append((i, loss, v, j, best))
        if j == patience:
            break
    return pd.DataFrame(rows, columns=["i", "v'", "v", "j", "i*"])


def travelled(study: ex.Study, store: Path) -> Rows:
    """Distances from the first weights to the last, and to another seed's first, over all weights."""

    def distances(std: float, way: str) -> Rows:
        first, last = np.swapaxes(ex.look_into(study, f"{way} {std}", store, first_and_last), 0, 1)
        own, other = (np.linalg.norm(last - start, axis=1) for start in (first, np.roll(first, -1, axis=0)))
        return pd.DataFrame({"seed": range(len(own)), "travel": own, "to another's": other})

    return ex.grid(distances, start=STARTS, arm=(NONE, ONCE))


@ex.config
class EarlyStopping(ex.Exhibit):
    """Algorithm 7.1's trace on a real curve, 7.2 and 7.3 beside it, and how far the weights travel."""

    title = "Early stopping keeps the weights at which the validation loss was lowest"

    def make(self, budget: ex.Budget, store: Path) -> ex.ExhibitResult:
        s = SCALES[budget]
        ways, starts = studies(s)
        rows = ex.scores(run_all([ways, starts], store)[0])
        full, travel = ex.runs_of(ways, NONE, store), travelled(starts, store)
        traces = [transcribe(run, s.patience) for run in full]
        kinds = ["test loss", "test error", "steps", "best step"]
        reached = rows.groupby("arm", sort=False)[kinds].mean()
        distances = ex.series(travel, "travel", "start")
        return self.result(
            draw(full[0], traces[0], rows, distances, s.patience),
            {
                "Algorithm 7.1, step by step (seed 0)": traces[0],
                "Test loss (nats), test error (%) and updates, means over seeds": reached,
                "Distance from the first weights": ex.tabulated("their deviation", distances),
            },
            (
                returns_the_best(traces, rows),
                stopping_helps(rows),
                lower(rows, "test loss", ANEW, ONCE, ALL_DATA, "Algorithm 7.2"),
                lower(rows, "test loss", ONWARD, ONCE, ONWARDS, "Algorithm 7.3"),
                going_on_is_cheaper(rows, s.steps),
                prior(travel),
            ),
            (
                f"{s.units} units; n = {s.every} steps between evaluations, patience p = {s.patience}; "
                f"{ex.described(ways)} The recipe's length ends an Algorithm 7.3 that would not.",
                s.note,
                ex.intervals_cover(redrawn=True),
            ),
        )


@ex.claim(
    "Training ends p evaluations after the best, and returns the parameters and the step with the lowest"
    " validation loss, rather than the latest.",
    BOOK + "Algorithm 7.1",
)
def returns_the_best(traces: list[Rows], rows: Rows) -> ex.Judged:
    """Both steps are those of the transcription, and the weights' score the lowest loss but for rounding."""
    ends, stopped = pd.concat([trace.tail(1) for trace in traces]), rows[rows["arm"] == ONCE]
    agree = (stopped[["best step", "steps"]].to_numpy() == ends[["i*", "i"]].to_numpy()).all(axis=1)
    off = float(np.abs(stopped["validation loss"].to_numpy() / ends["v"].to_numpy() - 1).max())
    seen = (
        f"In {agree.sum()} of {len(ends)} seeds i* and the last step are those of a transcription by hand on "
        f"the curve without stopping; the weights handed over score within {off:.0e} of the lowest loss."
    )
    return seen, agree.all() and off < 1e-5


def lower(rows: Rows, what: str, way: str, other: str, says: str, source: str, more: str = "") -> ex.Claim:
    """The interval of the paired differences lies below zero."""
    less = ex.change(rows, what, way, other, "nats" if "loss" in what else "updates")
    before, after = (significant(rows.loc[rows["arm"] == arm, what].mean(), 4) for arm in (other, way))
    seen = f"{what} {after} with {way}, {before} with {other}: {less}.{more}"
    return ex.Claim(says, BOOK + source, seen, less.negative)


def stopping_helps(rows: Rows) -> ex.Claim:
    """Judged by the test loss; the error is told beside it."""
    says = "The validation loss begins to rise; stopping at its lowest point gives a better test loss."
    more = f" The test error changes by {ex.change(rows, 'test error', ONCE, NONE, 'points')}."
    return lower(rows, "test loss", ONCE, NONE, says, "section 7.8 and figure 7.3", more)


def going_on_is_cheaper(rows: Rows, length: int) -> ex.Claim:
    """By updates; beside it in how many seeds the recipe's `length` had to end Algorithm 7.3."""
    steps = rows.pivot(index="seed", columns="arm", values="steps")
    best = rows[rows["arm"] == ONWARD].set_index("seed")["best step"]
    ended = int((best + steps[ONWARD] - steps[ONCE] >= length).sum())
    more = f" The book warns that it may never end: the recipe's length ended {ended} of {len(steps)} seeds'."
    says = "Going on avoids the cost of training anew."
    return lower(rows, "steps", ONWARD, ANEW, says, "section 7.8", more)


@ex.claim(
    "With early stopping the first weights act as a prior: the weights stay near where they begin.",
    f"the lecture; {BOOK}section 7.8 (a neighbourhood of the first weights)",
)
def prior(travel: Rows) -> ex.Judged:
    """From every start: less far than without stopping, and nearer to their own first weights in each run."""
    by_way = travel.pivot(index=["start", "seed"], columns="arm", values="travel").groupby(level="start")
    ratios = ex.Measurements({start: ex.Measured.ratio(of[ONCE], of[NONE]) for start, of in by_way})
    kept = travel[travel["arm"] == ONCE]
    own = int((kept["travel"] < kept["to another's"]).sum())
    seen = (
        "distance of the weights kept from the first ones, as a ratio to that without stopping, by the "
        f"standard deviation of the first weights: {ratios}; in {own} of {len(kept)} runs they are nearer to "
        "their own first weights than to those of another seed."
    )
    return seen, ex.every(*(ratio.below(1) for ratio in ratios.values()), own == len(kept))


def draw(run: ex.Run, trace: Rows, rows: Rows, travel: ex.Along, patience: int) -> ex.Figure:
    """One training with its trace; the four ways; how far the weights travel."""
    figure, panels = ex.sheet(8.4, "trace loss", "j steps", "travel error", height_ratios=(3, 2, 3))
    draw_trace(panels["trace"], panels["j"], run, trace, patience)
    ways = rows.assign(arm=rows["arm"].str.removeprefix("Algorithm "))
    for what, unit in {"test loss": "nats", "steps": "updates", "test error": "%"}.items():
        seeds, label = {what: ex.samples(ways, what, "arm")}, "stopping by Algorithm (○ a seed, – mean)"
        ex.points(panels[what.split()[-1]], seeds, xlabel=label, ylabel=f"{what} ({unit})")
    title, place = "Distance from the first weights", "their standard deviation"
    ex.along(panels["travel"], travel, title, place, "distance", log="x")
    return figure


def draw_trace(top: ex.Axes, bottom: ex.Axes, run: ex.Run, trace: Rows, patience: int) -> None:
    """The losses with v and θ*, and j below; what comes after the end is dotted."""
    last, names = trace.iloc[-1], ("train", "validation")
    end, best = int(last["i"]), int(last["i*"])
    losses = pd.DataFrame({name: run.history[f"{name}_loss"] for name in names}, run.history["step"])
    ex.curves(top, losses.loc[:end])
    ex.curves(top, losses.loc[end:].add_prefix("_"), looks={f"_{name}": {"ls": ":"} for name in names})
    top.plot(trace["i"], trace["v"], "--", color=ex.BLACK, lw=1, label="v, the lowest so far")
    top.plot(best, last["v"], "*", ms=13, color=ex.ORANGE, label=f"θ*, at i* = {best:,}")
    ex.framed(top, "One training (seed 0)", ylabel="loss (nats)", log="y")
    bottom.step(trace["i"], trace["j"], where="post", color=ex.BLUE)
    ex.level(bottom, patience)
    bottom.set(xlabel="step i", ylabel=f"j, the end\nat p = {patience}", ylim=(0, 1.15 * patience))
    bottom.set_xlim(top.get_xlim())
    for axes in (top, bottom):
        axes.axvspan(best, end, color=ex.BLACK, alpha=0.08, lw=0)
