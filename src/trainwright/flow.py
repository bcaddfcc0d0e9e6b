"""Flow: how a network is written down, from its inputs to its outputs.

A flow is what comes out of a network under construction at one place. Each layer makes a new flow of it, and
leaves it as it was: so paths may part, and `join` brings them together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from trainwright.base.errors import SettingError
from trainwright.chain import Chain, Joint
from trainwright.layers.pooling import AveragePool, MaxPool, global_average
from trainwright.layers.window import Window
from trainwright.network import NetworkBuilder
from trainwright.site import Part


@dataclass(frozen=True, eq=False)
class Flow:
    """What comes out of a network under construction, at one place."""

    builder: NetworkBuilder
    """What collects the strategies' parts."""
    shape: tuple[int, ...]
    """The shape of one example, here."""
    parts: Mapping[str, Joint]
    """What the network consists of up to here, by name."""

    @property
    def last(self) -> tuple[str, ...]:
        """The name of the part that comes last; none at the inputs."""
        return tuple(self.parts)[-1:]

    # Layers with weights, where strategies act.

    def input(self) -> Flow:
        """What the strategies insert at the input."""
        return self._then(self.builder.input(self.shape, self.parts), self.shape)

    def hidden(self, name: str, units: int) -> Flow:
        """A fully connected hidden layer, of flattened inputs."""
        flat = self.flatten(f"{name}/flatten")
        return flat._then(self.builder.hidden(name, flat.shape[0], units, flat.parts), (units,))

    def convolution(self, name: str, channels: int, window: Window, pieces: int = 1) -> Flow:
        """A convolutional hidden layer: see `NetworkBuilder.convolution`."""
        shape = (*self._places(name, window), channels)
        return self._then(
            self.builder.convolution(name, self.shape, channels, window, self.parts, pieces), shape
        )

    def locally_connected(self, name: str, channels: int, window: Window) -> Flow:
        """A locally connected hidden layer: see `NetworkBuilder.locally_connected`."""
        units = math.prod(self._places(name, window)) * channels
        layer = self.builder.locally_connected(name, self.shape, channels, window, self.parts)
        return self._then(layer, (units,))

    def output(self, outputs: int, name: str = "output") -> Flow:
        """The output layer, or an auxiliary head's, of flattened inputs."""
        flat = self.flatten(f"{name}/flatten")
        return flat._then(self.builder.output(flat.shape[0], outputs, flat.parts, name), (outputs,))

    # What has no weights.

    def extended(self, hidden: tuple[int, ...]) -> Flow:
        """What a strategy adds to the flattened inputs of a network with these hidden layers."""
        [width] = self.shape
        extensions = self.builder.extension(width, hidden)
        return self._then(extensions, (width + sum(e.added for e in extensions.values()),))

    def flatten(self, name: str = "flatten") -> Flow:
        """Each example's values in one row; nothing is done where they already are, but at the inputs."""
        if self.parts and len(self.shape) == 1:
            return self
        return self._then({name: flatten}, (math.prod(self.shape),))

    def max_pool(self, name: str, window: Window) -> Flow:
        """The largest value in each window."""
        return self.apply(name, MaxPool(window), (*self._places(name, window), self.shape[-1]))

    def average_pool(self, name: str, window: Window, count_padding: bool = False) -> Flow:
        """The mean of each window."""
        pool = AveragePool(window, count_padding)
        return self.apply(name, pool, (*self._places(name, window), self.shape[-1]))

    def global_average(self, name: str) -> Flow:
        """The mean over all places."""
        return self.apply(name, global_average, self.shape[-1:])

    def apply(self, name: str, part: Part, shape: tuple[int, ...] | None = None) -> Flow:
        """Any other layer or function; the shape of an example stays as it is unless given."""
        return self._then({name: part}, self.shape if shape is None else shape)

    # The end.

    def network(self, heads: Sequence[Flow] = ()) -> Chain:
        """The network that puts this out, with auxiliary heads."""
        parts: dict[str, Joint] = {}
        for flow in (*heads, self):
            parts |= flow.parts
        return Chain(parts, [name for flow in heads for name in flow.last])

    def _then(self, parts: Mapping[str, Part], shape: tuple[int, ...]) -> Flow:
        joints, source = dict(self.parts), self.last
        for name, part in parts.items():
            assert name not in joints, f"two parts are called {name}"
            joints[name], source = Joint(part, source), (name,)
        return Flow(self.builder, shape, joints)

    def _places(self, name: str, window: Window) -> tuple[int, int]:
        height, width, _ = self.shape
        places = window.output(height), window.output(width)
        if min(places) < 1:
            raise SettingError(
                f"{name}: its window of {window.size}×{window.size} pixels does not fit what comes in, "
                f"{height}×{width}: give larger images, or a network that makes them less small"
            )
        return places


def begin(shape: tuple[int, ...], builder: NetworkBuilder) -> Flow:
    """The inputs of a network."""
    return Flow(builder, shape, {})


def begin_images(network: str, shape: tuple[int, ...], builder: NetworkBuilder, least: int = 1) -> Flow:
    """The inputs of a network for images, (height, width, channels), with what strategies insert there.

    Raises `SettingError` for examples that are no images, or that have fewer than `least` pixels on a side.
    """
    if len(shape) not in (2, 3):
        raise SettingError(
            f"{network} needs images, (height, width[, channels]), and an example here has the shape {shape}:"
            " take another network, such as mlp"
        )
    if min(shape[:2]) < least:
        raise SettingError(
            f"{network} needs images of {least}×{least} pixels or more, and these have {shape[0]}×{shape[1]}:"
            " enlarge them, or take another network, such as convnet"
        )
    flow = begin(shape, builder)
    if len(shape) == 2:
        flow = flow.apply("image", one_channel, (*shape, 1))
    return flow.input()


def join(name: str, flows: Sequence[Flow]) -> Flow:
    """Images side by side: the channels of all."""
    parts: dict[str, Joint] = {}
    for flow in flows:
        parts |= flow.parts
    sources = tuple(source for flow in flows for source in flow.last)
    channels = sum(flow.shape[-1] for flow in flows)
    joined = {**parts, name: Joint(side_by_side, sources)}
    return Flow(flows[0].builder, (*flows[0].shape[:-1], channels), joined)


def scaled(channels: int, width: int) -> int:
    """So many per cent of the channels, at least one.

    >>> scaled(64, 25), scaled(16, 1)
    (16, 1)
    """
    return max(1, round(channels * width / 100))


def flatten(x: jax.Array) -> jax.Array:
    """(examples, ...) -> (examples, features)."""
    return x.reshape(len(x), -1)


def one_channel(x: jax.Array) -> jax.Array:
    """(examples, height, width) -> (examples, height, width, 1)."""
    return x[..., None]


def side_by_side(*images: jax.Array) -> jax.Array:
    """Images of equal size as one, with the channels of all."""
    return jnp.concatenate(images, axis=-1)
