"""Does the default network reach scikit-learn's MLP at its defaults? By the number of training examples.

    python benchmarks/defaults.py results --draws 5 --first 0

draws tables of growing size from populations of which as much as is wanted can be drawn (`clusters` and
`quantiles` are another one at each size), trains the default recipe of `studies/defaults.py`, the one of
images, and scikit-learn's MLPClassifier or MLPRegressor, and judges them on 10,000 new rows. All learn from
the same training rows, standardised alike; the recipes choose among their weights by a validation split,
which scikit-learn's learners do not see. Writes `results/defaults.md`.

`--first 100` draws others: by those the default was chosen.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from trainwright.base import files
from trainwright.base.environment import environment
from trainwright.comparison.measured import Measured
from trainwright.data import load
from trainwright.data.dataset import Dataset
from trainwright.recipe import Recipe
from trainwright.report.sentences import counted
from trainwright.studies import defaults
from trainwright.training.fit import fit

JUDGED = 10_000
TRAINED = (240, 1_000, 2_000, 4_000, 8_000)

Table = tuple[NDArray[Any], NDArray[Any]]


def sines(rows: int, seed: int) -> Table:
    """Two classes by the sign of a sum of sines of 20 columns, 5 % of them mistaken."""
    fixed, rng = np.random.default_rng(0), np.random.default_rng([seed, 1])
    waves, phases = fixed.normal(size=(20, 8)), fixed.uniform(0, 2 * np.pi, 8)
    x = rng.normal(size=(rows, 20))
    y = np.sin(x @ waves / 2 + phases).sum(axis=1) > 0
    return x, (y ^ (rng.random(rows) < 0.05)).astype(int)


def clusters(rows: int, seed: int) -> Table:
    """Three classes of four clusters each, 20 columns, 12 of them informative."""
    return drawn(
        datasets.make_classification(
            2 * (rows + JUDGED), 20, n_informative=12, n_classes=3, n_clusters_per_class=4, class_sep=0.7,
            random_state=0,
        ), rows, seed,
    )  # fmt: skip


def quantiles(rows: int, seed: int) -> Table:
    """Four classes by the distance from the centre, 10 columns."""
    return drawn(
        datasets.make_gaussian_quantiles(
            n_samples=2 * (rows + JUDGED), n_features=10, n_classes=4, random_state=0
        ),
        rows,
        seed,
    )


def friedman(rows: int, seed: int) -> Table:
    """Friedman's first regression (1991), 10 columns, noise of 1."""
    return datasets.make_friedman1(rows, noise=1.0, random_state=seed)  # type: ignore[no-any-return]


def products(rows: int, seed: int) -> Table:
    """A regression on sines of products of 8 columns, with noise."""
    rng = np.random.default_rng([seed, 2])
    x = rng.uniform(-1, 1, size=(rows, 8))
    y = np.sin(3 * x[:, 0] * x[:, 1]) + x[:, 2] * x[:, 3] * x[:, 4] + np.abs(x[:, 5]) * x[:, 6]
    return x, y + 0.1 * rng.normal(size=rows)


def drawn(population: Table, rows: int, seed: int) -> Table:
    """Rows of a population that has twice as many as are ever wanted."""
    chosen = np.random.default_rng([seed, 3]).permutation(len(population[0]))[:rows]
    return population[0][chosen], population[1][chosen]


POPULATIONS: dict[str, tuple[str, Callable[[int, int], Table]]] = {
    "sines": ("classification", sines),
    "clusters": ("classification", clusters),
    "quantiles": ("classification", quantiles),
    "friedman": ("regression", friedman),
    "products": ("regression", products),
}


def descent(data: Dataset) -> Recipe:
    """The recipe of images, which would be simpler: plain gradient descent."""
    return defaults.IMAGES.replace(
        epochs=defaults.EPOCHS["quick"], batch_size=defaults.recipe(data).batch_size
    )


RECIPES = {"default": defaults.recipe, "gradient descent": descent}


def table(name: str, trained: int, draw: int) -> Dataset:
    """A table with so many training examples; its validation split is a quarter of the rows."""
    task, make = POPULATIONS[name]
    rows = trained * 4 // 3
    x, y = make(rows + JUDGED, draw)
    return load((x[:rows], y[:rows], x[rows:], y[rows:]), task=task)


def peer(data: Dataset, seed: int) -> float:
    """The test error, or the RMSE in standard units, of scikit-learn's MLP at its defaults."""
    (x, y), (new, truth) = (data.standardized(rows) for rows in (data.splits.train, data.splits.test))
    kind = MLPRegressor if data.task == "regression" else MLPClassifier
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # its defaults are what is asked about
        predicted = kind(random_state=seed).fit(x, y).predict(new)
    return error(data, predicted, truth)


def error(data: Dataset, predicted: NDArray[Any], truth: NDArray[Any]) -> float:
    """The share of errors, or the RMSE in standard units."""
    wrong = (predicted - truth) ** 2 if data.task == "regression" else predicted != truth
    return float(np.mean(wrong) ** (0.5 if data.task == "regression" else 1))


def ours(data: Dataset, recipe: Recipe, seed: int) -> float:
    """The same of a recipe."""
    run = fit(recipe, data, seed)
    predicted, truth = run.predictions["test"], run.predictions["test_targets"]
    if data.task == "classification":
        return error(data, predicted.argmax(axis=1), truth)
    deviation = data.labels(data.splits.train).std()
    return error(data, predicted.reshape(-1) / deviation, truth / deviation)


def measure(first: int, draws: int) -> Iterator[dict[str, Any]]:
    """A row for each population, size and draw: what every contestant reaches."""
    for name in POPULATIONS:
        for trained in TRAINED:
            for draw in range(first, first + draws):
                data = table(name, trained, draw)
                recipes = {title: recipe(data) for title, recipe in RECIPES.items()}
                reached = {recipe: ours(data, recipe, draw) for recipe in set(recipes.values())}
                row = {title: reached[recipe] for title, recipe in recipes.items()}
                yield {"population": name, "trained": trained, "scikit-learn": peer(data, draw)} | row
                print(name, trained, draw, flush=True)


def page(rows: pd.DataFrame, command: str) -> Iterator[str]:
    """The table, as Markdown."""
    on, draws = environment(), rows.groupby(["population", "trained"]).size().iloc[0]
    yield "# The default network beside scikit-learn's MLP"
    yield fill(
        f"{draws} draws of each population and size, one training each; errors in %, of the regressions the "
        "RMSE in hundredths of the targets' standard deviation. Bold: the default does worse than "
        "scikit-learn's MLP at its defaults (paired by draw, 95 %). The last column is plain gradient "
        "descent, as images are trained.",
        110,
    )
    yield f"```sh\n{command}\n```"
    yield f"{datetime.now(UTC):%Y-%m-%d}, jax {on['jax']}, {on['device']}, {counted(on['cores'], 'core')}."
    lines = [
        "| population | training examples | scikit-learn | default | difference | gradient descent |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for (name, trained), group in rows.groupby(["population", "trained"], sort=False):
        means = 100 * group[["scikit-learn", *RECIPES]].mean()
        worse = Measured.of(100 * (group["default"] - group["scikit-learn"]))
        told = f"{worse.mean:+.2f} ({worse.low:+.2f} to {worse.high:+.2f})"
        lines.append(
            f"| {name} | {trained:,} | {means['scikit-learn']:.2f} | {means['default']:.2f} "
            f"| {f'**{told}**' if worse.positive else told} | {means['gradient descent']:.2f} |"
        )
    yield "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path, help="the folder for defaults.md")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="the first draw's seed")
    given = parser.parse_args()
    rows = pd.DataFrame(measure(given.first, given.draws))
    command = f"python benchmarks/defaults.py results --draws {given.draws} --first {given.first}"
    text = "\n\n".join(page(rows, command)) + "\n"
    files.replace_file(given.out / "defaults.md", text.encode(), given.out)


if __name__ == "__main__":
    main()
