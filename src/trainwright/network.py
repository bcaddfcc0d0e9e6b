"""Network: the base of all architectures, how one is built, and the chain of layers that most become."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from trainwright.base import keys
from trainwright.base.config import Config
from trainwright.base.errors import SettingError
from trainwright.layers.convolution import Convolution, LocallyConnected
from trainwright.layers.dense import dense, identity
from trainwright.layers.window import Window
from trainwright.strategy import Kernel, Layer, NothingToActOn, Part, Site, Strategy, users, uses
from trainwright.task import Task

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
        """The network for inputs of this shape, called with (x, *, key, training) -> (examples, outputs).

        Raises `SettingError` for inputs that it is not made for.
        """
        raise NotImplementedError

    def task(self, task: Task) -> Task:
        """The task as this network is trained for it: with auxiliary heads, if it has any."""
        return task


class Joint(NamedTuple):
    """A part that takes what these other parts put out, in place of what the part before it does."""

    part: Part
    sources: tuple[str, ...]
    """The parts' names; none takes the network's inputs."""


Affine = nnx.Linear | Convolution | LocallyConnected
Before = Mapping[str, Part | Joint]
"""What the network consists of up to some place, by name."""


class Chain(nnx.Module):
    """Named layers and functions, one after the other, or, where paths part and meet again, as `Joint`s say.

    A layer's weights are the part of its name ("hidden1"), and what strategies add to it stands behind
    ("hidden1/batch_norm", "hidden1/activation", "hidden1/dropout"). So weights have names such as
    "hidden1/kernel" and "hidden1/batch_norm/gamma"; see `array_name`.

    `heads` are the parts that put out what auxiliary heads say. In training, their outputs stand behind those
    of the last part, side by side; otherwise they are not computed. See `trainwright.task.WithHeads`.
    """

    def __init__(self, parts: Mapping[str, Part | Joint], heads: Sequence[str] = ()):
        names = tuple(parts)
        before = dict(zip(names, [(), *((name,) for name in names)], strict=False))
        joints = {
            name: part if isinstance(part, Joint) else Joint(part, before[name])
            for name, part in parts.items()
        }
        self.parts = nnx.Dict({name: joint.part for name, joint in joints.items()})
        self.order = names  # a module's attributes come back in alphabetical order
        self.sources = tuple(joint.sources for joint in joints.values())
        self.heads = tuple(heads)
        self.trunk = names if not heads else _leading_to(names[-1], joints)

    def __call__(self, x: jax.Array, *, key: jax.Array | None = None, training: bool = False) -> jax.Array:
        if not self.order:
            return x
        outputs = self._outputs(self.order if training else self.trunk, x, key, training)
        if not training or not self.heads:
            return outputs[self.order[-1]]
        return jnp.concatenate([outputs[name] for name in (self.order[-1], *self.heads)], axis=-1)

    def outputs(
        self, x: jax.Array, *, key: jax.Array | None = None, training: bool = False
    ) -> dict[str, jax.Array]:
        """What each part puts out for inputs (examples, *shape), by name and in their order."""
        return self._outputs(self.order, x, key, training)

    def _outputs(
        self, names: tuple[str, ...], x: jax.Array, key: jax.Array | None, training: bool
    ) -> dict[str, jax.Array]:
        outputs: dict[str, jax.Array] = {}
        for name, sources in zip(self.order, self.sources, strict=True):
            if name in names:
                inputs = [outputs[source] for source in sources] or [x]
                outputs[name] = _call(self.parts[name], inputs, key, training)
        return outputs


def _leading_to(name: str, joints: dict[str, Joint]) -> tuple[str, ...]:
    """The names of a part and of all that it needs, in their order."""
    needed = {name}
    for other in reversed(joints):
        if other in needed:
            needed |= set(joints[other].sources)
    return tuple(other for other in joints if other in needed)


def _call(part: Any, inputs: Sequence[jax.Array], key: jax.Array | None, training: bool) -> jax.Array:
    keywords = {"key": key, "training": training} if isinstance(part, Layer) else {}
    result: jax.Array = part(*inputs, **keywords)
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
        if site.window is None:
            return dense(kernel, bias)
        return (Convolution if kernel.ndim == 4 else LocallyConnected)(kernel, bias, site.window)

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
