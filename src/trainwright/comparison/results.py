"""Comparison: a study's arms side by side, as numbers and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from trainwright.base import strict_json
from trainwright.base.errors import StoreError
from trainwright.comparison.paired import Verdict


@dataclass(frozen=True)
class Interval:
    """A mean and its confidence interval, in the unit of what was averaged."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """An arm's test error minus the reference's, paired by seed; negative means that the arm is better."""

    interval: Interval
    p: float
    p_holm: float
    effect: float  # Cohen's d of the paired differences; NaN for one seed
    verdict: Verdict
    more_seeds: int | None  # about how many more seeds would decide; None when decided or out of reach
    over_examples: Interval | None  # the same difference over the examples of a fixed test set
    p_over_examples: float | None


@dataclass(frozen=True)
class Curve:
    """A quantity along training: over seeds the mean and the band between low and high, per step."""

    steps: tuple[int, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Setting:
    """One learning rate of an arm's grid and how it did on validation."""

    learning_rate: float
    validation_error: float  # mean over the seeds
    diverged: int


@dataclass(frozen=True)
class ArmResult:
    """What one arm reached at the learning rate chosen for it on validation."""

    name: str
    recipe: dict[str, Any]
    learning_rate: float
    at_edge: bool  # the chosen rate is the smallest or largest of a grid of two or more
    grid: tuple[Setting, ...]
    seeds: tuple[int, ...]
    errors: tuple[float, ...]  # test error per seed
    error: Interval
    loss: Interval | None
    diverged: int
    difference: Difference | None  # None for the reference
    best_steps: tuple[int, ...]  # per seed, the step of the weights that were kept
    parameters: int
    seconds: float  # median per training
    milliseconds_per_step: float  # median
    memory_bytes: int  # largest
    curves: dict[str, Curve]  # train_loss, validation_loss, validation_error


@dataclass(frozen=True)
class Comparison:
    """A study's arms side by side."""

    data: dict[str, Any]
    task: Literal["classification", "regression"]
    metric: str  # "test error" (a fraction) or "test RMSE" (in the target's unit)
    level: float
    delta: float  # differences smaller than this do not matter to the user; same unit as the errors
    reference: str
    arms: tuple[ArmResult, ...]
    environment: dict[str, Any]
    command: str
    cautions: tuple[str, ...]
    resampled: bool = False  # each seed has its own splits, and the tests are Nadeau and Bengio's

    def to_json(self) -> str:
        """The comparison as JSON text; see `strict_json` for infinite bounds."""
        return strict_json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Comparison:
        """The comparison that `to_json` wrote; raises `StoreError` if it is not one."""
        from pydantic import TypeAdapter, ValidationError

        try:
            return TypeAdapter(Comparison).validate_python(strict_json.loads(text))
        except ValidationError as problem:
            first = problem.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise StoreError(f"not a comparison of this version: {place}: {first['msg']}") from None
        except ValueError as problem:
            raise StoreError(f"not a comparison: not JSON ({problem})") from None
