"""Moves: the recipes next to a recipe. Each list is of recipes that the space allows, without repetition."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from trainwright.base.keys import generator
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.search.space import Space, added, without
from trainwright.studies.ladder import COARSE, HIGHEST, LOWEST, RUNGS, RateLadder

BATCHES = (8, 512)
WIDTHS = (16, 1024)
DEEPEST = 4
LONGEST = 4  # times the plain recipe's length
JUMPS = 8  # recipes drawn at random around one
REACH = 3  # moves that such a recipe is away at most


def additions(space: Space, recipe: Recipe, champions: Mapping[str, Recipe]) -> list[Recipe]:
    """The recipe with one more family, at its own rate and at the rate that was best for that family."""
    both = (joined(space, recipe, [champion], rate) for champion in champions.values() for rate in (0, 1))
    return _allowed(space, (grown for grown in both if len(grown.strategies) > len(recipe.strategies)))


def pairs(space: Space, recipe: Recipe, champions: Sequence[Recipe]) -> list[Recipe]:
    """The recipe with two more families, at the lower of their best rates: either may help only beside the
    other."""
    return _allowed(space, (joined(space, recipe, [*two], 1) for two in combinations(champions, 2)))


def joined(space: Space, recipe: Recipe, champions: Sequence[Recipe], rate: int) -> Recipe:
    """The recipe with what these have beyond the plain one; `rate`: 0 for its own, 1 for their lowest."""
    strategies = [strategy for champion in champions for strategy in added(champion, space.plain)]
    own = recipe.learning_rate
    lowest = min(champion.learning_rate for champion in champions)
    return recipe.adding(*strategies).replace(learning_rate=lowest if rate else own)


def removals(space: Space, recipe: Recipe) -> list[Recipe]:
    """The recipe without one of its strategies."""
    names = [strategy.name for strategy in added(recipe, space.plain)]
    return _allowed(space, (without(recipe, [name]) for name in names))


def rates(space: Space, recipe: Recipe) -> list[Recipe]:
    """The recipe at the learning rates one and two rungs away."""
    return _allowed(space, (_at(recipe, step) for step in (-COARSE, -1, 1, COARSE)))


def settings(space: Space, recipe: Recipe) -> list[Recipe]:
    """The recipe with another setting of one of its families."""
    return _allowed(space, _settings(space, recipe))


def shapes(space: Space, recipe: Recipe) -> list[Recipe]:
    """The recipe with batches twice and half as large, trainings twice and half as long, and networks twice
    and half as wide, and one layer deeper and shallower."""
    return _allowed(space, (*_sizes(space, recipe), *_networks(space, recipe)))


def jumps(space: Space, recipe: Recipe, seed: int, round_: int) -> list[Recipe]:
    """Recipes up to three moves away, drawn at random: the seed and the round decide which."""
    rng = generator(seed, "search", round_)
    drawn = []
    for _ in range(JUMPS):
        reached = recipe
        for _ in range(1 + int(rng.integers(REACH))):
            near = [*rates(space, reached), *settings(space, reached), *_sizes(space, reached)]
            if near:
                reached = near[int(rng.integers(len(near)))]
        drawn.append(reached)
    return _allowed(space, (jump for jump in drawn if jump != recipe))


def rung_of(rate: float) -> int:
    """The nearest rung of the ladder of learning rates."""
    return int(np.clip(round(RUNGS * math.log10(rate)), LOWEST, HIGHEST))


def _at(recipe: Recipe, step: int) -> Recipe:
    rung = int(np.clip(rung_of(recipe.learning_rate) + step, LOWEST, HIGHEST))
    return recipe.replace(learning_rate=RateLadder().rate(rung))


def _settings(space: Space, recipe: Recipe) -> Iterator[Recipe]:
    present = {strategy.name for strategy in added(recipe, space.plain)}
    for family in space.families.values():
        for setting in family:
            if present >= {strategy.name for strategy in setting}:
                yield recipe.adding(*setting)


def _sizes(space: Space, recipe: Recipe) -> Iterator[Recipe]:
    for size in (recipe.batch_size * 2, recipe.batch_size // 2):
        if BATCHES[0] <= size <= min(BATCHES[1], space.data.splits.examples // 2):
            yield recipe.replace(batch_size=size)
    if recipe.steps is None:
        if 2 * recipe.epochs <= LONGEST * space.plain.epochs:
            yield recipe.replace(epochs=2 * recipe.epochs)
        if recipe.epochs // 2 >= max(1, space.plain.epochs // LONGEST):
            yield recipe.replace(epochs=recipe.epochs // 2)


def _networks(space: Space, recipe: Recipe) -> Iterator[Recipe]:
    if space.fixed_network or not isinstance(recipe.network, Mlp) or not recipe.network.hidden:
        return
    hidden = recipe.network.hidden
    shapes = [tuple(2 * units for units in hidden), tuple(units // 2 for units in hidden)]
    shapes += [(*hidden, hidden[-1])] if len(hidden) < DEEPEST else []
    shapes += [hidden[:-1]] if len(hidden) > 1 else []
    for shape in shapes:
        if all(WIDTHS[0] <= units <= WIDTHS[1] for units in shape):
            yield recipe.replace(network=Mlp(shape))


def _allowed(space: Space, recipes: Iterable[Recipe]) -> list[Recipe]:
    return [recipe for recipe in dict.fromkeys(recipes) if space.allows(recipe)]
