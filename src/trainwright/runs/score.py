"""How good a run's predictions are on a split: error, loss, and which examples went wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trainwright.runs.run import Run


@dataclass(frozen=True, eq=False)
class Score:
    """A run's score on one split."""

    error: float
    """Classification: the fraction of examples that went wrong; of sequences, wrong anywhere. Regression:
    RMSE, in the target's unit."""
    loss: float
    """The mean negative log-probability of the right class or sequence. Regression: the error again."""
    wrong: NDArray[np.bool_] | None
    """Per example, whether the class or sequence is the wrong one; None for regression."""
    diverged: bool
    """Whether the training diverged, or predicts NaN (in a regression, or infinity)."""
    guessed: bool = False
    """Whether no weights were left from before, so that a constant guess is scored in their stead."""


def score(run: Run, split: Literal["validation", "test"]) -> Score:
    """The score on a split; what a run predicts on any other is not read.

    A run that diverged scores with the weights that a strategy kept before (early stopping's theta*), and is
    counted as diverged beside it. One that kept none, or predicts NaN (in a regression, or infinity), scores
    as the best guess that looks at no input: the commonest class of the split, or the mean of the training
    targets.
    """
    targets = run.predictions[f"{split}_targets"]
    predicted = run.predictions[split].astype(np.float64)
    regression = run.data["task"] == "regression"
    # A log-probability may be -∞, a quantity may not.
    useless = bool((~np.isfinite(predicted) if regression else np.isnan(predicted)).any())
    diverged = run.status == "diverged" or useless
    guessed = useless or (run.status == "diverged" and not _kept(run))
    if regression:
        guess = _mean(run, targets) if guessed else predicted
        error = float(np.sqrt(np.mean((guess - targets.astype(np.float64)) ** 2)))
        return Score(error, error, None, diverged, guessed)
    if run.data["task"] == "sequence":
        from trainwright.data import sequences  # here: it brings pandas along

        said = sequences.guess(targets) if guessed else predicted
        wrong = sequences.wrong(said, targets)
        loss = -float(np.mean(sequences.log_probability(said, targets)))
        return Score(float(np.mean(wrong)), loss, wrong, diverged, guessed)
    if guessed:
        frequencies = np.bincount(targets) / len(targets)
        wrong = targets != np.argmax(frequencies)
        loss = -np.mean(np.log(frequencies[targets]))
    else:
        wrong = np.argmax(predicted, axis=1) != targets
        loss = -np.mean(predicted[np.arange(len(targets)), targets])
    return Score(float(np.mean(wrong)), float(loss), wrong, diverged, guessed)


def _kept(run: Run) -> bool:
    """Whether the run's weights are from before it diverged: from an evaluation with a finite loss."""
    at_best = np.flatnonzero(run.history["step"] == run.best_step)
    losses = [run.history[name][at_best] for name in ("train_loss", "validation_loss")]
    return len(at_best) > 0 and bool(np.isfinite(losses).all())


def _mean(run: Run, targets: NDArray[Any]) -> float:
    """The mean of the training targets; of these where the data's facts do not say."""
    return float(run.data["target"]["mean"] if "target" in run.data else np.mean(targets))
