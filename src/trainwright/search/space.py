"""Space: what a search may try on a data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from trainwright import strategies
from trainwright.base.errors import DataError, SettingError
from trainwright.data.dataset import Dataset
from trainwright.recipe import Recipe
from trainwright.strategy import Strategy
from trainwright.studies import defaults
from trainwright.studies.arms import alternatives
from trainwright.training.building import Training, dry_run

Strategies = tuple[Strategy, ...]

FURTHER = (
    "adam",
    "label_smoothing(0.05|0.1|0.2)",
    "mixup(0.2|0.4)",
    "polyak_averaging('uniform')",
    "rate_schedule('cosine')",
)
"""What a search tries beside the arms of a study."""
OPTIMISERS = frozenset({"adam", "momentum"})
"""Adam has a momentum of its own, so no recipe has both."""


@dataclass(frozen=True, eq=False)
class Space:
    """What a search may try.

    Raises `SettingError` if a strategy is both kept and left out, or not known.
    """

    data: Dataset
    """The examples to search on; what is set aside is not among them."""
    base: Recipe
    """The plain recipe."""
    keep: str = ""
    """Strategies that every recipe has, the plain one too, as on the command line."""
    without: tuple[str, ...] = ()
    """Names of strategies that no recipe has."""
    arms: tuple[str, ...] = ()
    """Strategies to choose among, with alternatives as in a study; none for the default ones."""
    fixed_network: bool = False
    """Whether the network stays as it is."""
    _allowed: dict[Recipe, bool] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for name in self.without:
            strategies.find(name)
        if both := [strategy.name for strategy in self._kept if strategy.name in self.without]:
            raise SettingError(
                f"{', '.join(both)}: it cannot be both kept and left out: drop it from --keep or --without"
            )
        if not self.allows(self.plain):
            dry_run(Training(self.plain, self.data, 0))  # says what is wrong with it
            raise SettingError("--keep: adam and momentum exclude each other: keep one")
        for text in self.arms:
            self._check(text)

    def _check(self, text: str) -> None:
        """Raises what is wrong with an arm that the user names, before anything is trained."""
        recipes = [self.plain.adding(*strategies.read(alternative)) for alternative in alternatives(text)]
        if not any(map(self.allows, recipes)):
            dry_run(Training(recipes[0], self.data, 0))
            raise SettingError(f"arm {text!r}: adam and momentum exclude each other: drop one")

    @cached_property
    def _kept(self) -> Strategies:
        return strategies.read(self.keep)

    @cached_property
    def plain(self) -> Recipe:
        """What the search begins with and is compared with: the base and what is kept."""
        base = tuple(strategy for strategy in self.base.strategies if strategy.name not in self.without)
        return self.base.replace(strategies=base).adding(*self._kept)

    @cached_property
    def families(self) -> Mapping[str, tuple[Strategies, ...]]:
        """The strategies that may be added, with their settings; those that cannot act on the data are not
        there."""
        texts = self.arms or (*defaults.arms(self.data, self.plain), *FURTHER)
        families: dict[str, tuple[Strategies, ...]] = {}
        for text in texts:
            settings = [strategies.read(alternative) for alternative in alternatives(text)]
            names = {strategy.name for strategy in settings[0]}
            fixed = {strategy.name for strategy in self.plain.strategies} | {*self.without}
            allowed = tuple(setting for setting in settings if self.allows(self.plain.adding(*setting)))
            if allowed and not names & fixed:
                name = text if len(settings) == 1 else ", ".join(s.name for s in settings[0])
                families[name] = tuple(dict.fromkeys((*families.get(name, ()), *allowed)))
        return families

    def allows(self, recipe: Recipe) -> bool:
        """Whether a recipe can be trained on the data: no two of its strategies exclude each other, and each
        has something to act on. Nothing is trained to tell."""
        kind = recipe.replace(learning_rate=1.0)
        if kind not in self._allowed:
            names = {strategy.name for strategy in recipe.strategies}
            try:
                dry_run(Training(kind, self.data, 0))
                self._allowed[kind] = not names >= OPTIMISERS
            except (SettingError, DataError):
                self._allowed[kind] = False
        return self._allowed[kind]

    def to_json(self) -> dict[str, Any]:
        """What the user has said of it."""
        return {
            "base": self.base.to_json(),
            "keep": self.keep,
            "without": list(self.without),
            "arms": list(self.arms),
            "fixed_network": self.fixed_network,
        }


def added(recipe: Recipe, plain: Recipe) -> Strategies:
    """The strategies that a recipe has beyond the plain one."""
    return tuple(strategy for strategy in recipe.strategies if strategy not in plain.strategies)


def spelled(recipe: Recipe, plain: Recipe) -> str:
    """What a recipe has beyond the plain one, as on the command line: "batch_norm, momentum"; "plain" if
    nothing."""
    return ", ".join(map(str, added(recipe, plain))) or "plain"


def without(recipe: Recipe, names: Sequence[str]) -> Recipe:
    """The same recipe without the strategies of these names."""
    return recipe.replace(strategies=tuple(s for s in recipe.strategies if s.name not in names))
