"""Finding things by the name of their file: the folder is the registry.

A new strategy or network is one new file in its folder; there is no list to maintain.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from trainwright.base.config import Config, parse
from trainwright.base.errors import SettingError

Kind = TypeVar("Kind", bound=Config)


@dataclass(frozen=True)
class Registry(Generic[Kind]):
    """All values of one kind: a package with one file for each, named like the value."""

    package: str
    """The package's full name, such as `trainwright.strategies`."""
    path: tuple[str, ...]
    """The package's folders: its `__path__`."""
    base: type[Kind]
    """The class that all of them are derived from."""

    @property
    def kind(self) -> str:
        """What they are called in messages: "strategy", "network"."""
        return self.base.__name__.lower()

    def names(self) -> list[str]:
        """Every name, in alphabetical order."""
        return sorted(module.name for module in pkgutil.iter_modules(self.path))

    def find(self, name: str) -> type[Kind]:
        """The class of this name; `SettingError` with the nearest names if there is none."""
        if name in self.names():
            importlib.import_module(f"{self.package}.{name}")
        known = {cls.name: cls for cls in _descendants(self.base) if hasattr(cls, "name")}
        if name in known:  # from its file, or a user's own class that is already imported
            return known[name]
        near = difflib.get_close_matches(name, self.names(), n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"choose from: {', '.join(self.names())}"
        raise SettingError(f"there is no {self.kind} {name!r}; {hint}")

    def read(self, text: str) -> tuple[Kind, ...]:
        """Values as written on the command line, such as `dropout(hidden_rate=0.5), momentum`."""
        return tuple(self.find(name)(*arguments, **given) for name, arguments, given in parse(text))


def _descendants(cls: type[Kind]) -> Iterator[type[Kind]]:
    for child in cls.__subclasses__():
        yield child
        yield from _descendants(child)
