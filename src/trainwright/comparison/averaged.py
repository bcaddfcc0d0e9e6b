"""Several trainings of one recipe as one predictor: the average of what they predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from trainwright.comparison import cells, metrics
from trainwright.comparison.cells import Layout
from trainwright.comparison.estimate import quantile
from trainwright.comparison.metrics import Split
from trainwright.comparison.results import Interval
from trainwright.runs.run import Run


def average(runs: Sequence[Run], split: Split = "test") -> Run:
    """The runs as one that predicts on a split what they predict there on average: probabilities of classes,
    or values. They share the split's examples. All else is the first run's."""
    predictions = np.stack([np.asarray(run.predictions[split], np.float64) for run in runs])
    if runs[0].data["task"] != "regression":
        with np.errstate(divide="ignore"):
            mean = np.log(np.exp(predictions).mean(axis=0))
    else:
        mean = predictions.mean(axis=0)
    return replace(runs[0], predictions={**runs[0].predictions, split: mean})


def averaged(runs: Sequence[Run], metric: str | None = None, level: float = 0.95) -> Interval:
    """The metric of these runs' average prediction, all of the same test examples. There is but one such
    average, so the interval is over examples alone."""
    together = average(runs)
    validated = np.concatenate([metrics.targets(run, "validation") for run in runs])
    measured, _ = metrics.choose(metric, together.data["task"], validated)
    layout = Layout.of([together])
    (scored,) = cells.of_arms([[together]], layout, measured)
    estimate = layout.estimate(scored.values, layout.resolution(measured))
    half = quantile((1 + level) / 2, estimate.df) * estimate.examples**0.5
    return Interval(estimate.mean, estimate.mean - half, estimate.mean + half)
