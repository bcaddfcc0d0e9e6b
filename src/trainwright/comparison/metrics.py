"""Metrics: what is averaged over examples, from predictions that are stored. Lower is better in all.

Every metric is a mean over examples, or a smooth function of such means. Either way each example has a
contribution: its own loss, or, to first order, what the metric would be if all examples were like it (the
delta method). The mean of the contributions is the metric, and their spread is its uncertainty, so that one
estimator serves all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from trainwright.base.errors import SettingError
from trainwright.comparison.caution import Caution
from trainwright.runs.run import Run
from trainwright.runs.score import score

if TYPE_CHECKING:
    from trainwright.data.targets import TaskName

Array = NDArray[np.float64]
Unit = Literal["fraction", "target", "nats", "score"]
Split = Literal["validation", "test"]
RARE = 0.15  # where guessing errs less, the error rate hardly sees the other classes
VERY_RARE = 0.05  # where guessing errs less, the most probable class is nearly always the commonest
LEAST_PROBABILITY = 1e-15  # a probability of zero counts as this one in the log-loss


@dataclass(frozen=True)
class Metric:
    """How a run's predictions are scored."""

    name: str
    """As on the command line."""
    label: str
    """As in a sentence."""
    task: TaskName
    unit: Unit
    """What a value is: a fraction (shown in percent), in the target's unit, in nats, or a plain score."""
    losses: Callable[[NDArray[Any], NDArray[Any]], Array]
    """Predictions and targets -> each example's loss, (examples,)."""
    pooling: Literal["mean", "classes", "root"] = "mean"
    """The mean of the losses; the mean of the classes' means; or the root of the mean."""
    counts: bool = False
    """A loss is a whole example: right or wrong."""
    least_classes: int = 0
    """With fewer classes no prediction could be wrong."""

    def contributions(self, losses: Array, targets: NDArray[Any]) -> Array:
        """What each example contributes, (examples,); their mean is the metric.

        >>> METRICS["rmse"].contributions(np.array([9.0, 7.0, 11.0]), np.zeros(3)).mean()
        np.float64(3.0)
        """
        if self.pooling == "root":
            root = np.sqrt(losses.mean())
            return (root + losses / root) / 2 if root else losses
        if self.pooling == "classes":
            classes, members = np.unique(targets, return_inverse=True)
            sizes = np.bincount(members)
            errors = np.bincount(members, losses) / sizes
            weights = len(losses) / (len(classes) * sizes)
            contributions: Array = errors.mean() + weights[members] * (losses - errors[members])
            return contributions
        return losses

    def resolution(self, targets: NDArray[Any]) -> float:
        """How much the metric changes at most when one example changes sides; 0 where losses are graded.

        >>> METRICS["balanced_error"].resolution(np.array([0, 0, 0, 1, 1]))
        0.25
        """
        if not self.counts:
            return 0.0
        sizes = np.unique(targets, return_counts=True)[1]
        return float(1 / (len(sizes) * sizes.min())) if self.pooling == "classes" else 1 / len(targets)


def _wrong(predicted: NDArray[Any], targets: NDArray[Any]) -> Array:
    return np.asarray(np.argmax(predicted, axis=1) != targets, np.float64)


def _not_among_five(predicted: NDArray[Any], targets: NDArray[Any]) -> Array:
    """Of equal probabilities the class that comes first counts as the likelier, as in `argmax`."""
    right = predicted[np.arange(len(targets)), targets][:, None]
    before = np.arange(predicted.shape[1]) < np.asarray(targets)[:, None]
    likelier = (predicted > right) | ((predicted == right) & before)
    return np.asarray(likelier.sum(axis=1) >= 5, np.float64)


def _surprise(predicted: NDArray[Any], targets: NDArray[Any]) -> Array:
    said = np.maximum(predicted[np.arange(len(targets)), targets], np.log(LEAST_PROBABILITY))
    return np.asarray(-said, np.float64)


def _brier(predicted: NDArray[Any], targets: NDArray[Any]) -> Array:
    misses = np.exp(predicted.astype(np.float64))
    misses[np.arange(len(targets)), targets] -= 1
    return np.asarray(np.square(misses).sum(axis=1))


def _squared(predicted: NDArray[Any], targets: NDArray[Any]) -> Array:
    return np.asarray(np.square(predicted.astype(np.float64) - targets))


def _absolute(predicted: NDArray[Any], targets: NDArray[Any]) -> Array:
    return np.asarray(np.abs(predicted.astype(np.float64) - targets))


def _wrong_number(predicted: NDArray[Any], targets: NDArray[Any]) -> Array:
    from trainwright.data import sequences  # here, as below: it brings pandas along

    return np.asarray(sequences.wrong(predicted, targets), np.float64)


def _wrong_digits(predicted: NDArray[Any], targets: NDArray[Any]) -> Array:
    """Each example's wrong digits in units of the mean number of digits: the mean is the fraction of all
    digits that are wrong."""
    from trainwright.data import sequences

    digits = np.where(targets[:, 0] <= sequences.PLACES, targets[:, 0], 0).mean()
    return np.asarray(sequences.wrong_digits(predicted, targets) / max(digits, 1e-9), np.float64)


def _number_surprise(predicted: NDArray[Any], targets: NDArray[Any]) -> Array:
    from trainwright.data import sequences

    said = sequences.log_probability(predicted.astype(np.float64), targets)
    return -np.asarray(np.maximum(said, np.log(LEAST_PROBABILITY)), np.float64)


METRICS = {
    metric.name: metric
    for metric in (
        Metric("error", "test error", "classification", "fraction", _wrong, counts=True),
        Metric(
            "balanced_error", "balanced test error", "classification", "fraction", _wrong, "classes", True
        ),
        Metric(
            "top5_error",
            "top-5 test error",
            "classification",
            "fraction",
            _not_among_five,
            counts=True,
            least_classes=6,
        ),
        Metric("log_loss", "test log-loss", "classification", "nats", _surprise),
        Metric("brier", "test Brier score", "classification", "score", _brier),
        Metric("rmse", "test RMSE", "regression", "target", _squared, "root"),
        Metric("mae", "test mean absolute error", "regression", "target", _absolute),
        Metric("number_error", "test error of numbers", "sequence", "fraction", _wrong_number, counts=True),
        Metric("digit_error", "test error of digits", "sequence", "fraction", _wrong_digits),
        Metric("number_log_loss", "test log-loss of numbers", "sequence", "nats", _number_surprise),
    )
}


LOG_LOSS = {"classification": METRICS["log_loss"], "sequence": METRICS["number_log_loss"]}
"""The log-loss of each task that has one."""


def choose(name: str | None, task: TaskName, targets: NDArray[Any]) -> tuple[Metric, Caution | None]:
    """The metric of this name, or the one that suits these targets; and why, where it is not the usual.

    The default is RMSE for regression, the error rate of whole numbers for sequences, and the error rate for
    classification. Where always guessing the commonest class would err in less than 15 %, it is the balanced
    error, and in less than 5 % the log-loss: decided by the largest probability, hardly any example would be
    given to the other classes. Raises `SettingError` for a name that the task does not have.

    >>> metric, reason = choose(None, "classification", np.repeat([0, 1], [94, 6]))
    >>> metric.name, reason.kind
    ('balanced_error', 'rare classes')
    """
    names = [metric.name for metric in METRICS.values() if metric.task == task]
    if name is not None:
        if name not in names:
            raise SettingError(f"metric={name!r} does not suit {task}: choose one of {', '.join(names)}")
        return METRICS[name], None
    if task != "classification":
        return METRICS["rmse" if task == "regression" else "number_error"], None
    sizes = np.unique(targets, return_counts=True)[1]
    guessing = float(1 - sizes.max() / sizes.sum())
    if 0 < guessing < RARE:
        reason = Caution("rare classes", {"guessing": guessing})
        return METRICS["log_loss" if guessing < VERY_RARE else "balanced_error"], reason
    return METRICS["error"], None


def labelled(label: str) -> Metric:
    """The metric that a comparison names in words.

    >>> labelled("test RMSE").name
    'rmse'
    """
    return next(metric for metric in METRICS.values() if metric.label == label)


def check_classes(metric: Metric, classes: int) -> None:
    """Raise `SettingError` for a metric that cannot tell predictions of so few classes apart.

    >>> check_classes(METRICS["top5_error"], 6)
    """
    if classes < metric.least_classes:
        raise SettingError(
            f"metric={metric.name!r} is zero whatever is predicted among {classes} classes: "
            f"it needs {metric.least_classes} or more; choose another, such as error"
        )


def targets(run: Run, split: Split) -> NDArray[Any]:
    """The targets of a split."""
    return np.asarray(run.predictions[f"{split}_targets"])


def guess(run: Run, split: Split) -> NDArray[Any]:
    """What the best guess that looks at no input predicts: the classes (lengths, digits) by their frequency
    in the split, or the mean of the training targets."""
    truth = targets(run, split)
    if run.data["task"] == "regression":
        mean = run.data["target"]["mean"] if "target" in run.data else np.mean(truth)
        return np.full(len(truth), mean, np.float64)
    if run.data["task"] == "sequence":
        from trainwright.data import sequences

        return sequences.guess(truth)
    with np.errstate(divide="ignore"):
        classes = np.asarray(run.predictions[split]).shape[1]
        frequencies = np.log(np.bincount(truth, minlength=classes) / len(truth))
    return np.broadcast_to(frequencies, (len(truth), classes))


def losses(run: Run, split: Split, metric: Metric) -> Array:
    """Each example's loss, (examples,). A run that diverged and kept no weights has those of the guess that
    looks at no input, see `runs.score.score`."""
    predicted = guess(run, split) if score(run, split).guessed else np.asarray(run.predictions[split])
    if predicted.ndim == 2:
        check_classes(metric, predicted.shape[1])
    return metric.losses(predicted, targets(run, split))


def measure(run: Run, split: Split, metric: Metric) -> float:
    """A run's metric on a split."""
    return float(metric.contributions(losses(run, split, metric), targets(run, split)).mean())
