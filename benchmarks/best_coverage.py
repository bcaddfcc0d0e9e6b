"""Is the figure that `trainwright best` prints honest? Searches repeated on tables whose truth is known.

    python benchmarks/best_coverage.py ~/best-coverage results --tables 100 --trainings 200

Every table is drawn anew from a population of `populations.py`, searched, and confirmed. The truth of a
recipe is what its trainings reach on 50,000 rows that no table has, the mean of 40: on this table, with fresh
seeds and folds of the rows that were not set aside, which is what its user gets; and on fresh tables of the
same size, which a recipe chosen for this table may suit less. Counted is how often the 95 % intervals hold
either truth, for the error of the best recipe and for its difference to plain; beside that stands the
optimism of the search's own figure, and what is left of it in the confirmed one. A file per table; those that
are there are skipped. Writes `results/best-coverage.md`.
"""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from populations import POPULATIONS, Population, Rows
from shares import share

from trainwright import Recipe, best
from trainwright.base.environment import environment
from trainwright.comparison.metrics import METRICS, labelled, measure
from trainwright.data.dataset import Dataset, Splits
from trainwright.report import quantities
from trainwright.report.sentences import counted
from trainwright.search.found import Found
from trainwright.training.building import Training
from trainwright.training.fit import fit_all

SIZE = 600
ROWS = 50_000  # that tell the truth: their own chance, the same for all tables, must be little as well
FRESH = 40  # trainings that tell the truth: what they leave open must be little beside an interval
TABLES = 10  # fresh ones, on which as many trainings are done in all
FIRST_SEED = 10**6  # of these trainings, which are each table's own: none that a search has
DRAWN = ("blobs", "friedman")
PLACES = {"here": "on this table", "afresh": "on fresh tables"}


def dataset(population: Population, rows: Rows, judged: Rows | None = None) -> Dataset:
    """A table; with rows to be judged behind it, where they are given, as a test set of its own."""
    inputs, targets = rows.inputs, rows.targets
    train = test = np.arange(len(targets))
    if judged is not None:
        inputs, targets = (np.concatenate(part) for part in zip(rows, judged, strict=True))
        test = np.arange(len(train), len(targets))
    classes: tuple[str, ...] = ()
    if population.task == "classification":
        classes = tuple(map(str, np.unique(population.truth.targets)))
    splits, own = Splits(train, train, test), judged is not None
    return Dataset("table", population.task, inputs, targets, splits, classes, own_test=own)  # type: ignore[arg-type]


def truth(
    population: Population, rows: Rows, recipe: dict[str, Any], metric: str, seeds: range
) -> list[float]:
    """What a recipe's trainings on this table reach on the population, each with a seed and a fold.

    One that diverges counts as the best guess, as in a comparison.
    """
    table = dataset(population, rows, population.truth).set_aside()
    trainings = [Training(Recipe.from_json(recipe), table.fold(seed), seed) for seed in seeds]
    runs = fit_all(trainings, width=min(10, len(seeds)))
    return [measure(run, "test", METRICS[metric]) for _, run in runs]


def search(name: str, number: int, trainings: int) -> dict[str, Any]:
    """One table: what was printed, and the truth of it."""
    population = POPULATIONS[name]()
    population = population._replace(truth=population.draw(np.random.default_rng(ROWS), ROWS))
    rows = population.draw(np.random.default_rng([number, 3]), SIZE)
    table = dataset(population, rows)
    found: Found = best(table, trainings=trainings, seed=number)
    result = found.recommendation
    metric = labelled(found.comparison.metric).name
    splits = table.set_aside(number).splits
    kept = np.concatenate([splits.train, splits.validation])
    here = Rows(rows.inputs[kept], rows.targets[kept])
    draws = [np.random.default_rng([number, fresh, 7]) for fresh in range(TABLES)]
    tables = {"here": [here], "afresh": [population.draw(rng, len(kept)) for rng in draws]}
    seeds = range(FIRST_SEED + FRESH * number, FIRST_SEED + FRESH * (number + 1))
    error, difference = result.winner.error, result.winner.difference
    recipes = {"best": result.winner.recipe, "plain": found.comparison.arm("plain").recipe}
    return {
        "population": name,
        "strategies": result.strategies,
        "error": [error.low, error.mean, error.high],
        "difference": difference and [difference.interval.low, difference.interval.high],
        "verdict": difference and difference.verdict,
        "seen": result.seen,
        "truth": {
            where: {
                arm: [
                    error
                    for place, one in enumerate(drawn)
                    for error in truth(population, one, recipe, metric, seeds[place :: len(drawn)])
                ]
                for arm, recipe in recipes.items()
            }
            for where, drawn in tables.items()
        },
    }


def page(results: list[dict[str, Any]], trainings: int) -> str:
    on = environment()
    lines = ["# Is the figure that `trainwright best` prints honest?", ""]
    lines.append(
        f"{datetime.now(UTC):%Y-%m-%d}, `python benchmarks/best_coverage.py STORE results "
        f"--tables {len(results) // len(DRAWN)} --trainings {trainings}`: tables of {SIZE} rows, {trainings} "
        f"trainings each, the truth from {ROWS:,} rows and {FRESH} trainings; "
        f"{counted(on['cores'], 'core')}, {on['device']}, jax {on['jax']}. Held are the 95 % intervals that "
        "`best` prints; the goal is 93 to 97 %. The search's own figure is that of its best recipe on "
        "validation, the confirmed one comes from a fifth of the rows, set aside; optimism is the truth less "
        "the figure (share of errors, or RMSE in the target's unit). In brackets: 95 %, by the number of "
        "tables (Wilson's interval)."
    )
    heads = ["population", "truth", "error held", "difference to plain held", "standard error of the truth"]
    heads += ["optimism of the search", "of the confirmed figure"]
    lines += ["", f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    for name, (where, words) in product(DRAWN, PLACES.items()):
        own = [one for one in results if one["population"] == name]
        truths = [{arm: np.array(errors) for arm, errors in one["truth"][where].items()} for one in own]
        errors = [one["best"].mean() for one in truths]
        gains = [(one["best"] - one["plain"]).mean() for one in truths]
        # On fresh tables trainings of one table share its draw: what differs are the tables' means.
        tables = TABLES if where == "afresh" else FRESH
        groups = [one["best"].reshape(tables, -1).mean(axis=1) for one in truths]
        spread = np.mean([group.std(ddof=1) / len(group) ** 0.5 for group in groups])
        held = [one["error"][0] <= error <= one["error"][2] for one, error in zip(own, errors, strict=True)]
        compared = [
            one["difference"][0] <= gain <= one["difference"][1]
            for one, gain in zip(own, gains, strict=True)
            if one["difference"]
        ]
        optimism = np.mean(errors) - np.mean([one["seen"] for one in own])
        left = np.mean(errors) - np.mean([one["error"][1] for one in own])
        biases = (quantities.number(float(bias), 4, signed=True) for bias in (optimism, left))
        counts = (f"{share(flags)} of {len(flags)}" for flags in (held, compared))
        cells = (name, words, *counts, quantities.number(float(spread), 4), *biases)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("store", type=Path, help="the folder for finished tables, outside the checkout")
    parser.add_argument("out", type=Path, help="the folder for best-coverage.md")
    parser.add_argument("--tables", type=int, default=100, help="of each population")
    parser.add_argument("--trainings", type=int, default=200, help="the budget of each search")
    given = parser.parse_args()
    given.store.mkdir(parents=True, exist_ok=True)
    results = []
    for number in range(given.tables):
        for name in DRAWN:
            path = given.store / f"{name}-{given.trainings}-{number:04}.json"
            if not path.exists():
                path.write_text(json.dumps(search(name, number, given.trainings)), "utf-8")
            results.append(json.loads(path.read_text("utf-8")))
            print(path.name, results[-1], flush=True)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "best-coverage.md").write_text(page(results, given.trainings), "utf-8")


if __name__ == "__main__":
    main()
