"""The arms' recipes in the notation they are written in: what all share once, then what differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainwright.comparison.results import Comparison
from trainwright.report.verdicts import by_effect


@dataclass(frozen=True)
class Recipes:
    """`shared`: settings that are equal in all arms. `arms`: each arm's name and its own settings."""

    shared: dict[str, str]
    arms: tuple[tuple[str, dict[str, str]], ...]


def recipes(comparison: Comparison) -> Recipes:
    """Every arm's recipe in readable form; the learning rate is the one chosen for the arm."""
    ordered = by_effect(comparison)
    full = [
        {
            **_settings(arm.recipe),
            "strategies": arm.recipe.get("strategies", []),
            "learning_rate": arm.learning_rate or None,
        }
        for arm in ordered
    ]
    keys = list(dict.fromkeys(key for recipe in full for key in recipe))
    own = {key for key in keys if any(recipe.get(key) != full[0].get(key) for recipe in full)}
    own.add("strategies")  # shown for each arm even where all are alike
    shared = {_words(key): spell(full[0][key]) for key in keys if key not in own}
    arms = tuple(
        (arm.name, {_words(key): spell(recipe.get(key)) for key in keys if key in own})
        for arm, recipe in zip(ordered, full, strict=True)
    )
    return Recipes(shared, arms)


def spell(value: Any) -> str:
    """A JSON value as one would write it in Python: a mapping with a name is a call.

    >>> spell([{"name": "dropout", "hidden_rate": 0.5}, {"name": "momentum", "decay": 0.9, "start": None}])
    'dropout(hidden_rate=0.5), momentum(decay=0.9)'
    >>> spell([64, 64]), spell([]), spell("relu")
    ('(64, 64)', 'none', 'relu')
    """
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key}={spell(setting)}" for key, setting in _settings(value).items())
        return f"{value.get('name', '')}({inner})" if inner else str(value.get("name", "none"))
    if isinstance(value, Sequence) and not isinstance(value, str):
        items = ", ".join(map(spell, value))
        if not items:
            return "none"
        return items if any(isinstance(item, Mapping) for item in value) else f"({items})"
    return "none" if value is None else str(value)


def _settings(value: Mapping[str, Any]) -> dict[str, Any]:
    """What a named value is set to; settings that are not given are left out."""
    return {key: setting for key, setting in value.items() if key != "name" and setting is not None}


def _words(key: str) -> str:
    return key.replace("_", " ")
