"""Recommendation: the recipe that a search hands over, how good it is on unseen examples, and why."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from trainwright.base import strict_json
from trainwright.base.errors import StoreError
from trainwright.comparison.caution import Caution
from trainwright.comparison.path import Path
from trainwright.comparison.results import ArmResult, Comparison, Interval


@dataclass(frozen=True)
class Tried:
    """A recipe that the search tried."""

    strategies: str
    """What it has beyond the plain recipe, as on the command line."""
    numbers: str
    """Its network, learning rate, batch size and length."""
    validation: float
    """The metric's mean over its trials, on validation."""
    trials: int


@dataclass(frozen=True)
class Recommendation:
    """What a search found, judged on examples that it has never seen.

    The recipe is the best one on validation, unless unseen examples speak against it: see `delivered`.
    """

    comparison: Comparison
    """The plain recipe, the best single strategy and the best recipe, against the plain one."""
    against: Comparison
    """The same trainings against the best recipe: by how much the others, the baselines too, are worse."""
    best: str
    """The name of the best recipe's arm; that of the plain one where the search found nothing better."""
    single: str
    """The name of the best single strategy's arm; empty without any."""
    strategies: str
    """What the best recipe has beyond the plain one, as on the command line; or in words, where that is its
    numbers alone."""
    path: Path | None
    """From the best recipe to the plain one; None where they are the same."""
    seen: float
    """The best recipe's metric on validation, as the search saw it."""
    seen_plain: float
    """The plain recipe's, on the same trials."""
    tried: tuple[Tried, ...]
    """Recipes that the search tried, best first; those with the most trials come before others."""
    recipes: int
    """How many recipes it tried."""
    trainings: int
    """Trainings in all, confirmation included."""
    seconds: float
    """The time of all calls of this search together."""
    ensemble: Interval | None = None
    """The metric of the average of the confirmed networks, where it was asked for."""
    fit: str = ""
    """The command that trains one such network."""
    python: str = ""
    """The recipe in Python."""
    cautions: tuple[Caution | str, ...] = ()
    """What the budget did not allow, and what else to know; in words as those of a `Comparison`."""

    @property
    def optimism(self) -> float:
        """By how much the search's figure was too good: what unseen examples show minus what it saw."""
        return self.winner.error.mean - self.seen

    @property
    def winner(self) -> ArmResult:
        """The best recipe on validation, confirmed."""
        return self.comparison.arm(self.best)

    @property
    def guessing(self) -> bool:
        """Whether the best recipe is not shown to be better than guessing."""
        return self.winner.no_better_than_guessing

    @property
    def delivered(self) -> str:
        """The arm whose recipe is handed over: the best on validation; but the plain one where unseen
        examples show harm or no difference that matters, or nothing is shown to beat guessing."""
        difference = self.winner.difference
        simple = difference is None or difference.verdict in ("hurts", "no difference", "changed nothing")
        return self.comparison.reference if simple or self.guessing else self.best

    @property
    def recipe(self) -> dict[str, Any]:
        """The recipe that is handed over, as JSON."""
        return self.comparison.arm(self.delivered).recipe

    def to_json(self) -> str:
        """All numbers as JSON text, with the recipe that is handed over."""
        return strict_json.dumps({"recipe": self.recipe, "delivered": self.delivered, **asdict(self)})

    @staticmethod
    def from_json(text: str) -> Recommendation:
        """The recommendation that `to_json` wrote; raises `StoreError` if it is not one."""
        from pydantic import TypeAdapter, ValidationError

        try:
            stored = strict_json.loads(text)
            del stored["recipe"], stored["delivered"]
            return TypeAdapter(Recommendation).validate_python(stored)
        except ValidationError as problem:
            first = problem.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise StoreError(f"not a search's result of this version: {place}: {first['msg']}") from None
        except (ValueError, KeyError, TypeError) as problem:
            raise StoreError(f"not a search's result: {problem}") from None
