"""Dataset: arrays with a task, splits and a fingerprint."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainwright.base.arrays import ArrayCache
from trainwright.base.errors import DataError, SettingError
from trainwright.data import sequences
from trainwright.data import splits as splitting
from trainwright.data.preparation import Preparation
from trainwright.data.splits import Splits
from trainwright.data.standardization import Standardization, standardize, standardize_targets
from trainwright.data.streamed import Streamed
from trainwright.data.targets import Quantity, TaskName

__all__ = ["Dataset", "Splits"]

FINE = 1e-4  # of a quantity's deviation: float32 must be as fine to hold its values
FEWEST_TO_SET_ASIDE = 25  # examples or groups: a test split of five, and validation splits of four


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples ready for a network, with what they are for and how they are split."""

    name: str
    """What it is called in messages and reports."""
    task: TaskName
    """What the targets are for: it decides the loss, the metrics and the baselines."""
    inputs: NDArray[Any] | Streamed
    """float32 (examples, features) or (examples, height, width[, channels]). Prepared from all rows, in units
    that do not depend on the split; a missing number is NaN. Images of bytes stay bytes (uint8), in
    memory or, if they are too many, in their files. What a network sees, `standardized` gives."""
    targets: NDArray[np.int32] | NDArray[np.float32]
    """int32 (examples,), the class's number; float32 (examples,), a quantity in a unit of its own; or int32
    (examples, 6), a number's length and digits, see `trainwright.data.sequences`."""
    splits: Splits
    """Which examples are for training, validation and testing."""
    classes: tuple[str, ...] = ()
    """The classes' names in the order of their numbers; empty where there are none."""
    encoding: Preparation | None = None
    """How `inputs` and `targets` were made from the raw data; None for arrays that came prepared."""
    source: str = ""
    """The file, folder or package that it was read from."""
    notes: tuple[str, ...] = ()
    """What was decided about the data and is worth saying."""
    groups: NDArray[np.int64] | None = None
    """Each example's group, (examples,); the examples of one group stay on one side of every split."""
    own_test: bool = False
    """Whether the test split is the source's own, which no fold changes."""
    rotating: bool = False
    """Whether folds change which examples validate, and leave the test split alone; see `set_aside`."""
    subset: int | None = None
    """So many of the training split's examples are used only; None for all."""
    seed: int | None = None
    """The seed whose fold (or subset) this is; None for the fixed split."""

    def __repr__(self) -> str:
        examples = " + ".join(
            str(len(getattr(self.splits, part))) for part in ("train", "validation", "test")
        )
        target = f"{len(self.classes)} classes" if self.task == "classification" else self.task
        return f"<Dataset {self.name!r}: {examples} examples of shape {self.shape}, {target}>"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example's inputs."""
        return self.inputs.shape[1:]

    @property
    def outputs(self) -> int:
        """How many numbers a network has to put out: one per class, one for regression, or one for each
        length and digit of a sequence."""
        match self.task:
            case "classification":
                return len(self.classes)
            case "regression":
                return 1
            case "sequence":
                return sequences.OUTPUTS

    def fold(self, seed: int) -> Dataset:
        """The data as this seed sees it; the arrays are shared.

        Without a test set of its own: fold `seed mod 5` of repetition `seed div 5` of a stratified
        cross-validation. With one, the split stays as it is. Where only a subset trains, each seed draws its
        own. Raises `SettingError` for a seed that is negative or longer than 64 bits, and `DataError` for
        fewer examples or groups than folds.

        >>> from trainwright.data import load
        >>> data = load("digits")
        >>> tests = [data.fold(seed).splits.test for seed in range(5)]
        >>> len(np.unique(np.concatenate(tests))) == len(data.inputs)
        True
        """
        if self.rotating:
            splits = splitting.rotation(self.strata, self.groups, self.splits.test, seed)
            return replace(self, splits=splits, seed=seed)
        if self.own_test and self.subset is None:
            return self
        splits = self.splits if self.own_test else splitting.fold(self.strata, self.groups, seed)
        if self.subset is not None:
            whole = replace(splits, train=self._trainable) if self.own_test else splits
            splits = splitting.subset(whole, self.strata, self.subset, seed)
        return replace(self, splits=splits, seed=seed)

    def set_aside(self, seed: int = 0) -> Dataset:
        """The data with a test split that no fold changes, so that a search can leave it unread.

        The test split is the data's own; without one, it is the test split of `fold(seed)`, so seeds 0 to 4
        set aside five parts that do not overlap. Folds of what is returned take turns in validating among
        all other examples: fold `n mod 5` of repetition `n div 5`.

        Raises `SettingError` where only a subset trains, and `DataError` for fewer than 25 examples (or
        groups), of which nothing could be set aside.

        >>> from trainwright.data import load
        >>> data = load("digits").set_aside()
        >>> len(data.splits.test), len(data.fold(3).splits.validation)
        (360, 287)
        """
        if self.subset is not None:
            raise SettingError(f"{self.name}: a search needs all training examples: leave `examples` out")
        pieces = len(self.targets) if self.groups is None else len(np.unique(self.groups))
        if pieces < FEWEST_TO_SET_ASIDE:
            what = "examples" if self.groups is None else "groups"
            raise DataError(
                f"{self.name}: {pieces} {what} are too few to set a fifth aside and cross-validate the rest; "
                f"add some ({FEWEST_TO_SET_ASIDE} at least), or compare strategies with a study"
            )
        test = self.splits.test if self.own_test else self.fold(seed).splits.test
        splits = splitting.rotation(self.strata, self.groups, test, 0)
        return replace(self, splits=splits, own_test=True, rotating=True, seed=None)

    @property
    def strata(self) -> NDArray[np.int32]:
        """What a split keeps in proportion: the classes, or the lengths of sequences; all examples alike in a
        regression."""
        return strata_of(self.task, self.targets)

    @cached_property
    def standardization(self) -> Standardization:
        """What the training rows say about shift and scale; nothing for arrays that came prepared."""
        if self.encoding is None:
            return Standardization()
        return self.encoding.measure(self.inputs, self.targets, self.splits.train)

    @cached_property
    def preparation(self) -> Preparation | None:
        """How raw data becomes what the network sees, with this split's standardization; None for arrays that
        came prepared."""
        return self.encoding and self.encoding.in_fold(self.standardization)

    def standardized(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[Any]]:
        """Inputs (rows, *shape) and targets (rows,) of these examples as the network sees them.

        Numbers, and each channel of images in colour, have mean 0 and standard deviation 1 over the training
        split, and gaps are 0. Images in grey are fractions of white.
        """
        return standardize(self.inputs[rows], self.standardization), self.standardized_targets(rows)

    def standardized_targets(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """The targets of these examples as the network is to predict them."""
        targets: NDArray[Any] = standardize_targets(self.targets[rows], self.standardization)
        return targets

    def in_memory(self, what: str) -> NDArray[Any]:
        """All inputs as one array. Raises `DataError` if they are streamed: `what` needs them at once."""
        if isinstance(self.inputs, Streamed):
            raise DataError(
                f"{self.name}: {what} needs all images in memory, and they are more than may be kept there: "
                "read them smaller (--size), use fewer, or set TRAINWRIGHT_MEMORY to more gigabytes"
            )
        return self.inputs

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over task, classes, a quantity's unit, inputs, targets and splits.

        Of images that are streamed, over their names and files' lengths instead of their pixels: the same
        images in memory have another fingerprint.
        """
        quantity = self.encoding.target if self.encoding else None
        unit = (quantity.mean, quantity.deviation) if isinstance(quantity, Quantity) else ()
        digest = hashlib.sha256(repr((self.task, self.classes, unit, self.splits.examples)).encode())
        inputs = self.inputs
        digest.update(inputs.files.digest() if isinstance(inputs, Streamed) else _digest(inputs))
        for array in (self.targets, self.splits.train, self.splits.validation, self.splits.test):
            digest.update(_digest(array))
        return digest.hexdigest()

    @property
    def deviation(self) -> float:
        """What one unit of the standardised targets is in the target's own: 1, or a regression's standard
        deviation over the training split."""
        target = self.preparation.target if self.preparation else None
        return target.deviation if isinstance(target, Quantity) else 1.0

    def decode(self, predicted: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
        """A network's predictions (examples, outputs) in the target's own terms: log-probabilities as they
        are; a regression's values (examples,) in the target's unit."""
        if self.task != "regression":
            return predicted
        return _in_unit(self.preparation, predicted[:, 0])

    def labels(self, rows: NDArray[np.int64]) -> NDArray[np.int32] | NDArray[np.floating[Any]]:
        """The targets of these examples in the target's own terms: class numbers, values in its unit, or
        lengths and digits."""
        if self.task != "regression":
            return self.targets[rows].astype(np.int32)
        return _in_unit(self.encoding, self.targets[rows].astype(np.float32))

    @property
    def _trainable(self) -> NDArray[np.int64]:
        """The training split before a subset of it was drawn: all that neither validates nor judges."""
        held_out = np.concatenate([self.splits.validation, self.splits.test])
        return np.setdiff1d(np.arange(len(self.targets)), held_out)


def strata_of(task: TaskName, targets: NDArray[Any]) -> NDArray[np.int32]:
    """Each example's stratum, (examples,); see `Dataset.strata`."""
    match task:
        case "classification":
            return targets.astype(np.int32, copy=False)
        case "regression":
            return np.zeros(len(targets), np.int32)
        case "sequence":
            return targets[:, 0]


def _in_unit(preparation: Preparation | None, values: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
    """Standardised values in the target's unit: float64 where float32 has too few digits for it."""
    target = preparation.target if preparation else None
    if not isinstance(target, Quantity):
        return values
    decoded = target.decode(values)
    if np.spacing(np.float32(abs(target.mean))) > FINE * target.deviation:  # Unix seconds, say
        return decoded
    with np.errstate(over="ignore"):  # a network that diverges can predict more than float32 holds
        return decoded.astype(np.float32)


def _hash(array: NDArray[Any]) -> bytes:
    # With the shape, so that it is known where one array ends and the next begins.
    digest = hashlib.sha256(repr((array.dtype.str, array.shape)).encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.digest()


_digest = ArrayCache(_hash)
