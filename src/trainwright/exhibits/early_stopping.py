"""Early stopping: the validation loss falls, turns and rises, and the weights of its lowest point are kept.

Every n steps the network is scored on validation data. While the loss falls, the weights are copied; a
counter j says how many evaluations in a row have brought no improvement. When j reaches the patience p,
training ends and the copy, θ*, of step i* is handed over. The number of steps thus is a hyperparameter that
costs one training to choose. The validation examples that this takes can be given back: Algorithm 7.2 trains
anew on all data for i* steps, Algorithm 7.3 goes on from θ* with all data until the validation loss is as low
as the training loss was at θ*.

Left: one training, with the trace of Algorithm 7.1; the dotted line is the same training without it. Right:
the test loss of the four ways over all seeds, and how many updates each made.

Source: Goodfellow, Bengio & Courville 2016, section 7.8, Algorithms 7.1 to 7.3 and figure 7.3.

Figure 7.3 is a maxout network on MNIST whose settings the book does not give. Here one hidden layer of maxout
units with two pieces; the quick version trains on 600 pictures of every second pixel, where a network
overfits within seconds. Algorithm 7.3 may not terminate; here the recipe's length ends it.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trainwright.base import keys
from trainwright.base.config import config
from trainwright.comparison import paired
from trainwright.data import DataSpec, load
from trainwright.exhibit import Claim, Exhibit, ExhibitResult, intervals_cover
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.report.quantities import significant
from trainwright.runs.run import Run
from trainwright.runs.score import score
from trainwright.strategies.activation import Activation
from trainwright.strategies.early_stopping import EarlyStopping as Strategy
from trainwright.studies.defaults import Budget
from trainwright.studies.study import Study

Runs = dict[str, tuple[Run, ...]]
BOOK = "Goodfellow, Bengio & Courville 2016"
WAYS = ("no stopping", "Algorithm 7.1", "Algorithm 7.2", "Algorithm 7.3")


@config
class EarlyStopping(Exhibit):
    """Algorithm 7.1's trace on a real curve, and 7.2 and 7.3 beside it."""

    title: ClassVar[str] = "Early stopping keeps the weights at which the validation loss was lowest"

    def make(self, budget: Budget, store: Path) -> ExhibitResult:
        study = plan(full=budget == "full")
        runs, data = train(study, store), study.dataset()
        recipe = study.arms[WAYS[1]]
        trace = transcribe(runs[WAYS[0]][0], _patience(recipe))
        results = measure(runs)
        return ExhibitResult(
            name=self.name,
            title=self.title,
            figure=_draw(runs, trace, results, _patience(recipe)),
            tables={
                "Algorithm 7.1, step by step (seed 0)": trace,
                "Test loss and updates, mean over seeds": results.groupby("way", sort=False)[
                    ["test loss", "test error, %", "updates", "i*"]
                ].mean(),
            },
            claims=claims(runs, results, recipe, data.splits.train.size),
            notes=(
                f"n = {recipe.evaluate_every} steps between evaluations, patience p = {_patience(recipe)}.",
                "MNIST: {:,} training, {:,} validation and {:,} test pictures of {}×{} pixels.".format(
                    *map(len, (data.splits.train, data.splits.validation, data.splits.test)), *data.shape
                ),
                intervals_cover(),
            ),
        )


def plan(*, full: bool) -> Study:
    """The same recipe with no stopping and with each algorithm, over the same seeds."""
    maxout = Activation("maxout", pieces=2)
    if full:
        base = Recipe(Mlp((240,)), (maxout,), 0.1, batch_size=100, steps=60_000, evaluate_every=500)
        spec, patience = DataSpec("mnist"), 20
    else:
        base = Recipe(Mlp((32,)), (maxout,), 0.5, batch_size=30, steps=1000, evaluate_every=20)
        spec, patience = _few(), 10
    arms = {WAYS[0]: base}
    for way, retrain in zip(WAYS[1:], ("no", "anew", "onward"), strict=True):
        stopping = Strategy.from_json({"patience": patience, "retrain": retrain})
        arms[way] = base.replace(strategies=(maxout, stopping))
    return Study(spec, arms, seeds=10 if full else 30, folds=False)


def train(study: Study, store: Path) -> Runs:
    """Every way's runs, seed by seed."""
    return {arm.name: next(iter(arm.runs.values())) for arm in study.run(store)}


def transcribe(run: Run, patience: int) -> pd.DataFrame:
    """Algorithm 7.1 by hand, on the curve of a run that knows nothing of it; a row per evaluation."""
    rows = []
    j, v, best = 0, math.inf, 0
    for i, loss in zip(run.history["step"], run.history["validation_loss"], strict=True):
        if loss < v:
            j, best, v = 0, int(i), float(loss)
        else:
            j += 1
        rows.append((int(i), float(loss), v, j, best))
        if j == patience:
            break
    return pd.DataFrame(rows, columns=["i", "v'", "v", "j", "i*"])


def measure(runs: Runs) -> pd.DataFrame:
    """Test loss, test error and updates of each way and seed."""
    rows = []
    for way in WAYS:
        for run in runs[way]:
            test = score(run, "test")
            rows.append((way, run.seed, test.loss, 100 * test.error, run.steps, run.best_step))
    return pd.DataFrame(rows, columns=["way", "seed", "test loss", "test error, %", "updates", "i*"])


def claims(runs: Runs, results: pd.DataFrame, recipe: Recipe, examples: int) -> tuple[Claim, ...]:
    """What section 7.8 says, held against the runs."""
    seeds = len(runs[WAYS[0]])
    traces = [transcribe(run, _patience(recipe)) for run in runs[WAYS[0]]]
    stopped = runs[WAYS[1]]
    ends = [(int(trace["i*"].iloc[-1]), int(trace["i"].iloc[-1])) for trace in traces]
    agree = sum((run.best_step, run.steps) == end for run, end in zip(stopped, ends, strict=True))
    returned = np.array([score(run, "validation").loss for run in stopped])
    off = np.abs(returned - [run.history["validation_loss"].min() for run in stopped]).max()
    updates, errors = (results.groupby("way")[name].mean() for name in ("updates", "test error, %"))
    apart = errors[WAYS[1]] > errors[WAYS[0]]
    ran_on = sum(_unfinished(run, before, recipe.length(examples)) for run, before in _onward(runs))
    # Single precision and one mean over the examples: rounding, of the order of 1e-6 of the loss.
    returns_best = agree == seeds and bool(off < 1e-5 * returned.max())
    return (
        Claim(
            "Training ends p evaluations after the best, and returns the parameters and the step with the"
            " lowest validation loss, rather than the latest.",
            f"{BOOK}, Algorithm 7.1",
            f"In {agree} of {seeds} seeds i* and the last step are those of a transcription by hand on the"
            f" curve without stopping; the weights handed over score within {off:.0e} of the lowest loss.",
            returns_best,
        ),
        _lower(
            results,
            ("test loss", WAYS[1], WAYS[0]),
            "The validation loss begins to rise; stopping at its lowest point gives a better test loss.",
            f"{BOOK}, section 7.8 and figure 7.3",
            f" Updates: {updates[WAYS[1]]:,.0f} instead of {updates[WAYS[0]]:,.0f}. The test error was"
            f" {errors[WAYS[1]]:.1f} % instead of {errors[WAYS[0]]:.1f} %"
            + (": the lowest loss and the lowest error did not come together." if apart else "."),
        ),
        _lower(
            results,
            ("test loss", WAYS[2], WAYS[1]),
            "Training anew on all data for i* steps makes use of the validation data too.",
            f"{BOOK}, Algorithm 7.2",
        ),
        _lower(
            results,
            ("test loss", WAYS[3], WAYS[1]),
            "So does going on from θ* with all data.",
            f"{BOOK}, Algorithm 7.3",
        ),
        _lower(
            results,
            ("updates", WAYS[3], WAYS[2]),
            "Going on avoids the cost of training anew.",
            f"{BOOK}, section 7.8",
            f" The book warns that it may never end: the recipe's length had to end it in {ran_on} of {seeds}"
            " seeds.",
        ),
    )


def _few() -> DataSpec:
    """Every second pixel of MNIST pictures: 600 to train on, 200 to validate, 2,000 to test."""
    data = load("mnist")
    chosen = keys.generator(0, "few").choice(data.splits.train, 2800, replace=False)
    x, y = data.inputs[chosen][:, ::2, ::2], data.targets[chosen]
    return DataSpec((x[:800], y[:800], x[800:], y[800:]), task="classification")


def _patience(recipe: Recipe) -> int:
    return next(one.patience for one in recipe.strategies if isinstance(one, Strategy))


def _onward(runs: Runs) -> list[tuple[Run, Run]]:
    """Each run of Algorithm 7.3 with the run of 7.1 at the same seed."""
    return list(zip(runs[WAYS[3]], runs[WAYS[1]], strict=True))


def _unfinished(run: Run, before: Run, length: int) -> bool:
    """Whether Algorithm 7.3 was ended by the recipe's length: `before` is where 7.1 had ended."""
    return run.best_step + run.steps - before.steps >= length


def _lower(
    results: pd.DataFrame, compared: tuple[str, str, str], says: str, source: str, more: str = ""
) -> Claim:
    """A claim that a quantity is lower in one way than in another: it holds if the 95 % interval of the
    differences over seeds lies below zero. `compared`: the quantity, the way, the other way."""
    quantity, way, other = compared
    table = results.pivot(index="seed", columns="way", values=quantity)
    one = paired.estimate((table[way] - table[other]).to_numpy())
    low, high = one.interval(0.95)
    before, after, mean, low_, high_ = (
        significant(float(x), 4) for x in (table[other].mean(), table[way].mean(), one.mean, low, high)
    )
    seen = (
        f"{way}: {quantity} {after}, {other}: {before}; difference {mean}"
        f" (95 % interval {low_} to {high_}, n = {one.count} seeds, paired).{more}"
    )
    return Claim(says, source, seen, bool(high < 0))


def _draw(runs: Runs, trace: pd.DataFrame, results: pd.DataFrame, patience: int) -> Figure:
    figure = Figure(figsize=(7.6, 5.6))
    axes = figure.subplots(2, 2, gridspec_kw={"height_ratios": (3, 2)}, sharex="col")
    _draw_trace(axes[0, 0], axes[1, 0], runs[WAYS[0]][0], trace, patience)
    for way, place in zip(WAYS, range(len(WAYS)), strict=True):
        seen = results[results["way"] == way]
        spread = np.linspace(-0.22, 0.22, len(seen))
        for row, name in ((0, "test loss"), (1, "updates")):
            axes[row, 1].plot(place + spread, seen[name], "o", ms=3.5, mfc="none", color="C0")
            axes[row, 1].plot([place - 0.32, place + 0.32], [seen[name].mean()] * 2, color="C1", lw=2.5)
    axes[0, 1].set(ylabel="test loss, nats", title="After training (○ a seed, – mean)")
    axes[1, 1].set(ylabel="updates made", ylim=(0, None))
    axes[1, 1].set_xticks(range(4), ["none", "7.1", "7.2", "7.3"])
    axes[1, 1].set_xlabel("stopping by Algorithm")
    return figure


def _draw_trace(top: Axes, bottom: Axes, run: Run, trace: pd.DataFrame, patience: int) -> None:
    steps: NDArray[np.float64] = run.history["step"]
    end, best = int(trace["i"].iloc[-1]), int(trace["i*"].iloc[-1])
    for name, colour, label in (("train_loss", "C2", "training"), ("validation_loss", "C0", "validation")):
        curve, seen = run.history[name], steps <= end
        top.plot(steps[seen], curve[seen], color=colour, lw=1.8, label=label)
        top.plot(steps[~seen], curve[~seen], ":", color=colour, lw=1.5)
    top.plot(trace["i"], trace["v"], "--", color="black", lw=1, label="v, the lowest so far")
    top.plot(best, trace["v"].iloc[-1], "*", ms=13, color="C1", label=f"θ*, at i* = {best:,}")
    top.set(yscale="log", ylabel="loss, nats", title="One training (seed 0)")
    top.yaxis.set_major_formatter("{x:g}")
    top.legend()
    bottom.step(trace["i"], trace["j"], where="post", color="C0")
    bottom.axhline(patience, color="black", lw=1, ls="--")
    bottom.text(steps[-1], patience * 0.94, f"patience p = {patience}", ha="right", va="top", fontsize=9)
    bottom.set(xlabel="step i", ylabel="j, without\nimprovement", ylim=(0, patience * 1.15))
    for axes in (top, bottom):
        axes.axvspan(best, end, color="black", alpha=0.08, lw=0)
