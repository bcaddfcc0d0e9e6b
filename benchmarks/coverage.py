"""How often the intervals cover the truth, on the tables that `populations.py` trained on.

    python benchmarks/coverage.py ~/coverage results

writes `results/coverage.md` and `results/coverage.svg`. The truth of an arm is the mean, over all tables of
its population and size, of what its trainings reach on rows that no table has; that of `again` is zero.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from textwrap import fill
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from numpy.typing import NDArray
from populations import ARMS, FOLDS, OTHER_KEYS, POPULATIONS, REPETITIONS, SEEDS, SIZES, TRUTH
from scipy.stats import binom
from shares import share

from trainwright.base.environment import environment
from trainwright.comparison import examples, paired
from trainwright.comparison.estimate import Estimate
from trainwright.comparison.looks import adjusted_p
from trainwright.comparison.metrics import METRICS, Metric

matplotlib.use("svg")
Array = NDArray[np.float64]
LEVEL = 0.95
USUAL = ("error", "rmse")  # the others are log-loss and MAE
LOSSES = {"error": "error", "log_loss": "log_loss", "rmse": "squared", "mae": "absolute"}
TASKS = {"mnist": "classification", "fashion_mnist": "classification", "blobs": "classification"}


class Cells(NamedTuple):
    """An arm's differences on one table, (trainings, judged); which rows these are; the metric's resolution;
    and the truth of the trainings."""

    values: Array
    rows: NDArray[np.int64]
    resolution: float
    truth: float


def over_trainings(cells: Cells) -> Estimate:
    return paired.estimate(cells.values.mean(axis=1))


def over_examples(cells: Cells) -> Estimate:
    _, rows = np.unique(cells.rows, return_inverse=True)
    means = np.bincount(rows.ravel(), cells.values.ravel()) / np.bincount(rows.ravel())
    return paired.estimate(means)


def nadeau_bengio(cells: Cells) -> Estimate:
    """The t-test over trainings, its variance corrected for training sets that overlap (Machine Learning
    52, 2003)."""
    plain = over_trainings(cells)
    factor = 1 + plain.count * JUDGED / TRAINED
    return Estimate(plain.mean, plain.trainings * factor, 0.0, plain.df, plain.count)


def both(cells: Cells) -> Estimate:
    """Trainwright's."""
    return examples.estimate(list(cells.values), list(cells.rows), resolution=cells.resolution)


Estimator = Callable[[Cells], Estimate]
OURS = "trainings and examples (Trainwright's)"
JUDGED, TRAINED = 1 / FOLDS, (1 - 1 / FOLDS) * 3 / 4  # shares of a table: a quarter of the others validates
FEWER = {"folds": (FOLDS,), "fixed": (3, 5)}  # trainings that are judged alone, too
DESIGNS: dict[str, tuple[str, dict[str, Estimator]]] = {
    "folds": (
        f"{FOLDS} folds × {REPETITIONS}",
        {
            OURS: both,
            "trainings alone (t-test)": over_trainings,
            "examples alone": over_examples,
            "trainings, corrected by Nadeau and Bengio": nadeau_bengio,
        },
    ),
    "fixed": (
        f"one split × {SEEDS} seeds",
        {
            OURS: both,
            "trainings alone (t-test)": over_trainings,
            "examples alone": over_examples,
        },
    ),
}


def cells(table: Any, design: str, arm: str, metric: Metric, seeds: int = SEEDS) -> Cells:
    """The arm's cells less plain's, of the first seeds; the truth is of all. Metrics are those of a
    repetition: all folds, or one training."""
    together = FOLDS if design == "folds" else 1
    rows = (
        table["folds/rows"][:seeds]
        if design == "folds"
        else np.tile(np.arange(len(table["folds/rows"][0])), (seeds, 1))
    )

    def contributions(name: str) -> Array:
        losses = table[f"{design}/{name}/{LOSSES[metric.name]}"][:seeds].astype(np.float64)
        joined = losses.reshape(seeds // together, -1)
        no_targets = np.zeros(joined.shape[1])
        return np.stack([metric.contributions(row, no_targets) for row in joined]).reshape(losses.shape)

    def truth(name: str) -> float:
        losses = table[f"{design}/{name}/{LOSSES[metric.name]}/truth"].astype(np.float64)
        means = losses.reshape(-1, together).mean(axis=1)
        return float((np.sqrt(means) if metric.pooling == "root" else means).mean())

    judged = rows.shape[1] * together
    return Cells(
        contributions(arm) - contributions("plain"),
        rows,
        metric.resolution(np.zeros(judged)),
        truth(arm) - truth("plain"),
    )


class Result(NamedTuple):
    population: str
    size: int
    metric: str
    design: str
    estimator: str
    seeds: int
    arm: str
    covered: bool
    found: bool
    wrong: bool
    """Found, but there is nothing, or something of the other sign."""
    width: float
    """Half the interval's."""


def judge(store: Path, population: str, size: int) -> Iterator[Result]:
    """All intervals of a population's tables of one size."""
    tables = [dict(np.load(path)) for path in sorted(store.glob(f"{population}-{size}-????.npz"))]
    task = TASKS.get(population, "regression")
    for name in ("error", "log_loss") if task == "classification" else ("rmse", "mae"):
        for design, (_, estimators) in DESIGNS.items():
            asked = [(label, SEEDS) for label in estimators] + [(OURS, seeds) for seeds in FEWER[design]]
            for arm in [arm for arm in ARMS if arm != "plain"]:
                drawn = {
                    seeds: [cells(table, design, arm, METRICS[name], seeds) for table in tables]
                    for seeds in (SEEDS, *FEWER[design])
                }
                truth = 0.0 if arm == "again" else float(np.mean([one.truth for one in drawn[SEEDS]]))
                for label, seeds in asked:
                    for one in drawn[seeds]:
                        estimate = estimators[label](one)
                        low, high = estimate.interval(LEVEL)
                        found = adjusted_p(estimate.p(), [1.0]) < 1 - LEVEL
                        wrong = found and estimate.mean * truth <= 0
                        yield Result(
                            population, size, name, design, label, seeds, arm,
                            low <= truth <= high, found, wrong, (high - low) / 2,
                        )  # fmt: skip


def text(paragraph: str) -> str:
    return fill(paragraph, 110, break_on_hyphens=False)


def row(*entries: Any) -> str:
    return f"| {' | '.join(map(str, entries))} |"


def page(results: list[Result], tables: dict[tuple[str, int], int]) -> Iterator[str]:
    yield "# How often the intervals cover"
    on = environment()
    counts = sorted(set(tables.values()))
    drawn = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    sizes, arms = " and ".join(f"{size:,}" for size in SIZES), [arm for arm in ARMS if arm != "plain"]
    yield text(
        f"{datetime.now(UTC):%Y-%m-%d}, jax {on['jax']}, {on['device']}, one core: {drawn} tables each of "
        f"{sizes} rows from each of {len(POPULATIONS)} populations: MNIST and Fashion-MNIST (14×14 pixels), "
        "a synthetic classification and a synthetic regression; 60 % of the rows train, 20 % are for "
        f"choosing, 20 % judge. {SEEDS} trainings an arm, network d-32-32-k, rate 0.1, batch 32, 20 epochs; "
        f"every table has seeds of its own. Arms against plain: {', '.join(arms)}; *again* is plain under "
        f"other keys (seeds + {OTHER_KEYS:,}), so whatever is found of it is false. The truth of the others "
        f"is the mean over all tables on {TRUTH:,} rows that no table has. Nothing is tuned."
    )
    yield (
        f"```sh\nNPROC=1 python benchmarks/populations.py STORE --tables {counts[-1]}\n"
        "python benchmarks/coverage.py STORE results\n```"
    )
    yield text(
        "*Covers*: of the 95 % intervals, those that hold the truth. *False*: *again* helps or hurts, at the "
        "first look. *Found*: another arm helps or hurts; *wrong*: with the wrong sign. *Width*: half the "
        "interval's, relative to Trainwright's on the same table, median. In brackets: 95 %, if intervals "
        "were independent (Wilson's)."
    )
    for design, (title, estimators) in DESIGNS.items():
        yield f"## {title[0].upper()}{title[1:]}"
        lines = [row("what is chance", "metric", "covers", "false", "found", "wrong", "width")]
        lines.append(row(*["---"] * 7))
        for usual in (True, False):
            chosen = [r for r in results if r.design == design and (r.metric in USUAL) == usual]
            ours = np.array([r.width for r in chosen if (r.estimator, r.seeds) == (OURS, SEEDS)])
            for label, seeds in [(label, SEEDS) for label in estimators] + [
                (OURS, seeds) for seeds in FEWER[design]
            ]:
                own = [r for r in chosen if (r.estimator, r.seeds) == (label, seeds)]
                ratio = np.median(np.array([r.width for r in own])[ours > 0] / ours[ours > 0])
                others = [r for r in own if r.arm != "again"]
                lines.append(
                    row(
                        label if seeds == SEEDS else f"the same, of {seeds} trainings only",
                        "error, RMSE" if usual else "log-loss, MAE",
                        share(r.covered for r in own),
                        share(r.found for r in own if r.arm == "again"),
                        share(r.found for r in others),
                        share(r.wrong for r in others),
                        f"{ratio:.2f}",
                    )
                )
        yield "\n".join(lines)
    yield "## Population by population"
    yield "Trainwright's, error or RMSE. ![coverage](coverage.svg)"
    lines = [row("population", "rows", "tables", "folds: covers", "false", "one split: covers", "false")]
    lines.append(row(*["---"] * 7))
    for population, size in tables:
        entries: list[Any] = [population, f"{size:,}", tables[population, size]]
        for design in DESIGNS:
            own = [r for r in ours_of(results, design) if (r.population, r.size) == (population, size)]
            entries += [share(r.covered for r in own), share(r.found for r in own if r.arm == "again")]
        lines.append(row(*entries))
    yield "\n".join(lines)


def ours_of(results: list[Result], design: str) -> list[Result]:
    return [
        r
        for r in results
        if r.design == design and r.metric in USUAL and (r.estimator, r.seeds) == (OURS, SEEDS)
    ]


def draw(results: list[Result], tables: dict[tuple[str, int], int], path: Path) -> None:
    """Coverage by population, size and arm, over the band in which it lies if 95 % is right."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 4.2), sharey=True, layout="constrained")
    arms = [arm for arm in ARMS if arm != "plain"]
    for panel, (design, (title, _)) in zip(axes, DESIGNS.items(), strict=True):
        own = ours_of(results, design)
        fewest = min(tables.values())
        low, high = binom.ppf([0.025, 0.975], fewest, LEVEL) / fewest
        panel.axhspan(low, high, color="#009E73", alpha=0.15, lw=0)
        panel.axhline(LEVEL, color="#009E73", lw=1)
        for place, (population, size) in enumerate(tables):
            for offset, arm in enumerate(arms):
                covered = [r.covered for r in own if (r.population, r.size, r.arm) == (population, size, arm)]
                panel.plot(
                    place + 0.14 * (offset - 2), np.mean(covered), "o", ms=4,
                    color=f"C{offset}", label=arm if place == 0 else None,
                )  # fmt: skip
        names = [f"{population.replace('_mnist', '')}\n{size:,}" for population, size in tables]
        panel.set_xticks(range(len(tables)), names, fontsize=7)
        panel.set(title=title, ylim=(0.6, 1.01))
    axes[0].set_ylabel("share of 95 % intervals that cover")
    axes[1].legend(fontsize=7, loc="lower right")
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("store", type=Path, help="the folder that populations.py filled")
    parser.add_argument("out", type=Path, help="the folder for coverage.md and coverage.svg")
    given = parser.parse_args()
    tables = {
        (population, size): len(list(given.store.glob(f"{population}-{size}-????.npz")))
        for population in POPULATIONS
        for size in SIZES
    }
    results = [result for population, size in tables for result in judge(given.store, population, size)]
    (given.out / "coverage.md").write_text("\n\n".join(page(results, tables)) + "\n", "utf-8")
    draw(results, tables, given.out / "coverage.svg")


if __name__ == "__main__":
    main()
