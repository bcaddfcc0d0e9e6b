"""Site: a place in a network under construction, and the layers that strategies may put there."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import jax
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from trainwright.base.errors import SettingError
from trainwright.layers.convolution import Convolution, LocallyConnected, Maxout
from trainwright.layers.product import Product
from trainwright.layers.window import Window

Kernel = NDArray[np.float32]


Stage = Literal["input", "pre_activation", "post_activation", "output"]


class HyperParameter(nnx.Variable[jax.Array]):
    """A strategy's number that a layer holds: data for the compiled program, never trained."""


class Layer(nnx.Module):
    """A layer that a strategy inserts."""

    def __call__(self, x: jax.Array, *, key: jax.Array | None, training: bool) -> jax.Array:
        """Traced; and on the host where `Site.examples` asks what a layer receives. It maps float32
        (examples, ...) to the same shape and dtype; only a `trainwright.chain.Extension` adds values.

        `key` is the step's random key, None when predicting and on the host; `training` says whether the
        weights are being fitted. Monte-Carlo averaging predicts with a key but without training.
        """
        raise NotImplementedError

    def prediction_scale(self) -> float:
        """Host. The factor on its inputs when predicting: pretrained weights above it are divided by it."""
        return 1.0


Part = nnx.Module | Callable[[jax.Array], jax.Array]


class Builder(Protocol):
    """What a site asks of whoever builds the network; see `trainwright.network.NetworkBuilder`."""

    def linear(self, site: Site) -> nnx.Linear | Convolution | LocallyConnected:
        """See `Site.linear`."""

    def product(self, site: Site) -> Product:
        """See `NetworkBuilder.product`."""

    def rng(self, site: Site, purpose: str) -> np.random.Generator:
        """See `Site.rng`."""

    def examples(self, site: Site) -> NDArray[np.float32]:
        """See `Site.examples`."""


@dataclass(frozen=True, eq=False)
class Site:
    """A place in a network under construction where strategies may act. Lives on the host."""

    name: str
    """The layer's name: "input", "hidden1", "hidden2", ..., "output"."""
    stage: Stage
    """At the input, before or after a hidden layer's activation, or at the output layer."""
    shape_in: tuple[int, ...]
    """The shape of what comes into the layer, for one example."""
    shape_out: tuple[int, ...]
    """The shape of what goes out, for one example; at every stage but the input what a layer sees here."""
    kernel_shape: tuple[int, ...]
    """The shape of the layer's weights: (fan_in, units), or (height, width, channels in, channels out) of a
    convolution; () at the input, which has none. Along all axes but the last run what comes into a unit."""
    builder: Builder
    """Who builds the network: it gives the layer its affine map, random numbers and examples."""
    before: Mapping[str, Any]
    """What the network consists of up to this layer, by name: the parts of a `trainwright.chain.Chain`."""
    marginals: NDArray[np.float64] | None = None
    """At a classifier's output: each class's frequency in the training split, (classes,)."""
    window: Window | None = None
    """How a convolution, or a locally connected layer, moves over its images; None: fully connected."""

    @property
    def units(self) -> int:
        """How many units (of a convolution: channels) the layer has."""
        return self.shape_out[-1]

    @property
    def fan_in(self) -> int:
        """How many values each unit is computed from."""
        return math.prod(self.kernel_shape[:-1])

    @property
    def fan_out(self) -> int:
        """How many values each input takes part in."""
        return math.prod(self.kernel_shape[:-2]) * self.kernel_shape[-1]

    def linear(self) -> nnx.Linear | Convolution | LocallyConnected:
        """An affine map to the layer's units, with the recipe's initial weights."""
        return self.builder.linear(self)

    def maxout(self, pieces: int) -> Maxout:
        """Units that are the largest of so many affine maps each, with the recipe's initial weights.

        Raises `SettingError` for a locally connected layer.
        """
        affine = self.builder.linear(self._of(self.units * pieces))
        if isinstance(affine, LocallyConnected):
            raise SettingError(
                f"{self.name} is locally connected: maxout needs a convolution or all connections"
            )
        return Maxout(affine, pieces, self.builder.product(self))

    def rng(self, purpose: str) -> np.random.Generator:
        """A generator for one purpose at this layer: the training's seed and the names decide it."""
        return self.builder.rng(self, purpose)

    def examples(self) -> NDArray[np.float32]:
        """What this layer receives for up to 1,000 training examples drawn at random: (examples, *shape_in).

        The layers before it have their initial weights; batch statistics are those of these examples, and
        nothing is dropped or drawn.
        """
        return self.builder.examples(self)

    def _of(self, units: int) -> Site:
        return replace(
            self,
            shape_out=(*self.shape_out[:-1], units),
            kernel_shape=(*self.kernel_shape[:-1], units),
        )
