"""Sites: what a network under construction asks of the strategies, and whether each could act."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from trainwright.base import keys
from trainwright.base.errors import SettingError
from trainwright.strategies.initialization import he_normal
from trainwright.strategy import Kernel, Layer, NothingToActOn, Strategy, users, uses

Part = TypeVar("Part")

BUILDING_HOOKS = ("layer", "dense", "activation", "initial_kernel", "initial_bias")


class Sites:
    """Collects from a recipe's strategies what belongs at each place of one network.

    `seed` decides the initial weights, each layer's from its own name, so that a strategy that adds a layer
    leaves the others' weights as they were. `marginals` are the classes' frequencies, if it is a classifier.
    """

    def __init__(
        self, strategies: Sequence[Strategy], seed: int, marginals: NDArray[np.float64] | None = None
    ):
        self.strategies = strategies
        self.seed = seed
        self.marginals = marginals
        self.acted: set[str] = set()
        for hook in ("dense", "activation", "initial_kernel", "loss"):
            if len(several := users(strategies, hook)) > 1:
                given = " and ".join(strategy.name for strategy in several)
                raise SettingError(f"{given} both decide the {hook.replace('_', ' ')}: keep one")

    def site(
        self, name: str, stage: Literal["input", "before", "after", "output"], fan_in: int, units: int
    ) -> NetworkSite:
        """The place where a strategy may act on `units` values, made from `fan_in`."""
        return NetworkSite(self, name, stage, fan_in, units, self.marginals if stage == "output" else None)

    def layers(self, site: NetworkSite) -> list[Layer]:
        """The strategies' layers at a site, in the order written."""
        return [layer for s in self.strategies if (layer := self._took(s, s.layer(site))) is not None]

    def hidden(
        self, name: str, fan_in: int, units: int
    ) -> list[nnx.Module | Callable[[jax.Array], jax.Array]]:
        """A hidden layer: an affine map, what goes before the activation, the activation, what goes after."""
        before = self.site(name, "before", fan_in, units)
        dense = self._first("dense", before) or before.linear(units)
        activation = self._first("activation", before) or jax.nn.relu
        return [dense, *self.layers(before), activation, *self.layers(replace(before, stage="after"))]

    def check(self) -> None:
        """Raise `NothingToActOn` for a strategy that acts on the network's building and found no place."""
        for strategy in self.strategies:
            hooks = [hook for hook in BUILDING_HOOKS if uses(strategy, hook)]
            if hooks and strategy.name not in self.acted:
                raise NothingToActOn(str(strategy), "it changes nothing at any site of this network")

    def _first(self, hook: str, site: NetworkSite) -> nnx.Module | None:
        found = [self._took(s, getattr(s, hook)(site)) for s in users(self.strategies, hook)]
        return next((part for part in found if part is not None), None)

    def _took(self, strategy: Strategy, part: Part | None) -> Part | None:
        if part is not None:
            self.acted.add(strategy.name)
        return part


@dataclass(frozen=True)
class NetworkSite:
    """A place in a network; see `trainwright.strategy.Site`."""

    sites: Sites
    name: str
    stage: Literal["input", "before", "after", "output"]
    fan_in: int
    units: int
    marginals: NDArray[np.float64] | None = None

    def linear(self, units: int) -> nnx.Linear:
        """An affine map to `units` values, with the recipe's initial weights."""
        kernel, bias = jnp.asarray(self.kernel(units)), jnp.asarray(self.bias(units))
        return nnx.Linear(
            self.fan_in,
            units,
            rngs=_NO_DRAWS,
            kernel_init=lambda *_: kernel,
            bias_init=lambda *_: bias,
        )

    def kernel(self, units: int) -> Kernel:
        """Initial weights (fan_in, units) by the recipe's rule; He et al.'s normal one if it has none."""
        drawn = self._initial("initial_kernel", units)
        if drawn is None:
            rng = keys.generator(self.sites.seed, "init", self.name, "kernel")
            drawn = he_normal(rng, self.fan_in, units)
        return drawn

    def bias(self, units: int) -> Kernel:
        """Initial biases (units,) by the recipe's rule; zeros if it has none."""
        drawn = self._initial("initial_bias", units)
        return np.zeros(units, np.float32) if drawn is None else drawn

    def _initial(self, hook: str, units: int) -> Kernel | None:
        for strategy in users(self.sites.strategies, hook):
            rng = keys.generator(self.sites.seed, "init", self.name, hook.removeprefix("initial_"))
            drawn: Kernel | None = self.sites._took(strategy, getattr(strategy, hook)(self, units, rng))
            if drawn is not None:
                return drawn.astype(np.float32)
        return None


class _NoDraws:
    """Stands for the stream of keys that `nnx.Linear` asks for: the weights are drawn on the host instead,
    and folding keys that nobody uses took a third of a network's building."""

    def params(self) -> None:
        pass


_NO_DRAWS: Any = _NoDraws()
