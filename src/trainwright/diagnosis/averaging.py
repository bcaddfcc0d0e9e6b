"""Averaging: how good the scaled network of dropout is, beside the average of many thinned ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainwright.base import keys
from trainwright.comparison.measured import Measured, Measurements
from trainwright.data.dataset import Dataset
from trainwright.model import Model
from trainwright.runs.run import Run
from trainwright.strategies.dropout import DropoutLayer
from trainwright.task import task_of
from trainwright.training.predict import random_passes


def averaged_passes(
    run: Run, data: Dataset, passes: int = 50, kept: int = 100, draws: int = 20
) -> NDArray[np.float64]:
    """The test error when the predictions of the first k passes of a random set are averaged.

    In each pass units are dropped at random, as in training. Sets of `passes` are drawn from the same `kept`
    passes, `draws` times. Returns fractions (draws, passes), for k = 1, 2, ... `passes`.

    >>> from trainwright.data import load
    >>> from trainwright.recipe import Recipe
    >>> from trainwright.strategies import Dropout
    >>> from trainwright.training.fit import fit
    >>> data = load("digits")
    >>> errors = averaged_passes(fit(Recipe(strategies=(Dropout(0.5),), epochs=3), data), data, 10, 20, 5)
    >>> errors.shape, bool(errors[:, -1].mean() < errors[:, 0].mean())
    ((5, 10), True)
    """
    network, (x, y) = Model.of(run, data).network(), data.standardized(data.splits.test)
    key = jax.random.key(run.seed)
    chances = np.exp(random_passes(network, (), jnp.asarray(x), task_of(data), kept, key))
    rng, errors = keys.generator(run.seed, "passes"), []
    for _ in range(draws):
        summed = np.cumsum(chances[rng.permutation(kept)[:passes]], axis=0)  # largest where the mean is
        errors.append(np.mean(summed.argmax(axis=-1) != y, axis=-1))
    return np.array(errors)


def by_passes(averaged: NDArray[np.float64]) -> Measurements:
    """The test error in % along the number of passes, ± the deviation over sets of so many.

    `averaged`: of several runs, (runs, sets, passes), see `averaged_passes`.

    >>> by_passes(np.array([[[0.3, 0.2], [0.5, 0.2]]])).means
    {1: 40.0, 2: 20.0}
    """
    means, spreads = averaged.mean(axis=(0, 1)), averaged.std(axis=1, ddof=1).mean(axis=0)
    sets = averaged.shape[1]
    rows = zip(100 * means, 100 * spreads, strict=True)
    return Measurements(
        {
            k: Measured(float(mean), float(mean - spread), float(mean + spread), n=sets, unit="%")
            for k, (mean, spread) in enumerate(rows, 1)
        }
    )


def all_masks(inputs: int, units: int, retained: Sequence[float]) -> pd.DataFrame:
    """A unit's output averaged over all 2^inputs masks, and that of the scaled unit: exactly equal if linear.

    A row for each p of `retained` and each of so many units with random weights. p; "linear: average" and
    "linear: scaled", of the units themselves; "rectified: ...", of what they pass on, max(0, z), where it is
    not exact. Source: Srivastava et al. 2014, figure 2.

    >>> seen = all_masks(4, 3, retained=(0.5,))
    >>> bool((seen["linear: average"] - seen["linear: scaled"]).abs().max() < 1e-6)
    True
    """
    rng, tables = np.random.default_rng(0), []
    x, w = rng.random(inputs), rng.standard_normal((inputs, units))
    masks = np.array(list(product((0, 1), repeat=inputs)))
    thinned = (masks * x) @ w
    for p in retained:
        chance = p ** masks.sum(axis=1) * (1 - p) ** (inputs - masks.sum(axis=1))
        layer = DropoutLayer(1 - p, "hidden1", "test")
        scaled = np.asarray(layer(jnp.asarray(x, jnp.float32), key=None, training=False), np.float64) @ w
        columns = {
            "p": p,
            "linear: average": chance @ thinned,
            "linear: scaled": scaled,
            "rectified: average": chance @ np.maximum(thinned, 0),
            "rectified: scaled": np.maximum(scaled, 0),
        }
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)
