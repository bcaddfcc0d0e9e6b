"""Curves: what happened along training, over the seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trainwright.comparison.estimate import critical
from trainwright.comparison.results import Curve
from trainwright.runs.run import Run


def curve(runs: Sequence[Run], column: str, level: float) -> Curve:
    """A column of the runs' histories along the steps: mean and t band over the seeds.

    Runs that stopped early leave the average where they end; it goes on while half of the runs or more are
    in it. Values that are not finite are left out. Where one run alone is left the band has no width.
    """
    steps = np.unique(np.concatenate([run.history["step"] for run in runs]))
    values = np.full((len(runs), len(steps)), np.nan)
    for row, run in zip(values, runs, strict=True):
        row[np.searchsorted(steps, run.history["step"])] = run.history[column]
    values[~np.isfinite(values)] = np.nan
    count = np.isfinite(values).sum(axis=0)
    enough = count >= max(1, len(runs) / 2)
    values, count, steps = values[:, enough], count[enough], steps[enough]
    mean = np.nanmean(values, axis=0)
    spread = np.sqrt(np.nansum((values - mean) ** 2, axis=0) / np.maximum(count - 1, 1))
    reach = np.array([critical(n, level) if n > 1 else 0.0 for n in count.tolist()])
    half = reach * spread / np.sqrt(count)
    return Curve(*(tuple(numbers.tolist()) for numbers in (steps, mean, mean - half, mean + half)))
