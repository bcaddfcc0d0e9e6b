"""How far a study has come, counted from what the workers report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trainwright.runs.store import Store
from trainwright.studies.plan import Planned, Stage


@dataclass(frozen=True)
class StudyProgress:
    """How far a study has come."""

    stage: Stage
    """Whether candidates are being chosen, or the chosen ones trained for the verdict."""
    runs: int
    """Trainings in all; while tuning, the most that there may be."""
    done: int
    """Those that have ended."""
    diverged: int
    """Of those that ended since the study was started."""
    fraction: float
    """Of all trainings, those that are done, parts included."""
    latest: str
    """The run that ended last, in words; empty if none has since the last report."""


class ProgressCounter:
    """Counts trainings; `most` is how many there may be."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.stage: Stage = "verdict"
        self.names: dict[str, str] = {}
        self.made: dict[str, float] = {}
        self.diverged = 0

    def begin(self, plan: Sequence[Planned], store: Store) -> None:
        """A round of trainings begins; some may be in the store already."""
        self.stage = "tuning" if any(planned.stage == "tuning" for planned in plan) else "verdict"
        for planned in plan:
            self.names[planned.digest] = str(planned)
            self.made[planned.digest] = float(planned.digest in store)

    def note(self, digest: str, fraction: float, status: str | None) -> StudyProgress:
        """A worker has reported: the study's progress now."""
        self.made[digest] = fraction
        self.diverged += status == "diverged"
        runs = max(self.most, len(self.made)) if self.stage == "tuning" else len(self.made)
        return StudyProgress(
            self.stage,
            runs,
            sum(part == 1 for part in self.made.values()),
            self.diverged,
            sum(self.made.values()) / runs,
            f"{self.names[digest]}: {status}" if status else "",
        )
