"""The contract of a system: one published row, a model with its published error, to be trained again.

A system is a documented function from a budget to a recipe of the package's own strategies. Its docstring is
its title and the list of its deviations; everything else follows from the recipe and the protocol:

- Choices that the sources leave open are made on the validation split (on MNIST 10,000 of the 60,000 training
  examples), never on the test split.
- The training whose test error is reported has all training examples, validation included, for a length
  fixed beforehand. Where the published protocol has two stages (`staged`), the recipe's own phases bring the
  validation examples in.
- The test split is read once, after the last step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np

from trainwright.base.errors import SettingError
from trainwright.baseline import Baseline
from trainwright.data import Dataset, load
from trainwright.recipe import Recipe

Budget = Literal["quick", "standard", "paper"]
"""quick: minutes, to see a system run. standard: what comes close to the published error soonest. paper: the
published protocol."""

Learner = Callable[[Budget], Recipe | Baseline]


@dataclass(frozen=True)
class System:
    """A published row that can be trained again."""

    name: str
    """As on the command line: `dropout-3x1024`."""
    title: str
    """What is trained, as the published table calls it."""
    published: float
    """The published test error in %."""
    source: str
    """Where that number stands."""
    learner: Learner
    """The recipe, or the baseline, under a budget."""
    deviations: tuple[str, ...] = ()
    """What is not known, or not done, as in the source."""
    staged: bool = False
    """Whether the recipe's own phases bring the validation examples in; otherwise they train from the
    start."""
    dataset: str = "mnist"
    """The data that it is trained on."""

    def recipe(self, budget: Budget = "standard") -> Recipe:
        """The recipe, to start from. Raises `SettingError` where the system is no network."""
        learner = self.learner(budget)
        if isinstance(learner, Baseline):
            raise SettingError(f"system {self.name!r} is no network but a baseline: use {learner} as one")
        return learner


@dataclass(frozen=True)
class Rerun:
    """A system under a budget, to be trained again."""

    system: System
    budget: Budget
    hold_out: bool = False
    """Whether the validation examples stay apart, for choices and curves, and give the error."""

    @cached_property
    def learner(self) -> Recipe | Baseline:
        """What is trained."""
        return self.system.learner(self.budget)

    @property
    def apart(self) -> bool:
        """Whether the validation examples are apart from those trained on."""
        return self.hold_out or self.system.staged

    @cached_property
    def data(self) -> Dataset:
        """What it is trained on."""
        data = _loaded(self.system.dataset)
        return data if self.apart else merged(data)

    @property
    def length(self) -> int:
        """Weight updates of the training proper at most; 0 for a baseline."""
        learner = self.learner
        return 0 if isinstance(learner, Baseline) else learner.length(self.data.splits.examples)


@dataclass(frozen=True)
class Table:
    """The rows of a published table, in its order."""

    name: str
    title: str
    about: str
    """Where it stands, and the protocol, in a paragraph."""
    systems: tuple[System, ...]


def system(
    *, published: float, source: str, staged: bool = False, dataset: str = "mnist"
) -> Callable[[Learner], System]:
    """Make a function from a budget to a recipe, with its docstring, a system of its name.

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
            staged,
            dataset,
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
def _loaded(name: str) -> Dataset:
    """The data set, once for all systems of a table."""
    return load(name)
