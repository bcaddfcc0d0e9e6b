"""Trainings: several studies compared at once, and the runs that they left."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import jax
import numpy as np
import optax
import pandas as pd
from numpy.typing import NDArray

from trainwright.comparison.compare import ArmRuns, Comparison, compare
from trainwright.comparison.measured import Measured, Measurements, tabulated
from trainwright.comparison.results import ArmResult
from trainwright.comparison.sweep import Sweep
from trainwright.data import Dataset
from trainwright.exhibit.contract import Floats, Judged
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.runs.run import Run
from trainwright.runs.score import score
from trainwright.runs.store import Store
from trainwright.strategies import read
from trainwright.strategy import Strategy
from trainwright.studies.study import Study
from trainwright.studies.together import run_all
from trainwright.training.fit import fit
from trainwright.training.progress import Progress

Place = TypeVar("Place", bound=Hashable)
Look = TypeVar("Look")
Weights = Mapping[str, NDArray[Any]]
Over = Mapping[str, Comparison]  # the same arms compared, by the one that they are compared with
SPLITS: tuple[Literal["validation", "test"], ...] = ("validation", "test")


def network(*hidden: int, strategies: str = "", **settings: Any) -> Recipe:
    """A recipe: a fully connected network of these hidden layers, with strategies as on the command line.

    `settings` are the recipe's: its learning rate, batch size and length.

    >>> network(100, 100, strategies="dropout(0.5), momentum(0.9)", steps=500).network
    Mlp(hidden=(100, 100))
    """
    return Recipe(Mlp(hidden), read(strategies), **settings)


def adding(recipe: Recipe, strategies: str) -> Recipe:
    """The recipe with strategies added, as on the command line; see `Recipe.adding`."""
    return recipe.adding(*read(strategies))


def watched(
    recipe: Recipe, data: Dataset, seed: int, look: Callable[[Weights], Look]
) -> tuple[Run, dict[int, Look]]:
    """Train, and look at the weights after each evaluation: the run, and what was seen, by step.

    >>> from trainwright.data import load
    >>> run, seen = watched(network(8, epochs=2), load("digits"), 0, lambda weights: len(weights))
    >>> seen
    {34: 4, 68: 4}
    """
    seen = {}

    def watch(progress: Progress) -> None:
        seen[progress.step] = look(progress.weights())

    return fit(recipe, data, seed, watch=watch), seen


def compare_all(studies: Mapping[Place, Study], store: Path) -> dict[Place, Comparison]:
    """Train what the store has not, with one pool of workers for all studies, and compare each one's arms."""
    runs = run_all(list(studies.values()), store)
    return {
        place: compare(arms, reference=study.reference or next(iter(study.arms)))
        for (place, study), arms in zip(studies.items(), runs, strict=True)
    }


def over_each(runs: Sequence[ArmRuns]) -> Over:
    """All arms compared with each of them in turn."""
    return {arm.name: compare(runs, reference=arm.name) for arm in runs}


def gains_over(over: Over, pairs: Iterable[tuple[str, str]]) -> Measurements:
    """What the first arm of each pair gains over the second."""
    return Measurements({f"{arm} over {other}": over[other].gain(arm) for arm, other in pairs})


def runs_of(study: Study, arm: str, store: Path, *, learning_rate: float | None = None) -> list[Run]:
    """An arm's runs with their weights, seed by seed, from a store that has them all.

    `learning_rate`: the one of the study's grid; needed where there is a grid.
    """
    rate = study.arms[arm].learning_rate if learning_rate is None else learning_rate
    return [
        Store(store).read(planned.digest, weights=True)
        for planned in study.plan
        if planned.arm == arm and planned.training.recipe.learning_rate == rate
    ]


def scores(arms: Iterable[ArmRuns]) -> pd.DataFrame:
    """A row for each run of arms that have one learning rate each, with what it reached.

    Columns: arm, seed, steps, best step; error (in %) and loss (nats, without penalties) on validation and
    test, such as "test error"; training loss, the mean over the last interval.
    """
    rows = []
    for arm in arms:
        (runs,) = arm.runs.values()
        for run in runs:
            row = {"arm": arm.name, "seed": run.seed, "steps": run.steps, "best step": run.best_step}
            for split in SPLITS:
                reached = score(run, split)
                row |= {f"{split} error": 100 * reached.error, f"{split} loss": reached.loss}
            rows.append(row | {"training loss": run.history["train_loss"][-1]})
    return pd.DataFrame(rows)


def curve(arm: ArmResult, column: str) -> Measurements:
    """A quantity along an arm's training steps, with the band over its seeds; a rate of errors in %.

    `column`: `train_loss`, `validation_loss` or `validation_error`.
    """
    seen, factor = arm.curves[column], 100 if column.endswith("error") and arm.loss else 1
    rows = zip(seen.steps, seen.mean, seen.low, seen.high, strict=True)
    return Measurements(
        {
            step: Measured(factor * m, factor * low, factor * high, len(arm.seeds))
            for step, m, low, high in rows
        }
    )


def described(study: Study) -> str:
    """How a study trains, as a note; its networks and strategies are the exhibit's to tell."""
    recipe = next(iter(study.arms.values()))
    length = f"{recipe.steps:,} steps" if recipe.steps else f"{recipe.epochs:g} epochs"
    rates = ", ".join(f"{rate:g}" for rate in study.rates or (recipe.learning_rate,))
    return (
        f"{len(study.dataset(0).splits.train):,} training examples, {length} of batch {recipe.batch_size}, "
        f"learning rate{'s' * (len(study.rates) > 1)} {rates}, {study.seeds} seed{'s' * (study.seeds > 1)}."
    )


def look_into(study: Study, arm: str, store: Path, look: Callable[[Run, Dataset], Look]) -> list[Look]:
    """What a function sees in each of an arm's runs, which have their weights, and its data; seed by seed."""
    return [look(run, study.dataset(run.seed)) for run in runs_of(study, arm, store)]


def overview(comparison: Comparison, place: str) -> pd.DataFrame:
    """Every arm with what it took and reached; `place` heads the arms' names."""
    arms = comparison.arms
    errors = Measurements({arm.name: comparison.error_of(arm.name) for arm in arms})
    table = tabulated(place, {f"{comparison.metric} ({errors[arms[0].name].unit})": errors})
    table["verdict"] = [arm.difference.verdict if arm.difference else "reference" for arm in arms]
    table["parameters"] = [arm.parameters for arm in arms]
    table["learning rate"] = [arm.learning_rate for arm in arms]
    table["training loss"] = [arm.curves["train_loss"].mean[-1] if arm.curves else np.nan for arm in arms]
    return table


def means(rows: pd.DataFrame) -> pd.DataFrame:
    """The errors and losses of `scores` averaged over the seeds: a row for each arm, by its name."""
    return rows.groupby("arm", sort=False).mean().filter(regex="error|loss")


def walk(
    strategy: Strategy,
    learning_rate: float,
    gradient: Callable[[Floats], Floats],
    start: Floats,
    *,
    steps: int = 10**9,
    near: float | None = None,
) -> Floats:
    """The points (steps + 1, dimensions) that a strategy's update visits on a surface, by its gradient.

    The walk ends after so many steps, or at a point whose distance from zero is `near` or less. It is in
    double precision if the update computes with operators alone.

    >>> from trainwright.strategies import Momentum
    >>> path = walk(Momentum(0.5), 0.1, lambda theta: 2 * theta, np.array([1.0]), steps=3)
    >>> path[:, 0].round(3).tolist()
    [1.0, 0.8, 0.54, 0.302]
    """
    update, path = strategy.update() or optax.identity(), [start]
    state = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), update.init(start))
    while len(path) <= steps and (near is None or np.linalg.norm(path[-1]) > near):
        move, state = update.update(-learning_rate * gradient(path[-1]), state, path[-1])
        path.append(path[-1] + np.asarray(move))
    return np.array(path)


def at_each_rate(runs: Sequence[ArmRuns], reference: str) -> Sweep:
    """The arms of a study with several learning rates, compared at the same one: by rate."""

    def at(rate: float) -> Comparison:
        return compare([ArmRuns(arm.name, {rate: arm.runs[rate]}) for arm in runs], reference=reference)

    return Sweep({rate: at(rate) for rate in runs[0].runs})


def evaluations(arms: Iterable[ArmRuns]) -> pd.DataFrame:
    """A row for each evaluation of each run: what was reached along the training.

    Columns: arm, learning rate, seed, step; training loss (the mean since the evaluation before), validation
    loss and validation error (in %). The data are to be classified.
    """
    tables = []
    for arm in arms:
        for rate, runs in arm.runs.items():
            for run in runs:
                seen = run.history
                columns = {
                    "step": seen["step"],
                    "training loss": seen["train_loss"],
                    "validation loss": seen["validation_loss"],
                    "validation error": 100 * seen["validation_error"],
                }
                place = {"arm": arm.name, "learning rate": rate, "seed": run.seed}
                tables.append(pd.DataFrame(place | columns))
    return pd.concat(tables, ignore_index=True)


def all_gain(over: Over, pairs: Iterable[tuple[str, str]]) -> Judged:
    """What the first arm of each pair gains over the second, and whether each does by its whole interval."""
    gains = gains_over(over, pairs)
    return f"{gains}.", gains.all_positive
