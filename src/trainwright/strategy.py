"""The contract of a strategy: one training decision as a frozen value with a few pure hooks.

A strategy overrides the hooks of the stages at which it acts and leaves the others alone. Where several
strategies of a recipe share a hook, the order written is the order run. Each hook says where it runs: on the
*host*, with NumPy arrays and plain numbers, or *traced*, inside the compiled step, where the strategy's own
numbers and all arrays are tracers; a few run in both places. A `key` is a random key for this hook of this
strategy at this step. `CONTRIBUTING.md` shows how to add a strategy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import jax
import numpy as np
import optax
from flax import nnx

from trainwright.base.config import Config
from trainwright.base.errors import SettingError
from trainwright.layers.product import Product
from trainwright.objective import Batch
from trainwright.pretraining import Arrays, Pretraining
from trainwright.site import Kernel, Layer, Site

History = dict[str, list[float]]
"""After each evaluation, by column: `step`, `train_loss`, `validation_loss` and `validation_error`."""
Params = nnx.State[Any, Any]
"""A network's trained arrays, float32 each, as a pytree; `trainwright.chain.array_name` gives their names."""


class Decision(NamedTuple):
    """What a strategy makes of the history so far."""

    best_step: int
    """The step whose weights are to be kept; 0 for the first weights."""
    stop: bool
    """Whether the phase ends here."""


class Phase(NamedTuple):
    """A stretch of training with its own examples and end.

    The training proper is `Phase(last=recipe.length(examples))`.
    """

    last: int
    """The step at which the phase ends at the latest."""
    first: int = 0
    """The step from which it counts."""
    rows: Literal["train", "all"] = "train"
    """The examples that it trains on: the training split, or training and validation."""
    start: Literal["first", "kept"] = "first"
    """The weights that it starts from: the first ones, or those kept so far."""
    counts: bool = True
    """Whether its evaluations enter the history and decide which weights are kept."""
    until_kept_loss: bool = False
    """Whether it ends once the validation loss is down to the training loss of the kept weights."""


class Views(NamedTuple):
    """Many versions of the inputs, made one at a time."""

    number: int
    """How many there are."""
    view: Callable[[jax.Array, jax.Array], jax.Array]
    """Traced. Inputs, float32 (examples, *shape), and an index below `number`, an int32 scalar -> this
    version of the inputs, float32 of the same shape."""


class Strategy(Config):
    """Base of all strategies: every hook does nothing."""

    example: ClassVar[dict[str, Any]] = {}
    """Settings under which the strategy visibly acts on a small network; also shown to users."""
    companions: ClassVar[str] = ""
    """Strategies that the example needs beside it to have something to act on, as on the command line."""

    # Building the network. Host; the same for all strategies with equal settings.

    def extension(self, width: int, hidden: tuple[int, ...]) -> Any:
        """Host. The `trainwright.chain.Extension` that adds values to the flattened inputs, float32
        (examples, width), of a network with so many units in each hidden layer, or None."""
        return None

    def layer(self, site: Site) -> Layer | None:
        """Host. The layer to insert at this site, or None. The layer itself is traced: it maps float32
        (examples, *site.shape_out) to the same shape and dtype, see `Layer.__call__`."""
        return None

    def affine(self, site: Site) -> nnx.Module | None:
        """Host. What stands in place of a hidden layer's affine map, before its activation, or None. The
        module itself is traced: it maps (examples, *site.shape_in) to (examples, *site.shape_out), both
        float32."""
        return None

    def product(self, site: Site) -> Product | None:
        """Host. How the layer at this site multiplies its inputs by its weights, or None. The product itself
        is traced: it takes both as float32, and gives float32."""
        return None

    def activation(self, site: Site) -> Callable[[jax.Array], jax.Array] | None:
        """Host. The nonlinearity of a hidden layer, or None. It is traced itself: it maps float32 (examples,
        *site.shape_out) to the same shape and dtype."""
        return None

    def initial_kernel(self, site: Site, rng: np.random.Generator) -> Kernel | None:
        """Host. A layer's first weights, float32 of shape `site.kernel_shape`, or None."""
        return None

    def initial_bias(self, site: Site, rng: np.random.Generator) -> Kernel | None:
        """Host. A layer's first biases, float32 (site.units,), or None."""
        return None

    # Before the training proper. Host.

    def pretraining(self, model: nnx.Module) -> tuple[Pretraining, ...]:
        """Host. What is trained on inputs alone, one after the other, for this network."""
        return ()

    def pretrained(self, model: nnx.Module, arrays: Arrays) -> dict[str, Kernel]:
        """Host. The weights that the network starts from, by name such as `hidden1/kernel`, each float32 of
        the shape that the network's own has; those not named stay as they are. `arrays` are what the
        pretrainings left, float32 by name."""
        return {}

    # Inside the compiled step, in this order.

    def augment(self, x: jax.Array, key: jax.Array) -> jax.Array:
        """Traced. A batch of inputs, float32 (examples, *shape), changed at random; shape and dtype stay."""
        return x

    def targets(self, y: jax.Array) -> jax.Array:
        """Traced. A batch of targets, float32 (examples, outputs): one-hot classes, or values; shape and
        dtype stay."""
        return y

    def mix(self, x: jax.Array, y: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Traced. Inputs (examples, *shape) and targets (examples, outputs), float32, changed together;
        shapes and dtypes stay."""
        return x, y

    def loss(self, outputs: jax.Array, y: jax.Array) -> jax.Array | None:
        """Traced. Each example's loss, float32 (examples,), from the network's outputs and the targets, both
        float32 (examples, outputs)."""
        return None

    def penalty(self, params: Params) -> jax.Array | float:
        """Traced. What is added to the mean loss for the weights themselves, a float32 scalar."""
        return 0.0

    def objective(self, batch: Batch, key: jax.Array) -> jax.Array | float:
        """Traced. What is added to the mean loss for further passes of the network, a float32 scalar."""
        return 0.0

    def gradient(self) -> optax.GradientTransformation | None:
        """Host and traced. What is done to the gradient before the learning rate multiplies it, or None.

        Before the first step the transformation's `init` runs on the host, where the strategy's numbers are
        plain: the weights -> a state of arrays. At each step its `update` is traced: the gradient, the state
        and the weights before the step -> what becomes of the gradient, and the new state. Gradient and
        weights are `Params` of one structure, float32. The state keeps its structure, shapes and dtypes, and
        these depend on no `float` of the strategy.
        """
        return None

    def rate(self, step: jax.Array, steps: jax.Array) -> jax.Array | float:
        """Traced. The factor on the learning rate, a float32 scalar, at this step (the first is 0) of so
        many, both int32 scalars."""
        return 1.0

    def update(self) -> optax.GradientTransformation | None:
        """Host and traced, as `gradient`. What is done to the step after the learning rate has multiplied it,
        or None: in place of the gradient comes -rate × gradient, and what becomes of it is added to the
        weights."""
        return None

    def project(self, params: Params) -> Params:
        """Traced. The weights after the step, moved back to where they may be: all of the network's trained
        arrays, float32, to arrays of the same names, shapes and dtypes."""
        return params

    def averaged_weights(self, averaged: Params, params: Params, step: jax.Array, steps: jax.Array) -> Params:
        """Traced. The weights to evaluate and predict with after `step` steps (the first is 1) of `steps`,
        both int32 scalars: from those to predict with before the last step, and from those that it left. Both
        begin as the network's first weights, and what comes back is as these. Training goes on from
        `params`."""
        return params

    # Between evaluations and when predicting.

    def needs_population_pass(self) -> bool:
        """Host. Whether layers have to see training batches with fixed weights before each evaluation."""
        return False

    def reset_statistics(self, model: nnx.Module) -> None:
        """Traced. Make the model's layers forget what they saw, in place, before a population pass. Without
        a strategy that has this hook there is no pass."""

    def stop(self, history: History) -> Decision | None:
        """Host. Which step's weights to keep, and whether to go on; None leaves it to others."""
        return None

    def after_training(self, best_step: int, length: int) -> Phase | None:
        """Host. The phase to add after the training proper, of at most `length` steps, which kept the weights
        of `best_step`, or None. It is not asked after a divergence."""
        return None

    def views(self, x: jax.Array) -> list[jax.Array]:
        """Traced. The versions of the inputs, float32 (examples, *shape), besides themselves, over which
        predictions are averaged, each of the same shape and dtype. For a few: each is a forward pass of its
        own in the program."""
        return []

    def many_views(self, shape: tuple[int, ...]) -> Views | None:
        """Host and traced. Versions of inputs of this shape, that of one example, in place of the inputs
        themselves, over which predictions are averaged, or None. For many: the program has one forward pass,
        which is run for one after the other. `Views.view` is traced; the host asks for their number, and
        whether there are any for this shape."""
        return None


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
