"""Traces: what a layer's activations receive along a training, and whether its distribution stays put."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainwright.data.dataset import Dataset
from trainwright.diagnosis.layers import layer_values
from trainwright.recipe import Recipe
from trainwright.training.fit import fit
from trainwright.training.progress import Progress


class Trace(NamedTuple):
    """The inputs of a layer's activations along a training."""

    steps: NDArray[np.int64]
    """After how many steps each measurement was made, (steps,)."""
    percentiles: NDArray[np.float64]
    """(steps, percentiles, units): over examples, from the lowest percentile to the highest."""

    def typical(self) -> int:
        """The unit whose spread at the end is the median of the layer's."""
        spread = self.percentiles[-1, -1] - self.percentiles[-1, 0]
        return int(np.argsort(spread)[len(spread) // 2])

    def wander(self) -> NDArray[np.float64]:
        """(units,): the range that a percentile of a unit's input covers, in units of the input's spread.

        The mean over the percentiles, so that changes of mean and of variance both count. A range, as a
        path's length would grow with the number of evaluations.
        """
        spread = (self.percentiles[:, -1] - self.percentiles[:, 0]).mean(axis=0)
        return np.asarray(np.ptp(self.percentiles, axis=0).mean(axis=0) / spread)


def trace(
    recipe: Recipe, data: Dataset, seed: int, layer: str, percentiles: Sequence[float], examples: int
) -> Trace:
    """Train, and look at what a layer's activations receive at each evaluation.

    The percentiles are over the first `examples` of the validation split, for each unit. Raises
    `SettingError` for a layer that is not there, and for a network that is no chain of layers.

    >>> from trainwright.data import load
    >>> seen = trace(Recipe(epochs=3), load("digits"), 0, "hidden1", (15, 50, 85), examples=50)
    >>> seen.steps, seen.percentiles.shape
    (array([ 34,  68, 102]), (3, 3, 64))
    """
    x, _ = data.standardized(data.splits.validation[:examples])
    steps, seen = [], []

    def watch(progress: Progress) -> None:
        received = layer_values(recipe, data, progress.weights(), x, layer, stage="pre_activation")
        steps.append(progress.step)
        seen.append(np.percentile(received.astype(np.float64), percentiles, axis=0))

    fit(recipe, data, seed, watch=watch)
    return Trace(np.array(steps), np.array(seen))
