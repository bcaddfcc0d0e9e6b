"""Trainings on tables from populations whose truth is known: what `coverage.py` judges the estimators by.

    NPROC=1 nice python benchmarks/populations.py ~/coverage --tables 100

Each table is trained on in two designs, every arm with the same ten seeds, the table's own: five folds twice
(`folds`), and one split whose test rows stay (`fixed`). A file per table; those that are there are skipped,
so it can be stopped at any moment. The truth of a training is its mean loss over rows of the population that
no table has.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainwright.data import DataSpec
from trainwright.data.dataset import Dataset
from trainwright.data.pixels import halved
from trainwright.data.splits import Splits
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.runs.run import Run
from trainwright.strategies import L2, Dropout, Momentum
from trainwright.training.building import Training
from trainwright.training.fit import fit_all

SIZES = (300, 1000)
FOLDS, REPETITIONS = 5, 2
SEEDS = FOLDS * REPETITIONS
TRUTH = 4000  # rows that no table has
NETWORK = Mlp((32, 32))
ARMS = {
    "plain": (),
    "again": (),  # the same recipe under other keys: it does nothing at all
    "momentum": (Momentum(0.9),),
    "dropout": (Dropout(hidden_rate=0.5),),
    "l2": (L2(0.01),),
}
OTHER_KEYS = 1000  # what the seeds of "again" are further on
APART = 10_000  # and those of the next table: weights that all tables began with would be no chance


class Rows(NamedTuple):
    inputs: NDArray[np.float32]
    targets: NDArray[Any]


class Population(NamedTuple):
    """`draw(rng, n)` gives rows for a table, `truth` those that no table has."""

    task: str
    draw: Callable[[np.random.Generator, int], Rows]
    truth: Rows


def pictures(name: str) -> Population:
    """Pictures of 14×14 pixels: tables from the training set, the truth from the test set."""
    data = DataSpec(name).load()
    small = halved(data.standardized(np.arange(len(data.targets)))[0]).reshape(-1, 196)
    own = len(small) - 10_000

    def draw(rng: np.random.Generator, count: int) -> Rows:
        rows = rng.choice(own, count, replace=False)
        return Rows(small[rows], data.targets[rows])

    return Population("classification", draw, Rows(small[own : own + TRUTH], data.targets[own : own + TRUTH]))


def synthetic(task: str, make: Callable[[np.random.Generator, int], Rows]) -> Population:
    return Population(task, make, make(np.random.default_rng(2**31), TRUTH))


def blobs(rng: np.random.Generator, count: int) -> Rows:
    """Three classes of two Gaussian clouds each, in 5 of 20 dimensions; one label in twenty is wrong."""
    centres = np.random.default_rng(5).normal(size=(6, 5)) * 1.3
    cloud = rng.integers(0, 6, count)
    x = rng.normal(size=(count, 20))
    x[:, :5] += centres[cloud]
    y = np.where(rng.random(count) < 0.05, rng.integers(0, 3, count), cloud % 3)
    return Rows(x.astype(np.float32), y.astype(np.int32))


def friedman(rng: np.random.Generator, count: int) -> Rows:
    """Friedman's first function of 10 uniform inputs with normal noise (Annals of Statistics 19, 1991)."""
    x = rng.random((count, 10))
    y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    y = (y + rng.normal(size=count) - 14.4) / 5  # about standardised
    return Rows(((x - 0.5) * np.sqrt(12)).astype(np.float32), y.astype(np.float32))


POPULATIONS: dict[str, Callable[[], Population]] = {
    "mnist": lambda: pictures("mnist"),
    "fashion_mnist": lambda: pictures("fashion_mnist"),
    "blobs": lambda: synthetic("classification", blobs),
    "friedman": lambda: synthetic("regression", friedman),
}


def folds(rng: np.random.Generator, task: str, targets: NDArray[Any]) -> list[Splits]:
    """One repetition: for each fold the split that it judges, a quarter of the others' rows for choosing."""
    order = rng.permutation(len(targets))
    if task == "classification":
        order = order[np.argsort(targets[order], kind="stable")]
    fold = np.empty(len(targets), int)
    fold[order] = np.arange(len(targets)) % FOLDS
    made = []
    for test in range(FOLDS):
        others = rng.permutation(np.flatnonzero(fold != test))
        held_out = len(others) // 4
        made.append(
            Splits(
                np.sort(others[held_out:]), np.sort(others[:held_out]), np.sort(np.flatnonzero(fold == test))
            )
        )
    return made


def losses(run: Run, rows: slice) -> dict[str, NDArray[np.float32]]:
    """Per example, what went wrong: error and log-loss, or squared and absolute error."""
    predicted, targets = run.predictions["test"][rows], run.predictions["test_targets"][rows]
    if run.status == "diverged":
        predicted = np.zeros_like(predicted) - (np.log(predicted.shape[1]) if predicted.ndim > 1 else 0)
    if run.data["task"] == "regression":
        miss = predicted - targets
        return {"squared": miss**2, "absolute": np.abs(miss)}
    return {
        "error": (predicted.argmax(1) != targets).astype(np.float32),
        "log_loss": -predicted[np.arange(len(targets)), targets],
    }


def train_table(population: Population, size: int, table: int) -> dict[str, NDArray[Any]]:
    """All trainings on one table: per arm and design, (seeds, judged rows) losses and (seeds,) truths."""
    rng = np.random.default_rng([table, size])
    rows = population.draw(rng, size)
    inputs = np.concatenate([rows.inputs, population.truth.inputs])
    targets = np.concatenate([rows.targets, population.truth.targets])
    unseen = np.arange(size, len(inputs))
    classes = tuple(map(str, np.unique(targets))) if population.task == "classification" else ()
    splits = [one for _ in range(REPETITIONS) for one in folds(rng, population.task, rows.targets)]
    kept: dict[str, Any] = {"folds/rows": np.stack([one.test for one in splits])}
    steps = 20 * -(-len(splits[0].train) // 32)
    for design in ("folds", "fixed"):
        datasets = [
            Dataset(
                "table", population.task, inputs, targets,  # type: ignore[arg-type]
                Splits(one.train, one.validation, np.concatenate([one.test, unseen])), classes,
            )
            for one in (splits if design == "folds" else splits[:1])
        ]  # fmt: skip
        for arm, strategies in ARMS.items():
            recipe = Recipe(NETWORK, strategies, 0.1, steps=steps, evaluate_every=steps)
            first = APART * table + (OTHER_KEYS if arm == "again" else 0)
            trainings = [
                Training(recipe, datasets[seed % len(datasets)], first + seed) for seed in range(SEEDS)
            ]
            runs = {training.seed: run for training, run in fit_all(trainings, width=SEEDS)}
            judged = len(splits[0].test)
            for _, run in sorted(runs.items()):
                for name, values in losses(run, slice(judged)).items():
                    kept.setdefault(f"{design}/{arm}/{name}", []).append(values)
                for name, values in losses(run, slice(judged, None)).items():
                    kept.setdefault(f"{design}/{arm}/{name}/truth", []).append(values.mean())
    return {name: np.array(values) for name, values in kept.items()}


def missing(store: Path, tables: int) -> Iterator[tuple[str, int, int, Path]]:
    """Table by table through all populations and sizes, so that whatever is done is balanced."""
    for table in range(tables):
        for name in POPULATIONS:
            for size in SIZES:
                path = store / f"{name}-{size}-{table:04}.npz"
                if not path.exists():
                    yield name, size, table, path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("store", type=Path, help="the folder for the tables' losses, outside the checkout")
    parser.add_argument("--tables", type=int, default=100, help="of each population and size")
    given = parser.parse_args()
    given.store.mkdir(parents=True, exist_ok=True)
    population = lru_cache(lambda name: POPULATIONS[name]())
    for name, size, table, path in missing(given.store, given.tables):
        temporary = path.with_suffix(".tmp.npz")
        np.savez_compressed(temporary, **train_table(population(name), size, table))  # type: ignore[arg-type]
        temporary.rename(path)
        print(path.name, flush=True)


if __name__ == "__main__":
    main()
