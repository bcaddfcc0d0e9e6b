"""Record: `search.json` in a search's folder: what is searched, how long it took, and what was looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainwright.base import files, strict_json
from trainwright.base.errors import StoreError
from trainwright.comparison.caution import Caution
from trainwright.comparison.recommendation import Recommendation

NAME = "search.json"


@dataclass
class SearchRecord:
    """What `search.json` says."""

    folder: Path
    """Where `search.json` is written."""
    question: dict[str, Any]
    """The data's fingerprint, that of the same with a part set aside, and all else that decides the search
    but its budget."""
    spent: float = 0.0
    """Seconds that the search has taken so far."""
    looks: dict[str, list[Any]] = field(default_factory=dict)
    """The recipes that were read on examples set aside, as JSON; by the fingerprint that tells which examples
    these were, as other searches in this folder may have read the same."""

    @classmethod
    def of(cls, question: dict[str, Any], folder: Path) -> SearchRecord:
        """The record of this search in its folder: with the looks that were had there, and with the time
        that was spent if the search there asked the same.

        Raises `StoreError` for a record that cannot be read, and where the search there is of other data: its
        report and its model would be lost.
        """
        path = folder / NAME
        if not path.is_file():
            return cls(folder, question)
        try:
            stored = strict_json.loads(path.read_bytes())
            files.refuse_newer(stored["format"], folder)
            earlier = stored["question"]
            looks = {name: list(recipes) for name, recipes in stored["looks"].items()}
            spent = float(stored["spent"]) if earlier == question else 0.0
            other = earlier["data"] != question["data"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise StoreError(
                f"{path} is damaged: delete it and repeat the command; its trainings stay valid"
            ) from None
        if other:
            raise StoreError(
                f"a search of other data is in {folder} already: choose another folder with --out, or "
                "delete it"
            )
        return cls(folder, question, spent, looks)

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

    def cautions(self, recommendation: Recommendation) -> list[Caution]:
        """That other recipes were read on the examples set aside before, if any were."""
        earlier = sum(recipe != recommendation.winner.recipe for recipe in self._mine)
        return [Caution("read before", {"times": earlier})] if earlier else []

    def looked(self, recommendation: Recommendation) -> None:
        """Note that the best recipe has been read on the examples set aside."""
        recipe = recommendation.winner.recipe
        if recipe not in self._mine:
            self._mine.append(recipe)
        self.save(self.spent)

    @property
    def _mine(self) -> list[Any]:
        """The looks at the examples that this search sets aside."""
        return self.looks.setdefault(self.question["fingerprint"], [])
