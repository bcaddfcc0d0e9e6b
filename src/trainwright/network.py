"""Network: the base of all architectures, and how one is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from trainwright.base import keys
from trainwright.base.config import Config
from trainwright.base.errors import SettingError
from trainwright.chain import Before, Chain, Extension
from trainwright.layers.convolution import Convolution, LocallyConnected
from trainwright.layers.dense import dense, identity
from trainwright.layers.product import Product, exact
from trainwright.layers.window import Window
from trainwright.site import Kernel, Part, Site
from trainwright.strategy import NothingToActOn, Strategy, users, uses
from trainwright.task import Task

Given = TypeVar("Given")

BUILDING_HOOKS = ("layer", "affine", "product", "activation", "initial_kernel", "initial_bias")
DECIDED_ONCE = (
    "extension",
    "affine",
    "product",
    "activation",
    "initial_kernel",
    "pretraining",
    "loss",
    "averaged_weights",
    "many_views",
)
"""Hooks that only one strategy of a recipe may override."""


class Network(Config):
    """An architecture as a frozen value."""

    def build(self, shape: tuple[int, ...], outputs: int, builder: NetworkBuilder) -> nnx.Module:
        """Host; a system's plan calls it under `nnx.eval_shape`. The network for inputs of this shape, that
        of one example.

        The network itself is traced. It is called as a `Layer` is, with x, float32 (examples, *shape), and
        puts out float32 (examples, outputs); in training, those of auxiliary heads stand behind.

        Raises `SettingError` for inputs that it is not made for.
        """
        raise NotImplementedError

    def task(self, task: Task) -> Task:
        """Host. The task as this network is trained for it: with auxiliary heads, if it has any."""
        return task


Affine = nnx.Linear | Convolution | LocallyConnected


class NetworkBuilder:
    """Collects from a recipe's strategies what belongs at each place of one network.

    `seed` decides the initial weights, each layer's from its own name, so that a strategy that adds a layer
    leaves the others' weights as they were. `marginals`: the classes' frequencies, (classes,), if it is a
    classifier. `inputs`: gives training examples (examples, *shape) when a strategy wants to see some.

    Raises `SettingError` where two strategies decide the same thing.
    """

    def __init__(
        self,
        strategies: Sequence[Strategy],
        seed: int,
        *,
        marginals: NDArray[np.float64] | None = None,
        inputs: Callable[[], NDArray[np.float32]],
    ):
        self.strategies = strategies
        self.seed = seed
        self.marginals = marginals
        self.inputs = inputs
        self.acted: set[str] = set()
        for hook in DECIDED_ONCE:
            if len(several := users(strategies, hook)) > 1:
                names = " and ".join(strategy.name for strategy in several)
                raise SettingError(f"{names} both decide the {hook.replace('_', ' ')}: keep one")

    def extension(self, width: int, hidden: tuple[int, ...]) -> dict[str, Extension]:
        """What a strategy adds to the flattened inputs of a network with these hidden layers, by name."""
        given = ((s, s.extension(width, hidden)) for s in users(self.strategies, "extension"))
        return {f"input/{s.name}": e for s, e in given if self._noted(s, e) is not None}

    def input(self, shape: tuple[int, ...], before: Before) -> dict[str, Part]:
        """What the strategies insert at the input, by name."""
        return self._layers(Site("input", "input", shape, shape, (), self, before), {})

    def hidden(self, name: str, fan_in: int, units: int, before: Before) -> dict[str, Part]:
        """A fully connected hidden layer: the affine map, what goes before the activation, the activation,
        and what goes after it, by name."""
        return self._hidden(Site(name, "pre_activation", (fan_in,), (units,), (fan_in, units), self, before))

    def convolution(
        self,
        name: str,
        shape: tuple[int, ...],
        channels: int,
        window: Window,
        before: Before,
        pieces: int = 1,
    ) -> dict[str, Part]:
        """A convolutional hidden layer on images of this shape, as `hidden`. With pieces, each channel
        is the largest of so many convolutions (maxout)."""
        height, width, depth = shape
        out = (window.output(height), window.output(width), channels)
        kernel = (window.size, window.size, depth, channels)
        return self._hidden(
            Site(name, "pre_activation", shape, out, kernel, self, before, window=window), pieces
        )

    def locally_connected(
        self, name: str, shape: tuple[int, ...], channels: int, window: Window, before: Before
    ) -> dict[str, Part]:
        """As `convolution`, with other weights at every place; what comes out is flattened."""
        height, width, depth = shape
        units = window.output(height) * window.output(width) * channels
        kernel = (window.size**2 * depth, units)
        return self._hidden(
            Site(name, "pre_activation", shape, (units,), kernel, self, before, window=window)
        )

    def output(self, fan_in: int, outputs: int, before: Before, name: str = "output") -> dict[str, Part]:
        """The output layer, or an auxiliary head's: an affine map, and what goes after it, by name."""
        site = Site(name, "output", (fan_in,), (outputs,), (fan_in, outputs), self, before, self.marginals)
        parts: dict[str, Part] = {name: site.linear()}
        return parts | self._layers(site, parts)

    def check(self) -> None:
        """Raise `NothingToActOn` for a strategy that acts on the network's building and had no place to."""
        for strategy in self.strategies:
            hooks = [hook for hook in BUILDING_HOOKS if uses(strategy, hook)]
            if hooks and strategy.name not in self.acted:
                raise NothingToActOn(str(strategy), "it changes nothing at any site of this network")

    # What a site asks for.

    def linear(self, site: Site) -> Affine:
        """An affine map with the recipe's initial weights, of the site's kernel shape."""
        kernel, bias = jnp.asarray(self._kernel(site)), jnp.asarray(self._bias(site))
        product = self.product(site)
        if site.window is None:
            return dense(kernel, bias, product)
        return (Convolution if kernel.ndim == 4 else LocallyConnected)(kernel, bias, site.window, product)

    def product(self, site: Site) -> Product:
        """How a layer multiplies its inputs by its weights."""
        return self._decided("product", site) or exact

    def rng(self, site: Site, purpose: str) -> np.random.Generator:
        """A generator for one purpose at a layer."""
        return keys.generator(self.seed, "init", site.name, purpose)

    def examples(self, site: Site) -> NDArray[np.float32]:
        """The layer's inputs for training examples; see `Site.examples`."""
        before = nnx.clone(Chain(site.before))  # batch statistics stay as they are
        return np.asarray(before(jnp.asarray(self.inputs()), training=True))

    def _hidden(self, pre: Site, pieces: int = 1) -> dict[str, Part]:
        plain = pre.linear if pieces == 1 else partial(pre.maxout, pieces)
        parts: dict[str, Part] = {pre.name: self._decided("affine", pre) or plain()}
        parts |= self._layers(pre, parts)
        default = jax.nn.relu if pieces == 1 else identity
        parts[f"{pre.name}/activation"] = self._decided("activation", pre) or default
        return parts | self._layers(replace(pre, stage="post_activation"), parts)

    def _layers(self, site: Site, beside: Mapping[str, Part]) -> dict[str, Part]:
        layers: dict[str, Part] = {}
        for strategy in users(self.strategies, "layer"):
            if (layer := self._noted(strategy, strategy.layer(site))) is not None:
                name = f"{site.name}/{strategy.name}"
                layers[f"{name}_after" if name in beside else name] = layer
        return layers

    def _decided(self, hook: str, site: Site) -> Any:
        given = (self._noted(s, getattr(s, hook)(site)) for s in users(self.strategies, hook))
        return next((part for part in given if part is not None), None)

    def _kernel(self, site: Site) -> Kernel:
        kernel = self._initial("initial_kernel", site)
        return he_normal(self.rng(site, "kernel"), site) if kernel is None else kernel

    def _bias(self, site: Site) -> Kernel:
        bias = self._initial("initial_bias", site)
        return np.zeros(site.units, np.float32) if bias is None else bias

    def _initial(self, hook: str, site: Site) -> Kernel | None:
        for strategy in users(self.strategies, hook):
            rng = self.rng(site, hook.removeprefix("initial_"))
            array: Kernel | None = self._noted(strategy, getattr(strategy, hook)(site, rng))
            if array is not None:
                return array.astype(np.float32)
        return None

    def _noted(self, strategy: Strategy, given: Given | None) -> Given | None:
        if given is not None:
            self.acted.add(strategy.name)
        return given


def he_normal(rng: np.random.Generator, site: Site) -> Kernel:
    """Normal weights of the site's kernel shape and of variance 2/fan_in (He et al. 2015, equation 10)."""
    return rng.standard_normal(site.kernel_shape, np.float32) * np.float32(np.sqrt(2 / site.fan_in))
