"""The strategies, one file each; a file's name is its strategy's name everywhere.

`from trainwright.strategies import Dropout` and `find("dropout")` give the same class.

>>> [str(strategy) for strategy in read("dropout(hidden_rate=0.2), l2")]
['dropout(hidden_rate=0.2)', 'l2']
"""

from __future__ import annotations

from typing import Any

from trainwright.base.config import snake_case
from trainwright.base.registry import Registry
from trainwright.strategy import Strategy

_registry = Registry(__name__, tuple(__path__), Strategy)
names, find, read = _registry.names, _registry.find, _registry.read


def __getattr__(name: str) -> Any:
    """`Dropout` and the other classes, imported when first asked for."""
    if not name.startswith("_") and snake_case(name) in names():
        return find(snake_case(name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
