"""Several trainings of one recipe as one predictor: the average of what they predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from trainwright.comparison import cells, metrics
from trainwright.comparison.cells import Layout
from trainwright.comparison.estimate import quantile
from trainwright.comparison.results import Interval
from trainwright.runs.average import mean_prediction
from trainwright.runs.run import Run


def averaged(runs: Sequence[Run], metric: str | None = None, level: float = 0.95) -> Interval:
    """The metric of these runs' average prediction, all of the same test examples: probabilities of classes,
    or values, are averaged. There is but one such average, so the interval is over examples alone."""
    first = runs[0]
    together = replace(first, predictions={**first.predictions, "test": mean_prediction(runs, "test")})
    validated = np.concatenate([metrics.targets(run, "validation") for run in runs])
    measured, _ = metrics.choose(metric, first.data["task"], validated)
    layout = Layout.of([together])
    (scored,) = cells.of_arms([[together]], layout, measured)
    estimate = layout.estimate(scored.values, layout.resolution(measured))
    half = quantile((1 + level) / 2, estimate.df) * estimate.examples**0.5
    return Interval(estimate.mean, estimate.mean - half, estimate.mean + half)
