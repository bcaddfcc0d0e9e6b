"""Record: `search.json` in a search's folder: what is searched, how long it took, and what was looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainwright.base import files, strict_json
from trainwright.base.errors import StoreError
from trainwright.comparison.recommendation import Recommendation

NAME = "search.json"


@dataclass
class Record:
    """What `search.json` says."""

    folder: Path
    question: dict[str, Any]
    """The data's fingerprint and all that decides the search but its budget."""
    spent: float = 0.0
    """Seconds that the search has taken so far."""
    looks: list[Any] = field(default_factory=list)
    """The recipes that were read on the examples set aside, as JSON."""

    @classmethod
    def of(cls, question: dict[str, Any], folder: Path) -> Record:
        """The record of this search in its folder: the earlier one, if that asked the same.

        Raises `StoreError` for a record that cannot be read.
        """
        path = folder / NAME
        if not path.is_file():
            return cls(folder, question)
        try:
            stored = strict_json.loads(path.read_bytes())
            files.refuse_newer(stored["format"], folder)
            earlier = cls(folder, stored["question"], float(stored["spent"]), list(stored["looks"]))
        except (OSError, ValueError, KeyError, TypeError):
            raise StoreError(
                f"{path} is damaged: delete it and repeat the command; its trainings stay valid"
            ) from None
        return earlier if earlier.question == question else cls(folder, question)

    def save(self, spent: float) -> None:
        """Write `search.json`, whole or not at all, with the seconds spent so far."""
        content = {
            "format": files.FORMAT,
            "question": self.question,
            "spent": spent,
            "looks": self.looks,
        }
        self.spent = spent
        with files.explained(self.folder):
            text = strict_json.dumps(content).encode() + b"\n"
            files.replace_file(self.folder / NAME, text, self.folder)

    def cautions(self, recommendation: Recommendation) -> list[str]:
        """That other best recipes of this search were read on the examples set aside before, if any were."""
        earlier = sum(recipe != recommendation.winner.recipe for recipe in self.looks)
        if not earlier:
            return []
        times = "once" if earlier == 1 else f"{earlier} times"
        return [
            f"these unseen examples were read {times} before, for other recipes of this search: the figures "
            "may be a little too good"
        ]

    def looked(self, recommendation: Recommendation) -> None:
        """Note that the best recipe has been read on the examples set aside."""
        recipe = recommendation.winner.recipe
        if recipe not in self.looks:
            self.looks.append(recipe)
        self.save(self.spent)
