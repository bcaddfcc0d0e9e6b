"""The strategies, one file each; a file's name is its strategy's name everywhere.

`from trainwright.strategies import Dropout` and `find("dropout")` give the same class. A new file is found
by itself: there is no list to keep.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from typing import Any

from trainwright.errors import SettingError
from trainwright.strategy import Strategy
from trainwright.value import parse, snake_case


def names() -> list[str]:
    """Every strategy's name, in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def find(name: str) -> type[Strategy]:
    """The strategy of this name; `SettingError` with the nearest names if there is none.

    >>> find("dropout")
    <class 'trainwright.strategies.dropout.Dropout'>
    """
    if name not in names():
        own = [cls for cls in Strategy.__subclasses__() if cls.name == name]  # a user's, already imported
        if own:
            return own[-1]
        near = difflib.get_close_matches(name, names(), n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(names())}"
        raise SettingError(f"there is no strategy {name!r}; {hint}")
    module = importlib.import_module(f"{__name__}.{name}")
    return next(
        member
        for member in vars(module).values()
        if isinstance(member, type) and issubclass(member, Strategy) and snake_case(member.__name__) == name
    )


def read(text: str) -> tuple[Strategy, ...]:
    """Strategies as written on the command line.

    >>> [str(strategy) for strategy in read("dropout(hidden_rate=0.2), l2")]
    ['dropout(hidden_rate=0.2)', 'l2']
    """
    return tuple(find(name)(*arguments, **given) for name, arguments, given in parse(text))


def __getattr__(name: str) -> Any:
    """`Dropout` and the other classes, imported when first asked for."""
    if not name.startswith("_") and snake_case(name) in names():
        return find(snake_case(name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
