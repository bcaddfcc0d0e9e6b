"""Standardization: what a fold's training rows say about shift and scale, as numbers beside the data.

A data set's inputs are prepared once, from all rows. What differs from fold to fold are these numbers alone,
so folds share arrays and compiled programs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Standardization(NamedTuple):
    """Shifts and scales measured on a fold's training rows; a JAX pytree, whose structure says what is done.

    >>> x = np.float32([[1.0, 7.0], [np.nan, 7.0], [3.0, 7.0]])
    >>> fold = Standardization(*measure(x))
    >>> standardize(x, fold).tolist()
    [[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]
    """

    shift: NDArray[np.float32] | None = None
    """What is subtracted from each input, (features,), (channels,) of images in colour, or () for all pixels
    alike; None: inputs stay as they are."""
    scale: NDArray[np.float32] | None = None
    """What then multiplies it: 1 over the standard deviation; 0 where all training rows have one value."""
    target_shift: NDArray[np.float32] | None = None
    """The same for a quantity to predict, (); None: targets stay as they are."""
    target_scale: NDArray[np.float32] | None = None
    """What then multiplies it, (): 1 over the standard deviation."""
    unit: NDArray[np.float32] | None = None
    """What alone multiplies inputs that are bytes in grey, (), such as 1/255; the same in all folds."""


def standardize(x: Any, fold: Standardization, xp: Any = np) -> Any:
    """Inputs (examples, *shape) as the network sees them, float32: shifted and scaled, a gap (NaN) at the
    mean, 0; bytes in grey as fractions.

    `xp` is NumPy, or `jax.numpy` in a compiled program.
    """
    if x.dtype == np.uint8:
        x = x.astype(np.float32)
    if fold.unit is not None:
        return x * fold.unit
    if fold.shift is None:
        return x
    standardized = (x - fold.shift) * fold.scale
    return xp.where(xp.isnan(standardized), xp.zeros_like(standardized), standardized)


def standardize_targets(y: Any, fold: Standardization) -> Any:
    """Targets (examples,) as the network is to predict them."""
    return y if fold.target_shift is None else (y - fold.target_shift) * fold.target_scale


def measure(
    x: NDArray[np.float32], numbers: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Shift and scale (features,) of training rows (rows, features) that may have gaps.

    `numbers` says which features are standardised, by default all; the others keep their values. A feature
    with one value, or none, gets the scale 0.
    """
    present = ~np.isnan(x)
    count = np.maximum(present.sum(axis=0), 1)
    mean = np.where(present, x, 0).sum(axis=0, dtype=np.float64) / count
    centred = np.where(present, x - mean, 0)
    std = np.sqrt((centred**2).sum(axis=0) / count)
    low, high = (np.where(present, x, fill) for fill in (np.inf, -np.inf))
    varies = low.min(axis=0) < high.max(axis=0)
    scale = np.divide(1, std, out=np.zeros_like(std), where=varies & (std > 0))
    if numbers is not None:
        mean, scale = np.where(numbers, mean, 0), np.where(numbers, scale, 1)
    return mean.astype(np.float32), scale.astype(np.float32)
