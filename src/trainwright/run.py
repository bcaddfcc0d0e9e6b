"""Run: what one (recipe, data, seed) left behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Run:
    """Curves, predictions, weights and environment of one training; NumPy arrays and plain values only."""

    recipe: dict[str, Any]
    data: dict[str, Any]
    seed: int
    status: Literal["finished", "diverged"]
    steps: int
    best_step: int
    parameters: int
    seconds: float
    memory_bytes: int
    environment: dict[str, Any]
    history: dict[str, NDArray[Any]]
    predictions: Mapping[str, NDArray[Any]]
    weights: Mapping[str, NDArray[Any]]
