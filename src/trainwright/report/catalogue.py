"""The catalogue: what each strategy does, its settings and its source, read from the strategy's own file.

Nothing is written twice: the first paragraph of the file's docstring says what changes, the one that begins
with "Source:" where it comes from, and the rest how it deviates; each field says what it is.
"""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticUndefined

from trainwright import strategies
from trainwright.base.config import allowed, settings
from trainwright.strategy import Strategy


@dataclass(frozen=True)
class Setting:
    """One of a strategy's settings, in words; `default` is as written in Python, or "required"."""

    name: str
    default: str
    allowed: str
    description: str


@dataclass(frozen=True)
class Card:
    """What a user may want to know of a strategy before trying it."""

    name: str
    summary: str
    """What one does with it, in a line."""
    changes: str
    """What it changes in a training."""
    source: str
    """The papers and books that it follows."""
    deviations: str
    """Where it departs from them, and what else to mind; may be empty."""
    settings: tuple[Setting, ...]
    example: str
    """Settings that visibly act, as written on the command line."""


def card(name: str) -> Card:
    """The card of the strategy of this name; `SettingError` with the nearest names if there is none.

    >>> card("dropout").example
    'dropout(hidden_rate=0.5, input_rate=0.2)'
    """
    cls = strategies.find(name)
    changes, *rest = paragraphs(sys.modules[cls.__module__].__doc__)
    source = next((text for text in rest if text.startswith("Source:")), "")
    return Card(
        name=name,
        summary=paragraphs(cls.__doc__)[0],
        changes=changes,
        source=source.removeprefix("Source:").strip(),
        deviations="\n\n".join(text for text in rest if text != source),
        settings=_settings(cls),
        example=_example(cls),
    )


def cards() -> list[Card]:
    """Every strategy's card, in alphabetical order."""
    return [card(name) for name in strategies.names()]


def paragraphs(docstring: str | None) -> list[str]:
    """A docstring's paragraphs, each as one line; at least one, which may be empty."""
    return [" ".join(text.split()) for text in inspect.cleandoc(docstring or "").split("\n\n")]


def _settings(cls: type[Strategy]) -> tuple[Setting, ...]:
    return tuple(
        Setting(
            name,
            "required" if info.default is PydanticUndefined else repr(info.default),
            allowed(info),
            " ".join((info.description or "").split()),
        )
        for name, info in settings(cls).items()
    )


def _example(cls: type[Strategy]) -> str:
    given = ", ".join(f"{name}={_written(setting)}" for name, setting in cls.example.items())
    example = f"{cls.name}({given})" if given else cls.name
    return f"{cls.companions}, {example}" if cls.companions else example


def _written(setting: Any) -> str:
    # Words in double quotes, so that a shell's single quotes can go around the whole.
    return f'"{setting}"' if isinstance(setting, str) else repr(setting)
