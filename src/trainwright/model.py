"""Model: a trained network that predicts from raw data, kept as a folder of safetensors and JSON.

The folder holds `model.json` (recipe, the data's preparation, where it comes from), `model.safetensors` and
`manifest.json` (their SHA-256). Loading it runs no code from it: the network is built from the names and
settings in the JSON, and filled with numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from flax import nnx
from numpy.typing import NDArray
from safetensors import numpy as safetensors

from trainwright.base import files, strict_json
from trainwright.base.errors import DataError, StoreError
from trainwright.chain import array_name
from trainwright.data import sequences
from trainwright.data.dataset import Dataset
from trainwright.data.preparation import Preparation
from trainwright.data.raw import Inputs
from trainwright.data.streamed import Streamed, blocks, in_blocks
from trainwright.data.targets import Quantity
from trainwright.network import NetworkBuilder
from trainwright.recipe import Recipe
from trainwright.runs.run import Run
from trainwright.task import Task, task_named
from trainwright.training.building import chunk_of, to_device
from trainwright.training.predict import predict

FACTS, WEIGHTS, MEMBERS = "model.json", "model.safetensors", "ensemble.json"
REMEDY = "move away what you need of it and delete it, or choose another folder"


def may_be_replaced(folder: Path) -> bool:
    """Whether a folder holds a model or an ensemble of models, and nothing that a user put beside them."""
    if not any((folder / name).is_file() for name in (FACTS, MEMBERS)):
        return False
    ours = {FACTS, WEIGHTS, MEMBERS, files.MANIFEST}
    names = (path.name for path in folder.iterdir())
    return all(name in ours or name.isdecimal() or name.startswith(".") for name in names)


@dataclass(frozen=True, eq=False)
class Model:
    """A network with its weights, and how raw data becomes its inputs."""

    recipe: Recipe
    """The recipe that it was trained by; it holds the network."""
    preparation: Preparation
    """How raw data becomes inputs, and outputs predictions."""
    shape: tuple[int, ...]
    """The shape of one example's inputs."""
    classes: tuple[str, ...]
    """The classes' names in the order of their numbers; empty where there are none."""
    weights: dict[str, NDArray[Any]]
    """Weights and statistics by name, such as `hidden1/kernel`, as a run has them."""
    origin: dict[str, Any]
    """The data's facts, the seed, the status and the environment of the run that it comes from."""

    @classmethod
    def of(cls, run: Run, data: Dataset) -> Model:
        """The model that a run left. Raises `DataError` for data that has no preparation."""
        if data.preparation is None:
            raise DataError(
                f"{data.name}: made of prepared arrays; load it with trainwright.load to keep a model"
            )
        origin = {
            "data": run.data,
            "seed": run.seed,
            "status": run.status,
            "steps": run.steps,
            "best_step": run.best_step,
            "environment": run.environment,
        }
        recipe = Recipe.from_json(run.recipe)
        return cls(recipe, data.preparation, data.shape, data.classes, dict(run.weights), origin)

    @property
    def task(self) -> Task:
        """What it was trained for."""
        return task_named(self.preparation.task, len(self.classes))

    def save(self, folder: str | Path, *, replace: bool = False) -> None:
        """Write the folder, whole or not at all.

        Raises `StoreError` if it already exists, unless it may be replaced and holds a model alone.
        """
        facts = {
            "recipe": self.recipe.to_json(),
            "preparation": self.preparation.to_json(),
            "shape": list(self.shape),
            "classes": list(self.classes),
            "origin": self.origin,
        }
        weights = {name: np.asarray(array, order="C") for name, array in self.weights.items()}
        contents = {
            FACTS: strict_json.dumps(facts).encode() + b"\n",
            WEIGHTS: safetensors.save(weights),
        }
        target = Path(folder)
        with files.explained(target.parent):
            replaced = replace and may_be_replaced(target)
            if not files.write(target, contents, target.parent, replace=replaced):
                raise StoreError(f"{target} already exists: {REMEDY}")

    @classmethod
    def load(cls, folder: str | Path) -> Model:
        """Read a model's folder.

        Raises `StoreError` if it is none or is damaged, and `SettingError` if its recipe names a strategy or
        network that is not here (a class of one's own has to be imported first).
        """
        if not (Path(folder) / files.MANIFEST).is_file():
            inside = [name for name in ("best-model", "model") if (Path(folder) / name).is_dir()]
            remedy = f"give {Path(folder) / inside[0]}" if inside else "make one with trainwright fit"
            raise StoreError(f"{folder} is not a model: it has no {files.MANIFEST}; {remedy}")
        facts = strict_json.loads(files.read(Path(folder), FACTS))
        return cls(
            Recipe.from_json(facts["recipe"]),
            Preparation.from_json(facts["preparation"]),
            tuple(facts["shape"]),
            tuple(facts["classes"]),
            safetensors.load(files.read(Path(folder), WEIGHTS)),
            facts["origin"],
        )

    def network(self) -> nnx.Module:
        """The network with its weights, a `flax.nnx.Module`."""
        nothing = np.zeros((1, *self.shape), np.float32)  # all that is read off it is overwritten
        builder = NetworkBuilder(
            self.recipe.strategies, 0, marginals=self._no_marginals(), inputs=lambda: nothing
        )
        model = self.recipe.network.build(self.shape, self.task.outputs, builder)
        graphdef, state = nnx.split(model)
        paths, structure = jax.tree_util.tree_flatten_with_path(state)
        if {array_name(path) for path, _ in paths} != set(self.weights):
            raise StoreError("the model's weights do not fit its recipe")
        leaves = [to_device(self.weights[array_name(path)], leaf) for path, leaf in paths]
        return nnx.merge(graphdef, jax.tree.unflatten(structure, leaves))

    def predict(self, raw: Inputs, *, unseen: Any = "error") -> NDArray[Any]:
        """Predictions for raw inputs: probabilities (examples, classes), or of each length and digit of a
        sequence (examples, 57); or values in the target's unit.

        Images are predicted for in blocks; where they are streamed, the next one is decoded meanwhile.

        Raises `DataError` for no rows at all, and as `Preparation.transform` does.
        """
        if not len(raw):
            raise DataError("there are no rows to predict")
        graphdef, state = nnx.split(self.network())
        chunk, parts = chunk_of(self.shape, graphdef, state), []
        for part in _parts(raw):
            x = jnp.asarray(self.preparation.transform(part, unseen=unseen))
            parts.append(np.asarray(_predict(graphdef, self.task, chunk, self.recipe, state, x)))
        predicted = np.concatenate(parts)
        target = self.preparation.target
        return target.decode(predicted[:, 0]) if isinstance(target, Quantity) else np.exp(predicted)

    def table(self, raw: Inputs, *, unseen: Any = "error") -> pd.DataFrame:
        """Predictions as a table: the likeliest class and each class's probability, the likeliest number and
        its probability, or the value."""
        return self.tabulated(self.predict(raw, unseen=unseen))

    def tabulated(self, predicted: NDArray[Any]) -> pd.DataFrame:
        """What `predict` gave as a table."""
        if self.preparation.task == "regression":
            return pd.DataFrame({"prediction": predicted})
        if self.preparation.task == "sequence":
            with np.errstate(divide="ignore"):
                said = np.log(predicted.astype(np.float64))
            numbers = sequences.decode(said)
            probability = np.exp(sequences.log_probability(said, numbers))
            return pd.DataFrame({"prediction": sequences.to_texts(numbers), "probability": probability})
        columns = {f"probability of {name}": predicted[:, i] for i, name in enumerate(self.classes)}
        likeliest = np.asarray(self.classes)[predicted.argmax(axis=1)]
        return pd.DataFrame({"prediction": likeliest, **columns})

    def _no_marginals(self) -> NDArray[np.float64] | None:
        return np.full(len(self.classes), 1 / len(self.classes)) if self.classes else None


def _parts(raw: Inputs) -> Iterable[pd.DataFrame | NDArray[Any]]:
    """The raw inputs in as many parts as their memory asks for: as numbers, bytes take four times as much."""
    if not isinstance(raw, Streamed) and not (
        isinstance(raw, np.ndarray) and raw.dtype == np.uint8 and raw.ndim > 2
    ):
        return [raw]
    each = 5 * math.prod(raw.shape[1:])  # a byte as it was read, four as a number
    parts = in_blocks(np.arange(len(raw)), each)
    return blocks(raw, parts) if isinstance(raw, Streamed) else (raw[part] for part in parts)


@partial(jax.jit, static_argnums=(0, 1, 2))
def _predict(
    graphdef: nnx.GraphDef[Any], task: Task, chunk: int, recipe: Recipe, state: Any, x: jax.Array
) -> jax.Array:
    # Compiled once for all blocks: operation by operation, each block's loops would be compiled anew.
    return predict(nnx.merge(graphdef, state, copy=True), recipe.strategies, x, task, chunk=chunk)
