"""How often something was so, as the tables of these benchmarks say it."""

from __future__ import annotations

from collections.abc import Iterable

from scipy.stats import binomtest


def share(flags: Iterable[bool]) -> str:
    """How many are true, and between which shares they may be of a population (95 %, Wilson 1927).

    >>> share([True] * 19 + [False])
    '95.0 [76.4, 99.1] %'
    """
    flags = list(flags)
    low, high = binomtest(sum(flags), len(flags)).proportion_ci(method="wilson")
    return f"{100 * sum(flags) / len(flags):.1f} [{100 * low:.1f}, {100 * high:.1f}] %"
