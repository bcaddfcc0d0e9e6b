"""The arms' recipes in the notation they are written in: what all share once, then what differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainwright.compare import Comparison

NAMES = ("name", "kind", "type", "class", "strategy", "network")  # keys that say what a mapping is


@dataclass(frozen=True)
class Recipes:
    """`shared`: settings that are equal in all arms. `arms`: each arm's name and its own settings."""

    shared: dict[str, str]
    arms: tuple[tuple[str, dict[str, str]], ...]


def recipes(comparison: Comparison) -> Recipes:
    """Every arm's recipe in readable form; the learning rate is the one chosen for the arm."""
    full = [
        (
            arm.name,
            {
                **arm.recipe,
                "learning_rate": arm.learning_rate,
                "strategies": arm.recipe.get("strategies", []),
            },
        )
        for arm in comparison.arms
    ]
    keys = list(dict.fromkeys(key for _, recipe in full for key in recipe))
    absent = object()
    alike = {
        key
        for key in keys
        if key != "strategies"
        and all(recipe.get(key, absent) == full[0][1].get(key, absent) for _, recipe in full)
    }
    shared = {_words(key): spell(full[0][1][key]) for key in keys if key in alike}
    own = tuple(
        (name, {_words(key): spell(recipe[key]) for key in keys if key in recipe and key not in alike})
        for name, recipe in full
    )
    return Recipes(shared, own)


def spell(value: Any) -> str:
    """A JSON value as one would write it in Python: a mapping with a name is a call.

    >>> spell([{"name": "dropout", "hidden_rate": 0.5}, {"name": "momentum", "settings": {"alpha": 0.9}}])
    'dropout(hidden_rate=0.5), momentum(alpha=0.9)'
    >>> spell([64, 64]), spell([]), spell("relu")
    ('(64, 64)', 'none', 'relu')
    """
    if isinstance(value, Mapping):
        return _call(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        items = [spell(item) for item in value]
        if any(isinstance(item, Mapping) for item in value):
            return ", ".join(items)
        return f"({', '.join(items)})" if items else "none"
    return "none" if value is None else str(value)


def _call(value: Mapping[str, Any]) -> str:
    key = next((key for key in NAMES if isinstance(value.get(key), str)), None)
    settings: dict[str, Any] = {}
    for name, setting in value.items():
        if name == "settings" and isinstance(setting, Mapping):
            settings |= setting
        elif name != key:
            settings[name] = setting
    inner = ", ".join(f"{name}={spell(setting)}" for name, setting in settings.items())
    return f"{value[key]}({inner})" if key and inner else value[key] if key else inner or "none"


def _words(key: str) -> str:
    return key.replace("_", " ")
