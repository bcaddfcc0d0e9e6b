"""Chain: the named layers that a network becomes, and how its arrays are named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from trainwright.site import Layer, Part


class Joint(NamedTuple):
    """A part that takes what these other parts put out, in place of what the part before it does."""

    part: Part
    """The layer or function itself."""
    sources: tuple[str, ...]
    """The parts' names; none takes the network's inputs."""


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
    """How many values an example has without it."""
    added: int
    """How many it adds."""

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
