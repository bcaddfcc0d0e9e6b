"""The contract of a strategy: one training decision as a frozen value with a few pure hooks.

A strategy overrides the hooks of the stages at which it acts and leaves the others alone. Where several
strategies of a recipe share a hook, the order written is the order run. `CONTRIBUTING.md` shows how to
add one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

import jax
import numpy as np
import optax
from flax import nnx
from numpy.typing import NDArray

from trainwright.base.config import Config
from trainwright.base.errors import SettingError

Kernel = NDArray[np.float32]
History = dict[str, list[float]]
Params = nnx.State[Any, Any]


class HyperParameter(nnx.Variable[jax.Array]):
    """A strategy's number that a layer holds: data for the compiled program, never trained."""


class Layer(nnx.Module):
    """A layer that a strategy inserts.

    `key` is the step's random key, None when predicting; `training` says whether the weights are being
    fitted. Monte-Carlo averaging predicts with a key but without training.
    """

    def __call__(self, x: jax.Array, *, key: jax.Array | None, training: bool) -> jax.Array:
        raise NotImplementedError


class Site(Protocol):
    """A place in a network under construction where strategies may act."""

    @property
    def name(self) -> str:
        """The layer's name: "input", "hidden1", "hidden2", ..., "output"."""

    @property
    def stage(self) -> Literal["input", "before", "after", "output"]:
        """At the input, before or after a hidden layer's activation, or at the output layer."""

    @property
    def fan_in(self) -> int:
        """How many values come in."""

    @property
    def units(self) -> int:
        """How many values go out, per example."""

    @property
    def marginals(self) -> NDArray[np.float64] | None:
        """At a classifier's output: each class's frequency in the training split."""

    def linear(self, units: int) -> nnx.Linear:
        """An affine map to `units` values, with the recipe's initial weights."""

    def kernel(self, units: int) -> Kernel:
        """Initial weights (fan_in, units) by the recipe's rule."""


class Decision(NamedTuple):
    """What early stopping makes of the history so far."""

    best_step: int
    stop: bool


class Strategy(Config):
    """Base of all strategies: every hook does nothing."""

    example: ClassVar[dict[str, Any]] = {}
    """Settings under which the strategy visibly acts on a small network; also shown to users."""

    # Building the network.

    def layer(self, site: Site) -> Layer | None:
        """The layer to insert at this site."""
        return None

    def dense(self, site: Site) -> nnx.Module | None:
        """What stands in place of a hidden layer's affine map, before its activation."""
        return None

    def activation(self, site: Site) -> Callable[[jax.Array], jax.Array] | None:
        """The nonlinearity of a hidden layer."""
        return None

    def initial_kernel(self, site: Site, units: int, rng: np.random.Generator) -> Kernel | None:
        """A layer's first weights, (fan_in, units)."""
        return None

    def initial_bias(self, site: Site, units: int, rng: np.random.Generator) -> Kernel | None:
        """A layer's first biases, (units,)."""
        return None

    # Inside the compiled step, in this order.

    def augment(self, x: jax.Array, key: jax.Array) -> jax.Array:
        """A batch of inputs (examples, *shape), changed at random."""
        return x

    def targets(self, y: jax.Array) -> jax.Array:
        """A batch of targets (examples, outputs): one-hot classes, or values."""
        return y

    def loss(self, outputs: jax.Array, y: jax.Array) -> jax.Array | None:
        """Each example's loss from the network's outputs and the targets, both (examples, outputs)."""
        return None

    def penalty(self, params: Params) -> jax.Array | float:
        """What is added to the mean loss for the weights themselves."""
        return 0.0

    def gradient(self) -> optax.GradientTransformation | None:
        """What is done to the gradient before the learning rate multiplies it."""
        return None

    def rate(self, step: jax.Array, steps: jax.Array) -> jax.Array | float:
        """The factor on the learning rate at this step of so many."""
        return 1.0

    def update(self) -> optax.GradientTransformation | None:
        """What is done to the step after the learning rate has multiplied it."""
        return None

    def project(self, params: Params) -> Params:
        """The weights after the step, moved back to where they may be."""
        return params

    # Between evaluations and when predicting.

    def settle(self, model: nnx.Module) -> bool:
        """Ready the model's layers for a pass over training batches with fixed weights, if one is needed
        before predicting."""
        return False

    def stop(self, history: History) -> Decision | None:
        """Which step's weights to keep, and whether to go on."""
        return None

    def views(self, x: jax.Array) -> list[jax.Array]:
        """The versions of the inputs, besides themselves, over which predictions are averaged."""
        return []


def uses(strategy: Strategy, hook: str) -> bool:
    """Whether a strategy overrides a hook."""
    return getattr(type(strategy), hook) is not getattr(Strategy, hook)


def users(strategies: Sequence[Strategy], hook: str) -> list[Strategy]:
    """The strategies that override a hook, in the order written."""
    return [strategy for strategy in strategies if uses(strategy, hook)]


def kernels(params: Params) -> Iterator[jax.Array]:
    """The weights among the parameters: not biases, nor batch normalisation's scale and shift."""
    return (leaf for path, leaf in jax.tree_util.tree_leaves_with_path(params) if _is_kernel(path))


def map_kernels(function: Callable[[jax.Array], jax.Array], params: Params) -> Params:
    """The parameters with a function applied to each of the weights."""
    change = lambda path, leaf: function(leaf) if _is_kernel(path) else leaf  # noqa: E731
    mapped: Params = jax.tree_util.tree_map_with_path(change, params)
    return mapped


def _is_kernel(path: tuple[Any, ...]) -> bool:
    return any(getattr(part, "key", None) in ("kernel", "embedding") for part in path)


class NothingToActOn(SettingError):
    """A strategy that would change nothing: in a comparison a silent no-op is a false result."""

    def __str__(self) -> str:
        strategy, reason = self.args
        return f"{strategy} has nothing to act on: {reason}"
