"""Delivery: the network of a recipe trained on all data, and the recipe as commands and code."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from typing import Any

import numpy as np

from trainwright.data.dataset import Dataset, Splits
from trainwright.data.loading import DataSpec
from trainwright.data.splits import rotation
from trainwright.recipe import Recipe
from trainwright.strategy import users
from trainwright.studies.plan import Planned, planned


def final(recipe: Recipe, data: Dataset) -> Planned:
    """The training of the network that is handed over: on all examples, once the figure is known.

    A recipe that stops by what it sees on validation keeps a fifth for that. Else every example trains, and
    what validates is among them, so that its error says nothing.
    """
    nothing = np.arange(0)
    part = rotation(data.strata, data.groups, nothing, 0)
    train = part.train if stops(recipe) else np.arange(len(data.targets))
    splits = Splits(train, part.validation, part.validation, room=part.room)
    whole = replace(data, splits=splits, rotating=False, own_test=True, seed=None)
    return planned("the model", recipe, whole, 0)


def stops(recipe: Recipe) -> bool:
    """Whether the recipe stops by what it sees on validation."""
    return bool(users(recipe.strategies, "stop"))


def fit_command(recipe: Recipe, start: Recipe, spec: DataSpec | None, data: Dataset) -> str:
    """The command that trains such a network: `start` is what `trainwright fit` begins with. Empty where no
    command says it: for arrays, and where `start` has a strategy that the recipe lacks."""
    names = {strategy.name for strategy in recipe.strategies}
    named = spec is not None and isinstance(spec.source, str | os.PathLike)
    source = str(spec.source) if spec and named else data.source
    if any(s.name not in names for s in start.strategies) or recipe.steps is not None or not source:
        return ""
    words = ["trainwright", "fit", source]
    for option in ("target", "task", "size", "group"):
        if spec and getattr(spec, option) is not None:
            words += [f"--{option}", str(getattr(spec, option))]
    if strategies := ", ".join(str(s) for s in recipe.strategies if s not in start.strategies):
        words += ["--with", strategies]
    words += ["--network", str(recipe.network), "--rate", f"{recipe.learning_rate:g}"]
    words += ["--batch-size", str(recipe.batch_size), "--epochs", str(recipe.epochs), "--out", "model"]
    return shlex.join(words)


def in_python(recipe: Recipe) -> str:
    """The recipe in Python, with what it imports.

    >>> print(in_python(Recipe(learning_rate=0.03)))
    from trainwright import Mlp, Recipe
    <BLANKLINE>
    recipe = Recipe(Mlp(hidden=(64, 64)), (), learning_rate=0.03, batch_size=32, epochs=30)
    """
    network = type(recipe.network).__name__
    imports = ["from trainwright import Mlp, Recipe"]
    if network != "Mlp":
        imports = [
            "from trainwright import Recipe",
            f"from {type(recipe.network).__module__} import {network}",
        ]
    if classes := sorted({type(strategy).__name__ for strategy in recipe.strategies}):
        imports.append(f"from trainwright.strategies import {', '.join(classes)}")
    listed = ", ".join(map(_call, recipe.strategies)) + ("," if len(recipe.strategies) == 1 else "")
    length = f"epochs={recipe.epochs}" if recipe.steps is None else f"steps={recipe.steps}"
    made = (
        f"recipe = Recipe({recipe.network!r}, ({listed}), learning_rate={recipe.learning_rate:g}, "
        f"batch_size={recipe.batch_size}, {length})"
    )
    return "\n".join([*imports, "", made])


def _call(strategy: Any) -> str:
    """As on the command line, with the class's name: `Dropout(hidden_rate=0.2)`."""
    text = str(strategy).removeprefix(strategy.name)
    return f"{type(strategy).__name__}{text or '()'}"
