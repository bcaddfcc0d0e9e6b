"""What a study or a training does where its user says nothing: network, length, metric, arms and so on.

Chosen to be sensible for the data's size and shape, and cheap enough to try: `quick` gives a first answer in
minutes on two cores, `full` is for a night.

Tables are trained by Adam from Glorot's initial weights, images by plain gradient descent from He's, so that
on tables the default reaches what scikit-learn's MLPClassifier and MLPRegressor reach at theirs: a layer of
100 units, Adam at 0.001, until the training loss settles, 200 epochs at most. `results/defaults.md` has both
side by side, by the number of training examples.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from trainwright import strategies
from trainwright.comparison import metrics
from trainwright.comparison.caution import Caution
from trainwright.comparison.metrics import Metric
from trainwright.data.dataset import Dataset
from trainwright.data.streamed import Streamed
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.strategies.adam import Adam
from trainwright.strategies.initialization import Initialization
from trainwright.studies.arms import alternatives
from trainwright.studies.tuning import Tuning

Budget = Literal["quick", "full"]

SMALL, LARGE = 2_000, 10_000  # training examples: fewer are few, so many are many

TABLE = Recipe(Mlp((256,)), (Adam(), Initialization("glorot_uniform")), learning_rate=0.01, batch_size=128)

IMAGES = Recipe(Mlp((64, 64)), learning_rate=0.1, batch_size=64)

MANY_IMAGES = Recipe(Mlp((256, 256)), learning_rate=0.1, batch_size=128)

FEW_BATCH = 32
"""The batch size where examples are few."""

EPOCHS: dict[Budget, int] = {"quick": 40, "full": 200}
"""Half as many for a large table."""

MANY_IMAGES_EPOCHS: dict[Budget, int] = {"quick": 8, "full": 100}

ARMS = (
    "activation('tanh')",
    "batch_norm",
    "dropout(hidden_rate=0.1|0.2|0.5)",
    "early_stopping(patience=5)",
    "initialization('fan_in_uniform')",
    "l1(1e-5|1e-4|1e-3)",
    "l2(1e-4|1e-3|1e-2)",
    "max_norm(1.0|2.0|4.0)",
    "momentum(0.5|0.9|0.95)",
    "noise(input_std=0.1|0.2|0.5)",
)
"""The lecture's strategies, one at a time, over the settings that suit small networks."""

USUAL_WEIGHTS = "initialization('he_normal')"
"""What a recipe without the strategy begins with: an arm where the base has another rule."""

IMAGE_ARMS = ("shift(1)",)
"""Those that act on images only."""

BASELINES = ("guess", "linear(penalty=0.1|1.0|10.0)")
"""What is shown beside a study's arms, with boosting."""

BOOSTING = "boosting(learning_rate=0.1, leaves=8|31)"

BOOSTING_MANY = "boosting(learning_rate=0.2, leaves=8|31)"
"""With more than two classes, each of which takes trees of its own: about half as many of them."""

MOST_VALUES = 2**27  # of all examples' inputs: half a gigabyte of numbers, more than once in each process


def recipe(data: Dataset, budget: Budget = "quick") -> Recipe:
    """A plain recipe for a data set: network, length, and what trains it."""
    examples, image = len(data.splits.train), len(data.shape) > 1
    if image and examples >= LARGE:
        return MANY_IMAGES.replace(epochs=MANY_IMAGES_EPOCHS[budget])
    usual = (IMAGES if image else TABLE).replace(epochs=EPOCHS[budget])
    if examples >= LARGE:
        return usual.replace(epochs=EPOCHS[budget] // 2)
    return usual.replace(batch_size=FEW_BATCH) if examples < SMALL else usual


def advice(data: Dataset, recipe: Recipe) -> list[Caution]:
    """That a network or a batch size is hardly right for the data; mostly nothing."""
    said, examples = [], data.splits.examples
    if len(data.shape) == 3 and isinstance(recipe.network, Mlp):
        said.append(Caution("no neighbours", {"network": str(recipe.network)}))
    if recipe.batch_size >= examples:
        said.append(Caution("a single batch", {"batch_size": recipe.batch_size, "examples": examples}))
    return said


def metric(data: Dataset, name: str | None) -> tuple[Metric, Caution | None]:
    """What validation chooses and a comparison judges by, the one named or else the one that suits the data;
    and why, where that is not the usual one.

    All examples but those of a test set of its own have a say. Raises `SettingError` for a metric that does
    not suit the data.
    """
    splits = data.splits
    rows = [splits.train, splits.validation, *(() if data.own_test else (splits.test,))]
    chosen, reason = metrics.choose(name, data.task, data.labels(np.concatenate(rows)))
    metrics.check_classes(chosen, len(data.classes))
    return chosen, reason


def arms(data: Dataset, base: Recipe) -> list[str]:
    """A study's arms where none is named, as on the command line; without what the base has already."""
    has = {strategy.name for strategy in base.strategies}
    has |= {"momentum"} if "adam" in has else set()  # Adam has a momentum of its own
    named = [*ARMS, *(IMAGE_ARMS if len(data.shape) > 1 else ())]
    new = [text for text in named if strategies.read(alternatives(text)[0])[0].name not in has]
    usual = base.adding(*strategies.read(USUAL_WEIGHTS))
    return new + [USUAL_WEIGHTS] * ("initialization" in has and usual != base)


def baselines(data: Dataset) -> tuple[str, ...]:
    """The baselines of a study. Of sequences, which others cannot predict, and of images that are streamed or
    large, which would take them longer than the networks, only guessing."""
    large = isinstance(data.inputs, Streamed) or len(data.targets) * math.prod(data.shape) > MOST_VALUES
    if large or data.task == "sequence":
        return BASELINES[:1]
    return (*BASELINES, BOOSTING_MANY if data.task == "classification" and data.outputs > 2 else BOOSTING)


def tuning(data: Dataset, budget: Budget = "quick") -> Tuning:
    """How much is spent on choosing: more where validation splits are small, and so say little."""
    examples = len(data.splits.validation)
    first = 4 if examples < 100 else 2 if examples < 300 else 1
    trainings = {"quick": 18, "full": 40}[budget] * first
    large = len(data.splits.train) >= LARGE
    return Tuning(trainings, first, longest=2 if large and budget == "quick" else 4)
