"""Handing over: what a training leaves behind when it has ended."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from trainwright.base.environment import environment
from trainwright.data.summary import facts
from trainwright.runs.run import Run
from trainwright.training.building import count, named_arrays
from trainwright.training.cohort import Cohort, without_key
from trainwright.training.progress import Progress


def hand_over(cohort: Cohort, progress: Progress) -> Run:
    """The run of a training, which leaves its cohort.

    The weights are the kept ones, unless a later phase went on from them and ended well. Where that phase
    has trained on the validation split, the kept ones still speak for it.
    """
    recipe, data = progress.training.recipe, progress.training.data
    kept = cohort.kept_of(progress)
    last_phase = not (progress.phase.counts or progress.diverged)
    state = cohort.state_of(progress) if last_phase else kept
    splits = data.splits
    validation, test = cohort.predict(progress, state, splits.validation, splits.test)
    if last_phase and progress.phase.rows == "all":
        validation, _ = cohort.predict(progress, kept, splits.validation, splits.test)
    cohort.remove(progress)
    predictions = {
        "validation": data.decode(validation),
        "validation_targets": data.labels(splits.validation),
        "validation_rows": splits.validation,
        "test": data.decode(test),
        "test_targets": data.labels(splits.test),
        "test_rows": splits.test,
    }
    if data.groups is not None:
        predictions["test_groups"] = data.groups[splits.test]
    return Run(
        recipe=recipe.to_json(),
        data=facts(data),
        seed=progress.training.seed,
        status="diverged" if progress.diverged else "finished",
        steps=progress.total,
        best_step=progress.best_step,
        parameters=count(state.params),
        seconds=progress.seconds / max(progress.timed, 1) * progress.total,
        memory_bytes=_bytes(state) * (1 if cohort.kept is None else 2),
        environment=environment(),
        history={
            name: np.asarray(column) * (data.deviation if name == "validation_error" else 1)
            for name, column in progress.history.items()
        },
        predictions=predictions,
        weights=named_arrays(state),
        pretraining=[pretrained.facts() for pretrained in progress.pretrained],
    )


def _bytes(state: Any) -> int:
    return sum(leaf.nbytes for leaf in jax.tree.leaves(without_key(state)))
