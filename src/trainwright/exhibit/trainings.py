"""Trainings: several studies compared at once, and the runs that they left."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import TypeVar

from trainwright.comparison.compare import Comparison, compare
from trainwright.runs.run import Run
from trainwright.runs.store import Store
from trainwright.studies.study import Study, run_all

Place = TypeVar("Place", bound=Hashable)


def compare_all(studies: Mapping[Place, Study], store: Path) -> dict[Place, Comparison]:
    """Train what the store has not, with one pool of workers for all studies, and compare each one's arms."""
    runs = run_all(list(studies.values()), store)
    return {
        place: compare(arms, reference=study.reference or next(iter(study.arms)))
        for (place, study), arms in zip(studies.items(), runs, strict=True)
    }


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
