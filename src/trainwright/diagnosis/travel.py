"""Travel: how far a training carries the weights from where they began."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainwright.data.dataset import Dataset
from trainwright.recipe import Recipe
from trainwright.runs.run import Run
from trainwright.training.building import Training, build, named_arrays


def first_and_last(run: Run, data: Dataset) -> NDArray[np.float32]:
    """All weights that a training began with, and all that it left, each in a row: (2, weights).

    The run must have its weights. Both rows have the same order, as have those of runs of the same recipe.

    >>> from trainwright.data import load
    >>> from trainwright.training.fit import fit
    >>> first, last = first_and_last(fit(Recipe(epochs=1), load("digits")), load("digits"))
    >>> first.shape == last.shape, bool(np.linalg.norm(last - first) > 0)
    (True, True)
    """
    _, state = build(Training(Recipe.from_json(run.recipe), data, run.seed))
    rows = [
        np.concatenate([np.ravel(weights[name]) for name in sorted(weights)])
        for weights in (named_arrays(state), run.weights)
    ]
    return np.array(rows)
