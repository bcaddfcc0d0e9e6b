"""Budget: what a search may spend, and what of it is left.

The search leaves what confirming, explaining and delivering is likely to take, half at most. What the store
has is free in time, but counts as a training: so a search that is bounded by trainings takes the same course
however often it is interrupted, and one that is bounded by minutes gets back to where it was at once.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from trainwright.base.errors import SettingError

RESERVED = 120  # trainings that confirm, explain and deliver, about
LEAST = 0.5  # of the budget is for the search itself
FEWEST = 40  # trainings, of which something can be searched and confirmed
CHUNK = 0.25  # of the time left may be spent before the clock is looked at again


@dataclass
class SearchBudget:
    """Minutes, trainings, or both: whichever ends first.

    Raises `SettingError` for no time and too few trainings.
    """

    minutes: float | None = None
    """Of all calls of the same search together; None for no bound."""
    trainings: int | None = None
    """The most trainings, those in the store included; None for no bound."""
    spent: float = 0.0
    """Seconds that earlier calls of the same search have taken."""
    used: int = 0
    """Trainings so far, those that were in the store included."""
    trained: int = 0
    """Those that were not."""
    note: Callable[[float], None] = field(default=lambda seconds: None, repr=False)
    """Called with the seconds spent so far, whenever trainings have ended."""
    _start: float = field(default_factory=time.monotonic, repr=False)

    def __post_init__(self) -> None:
        if self.minutes is not None and not 0 < self.minutes < math.inf:
            raise SettingError(
                f"minutes = {self.minutes:g} is not allowed: give a positive number, such as 10"
            )
        if self.trainings is not None and self.trainings < FEWEST:
            raise SettingError(
                f"trainings = {self.trainings} are too few to search and to confirm: give {FEWEST} or more"
            )

    @property
    def seconds(self) -> float:
        """Spent so far, earlier calls included."""
        return self.spent + time.monotonic() - self._start

    @property
    def seconds_left(self) -> float:
        """Until the whole budget is spent; infinite where time is no bound."""
        return math.inf if self.minutes is None else 60 * self.minutes - self.seconds

    def room(self, new: int, missing: int) -> int:
        """How many of so many new trainings, `missing` of which the store has not, the search may begin now;
        those that are stored are free in time."""
        allowed = new
        if self.trainings is not None:
            share = max(LEAST, 1 - RESERVED / self.trainings)
            allowed = min(allowed, math.floor(share * self.trainings) - self.used)
        if self.minutes is not None and missing:
            seconds = 60 * self.minutes
            left = max(LEAST * seconds, seconds - RESERVED * self._each) - self.seconds
            chunk = max(1, int(CHUNK * left / self._each)) if self.trained else missing
            allowed = min(allowed, new - missing + chunk if left > 0 else 0)
        return max(0, allowed)

    def affords(self, new: int, missing: int) -> bool:
        """Whether so many new trainings are likely to end within the whole budget."""
        if self.trainings is not None and self.used + new >= self.trainings:  # the last is the model's
            return False
        return not missing or missing * self._each <= self.seconds_left

    def charge(self, new: int, missing: int) -> None:
        """Count trainings that have ended."""
        self.used += new
        self.trained += missing
        self.note(self.seconds)

    @property
    def _each(self) -> float:
        """Seconds that a training has taken in this process, compiling and waiting included."""
        return (time.monotonic() - self._start) / max(1, self.trained)
