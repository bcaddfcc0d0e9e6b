"""Handover: the model that a study hands over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trainwright.base.errors import SettingError
from trainwright.comparison import metrics
from trainwright.comparison.metrics import Metric
from trainwright.ensemble import Ensemble
from trainwright.model import Model
from trainwright.runs.average import average
from trainwright.runs.score import score
from trainwright.runs.store import Store
from trainwright.studies.plan import Planned


def best_of(
    groups: Sequence[Sequence[Planned]], recipe: dict[str, Any], store: Store, metric: Metric
) -> Model | Ensemble:
    """The model of the group whose average did best on validation by a metric; ties go to the lower loss,
    then to the first. A group is a training of an arm, or the members of an ensemble.

    In cross-validation each group has validation examples of its own: whose are the easiest says nothing of
    the models, so the first one that has not diverged is taken.

    `recipe`: the arm's, as JSON. The store has all trainings. Raises `SettingError` if every one diverged.
    """
    comparable = len({group[0].data.fingerprint for group in groups}) == 1
    finished = []
    for place, group in enumerate(groups):
        together = average([store.read(one.digest) for one in group], recipe)
        reached = score(together, "validation")
        if not reached.guessed:
            errors = (metrics.measure(together, "validation", metric), reached.loss) if comparable else ()
            finished.append((errors, place))
    if not finished:
        raise SettingError("study: every training diverged, so there is no model: give smaller rates")
    best = groups[min(finished)[-1]]
    models = tuple(Model.of(store.read(one.digest, weights=True), one.data) for one in best)
    return models[0] if len(models) == 1 else Ensemble(models)
