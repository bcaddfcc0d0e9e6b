"""Ladder: the learning rates that tuning may try, and how its grid widens and is refined."""

from __future__ import annotations

import math
from dataclasses import dataclass

RUNGS = 4  # per factor of 10: 1, 1.8, 3.2, 5.6, 10
COARSE = 2  # rungs between the first rates tried
WIDENING = 2  # coarse steps by which a grid is widened at once
LOWEST, HIGHEST = -5 * RUNGS, 1 * RUNGS  # 1e-5 and 10


@dataclass(frozen=True)
class RateLadder:
    """The learning rates that may be tried, by rung: rungs are a factor of 10^(1/4) apart, or given."""

    rates: tuple[float, ...] = ()
    """The only rates to try, in ascending order; if none, 1e-5 to 10."""

    def rate(self, rung: int) -> float:
        """The learning rate of a rung, in two digits: 0.1, 0.18, 0.32, 0.56, 1 ..."""
        return self.rates[rung] if self.rates else float(f"{10 ** (rung / RUNGS):.2g}")

    @property
    def widening(self) -> int:
        """By how many rungs a grid is widened at once; rates that are given are all there is."""
        return 0 if self.rates else WIDENING

    def begin(self, start: float) -> list[int]:
        """The rungs of the first grid: around a learning rate, or all that are given."""
        if self.rates:
            return list(range(len(self.rates)))
        middle = min(max(round(RUNGS * math.log10(start)), LOWEST), HIGHEST)
        return [rung for rung in (middle - COARSE, middle, middle + COARSE) if LOWEST <= rung <= HIGHEST]

    def beyond(self, rung: int, tried: set[int]) -> list[int]:
        """The next coarse rungs outside the grid, where this rung is at its edge."""
        steps = [COARSE * step for step in range(1, 1 + self.widening)]
        above = [rung + step for step in steps] if rung == max(tried) else []
        below = [rung - step for step in steps] if rung == min(tried) else []
        return self._new(above + below, tried)

    def between(self, rung: int, tried: set[int]) -> list[int]:
        """The rungs next to this one that have not been tried."""
        return self._new([rung - 1, rung + 1], tried)

    def _new(self, rungs: list[int], tried: set[int]) -> list[int]:
        if self.rates:
            return []
        return [rung for rung in rungs if LOWEST <= rung <= HIGHEST and rung not in tried]
