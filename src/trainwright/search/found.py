"""Found: what a search hands over."""

from __future__ import annotations

from dataclasses import dataclass

from trainwright.comparison.path import Path
from trainwright.comparison.recommendation import Recommendation
from trainwright.comparison.results import Comparison
from trainwright.ensemble import Ensemble
from trainwright.model import Model
from trainwright.recipe import Recipe


@dataclass(frozen=True, eq=False)
class Found:
    """The recipe to train with, the evidence for it, and its model."""

    recommendation: Recommendation
    """All numbers: what was tried, confirmed and taken apart, and what it cost."""
    recipe: Recipe
    """What to train with: the best recipe, or the plain one where nothing is shown to be better."""
    model: Model | None
    """One network of the recipe, trained on all data; None for data that came as prepared
    arrays, and if its training diverged."""
    ensemble: Ensemble | None = None
    """The confirmed networks as one model, where that was asked for."""

    @property
    def comparison(self) -> Comparison:
        """The plain recipe, the best single strategy and the best recipe on unseen examples."""
        return self.recommendation.comparison

    @property
    def path(self) -> Path | None:
        """From the best recipe back to the plain one, a part at a time."""
        return self.recommendation.path

    def __repr__(self) -> str:
        return f"<Found {self.recipe}: {self.comparison.error_of(self.recommendation.delivered)}>"
