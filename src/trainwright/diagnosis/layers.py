"""Layers by name: what the units of a trained network receive and put out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from trainwright.base.errors import SettingError
from trainwright.chain import Chain
from trainwright.data.dataset import Dataset
from trainwright.recipe import Recipe
from trainwright.runs.run import Run
from trainwright.training.building import Training, build, filled

Where = Literal["pre_activation", "post_activation"]


def activations(
    run: Run, data: Dataset, x: NDArray[np.float32], layer: str, *, stage: Where = "post_activation"
) -> NDArray[np.float32]:
    """What a layer's activation puts out, or receives, in a trained network: float32 (examples, units).

    `x`: inputs (examples, *shape) as the network sees them (`data.standardized(rows)`). Nothing is dropped,
    and batch normalisation uses the statistics it predicts with. Of a layer without an activation, such as
    "output", both stages are what it puts out. Raises `SettingError` for a layer that is not there, and for a
    network that is no chain of layers.

    >>> from trainwright.data import load
    >>> from trainwright.training.fit import fit
    >>> data = load("digits")
    >>> x, _ = data.standardized(data.splits.test[:5])
    >>> activations(fit(Recipe(epochs=1), data), data, x, "hidden1").shape
    (5, 64)
    """
    return layer_values(Recipe.from_json(run.recipe), data, run.weights, x, layer, stage=stage)


def layer_values(
    recipe: Recipe,
    data: Dataset,
    weights: Mapping[str, NDArray[Any]],
    x: NDArray[np.float32],
    layer: str,
    *,
    stage: Where = "post_activation",
) -> NDArray[np.float32]:
    """As `activations`, for a recipe's network with any weights, such as `Progress.weights()` gives."""
    graphdef, state = build(Training(recipe, data, 0))
    state = filled(state, weights)
    chain = as_chain(nnx.merge(graphdef, state.params, state.rest))
    if layer not in layers_of(chain):
        raise SettingError(f"there is no layer {layer!r}; there are: {', '.join(layers_of(chain))}")
    outputs = _outputs(graphdef, state.params, state.rest, jnp.asarray(x))
    if f"{layer}/activation" not in outputs:
        return np.asarray(outputs[layer])
    if stage == "pre_activation":
        return np.asarray(received(chain, outputs, layer))
    return np.asarray(outputs[f"{layer}/activation"])


def as_chain(model: nnx.Module) -> Chain:
    """The network as a chain of layers; raises `SettingError` if it is none."""
    if not isinstance(model, Chain):
        raise SettingError(f"the instruments look into chains of layers; {type(model).__name__} is none")
    return model


def layers_of(chain: Chain) -> list[str]:
    """The names of the layers with weights, from the input on."""
    has_weights = {path[1] for path, _ in nnx.to_flat_state(nnx.state(chain, nnx.Param))}
    return [name for name in chain.order if name in has_weights and "/" not in name]


def received(chain: Chain, outputs: Mapping[str, jax.Array], layer: str) -> jax.Array:
    """What a layer's activation receives: the output of the part that it takes."""
    (source,) = chain.sources[chain.order.index(f"{layer}/activation")]
    return outputs[source]


@partial(jax.jit, static_argnums=0)
def _outputs(graphdef: nnx.GraphDef[Any], params: Any, rest: Any, x: jax.Array) -> dict[str, jax.Array]:
    return as_chain(nnx.merge(graphdef, params, rest, copy=True)).outputs(x)
