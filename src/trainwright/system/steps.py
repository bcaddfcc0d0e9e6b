"""Steps: how long a training step of the published protocol took where it was measured, as a JSON file.

    FOLDER/paper/steps.json    by system: seconds, command, date and environment

`trainwright systems --table NAME --cost` measures and keeps them beside the records; the plan shows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trainwright.base import files, strict_json
from trainwright.base.environment import environment
from trainwright.base.errors import StoreError
from trainwright.report.sentences import counted


@dataclass(frozen=True)
class MeasuredStep:
    """A training step of budget paper, measured."""

    seconds: float | None
    """Compiling left out; of an ensemble, of its first member. None where its arrays found no room."""
    command: str
    """The command line that measured it."""
    date: str
    """The day on which it was measured, UTC."""
    environment: dict[str, Any]
    """Versions, device and cores that it was measured with."""

    @property
    def where(self) -> str:
        """On what it was measured, and when: `2 cores, cpu, 2026-11-30`."""
        return f"{counted(self.environment['cores'], 'core')}, {self.environment['device']}, {self.date}"


def keep(folder: Path, measured: Mapping[str, float | None], command: str) -> None:
    """Keep these seconds, by system, beside those already there. Raises `StoreError` where that cannot be."""
    date, here = f"{datetime.now(UTC):%Y-%m-%d}", environment()
    steps = read(folder) | {
        name: MeasuredStep(seconds, command, date, here) for name, seconds in measured.items()
    }
    path = _place(folder)
    with files.explained(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        text = strict_json.dumps({name: asdict(step) for name, step in sorted(steps.items())})
        files.replace_file(path, text.encode() + b"\n", path.parent)


def read(folder: Path) -> dict[str, MeasuredStep]:
    """The steps that were measured, by system. Raises `StoreError` for a file that holds none."""
    path = _place(folder)
    try:
        kept = strict_json.loads(path.read_bytes())
        return {name: MeasuredStep(**step) for name, step in kept.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as problem:
        raise StoreError(
            f"{path} holds no measured steps ({problem}): delete it and measure again with --cost"
        ) from None


def _place(folder: Path) -> Path:
    return folder / "paper" / "steps.json"
