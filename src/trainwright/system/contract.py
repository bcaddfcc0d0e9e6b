"""The contract of a system: one published row, a model with its published error, to be trained again.

A system is a documented function from a budget to a recipe of the package's own strategies. Its docstring is
its title and the list of its deviations; everything else follows from the recipe and the protocol:

- Choices that the sources leave open are made on the validation split (on MNIST 10,000 of the 60,000 training
  examples), never on the test split.
- The training whose test error is reported has all training examples, validation included, for a length
  fixed beforehand. Where the published protocol has two stages (`staged`), the recipe's own phases bring the
  validation examples in.
- The test split is read once, after the last step.

What was published on data too large for most machines has a stand-in, on which the budgets quick and standard
train a smaller network; budget paper is the published protocol on the published data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np

from trainwright.base.errors import SettingError
from trainwright.baseline import Baseline
from trainwright.comparison.metrics import METRICS, check_classes
from trainwright.data import Dataset, load
from trainwright.data.named import INDEXED, NAMED
from trainwright.recipe import Recipe

SystemBudget = Literal["quick", "standard", "paper"]
"""quick: minutes, to see a system run. standard: what comes close to the published error soonest. paper: the
published protocol."""

Learner = Callable[[SystemBudget], Recipe | Baseline | tuple[Recipe, ...]]
"""What a budget trains: a recipe, a baseline, or an ensemble's members, whose predictions are averaged."""


@dataclass(frozen=True)
class Extent:
    """What a plan has to know of the published data, which need not be here."""

    shape: tuple[int, int, int]
    """Height, width and channels of an image as the network sees it."""
    outputs: int
    """How many numbers a network has to put out."""
    examples: int
    """How many images are trained on."""
    tests: int
    """How many are judged."""


@dataclass(frozen=True)
class System:
    """A published row that can be trained again."""

    name: str
    """As on the command line: `dropout-3x1024`."""
    title: str
    """What is trained, as the published table calls it."""
    published: float | None
    """The published test error in %; None where the source shows it in a figure only."""
    source: str
    """Where that number stands."""
    learner: Learner
    """What is trained under a budget."""
    deviations: tuple[str, ...] = ()
    """What is not known, or not done, as in the source."""
    staged: bool = False
    """Whether the recipe's own phases bring the validation examples in; otherwise they train from the
    start."""
    dataset: str = "mnist"
    """The data that the published system was trained on."""
    metric: str = "error"
    """What the published number measures, by its name in `trainwright.comparison.metrics.METRICS`."""
    stand_in: str | None = None
    """The data on which quick and standard train in place of the published; None: the published."""
    size: int | None = None
    """The side in pixels to which quick and standard resize images that are read from files."""
    extent: Extent | None = None
    """What is published of the data's size, where budget paper is too long to be tried: see
    `trainwright.system.plan`."""

    def recipe(self, budget: SystemBudget = "standard") -> Recipe:
        """The recipe, to start from; an ensemble's first member. Raises `SettingError` where the system is no
        network."""
        learner = self.members(budget)[0]
        if isinstance(learner, Baseline):
            raise SettingError(f"system {self.name!r} is no network but a baseline: use {learner} as one")
        return learner

    def members(self, budget: SystemBudget) -> tuple[Recipe | Baseline, ...]:
        """All that is trained under a budget; more than one of an ensemble."""
        learner = self.learner(budget)
        return learner if isinstance(learner, tuple) else (learner,)


@dataclass(frozen=True)
class Rerun:
    """A system under a budget, to be trained again."""

    system: System
    """The published row."""
    budget: SystemBudget
    """How far it goes towards the published protocol."""
    hold_out: bool = False
    """Whether the validation examples stay apart, for choices and curves, and give the error."""
    source: str | None = None
    """The user's stand-in: a folder of images or a known name. None: the system's own."""

    @cached_property
    def members(self) -> tuple[Recipe | Baseline, ...]:
        """What is trained; more than one of an ensemble."""
        return self.system.members(self.budget)

    @property
    def learner(self) -> Recipe | Baseline:
        """What is trained; an ensemble's first member."""
        return self.members[0]

    def to_json(self) -> dict[str, Any]:
        """What is trained, as plain values."""
        if len(self.members) == 1:
            return self.learner.to_json()
        return {"name": "ensemble", "members": [member.to_json() for member in self.members]}

    @property
    def dataset(self) -> str:
        """The name or the path of what it is trained on.

        Raises `SettingError` for a stand-in where the system, or the budget, has none.
        """
        system, here = self.system, self.budget != "paper"
        if self.source is None:
            return (here and system.stand_in) or system.dataset
        if system.stand_in is None:
            raise SettingError(
                f"{system.name} is trained on {system.dataset}: leave --data out, or start from its recipe "
                f"with `trainwright fit {self.source} --system {system.name} --out model`"
            )
        if not here:
            raise SettingError(
                f"budget paper trains {system.name} on {system.dataset}: leave --data out, or give "
                "--budget standard"
            )
        return self.source

    @property
    def apart(self) -> bool:
        """Whether the validation examples are apart from those trained on."""
        return self.hold_out or self.system.staged

    @cached_property
    def data(self) -> Dataset:
        """What it is trained on. Raises what `load` does, and `SettingError` for too few classes."""
        data = loaded(self.dataset, self._size)
        if data.classes:
            check_classes(METRICS[self.system.metric], len(data.classes))
        return data if self.apart else merged(data)

    @property
    def _size(self) -> int | None:
        """The side to which images are resized; None where there are no files of images."""
        if self.dataset in NAMED and self.dataset not in INDEXED:
            return None
        extent = self.system.extent
        return extent.shape[0] if extent and self.budget == "paper" else self.system.size

    @property
    def length(self) -> int:
        """Weight updates of the training proper at most, of all members; 0 for a baseline."""
        examples = self.data.splits.examples
        return sum(0 if isinstance(m, Baseline) else m.length(examples) for m in self.members)


@dataclass(frozen=True)
class Table:
    """The rows of a published table, in its order."""

    name: str
    """As on the command line: `--table dropout`."""
    title: str
    """Its heading."""
    about: str
    """Where it stands, and the protocol, in a paragraph."""
    systems: tuple[System, ...]
    """Its rows, in the published order."""


def system(*, published: float | None, source: str, **settings: Any) -> Callable[[Learner], System]:
    """Make a function from a budget to a recipe, with its docstring, a system of its name.

    `settings`: further fields of `System`.

    >>> @system(published=1.6, source="Author 2003, table 1")
    ... def small_net(budget):
    ...     '''A small network.
    ...
    ...     - Its length is not published.
    ...     '''
    ...     return Recipe()
    >>> small_net.name, small_net.title, small_net.deviations
    ('small-net', 'A small network', ('Its length is not published.',))
    """

    def make(learner: Learner) -> System:
        title, _, rest = (learner.__doc__ or "").partition("\n")
        _, *items = (" " + " ".join(rest.split())).split(" - ")
        return System(
            learner.__name__.replace("_", "-"),
            title.strip().removesuffix("."),
            published,
            source,
            learner,
            tuple(item.strip() for item in items),
            **settings,
        )

    return make


def merged(data: Dataset) -> Dataset:
    """The data with its validation examples among the training examples.

    They remain the validation split: what is measured there is then an error on examples trained on, and
    nothing may be chosen by it.
    """
    splits = data.splits
    train = np.sort(np.concatenate([splits.train, splits.validation]))
    return replace(data, splits=replace(splits, train=train, nominal=len(train)))


@lru_cache(maxsize=1)
def loaded(source: str, size: int | None) -> Dataset:
    """The data set, once for all systems of a table."""
    return load(source, size=size)
