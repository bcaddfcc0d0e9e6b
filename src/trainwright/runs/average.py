"""Several runs as one predictor: the average of what they predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trainwright.base.errors import SettingError
from trainwright.runs.run import Run

CURVES = ("train_loss", "validation_loss", "validation_error")


def average(runs: Sequence[Run], recipe: dict[str, Any]) -> Run:
    """The run of the ensemble of these runs, which judge the same examples; one run alone is itself.

    Its seed, data and environment are the first run's, its weights are none. It has cost what all have cost.
    It counts as diverged if a run did; its history is one evaluation, the mean of what the runs had at the
    weights that they kept. `recipe`: what the ensemble is made of, for readers.

    Raises `SettingError` for no runs, and for runs that judge other examples than the first.
    """
    if not runs:
        raise SettingError("an ensemble has no members: give at least one run")
    first = runs[0]
    if len(runs) == 1:
        return first
    for run in runs:
        if run.data["fingerprint"] != first.data["fingerprint"]:
            raise SettingError(
                f"the run of seed {run.seed} cannot be averaged with that of seed {first.seed}: it has other "
                "data, or another fold of it"
            )
    splits: tuple[Literal["validation", "test"], ...] = ("validation", "test")
    return replace(
        first,
        recipe=recipe,
        status="diverged" if any(run.status == "diverged" for run in runs) else "finished",
        steps=sum(run.steps for run in runs),
        best_step=first.best_step,
        parameters=sum(run.parameters for run in runs),
        seconds=sum(run.seconds for run in runs),
        memory_bytes=max(run.memory_bytes for run in runs),
        history={"step": np.array([first.best_step])}
        | {name: np.array([np.mean([_kept(run, name) for run in runs])]) for name in CURVES},
        predictions={name: first.predictions[name] for name in first.predictions}
        | {split: mean_prediction(runs, split) for split in splits},
        weights={},
        pretraining=[facts for run in runs for facts in run.pretraining],
    )


def mean_prediction(runs: Sequence[Run], split: Literal["validation", "test"]) -> NDArray[np.float64]:
    """The logarithm of the mean probabilities, or the mean value, of what these runs predict for a split."""
    predictions = np.stack([np.asarray(run.predictions[split], np.float64) for run in runs])
    if runs[0].data["task"] == "regression":
        return np.asarray(predictions.mean(axis=0))
    return np.asarray(np.logaddexp.reduce(predictions, axis=0) - np.log(len(runs)))


def _kept(run: Run, name: str) -> float:
    """What a run's history says of the weights that it kept; NaN where it is silent."""
    at_best = run.history[name][run.history["step"] == run.best_step]
    return float(at_best[-1]) if len(at_best) else float("nan")
