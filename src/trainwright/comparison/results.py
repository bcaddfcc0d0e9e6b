"""Comparison: a study's arms side by side, as numbers and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from trainwright.base import strict_json
from trainwright.base.errors import SettingError, StoreError
from trainwright.comparison.measured import Measured
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

    def arm(self, name: str) -> ArmResult:
        """The arm of this name. Raises `SettingError` if there is none."""
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise SettingError(f"no arm {name!r}: choose one of {', '.join(arm.name for arm in self.arms)}")

    def error_of(self, name: str) -> Measured:
        """An arm's test error: in %, or for regression the RMSE in the target's unit."""
        arm = self.arm(name)
        error = self._measured(arm.error, len(arm.seeds), signed=False)
        return error.times(100, "%") if self.task == "classification" else error

    def gain(self, name: str) -> Measured:
        """What an arm takes off the reference's test error: in percentage points, or in the target's unit.

        A single seed shows no spread; then the interval is over the test examples, and says so. Raises
        `SettingError` for an arm that is not here, and for the reference.
        """
        arm = self.arm(name)
        if arm.difference is None:
            raise SettingError(f"arm {name!r} is the reference, which the gains are over: name another")
        interval, n, over = arm.difference.interval, len(arm.seeds), ""
        if n == 1 and arm.difference.over_examples:
            interval, n, over = arm.difference.over_examples, self.data["examples"]["test"], "test examples"
        turned = Interval(-interval.mean, -interval.high, -interval.low)
        gain = self._measured(turned, n, signed=True, over=over)
        return gain.times(100, "points") if self.task == "classification" else gain

    def verdict(self, name: str) -> Verdict:
        """What an arm does against the reference. Raises `SettingError` as `gain` does."""
        difference = self.arm(name).difference
        if difference is None:
            raise SettingError(f"arm {name!r} is the reference, which the others are judged against")
        return difference.verdict

    def best_on_validation(self, *names: str) -> ArmResult:
        """Of these arms (all, if none is named) the one with the lowest validation error."""
        arms = [self.arm(name) for name in names] or list(self.arms)
        return min(arms, key=lambda arm: min(setting.validation_error for setting in arm.grid))

    def _measured(self, interval: Interval, n: int, *, signed: bool, over: str = "") -> Measured:
        return Measured(
            interval.mean, interval.low, interval.high, n, signed=signed, level=self.level, over=over
        )

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
