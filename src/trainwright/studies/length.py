"""Length: how long all arms of a study train, and whether a training has stopped improving."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainwright.recipe import Recipe
from trainwright.studies.arms import Candidate

SMALL_GAIN = 0.05  # of the error


@dataclass(frozen=True)
class Length:
    """How long all arms train, as the reference decides."""

    factor: int
    """What multiplies the recipes' own length."""
    start: float
    """The reference's best learning rate among those tried, around which every arm's grid begins."""
    enough: bool
    """Whether the reference has stopped improving before the last quarter."""


def lengthened(candidate: Candidate, factor: int) -> Candidate:
    """A recipe so many times as long; a baseline as it is."""
    if not isinstance(candidate, Recipe) or factor == 1:
        return candidate
    if candidate.steps is not None:
        return candidate.replace(steps=factor * candidate.steps)
    return candidate.replace(epochs=factor * candidate.epochs)


def still_improves(curves: Sequence[Sequence[float]]) -> bool:
    """Whether the mean curve's best value lies in its last quarter, and that quarter is better than the one
    before by more than a twentieth: less may be noise, and is no reason to train twice as long.

    >>> still_improves([[8, 4, 3, 2]]), still_improves([[8, 4, 2, 2.1]]), still_improves([[8, 4, 2, 1.95]])
    (True, False, False)
    """
    if not curves or len({len(curve) for curve in curves}) > 1 or len(curves[0]) < 4:
        return False  # a training that diverged or stopped by itself needs no more steps
    mean = np.mean(curves, axis=0)
    middle, last = len(mean) // 2, math.ceil(0.75 * len(mean))
    gained = mean[last:].mean() < (1 - SMALL_GAIN) * mean[middle:last].mean()
    return bool(gained and mean.argmin() >= last)
