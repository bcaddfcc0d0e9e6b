"""Handover: the model that a study hands over."""

from __future__ import annotations

from collections.abc import Sequence

from trainwright.base.errors import SettingError
from trainwright.model import Model
from trainwright.runs.score import score
from trainwright.runs.store import Store
from trainwright.studies.plan import Planned


def best_of(trainings: Sequence[Planned], store: Store) -> Model:
    """The model of the training that did best on validation; ties go to the lower loss, then to the first.

    The store has them all. Raises `SettingError` if every one of them diverged.
    """
    finished = []
    for place, training in enumerate(trainings):
        reached = score(store.read(training.digest), "validation")
        if not reached.guessed:
            finished.append((reached.error, reached.loss, place))
    if not finished:
        raise SettingError("study: every training diverged, so there is no model: give smaller rates")
    best = trainings[min(finished)[-1]]
    return Model.of(store.read(best.digest, weights=True), best.data)
