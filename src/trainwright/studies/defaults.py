"""What a study or a training does where its user says nothing: network, length, rates and arms.

Chosen to be sensible on the data's size and shape, and cheap enough to try: `quick` is for a first answer
in minutes on two cores, `full` for a night.
"""

from __future__ import annotations

from typing import Literal

from trainwright import strategies
from trainwright.data.dataset import Dataset
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe

Budget = Literal["quick", "full"]

RATES: dict[Budget, tuple[float, ...]] = {
    "quick": (0.01, 0.05, 0.25, 1.0),
    "full": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
}

ARMS = (
    "activation('tanh')",
    "batch_norm",
    "dropout(hidden_rate=0.2)",
    "early_stopping(patience=5)",
    "initialization('fan_in_uniform')",
    "l1(1e-4)",
    "l2(1e-3)",
    "max_norm(2.0)",
    "momentum(0.9)",
    "noise(input_std=0.1)",
)
"""The lecture's strategies, one at a time, at settings that suit small networks."""

IMAGE_ARMS = ("shift(1)",)
"""Those that act on images only."""


def recipe(data: Dataset, budget: Budget = "quick") -> Recipe:
    """A plain network and a training length for a data set."""
    large = len(data.splits.train) >= 10_000
    epochs = {"quick": 8 if large else 40, "full": 100 if large else 200}[budget]
    return Recipe(
        Mlp((256, 256) if large else (64, 64)),
        learning_rate=0.03,
        batch_size=128 if large else 32,
        epochs=epochs,
    )


def arms(data: Dataset, base: Recipe) -> list[str]:
    """A study's arms where none is named, as on the command line; without those that the base has already."""
    named = [*ARMS, *(IMAGE_ARMS if len(data.shape) > 1 else ())]
    return [text for text in named if base.adding(*strategies.read(text)) != base]


def read_arms(base: Recipe, written: list[str]) -> dict[str, Recipe]:
    """The base recipe as `plain`, and for each arm the base with its strategies added.

    An arm's strategy takes the place of the base's strategy of the same name.
    """
    named: dict[str, Recipe] = {"plain": base}
    for text in written:
        named[text.strip()] = base.adding(*strategies.read(text))
    return named
