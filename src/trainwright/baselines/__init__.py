"""The baselines, one file each; a file's name is its baseline's name everywhere.

>>> read("linear(penalty=0.1)")
(Linear(penalty=0.1),)
"""

from __future__ import annotations

from typing import Any

from trainwright.base.config import snake_case
from trainwright.base.registry import Registry
from trainwright.baseline import Baseline

_registry = Registry(__name__, tuple(__path__), Baseline)
names, find, read = _registry.names, _registry.find, _registry.read


def __getattr__(name: str) -> Any:
    """`Linear` and the other classes, imported when first asked for."""
    if not name.startswith("_") and snake_case(name) in names():
        return find(snake_case(name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
