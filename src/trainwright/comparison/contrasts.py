"""A factorial study: what each strategy does on the average of all combinations, and which pairs interact.

Main effects and interactions are contrasts of the arms' metrics, formed training by training and example by
example, so that they are paired like every other difference (Montgomery, Design and Analysis of Experiments,
chapters 6 and 8).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

import numpy as np

from trainwright.base.errors import SettingError
from trainwright.comparison import cells, metrics
from trainwright.comparison.cells import Layout
from trainwright.comparison.results import Effect, Factorial, Interval
from trainwright.comparison.verdict import judge
from trainwright.runs.run import Run

FULL = 5  # so many strategies in all combinations are 32 arms
GENERATORS: dict[int, tuple[tuple[int, ...], ...]] = {
    6: ((0, 1, 2, 3, 4),),
    7: ((0, 1, 2, 3, 4, 5),),
    8: ((0, 1, 2, 3), (0, 1, 4, 5)),
}
"""By the number of strategies: which of the first ones decide about each of the last ones. These are regular
fractions of resolution V or more: no main effect and no pair is mixed up with another of them (Box & Hunter,
Technometrics 3, 1961)."""


@dataclass(frozen=True)
class Design:
    """The combinations of so many factors that are trained."""

    runs: tuple[frozenset[int], ...]
    """The factors, by number, that are there in each."""
    share: int
    """1 where these are all combinations, 2 for a half, 4 for a quarter."""


def design(factors: int) -> Design:
    """All combinations of up to five factors; of six to eight a regular fraction.

    Raises `SettingError` for fewer than two factors or more than eight.

    >>> [sorted(run) for run in design(2).runs], len(design(8).runs)
    ([[], [0], [1], [0, 1]], 64)
    """
    if not 2 <= factors <= max(GENERATORS):
        raise SettingError(f"a factorial study takes 2 to {max(GENERATORS)} strategies, not {factors}")
    generators = GENERATORS.get(factors, ())
    free = factors - len(generators)
    runs = []
    for number in range(2**free):
        present = {factor for factor in range(free) if number >> factor & 1}
        for added, parents in enumerate(generators):
            # There where an odd number of its parents are: so no factor is there where no parent is.
            if len(present & set(parents)) % 2 == 1:
                present |= {free + added}
        runs.append(frozenset(present))
    return Design(tuple(runs), 2 ** len(generators))


def factorial(
    arms: Mapping[frozenset[str], Sequence[Run]],
    factors: Sequence[str],
    *,
    metric: str | None = None,
    delta: float | None = None,
    level: float = 0.95,
    looks: Sequence[int] = (),
) -> Factorial:
    """Main effects and pairwise interactions from arms by the factors that they have, on the same seeds.

    A main effect is the mean metric with the factor minus that without it. A pair's effect is what both
    together add beyond the sum of what each adds alone. Holm's correction is over all of them. `delta` is by
    default a tenth of the arms' mean metric. `looks`: as in `trainwright.comparison.compare.compare`.
    """
    some = next(iter(arms.values()))
    validated = np.concatenate([metrics.targets(run, "validation") for run in some])
    measured, _ = metrics.choose(metric, some[0].data["task"], validated)
    layout = Layout.of(some)
    resolution = layout.resolution(measured)
    scored = cells.of_arms(list(arms.values()), layout, measured)
    names = [(factor,) for factor in factors] + list(combinations(factors, 2))
    estimates = []
    for effect in names:
        # The mean of half the arms minus that of the other half, or, of a pair, twice that.
        scale = 2 ** len(effect) / len(arms)
        signs = [(-1) ** sum(factor not in present for factor in effect) for present in arms]
        weighted = [(scale * sign, arm) for sign, arm in zip(signs, scored, strict=True)]
        estimates.append(layout.estimate(cells.contrast(weighted), resolution))
    wished = delta if delta is not None else fmean(fmean(arm.errors) for arm in scored) / 10
    margin = max(wished, resolution)
    effects = tuple(
        Effect(
            effect,
            Interval(judgement.estimate.mean, *judgement.estimate.interval(level)),
            judgement.p_holm,
            judgement.verdict,
        )
        for effect, judgement in zip(
            names, judge(estimates, delta=margin, level=level, step=layout.step, looks=looks), strict=True
        )
    )
    return Factorial(tuple(factors), len(arms), 2 ** len(factors) // len(arms), effects)
