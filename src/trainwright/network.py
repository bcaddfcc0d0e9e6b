"""Network: the base of all architectures, how one is built, and the chain of layers that most become."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from trainwright.base import keys
from trainwright.base.config import Config
from trainwright.base.errors import SettingError
from trainwright.strategy import Kernel, Layer, NothingToActOn, Part, Site, Stage, Strategy, users, uses

Given = TypeVar("Given")

BUILDING_HOOKS = ("layer", "affine", "activation", "initial_kernel", "initial_bias")
DECIDED_ONCE = (
    "extension",
    "affine",
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
        """The network for inputs of this shape, called with (x, *, key, training) -> (examples, outputs)."""
        raise NotImplementedError


class Chain(nnx.Module):
    """Named layers and functions, one after the other.

    A layer's weights are the part of its name ("hidden1"), and what strategies add to it stands behind
    ("hidden1/batch_norm", "hidden1/activation", "hidden1/dropout"). So weights have names such as
    "hidden1/kernel" and "hidden1/batch_norm/gamma"; see `array_name`.
    """

    def __init__(self, parts: Mapping[str, Part]):
        self.parts = nnx.Dict(parts)
        self.order = tuple(parts)  # a module's attributes come back in alphabetical order

    def __call__(self, x: jax.Array, *, key: jax.Array | None = None, training: bool = False) -> jax.Array:
        for name in self.order:
            x = _call(self.parts[name], x, key, training)
        return x

    def outputs(
        self, x: jax.Array, *, key: jax.Array | None = None, training: bool = False
    ) -> dict[str, jax.Array]:
        """What each part puts out for inputs (examples, *shape), by name and in their order."""
        outputs = {}
        for name in self.order:
            outputs[name] = x = _call(self.parts[name], x, key, training)
        return outputs


def _call(part: Any, x: jax.Array, key: jax.Array | None, training: bool) -> jax.Array:
    result: jax.Array = part(x, key=key, training=training) if isinstance(part, Layer) else part(x)
    return result


class Extension(Layer):
    """Adds `added` values to each example's `width`. Inputs that have them already stay as they are.

    The values depend on the inputs alone. So a training computes them once for all examples; for new data
    they are computed as it comes.
    """

    width: int
    added: int

    def values(self, x: jax.Array) -> jax.Array:
        """What is added to the inputs (examples, width): (examples, added)."""
        raise NotImplementedError

    def __call__(self, x: jax.Array, *, key: jax.Array | None, training: bool) -> jax.Array:
        return x if x.shape[-1] > self.width else jnp.concatenate([x, self.values(x)], axis=-1)


def extension_of(model: nnx.Module) -> Extension | None:
    """The network's extension of its inputs, if it has one."""
    parts = model.parts.values() if isinstance(model, Chain) else ()
    return next((part for part in parts if isinstance(part, Extension)), None)


def prediction_scale(chain: Chain, name: str) -> float:
    """The factor on a layer's inputs when predicting, by what stands between it and the layer below."""
    scale = 1.0
    for before in chain.order[: chain.order.index(name)]:
        part = chain.parts[before]
        if "/" not in before:  # a layer below
            scale = 1.0
        elif isinstance(part, Layer):
            scale *= part.prediction_scale()
    return scale


def array_name(path: Sequence[Any]) -> str:
    """The name of a network's array from its path in the state: the layer's, then the array's own.

    >>> state = nnx.state(Chain({"hidden1": nnx.Linear(2, 3, rngs=nnx.Rngs(0))}))
    >>> [array_name(path) for path, _ in jax.tree_util.tree_leaves_with_path(state)]
    ['hidden1/bias', 'hidden1/kernel']
    """
    name = jax.tree_util.keystr(tuple(path), simple=True, separator="/")
    return name.removeprefix("parts/").removesuffix("/value")


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

    def input(self, width: int, before: Mapping[str, Part]) -> dict[str, Part]:
        """What the strategies insert at the input, by name."""
        return self._layers(Site("input", "input", (width,), (width,), (), self, before), {})

    def hidden(self, name: str, fan_in: int, units: int, before: Mapping[str, Part]) -> dict[str, Part]:
        """A fully connected hidden layer: the affine map, what goes before the activation, the activation,
        and what goes after it, by name."""
        pre = self._site(name, "pre_activation", fan_in, units, before)
        parts: dict[str, Part] = {name: self._decided("affine", pre) or pre.linear()}
        parts |= self._layers(pre, parts)
        parts[f"{name}/activation"] = self._decided("activation", pre) or jax.nn.relu
        return parts | self._layers(replace(pre, stage="post_activation"), parts)

    def output(self, fan_in: int, outputs: int, before: Mapping[str, Part]) -> dict[str, Part]:
        """The output layer: an affine map, and what goes after it, by name."""
        site = replace(self._site("output", "output", fan_in, outputs, before), marginals=self.marginals)
        parts: dict[str, Part] = {"output": site.linear()}
        return parts | self._layers(site, parts)

    def check(self) -> None:
        """Raise `NothingToActOn` for a strategy that acts on the network's building and had no place to."""
        for strategy in self.strategies:
            hooks = [hook for hook in BUILDING_HOOKS if uses(strategy, hook)]
            if hooks and strategy.name not in self.acted:
                raise NothingToActOn(str(strategy), "it changes nothing at any site of this network")

    # What a site asks for.

    def linear(self, site: Site) -> nnx.Linear:
        """An affine map with the recipe's initial weights, of the site's kernel shape."""
        kernel, bias = jnp.asarray(self._kernel(site)), jnp.asarray(self._bias(site))
        return nnx.Linear(
            *site.kernel_shape, rngs=_NO_DRAWS, kernel_init=lambda *_: kernel, bias_init=lambda *_: bias
        )

    def rng(self, site: Site, purpose: str) -> np.random.Generator:
        """A generator for one purpose at a layer."""
        return keys.generator(self.seed, "init", site.name, purpose)

    def examples(self, site: Site) -> NDArray[np.float32]:
        """The layer's inputs for training examples; see `Site.examples`."""
        before = nnx.clone(Chain(site.before))  # batch statistics stay as they are
        return np.asarray(before(jnp.asarray(self.inputs()), training=True))

    def _site(self, name: str, stage: Stage, fan_in: int, units: int, before: Mapping[str, Part]) -> Site:
        return Site(name, stage, (fan_in,), (units,), (fan_in, units), self, dict(before))

    def _layers(self, site: Site, beside: Mapping[str, Part]) -> dict[str, Part]:
        layers: dict[str, Part] = {}
        for strategy in users(self.strategies, "layer"):
            if (layer := self._noted(strategy, strategy.layer(site))) is not None:
                name = f"{site.name}/{strategy.name}"
                layers[f"{name}_after" if name in beside else name] = layer
        return layers

    def _decided(self, hook: str, site: Site) -> nnx.Module | None:
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


class _NoDraws:
    """Stands for the stream of keys that `nnx.Linear` asks for: the weights are drawn on the host instead,
    and folding keys that nobody uses took a third of a network's building."""

    def params(self) -> None:
        pass


_NO_DRAWS: Any = _NoDraws()
