"""Comparison: a study's arms side by side, as numbers and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, Literal

from trainwright.base import strict_json
from trainwright.base.errors import SettingError, StoreError
from trainwright.comparison.caution import Caution
from trainwright.comparison.measured import Measured, Measurements
from trainwright.comparison.metrics import Unit
from trainwright.comparison.verdict import Verdict


@dataclass(frozen=True)
class Interval:
    """A mean and its confidence interval, in the unit of what was averaged."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """An arm's metric minus the reference's, paired by seed and example; negative means better."""

    interval: Interval
    """At the comparison's level for this arm at this look: neither other arms nor earlier looks widen it."""
    p: float
    """Of this arm at this look alone."""
    p_holm: float
    """After Holm's correction over the arms, earlier looks paid for: what *helps* and *hurts* rest on."""
    p_equivalence: float
    """Of a difference of delta or more, corrected alike: what *no difference* rests on."""
    verdict: Verdict
    leans: Literal["better", "worse"] | None
    """For *inconclusive*: which way, if the mean lies more than a standard error from zero."""
    more_seeds: int | None
    """For *inconclusive*: so many more seeds would decide with a probability of 80 %; None if no number
    within reach would."""
    from_trainings: float
    """The share of the variance that more seeds would reduce; the rest only more examples would. NaN for one
    seed, and where nothing differs."""
    over_examples: Interval | None
    """For one seed: the difference of these two networks, with examples as the only chance."""

    @property
    def needs_more_data(self) -> bool:
        """Whether no number of seeds is likely to decide: examples would make most of what is left."""
        return self.verdict == "inconclusive" and self.more_seeds is None and self.from_trainings < 0.9


@dataclass(frozen=True)
class Curve:
    """A quantity along training: over seeds the mean and the band between low and high, per step."""

    steps: tuple[int, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class CandidateResult:
    """A candidate of an arm and how it did on validation."""

    learning_rate: float
    validation_error: float
    """The metric's mean over the seeds."""
    diverged: int
    strategies: str = ""
    """What else tells the candidate from the arm's others."""


@dataclass(frozen=True)
class ArmResult:
    """What one arm reached with the candidate chosen for it on validation."""

    name: str
    recipe: dict[str, Any]
    learning_rate: float
    """NaN where nothing is known of the training, as in what follows from `recipe` and `seconds`."""
    at_edge: bool
    """The chosen rate is the smallest or largest of two or more."""
    grid: tuple[CandidateResult, ...]
    """All candidates, the chosen one first; none where nothing is known of them."""
    validation: float
    """The metric's mean on validation, over the seeds."""
    seeds: tuple[int, ...]
    errors: tuple[float, ...]
    """The metric per seed; of a fold, the mean of what its examples contribute."""
    error: Interval
    loss: Interval | None
    """Classification: mean negative log-probability of the right class, in nats."""
    diverged: int
    difference: Difference | None
    """None for the reference."""
    over_guessing: Interval | None
    """The metric minus that of the best guess that looks at no input."""
    best_steps: tuple[int, ...]
    """Per seed, the step of the weights that were kept."""
    parameters: int
    seconds: float
    """Median per training, with its pretraining."""
    milliseconds_per_step: float
    """Median, without pretraining."""
    memory_bytes: int
    """Largest."""
    curves: dict[str, Curve]
    """train_loss, validation_loss, validation_error."""

    @property
    def no_better_than_guessing(self) -> bool:
        """Whether guessing may be as good: the interval of the difference reaches zero."""
        return self.over_guessing is not None and not self.over_guessing.high < 0


@dataclass(frozen=True)
class BaselineResult:
    """A learner that is no network, beside the arms and outside the tests."""

    name: str
    recipe: dict[str, Any]
    errors: tuple[float, ...]
    error: Interval
    difference: Interval
    """The metric minus the reference's."""
    p_better: float
    """Of "some arm is as good": the largest of the arms' one-sided p, times the number of baselines."""


@dataclass(frozen=True)
class Effect:
    """What a factor, or two together, do on the average of a factorial study's arms."""

    factors: tuple[str, ...]
    """One for a main effect, two for an interaction."""
    interval: Interval
    """The metric with the factor minus that without; of a pair, what both add beyond the sum of each."""
    p_holm: float
    """Of "no effect", after Holm's correction over all effects."""
    verdict: Verdict


@dataclass(frozen=True)
class Factorial:
    """Strategies in all combinations, or a regular fraction of them."""

    factors: tuple[str, ...]
    arms: int
    share: int
    """1 where all combinations were trained, 2 for a half of them, 4 for a quarter."""
    effects: tuple[Effect, ...]
    """The main effects, then the pairs'."""


@dataclass(frozen=True)
class Comparison:
    """A study's arms side by side."""

    data: dict[str, Any]
    task: Literal["classification", "regression", "sequence"]
    metric: str
    """Its label, such as "test error"."""
    unit: Unit
    """What a value of the metric is."""
    metric_reason: Caution | str | None
    """Why the metric is not the usual one; None (or "") if it is, or was asked for."""
    level: float
    delta: float
    """Differences smaller than this do not matter to the user; same unit as the errors."""
    reference: str
    arms: tuple[ArmResult, ...]
    baselines: tuple[BaselineResult, ...]
    design: Literal["folds", "test set", "scores"]
    """Each training judges its fold; or all judge one test set; or scores were given."""
    examples: int
    """How many examples were judged; 0 where scores say nothing of examples."""
    groups: int
    """How many groups of examples count as the pieces of chance; equal to `examples` without groups."""
    looks: tuple[int, ...]
    """With how many seeds the arms were judged before, which this comparison pays for."""
    environment: dict[str, Any]
    command: str
    cautions: tuple[Caution | str, ...]
    """What to know before relying on it. `report.cautions` gives the sentences; older results hold these."""
    factorial: Factorial | None = None
    """Main effects and interactions, where the arms are combinations of strategies."""
    chosen_by: str = ""
    """The label of the metric by which candidates were chosen on validation, where it is another one."""
    repeated: bool = True
    """Whether examples were judged by several trainings, so that the chance of either can be told from the
    other's: a single repetition of the folds judges each example once."""

    def arm(self, name: str) -> ArmResult:
        """The arm of this name. Raises `SettingError` if there is none."""
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise SettingError(f"no arm {name!r}: choose one of {', '.join(arm.name for arm in self.arms)}")

    def error_of(self, name: str) -> Measured:
        """An arm's metric: fractions in %, else as it is."""
        arm = self.arm(name)
        error = self._measured(arm.error, len(arm.seeds), signed=False)
        return error.times(100, "%") if self.unit == "fraction" else error

    def gain(self, name: str) -> Measured:
        """What an arm takes off the reference's metric: for fractions in percentage points, else as it is.

        A single seed shows no spread; then the interval is over the test examples, and says so. Raises
        `SettingError` for an arm that is not here, and for the reference.
        """
        arm = self.arm(name)
        if arm.difference is None:
            raise SettingError(f"arm {name!r} is the reference, which the gains are over: name another")
        interval, n, over = arm.difference.interval, len(arm.seeds), ""
        if n == 1 and arm.difference.over_examples:
            interval, n, over = arm.difference.over_examples, self.examples, "test examples"
        turned = Interval(-interval.mean, -interval.high, -interval.low)
        gain = self._measured(turned, n, signed=True, over=over)
        return gain.times(100, "points") if self.unit == "fraction" else gain

    @property
    def errors(self) -> Measurements:
        """Every arm's metric, by arm: see `error_of`."""
        return Measurements({arm.name: self.error_of(arm.name) for arm in self.arms})

    @property
    def gains(self) -> Measurements:
        """What every arm but the reference gains, by arm: see `gain`."""
        return Measurements({arm.name: self.gain(arm.name) for arm in self.arms if arm.difference})

    def verdict(self, name: str) -> Verdict:
        """What an arm does against the reference. Raises `SettingError` as `gain` does."""
        difference = self.arm(name).difference
        if difference is None:
            raise SettingError(f"arm {name!r} is the reference, which the others are judged against")
        return difference.verdict

    def best_on_validation(self, *names: str) -> ArmResult:
        """Of these arms (all, if none is named) the one whose chosen candidate has the lowest error on
        validation: the least of all candidates' would favour arms with more of them."""
        arms = [self.arm(name) for name in names] or list(self.arms)
        return min(arms, key=lambda arm: arm.validation)

    def _measured(self, interval: Interval, n: int, *, signed: bool, over: str = "") -> Measured:
        return Measured(
            interval.mean, interval.low, interval.high, n, signed=signed, level=self.level, over=over
        )

    @property
    def trained(self) -> bool:
        """Whether the trainings are known, and not only their scores."""
        return any(arm.recipe for arm in self.arms)

    @property
    def best(self) -> str:
        """The arm to use: of those that help the best on validation, of scores alone the one whose interval
        lies furthest from zero; where none helps, the reference."""
        helping = [
            (arm.validation if isfinite(arm.validation) else arm.difference.interval.high, arm.name)
            for arm in self.arms
            if arm.difference and arm.difference.verdict == "helps"
        ]
        return min(helping)[1] if helping else self.reference

    @property
    def better_baselines(self) -> tuple[BaselineResult, ...]:
        """The baselines that are clearly better than every arm, best first."""
        clear = [baseline for baseline in self.baselines if baseline.p_better < 1 - self.level]
        return tuple(sorted(clear, key=lambda baseline: baseline.error.mean))

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
