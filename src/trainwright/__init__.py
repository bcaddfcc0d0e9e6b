"""Trainwright: which training strategies help on your data, by how much, and how sure can you be?

The names below are imported when first used; nothing inside the package imports from here.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainwright.compare import compare as compare
    from trainwright.data import Dataset as Dataset
    from trainwright.data import DataSpec as DataSpec
    from trainwright.data import load as load
    from trainwright.diagnose import diagnose as diagnose
    from trainwright.fit import fit as fit
    from trainwright.model import Model as Model
    from trainwright.networks.mlp import Mlp as Mlp
    from trainwright.recipe import Recipe as Recipe
    from trainwright.store import Store as Store
    from trainwright.strategy import Strategy as Strategy
    from trainwright.study import Study as Study

__version__ = "0.1.0"

_HOMES = {
    "DataSpec": "data",
    "Dataset": "data",
    "Mlp": "networks.mlp",
    "Model": "model",
    "Recipe": "recipe",
    "Store": "store",
    "Strategy": "strategy",
    "Study": "study",
    "compare": "compare",
    "diagnose": "diagnose",
    "fit": "fit",
    "load": "data",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"trainwright.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'trainwright' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*_HOMES, "__version__"]


class _Package(ModuleType):
    """`trainwright.fit` is the function, although importing the module of that name would put it there."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _HOMES or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
