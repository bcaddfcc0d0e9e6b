"""What may be compared: runs that differ in nothing but the arm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from trainwright.base.errors import SettingError
from trainwright.comparison.candidates import ArmRuns
from trainwright.comparison.caution import Caution
from trainwright.runs.run import Run

FEW_SEEDS = 5  # with fewer it is hardly known how much trainings differ


def check(arms: Sequence[ArmRuns], reference: str) -> None:
    """Raises `SettingError` for arms that cannot be paired: other seeds, other data, another device, or
    another number of cores (on CPU that alone gives other weights from the same seed)."""
    names = [arm.name for arm in arms]
    if reference not in names:
        raise SettingError(f"reference={reference!r} is not an arm: choose one of {', '.join(names)}")
    if len(set(names)) < len(names):
        raise SettingError(f"two arms have the same name among {', '.join(names)}: rename one")
    first = next(iter(arms[names.index(reference)].runs.values()), ())
    for arm in arms:
        if not any(arm.runs.values()):
            raise SettingError(f"arm {arm.name!r} has no runs: repeat the study")
        for rate, runs in arm.runs.items():
            place = f"arm {arm.name!r} at learning rate {rate:g}"
            if [run.seed for run in runs] != [run.seed for run in first]:
                raise SettingError(
                    f"{place} has other seeds than {reference!r}: repeat the study for all arms"
                )
            for run, other in zip(runs, first, strict=True):
                _check_pair(place, run, other)
                if "test_rows" not in run.predictions:
                    _check_pair(place, run, first[0])  # all seeds judge the same examples


def check_levels(delta: float | None, level: float) -> None:
    """Raises `SettingError` for a level or a smallest difference that `compare` does not take."""
    if not 0.5 < level < 1:
        raise SettingError(f"level={level} must lie between 0.5 and 1, such as 0.95")
    if delta is not None and not 0 < delta < np.inf:
        raise SettingError(f"delta={delta} must be a positive number: the smallest difference that matters")


def _check_pair(place: str, run: Run, other: Run) -> None:
    """Refuse a pair in which more than the arm differs."""
    for what, mine, theirs in (
        ("data", run.data["fingerprint"], other.data["fingerprint"]),
        ("device", run.environment.get("device"), other.environment.get("device")),
        ("number of cores (NPROC)", _cores(run), _cores(other)),
    ):
        if mine != theirs:
            raise SettingError(
                f"{place}, seed {run.seed}, cannot be paired: its {what} is {mine}, elsewhere {theirs}; "
                "repeat the study in one place, into a new store"
            )


def _cores(run: Run) -> str:
    """What fixes the order of sums on CPU: NPROC where it was set, else the machine's cores."""
    fixed = run.environment.get("NPROC")
    return str(run.environment.get("cores") if fixed in (None, "unset") else fixed)


def matched(baseline: ArmRuns, runs: Sequence[Run]) -> tuple[Run, ...]:
    """The baseline's runs on what these trainings judge; one that knows no chance may have fewer seeds.

    Raises `SettingError` where the baseline was not run on the same data.
    """
    own = [run for group in baseline.runs.values() for run in group]
    found = []
    for run in runs:
        same = [other for other in own if other.data["fingerprint"] == run.data["fingerprint"]]
        if not same:
            raise SettingError(
                f"baseline {baseline.name!r} has no run on the data of seed {run.seed}: repeat the study"
            )
        found.append(next((other for other in same if other.seed == run.seed), same[0]))
    return tuple(found)


def too_few(seeds: int) -> Iterator[Caution]:
    """A caution where there are fewer than `FEW_SEEDS`."""
    if seeds < FEW_SEEDS:
        yield Caution("few seeds", {"seeds": seeds, "enough": FEW_SEEDS})


def mixtures(environments: Sequence[dict[str, Any]]) -> Iterator[Caution]:
    """Versions that differ between the runs; cores do not matter where NPROC is the same."""
    for key in sorted({key for one in environments for key in one} - {"NPROC", "cores", "device"}):
        versions = sorted({str(environment.get(key)) for environment in environments})
        if len(versions) > 1:
            yield Caution("different versions", {"of": key, "versions": versions})
