"""Sweep: the same arms compared at each of several places: along a size, by network, by data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from trainwright.comparison import paired
from trainwright.comparison.measured import Measured, Measurements
from trainwright.comparison.results import Comparison


@dataclass(frozen=True)
class Sweep:
    """Comparisons along a range."""

    comparisons: Mapping[Any, Comparison]
    """By place, in the order of the range; the arms have the same names at all of them."""

    def errors(self, arm: str) -> Measurements:
        """An arm's test error at each place: see `Comparison.error_of`."""
        return Measurements({place: one.error_of(arm) for place, one in self.comparisons.items()})

    def gains(self, arm: str) -> Measurements:
        """What an arm takes off the reference's test error at each place: see `Comparison.gain`."""
        return Measurements({place: one.gain(arm) for place, one in self.comparisons.items()})

    @property
    def series(self) -> dict[str, Measurements]:
        """Every arm's test errors along the range, by arm."""
        return {arm.name: self.errors(arm.name) for arm in next(iter(self.comparisons.values())).arms}

    def verdicts(self, arm: str) -> dict[Any, str]:
        """The arm's verdict at each place, by one rule along the whole range.

        It is each comparison's own, but that an arm helps or hurts is believed after Holm's correction over
        the places; what is not believed any more is inconclusive.
        """
        found = {place: one.arm(arm).difference for place, one in self.comparisons.items()}
        judged = {place: one for place, one in found.items() if one}
        corrected, _ = paired.holm(np.array([one.p for one in judged.values()]))
        return {
            place: "inconclusive"
            if one.verdict in ("helps", "hurts") and p >= 1 - self._level
            else one.verdict
            for (place, one), p in zip(judged.items(), corrected.tolist(), strict=True)
        }

    def outcome(self, arm: str) -> str:
        """What the arm does along the whole range: "helps" or "hurts", if it does so at some place and the
        contrary at none; "both"; else "no difference", or "inconclusive" if it is so at some place."""
        found = set(self.verdicts(arm).values())
        effects = found & {"helps", "hurts"}
        if effects:
            return "both" if len(effects) > 1 else effects.pop()
        return "inconclusive" if "inconclusive" in found else "no difference"

    def slope(self, arm: str) -> Measured:
        """By how many points the arm's gain changes for ten times as much of what the places count.

        A line is fitted for each seed. For metrics that are fractions.
        """
        arms = [(one.arm(one.reference), one.arm(arm)) for one in self.comparisons.values()]
        gains = [np.subtract(reference.errors, other.errors) for reference, other in arms]
        return Measured.percent(np.polyfit(np.log10(list(self.comparisons)), gains, 1)[0])

    @property
    def _level(self) -> float:
        return next(iter(self.comparisons.values())).level

    def table(self, place: str) -> pd.DataFrame:
        """A row for each place (whose name is given), with the arms' errors and what each gains.

        Columns end in the arm's name where there are several besides the reference.
        """
        rows = []
        for at, comparison in self.comparisons.items():
            names = [arm.name for arm in comparison.arms]
            others = [name for name in names if name != comparison.reference]
            row: dict[str, Any] = {place: at} | {name: comparison.error_of(name).mean for name in names}
            for name in others:
                gain, which = comparison.gain(name), f" of {name}" if len(others) > 1 else ""
                row |= {f"gain{which}": gain.mean, f"low{which}": gain.low, f"high{which}": gain.high}
            rows.append(row)
        return pd.DataFrame(rows)
