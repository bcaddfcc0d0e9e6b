"""Trainwright: which training strategies help on your data, by how much, and how sure can you be?

The names below are imported when first used; nothing inside the package imports from here.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainwright.comparison.compare import compare as compare
    from trainwright.comparison.joint import compare_datasets as compare_datasets
    from trainwright.comparison.scores import compare_scores as compare_scores
    from trainwright.data import Dataset as Dataset
    from trainwright.data import DataSpec as DataSpec
    from trainwright.data import load as load
    from trainwright.diagnosis.symptoms import diagnose as diagnose
    from trainwright.model import Model as Model
    from trainwright.networks.mlp import Mlp as Mlp
    from trainwright.recipe import Recipe as Recipe
    from trainwright.runs.store import Store as Store
    from trainwright.search.best import best as best
    from trainwright.strategy import Strategy as Strategy
    from trainwright.studies.study import Study as Study
    from trainwright.studies.tuning import Tuning as Tuning
    from trainwright.training.fit import fit as fit

__version__ = "0.1.0"

_HOMES = {
    "DataSpec": "data",
    "Dataset": "data",
    "Mlp": "networks.mlp",
    "Model": "model",
    "Recipe": "recipe",
    "Store": "runs.store",
    "Strategy": "strategy",
    "Study": "studies.study",
    "Tuning": "studies.tuning",
    "best": "search.best",
    "compare": "comparison.compare",
    "compare_datasets": "comparison.joint",
    "compare_scores": "comparison.scores",
    "diagnose": "diagnosis.symptoms",
    "fit": "training.fit",
    "load": "data",
}


__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"trainwright.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'trainwright' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*_HOMES, "__version__"]
