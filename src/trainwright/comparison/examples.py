"""Trainings and examples as two sources of chance: one estimator for both designs of a study.

A difference is observed in cells: training t judged example i. Where a data set has a test set of its own,
every training judges every example. In repeated cross-validation a training judges its fold, and every
example is judged once a repetition. In both, the variance of the mean over all cells is taken to be

    V(examples) + max(0, V(trainings) - W)

V(examples): the variance of the mean with examples (or groups of them) as clusters. It counts, too, what
each training adds to single examples.
V(trainings): the variance of the mean over the trainings' own means.
W: what V(trainings) would be if trainings differed in nothing but single examples. In cross-validation that
is the variance within folds; where all judge the same examples, the part of V(examples) from trainings.

This is the two-way clustered variance (Cameron, Gelbach & Miller, Journal of Business & Economic Statistics
29, 2011; Owen, Annals of Applied Statistics 1, 2007), with the trainings' part kept from being negative. Its
degrees of freedom are Satterthwaite's (Biometrics Bulletin 2, 1946), those of V(examples) + V(trainings) - W
where W is known: what V(trainings) leaves open counts although W is taken off. `results/coverage.md` shows
how often its intervals cover.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainwright.comparison.estimate import Estimate


def estimate(
    values: Sequence[NDArray[Any]], units: Sequence[NDArray[Any]], *, resolution: float = 0.0
) -> Estimate:
    """The mean over all cells of `values`, and how uncertain it is.

    `values[t]`, (judged by t,): the difference that training t shows for each example that it judges.
    `units[t]`, the same shape, whole numbers from 0: which example, or group of examples, that is.
    `resolution`: what one example that changes sides adds to the mean. Agreement of a few counts proves
    nothing, so the examples' standard error is never taken to be smaller.

    Where every example is judged but once, its own chance cannot be told from the training's: it is counted
    as the examples'.

    >>> rng = np.random.default_rng(0)
    >>> cells = rng.normal(size=(20, 100)) + 2 * rng.normal(size=100)
    >>> found = estimate(list(cells), [np.arange(100)] * 20)
    >>> round(np.sqrt(found.examples), 1), found.trainings < found.examples / 10
    (np.float64(0.2), True)
    """
    count = len(values)
    total = sum(map(len, values))
    mean = float(np.mean(np.concatenate(values), dtype=np.float64))

    width = 1 + max(int(unit.max()) for unit in units)
    sums, squares, times = np.zeros(width), np.zeros(width), np.zeros(width)  # over trainings, per unit
    means, within = np.zeros(count), np.zeros(count)  # per training
    for t, (cells, unit) in enumerate(zip(values, units, strict=True)):
        size = np.bincount(unit, minlength=width)
        own = np.bincount(unit, cells, minlength=width)
        means[t] = own.sum() / len(cells)
        judged = max(int((size > 0).sum()), 2)
        within[t] = np.square(own - size * means[t]).sum() / len(cells) ** 2 * judged / (judged - 1)
        left = own - size * mean
        sums, squares, times = sums + left, squares + left**2, times + (size > 0)

    kinds = int((times > 0).sum())
    if kinds == 1:
        return Estimate(mean, trainings=inf, examples=inf, df=1, count=count)
    scale = kinds / (kinds - 1) / total**2
    over_examples = max(float(np.square(sums).sum()) * scale, resolution**2)
    if count == 1:
        return Estimate(mean, trainings=inf, examples=over_examples, df=kinds - 1, count=1)
    # Of each unit the variance over the trainings that judged it, of the sum over them.
    over_unit = (squares - sums**2 / np.maximum(times, 1)) / np.maximum(times - 1, 1) * times
    of_trainings = min(float(over_unit.sum()) * scale, over_examples)
    over_trainings = float(np.var(means, ddof=1)) / count
    complete = bool((times[times > 0] == count).all())
    beyond = max(0.0, over_trainings - (of_trainings if complete else float(within.mean()) / count))
    variance = over_examples + beyond
    if variance == 0:  # the same numbers everywhere
        return Estimate(mean, trainings=0.0, examples=0.0, df=inf, count=count)
    df = variance**2 / (over_examples**2 / (kinds - 1) + over_trainings**2 / (count - 1))
    return Estimate(
        mean, trainings=beyond + of_trainings, examples=over_examples - of_trainings, df=df, count=count
    )
