"""Plan: what the published protocol takes, counted from the network: a plan, not a result.

Where a protocol is too long to be tried here, what it would take follows from its network and its length.
Counted are the multiply-adds of convolutions, locally connected and fully connected layers, two floating
point operations each; what strategies, pooling and normalisation add is left out. A training step takes three
times a forward pass: one forward, two for the gradients of inputs and weights. An evaluation during training
is left out; the test images are judged once, by as many views as the recipe predicts with.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from trainwright.base.errors import SettingError
from trainwright.chain import Chain
from trainwright.layers.convolution import Convolution, LocallyConnected
from trainwright.layers.dense import dense
from trainwright.network import Affine, Network, NetworkBuilder
from trainwright.recipe import Recipe
from trainwright.report.quantities import MISSING, duration, significant
from trainwright.site import Site
from trainwright.system import steps
from trainwright.system.contract import Extent, System, Table
from trainwright.system.steps import MeasuredStep

TERAFLOPS = 50.0
"""The assumed rate in 10¹² operations per second: a third of the 156 that NVIDIA states as an A100's peak
with TF32 products."""

PASSES = 3
"""Forward passes that a training step takes."""

HEADS = (
    "system",
    "parameters",
    "G multiply-adds",
    "updates",
    "training, EFLOP",
    "accelerator time",
    "step, measured",
)


@dataclass(frozen=True)
class Size:
    """A network's size, for one image."""

    parameters: int
    """How many numbers are trained, auxiliary heads' included."""
    predicting: int
    """Multiply-adds of a forward pass that predicts."""
    training: int
    """The same of one that trains, with auxiliary heads."""


@dataclass(frozen=True)
class Plan:
    """What a system's budget paper takes in all; of an ensemble, all its members."""

    size: Size
    """Of the first member's network."""
    updates: int
    """Weight updates."""
    training: float
    """Floating point operations of the training."""
    predicting: float
    """The same of judging the test images once."""

    def seconds(self, teraflops: float = TERAFLOPS) -> float:
        """On an accelerator that sustains so many 10¹² operations per second."""
        return (self.training + self.predicting) / (teraflops * 1e12)


class Counter(NetworkBuilder):
    """Builds a network's shapes, and counts what each layer with weights computes for one image."""

    def __init__(self) -> None:
        super().__init__((), 0, inputs=_no_inputs)
        self.multiply_adds: dict[str, int] = {}
        self.parameters = 0

    def linear(self, site: Site) -> Affine:
        """A layer of zeros, counted."""
        weights = math.prod(site.kernel_shape)
        places = math.prod(site.shape_out[:-1])  # where each weight is used; one in a layer without places
        self.multiply_adds[site.name] = weights * places
        self.parameters += weights + site.units
        kernel, bias = jnp.zeros(site.kernel_shape), jnp.zeros(site.units)
        if site.window is None:
            return dense(kernel, bias)
        return (Convolution if kernel.ndim == 4 else LocallyConnected)(kernel, bias, site.window)


@lru_cache
def size(network: Network, shape: tuple[int, ...], outputs: int) -> Size:
    """The size of a network for inputs of this shape; no weights are drawn.

    >>> from trainwright.networks.mlp import Mlp
    >>> size(Mlp((100,)), (28, 28), 10)
    Size(parameters=79510, predicting=79400, training=79400)
    """
    counter = Counter()
    model = nnx.eval_shape(lambda: network.build(shape, outputs, counter))
    counts = counter.multiply_adds
    trunk = model.trunk if isinstance(model, Chain) else tuple(counts)
    predicting = sum(count for name, count in counts.items() if name in trunk)
    return Size(counter.parameters, predicting, sum(counts.values()))


def of(system: System) -> Plan | None:
    """The plan of a system's budget paper; None where its data is small enough to try it."""
    if (extent := system.extent) is None:
        return None
    members = [member for member in system.members("paper") if isinstance(member, Recipe)]
    sizes = [size(member.network, extent.shape, extent.outputs) for member in members]
    updates = [member.length(extent.examples) for member in members]
    images = [n * member.batch(extent.examples) for n, member in zip(updates, members, strict=True)]
    judged = [extent.tests * _views(member, extent) for member in members]
    return Plan(
        sizes[0],
        sum(updates),
        2.0 * PASSES * sum(network.training * n for network, n in zip(sizes, images, strict=True)),
        2.0 * sum(network.predicting * n for network, n in zip(sizes, judged, strict=True)),
    )


def plans(table: Table) -> dict[str, Plan]:
    """The plans of a table's systems that have one, by name."""
    each = {system.name: of(system) for system in table.systems}
    return {name: plan for name, plan in each.items() if plan is not None}


@dataclass(frozen=True)
class TablePlan:
    """The plans of a table, to be shown."""

    plans: Mapping[str, Plan]
    """By system."""
    teraflops: float = TERAFLOPS
    """What the accelerator sustains, in 10¹² operations per second."""
    measured: Mapping[str, MeasuredStep] = field(default_factory=dict)
    """The measured steps, by system."""

    @classmethod
    def of(cls, table: Table, results: Path, teraflops: float = TERAFLOPS) -> TablePlan:
        """The plans of a table, beside the steps that were measured.

        Raises `SettingError` for a rate that is not above zero.
        """
        if not teraflops > 0:
            raise SettingError(f"--teraflops {teraflops:g}: give a rate above zero, such as {TERAFLOPS:g}")
        planned = plans(table)
        measured = steps.read(results) if planned else {}
        return cls(planned, teraflops, {name: step for name, step in measured.items() if name in planned})

    @property
    def sentence(self) -> str:
        """What the plan is, for a reader of the table."""
        return (
            "A plan, not a result: what budget paper takes, counted from its networks (multiply-adds to "
            "predict for one image; a step takes three forward passes), and the time on an accelerator that "
            f"sustains {significant(self.teraflops)}×10¹² operations per second. What strategies add, such "
            "as batch norm or augmentation, is left out. Of an ensemble, all members together."
        ) + self._where

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The cells under `HEADS`."""
        return [
            (
                name,
                f"{plan.size.parameters:,}",
                significant(plan.size.predicting / 1e9),
                f"{plan.updates:,}",
                significant(plan.training / 1e18),
                duration(plan.seconds(self.teraflops)),
                self._step(name),
            )
            for name, plan in self.plans.items()
        ]

    def as_json(self, name: str) -> dict[str, Any] | None:
        """A system's plan as plain values; None where it has none."""
        if (plan := self.plans.get(name)) is None:
            return None
        return {
            "parameters": plan.size.parameters,
            "multiply_adds": plan.size.predicting,
            "updates": plan.updates,
            "training_flops": plan.training,
            "predicting_flops": plan.predicting,
            "teraflops": self.teraflops,
            "accelerator_seconds": plan.seconds(self.teraflops),
            "step": asdict(self.measured[name]) if name in self.measured else None,
        }

    @property
    def _where(self) -> str:
        """Where the steps were measured."""
        if not self.measured:
            return ""
        places = " and ".join(dict.fromkeys(step.where for step in self.measured.values()))
        return f" The last column is no plan: one training step on noise of the images' size, on {places}."

    def _step(self, name: str) -> str:
        if name not in self.measured:
            return MISSING
        seconds = self.measured[name].seconds
        return "too large" if seconds is None else duration(seconds)


def _views(recipe: Recipe, extent: Extent) -> int:
    """How many versions of an image are predicted for."""
    views = [strategy.many_views(extent.shape) for strategy in recipe.strategies]
    return math.prod(many.number for many in views if many is not None)


def _no_inputs() -> NDArray[np.float32]:
    raise AssertionError("only strategies look at inputs, and none are given")
