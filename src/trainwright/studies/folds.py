"""Folds: a study's data as each of its seeds sees it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from trainwright.data.dataset import Dataset
from trainwright.data.splits import FOLDS


@dataclass(frozen=True, eq=False)
class Folds:
    """A data set, and what each seed sees of it: each fold is cut once."""

    whole: Dataset
    """The data with its fixed split."""
    apart: bool
    """Whether each seed has its own fold (see `Dataset.fold`); else all share the fixed split."""
    _cut: dict[int, Dataset] = field(default_factory=dict)

    def of(self, seed: int | None) -> Dataset:
        """What a seed sees; the fixed split for None."""
        if seed is None or not self.apart:
            return self.whole
        if seed not in self._cut:
            self._cut[seed] = self.whole.fold(seed)
        return self._cut[seed]

    @property
    def repeated(self) -> bool:
        """Whether the seeds are a repeated cross-validation: not where the data has a test set of its own."""
        return self.apart and not self.whole.own_test

    def seeds(self, first: int, count: int) -> range:
        """So many seeds from the first on; in cross-validation, whole repetitions of the folds."""
        if self.repeated:
            first, count = (math.ceil(number / FOLDS) * FOLDS for number in (first, count))
        return range(first, first + count)
