"""Recipe: all that decides a training but the data and the seed."""

from __future__ import annotations

import dataclasses
import math
from typing import Annotated, Any

from pydantic import Field

from trainwright import networks, strategies
from trainwright.base.config import Config, config
from trainwright.base.errors import SettingError
from trainwright.network import Network
from trainwright.networks.mlp import Mlp
from trainwright.strategy import Strategy


@config
class Recipe(Config):
    """A network and how it is trained.

    >>> from trainwright.strategies import Dropout, Momentum
    >>> recipe = Recipe(Mlp((100,)), (Dropout(0.5), Momentum(0.9)), learning_rate=0.05)
    >>> Recipe.from_json(recipe.to_json()) == recipe
    True
    """

    network: Network = Mlp()
    """The architecture."""
    strategies: tuple[Strategy, ...] = ()
    """What is done in training besides plain gradient descent, in the order in which it acts."""
    learning_rate: Annotated[float, Field(gt=0)] = 0.1
    """epsilon: what multiplies the gradient at each step."""
    batch_size: Annotated[int, Field(ge=1)] = 32
    """Examples per step."""
    epochs: Annotated[int, Field(ge=1)] = 30
    """Passes over the training split, unless `steps` says otherwise."""
    steps: Annotated[int, Field(ge=1)] | None = None
    """Weight updates; rounded up to a whole number of evaluation intervals."""
    evaluate_every: Annotated[int, Field(ge=1)] | None = None
    """Steps between evaluations on validation (Algorithm 7.1's n); if not given, one pass over the data."""

    def __post_init__(self) -> None:
        names = [strategy.name for strategy in self.strategies]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise SettingError(f"recipe: {', '.join(twice)} is given twice; give each strategy once")

    def batch(self, examples: int) -> int:
        """Examples per step when there are so many in all."""
        return min(self.batch_size, examples)

    def interval(self, examples: int) -> int:
        """Steps between evaluations, for so many training examples."""
        return self.evaluate_every or math.ceil(examples / self.batch(examples))

    def length(self, examples: int) -> int:
        """Steps in all, for so many training examples: a multiple of the interval."""
        interval = self.interval(examples)
        steps = self.steps or math.ceil(self.epochs * examples / self.batch(examples))
        return math.ceil(steps / interval) * interval

    def replace(self, **changes: Any) -> Recipe:
        """The same recipe but for these settings."""
        return dataclasses.replace(self, **changes)

    def adding(self, *strategies: Strategy) -> Recipe:
        """The same recipe with strategies added; one of the same name is replaced where it stands.

        Raises `SettingError` for what is no strategy, such as a text.

        >>> from trainwright.strategies import L2, Momentum
        >>> [str(s) for s in Recipe(strategies=(L2(0.1), Momentum())).adding(L2(0.2)).strategies]
        ['l2(coefficient=0.2)', 'momentum']
        """
        for strategy in strategies:
            if not isinstance(strategy, Strategy):
                raise SettingError(
                    f"{strategy!r} is no strategy: give a value such as Dropout(0.5), or read a text with"
                    " trainwright.strategies.read"
                )
        new = {strategy.name: strategy for strategy in strategies}
        kept = tuple(new.pop(strategy.name, strategy) for strategy in self.strategies)
        return self.replace(strategies=(*kept, *(s for s in strategies if s.name in new)))

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Recipe:
        """The recipe that `to_json` described. Strategies and networks are found by name; no code is run."""
        rest = {
            name: setting for name, setting in stored.items() if name not in ("name", "network", "strategies")
        }
        network = networks.find(stored["network"]["name"]).from_json(stored["network"])
        chosen = tuple(strategies.find(s["name"]).from_json(s) for s in stored["strategies"])
        return cls(network, chosen, **rest)
