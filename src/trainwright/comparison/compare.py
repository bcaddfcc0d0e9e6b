"""Stored runs -> paired differences, intervals and verdicts. Numbers only: no JAX, no drawing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import Any

import numpy as np

from trainwright.base.errors import SettingError
from trainwright.comparison import paired
from trainwright.comparison.paired import Verdict
from trainwright.comparison.results import (
    ArmResult,
    Comparison,
    Curve,
    Difference,
    Interval,
    Setting,
)
from trainwright.runs.run import Run
from trainwright.runs.score import Score, score

__all__ = [
    "ArmResult",
    "ArmRuns",
    "Comparison",
    "Curve",
    "Difference",
    "Interval",
    "Setting",
    "Verdict",
    "check_levels",
    "compare",
    "curve",
]

FEW_SEEDS = 6  # with fewer, tests that assume nothing of the distribution cannot reach 5 %
CURVES = ("train_loss", "validation_loss", "validation_error")


@dataclass(frozen=True)
class ArmRuns:
    """An arm of a study: for each learning rate of its grid one run per seed, in the same order of seeds."""

    name: str
    runs: dict[float, tuple[Run, ...]]


@dataclass(frozen=True)
class _Choice:
    """An arm at the learning rate chosen for it."""

    name: str
    learning_rate: float
    grid: tuple[Setting, ...]
    runs: tuple[Run, ...]

    @property
    def at_edge(self) -> bool:
        return len(self.grid) > 1 and self.learning_rate in (
            self.grid[0].learning_rate,
            self.grid[-1].learning_rate,
        )


def compare(
    arms: Sequence[ArmRuns],
    *,
    reference: str,
    delta: float | None = None,
    level: float = 0.95,
    resampled: bool = False,
    command: str = "",
) -> Comparison:
    """Compare a study's arms with its reference, paired by seed.

    Each arm's learning rate is the one of lowest mean validation error over the seeds (ties: lowest mean
    validation loss, then the smaller rate); the test split is read for the chosen runs alone. A diverged run
    counts as the best constant guess (see `trainwright.runs.score.score`), or as the worst run that finished
    where that is worse: to diverge is never to win. Differences are judged as `comparison.paired.judge` says.
    `delta`, the smallest difference that matters, is a tenth of the reference's mean test error unless given.
    `resampled` says that each seed has splits of its own.

    Raises `SettingError` for arms that cannot be paired: other seeds, other data, another number of cores
    (on CPU that alone gives other weights from the same seed) or another device.
    """
    _check(arms, reference, delta, level, resampled)
    choices = _choose(arms)
    scores = _never_winning([[score(run, "test") for run in choice.runs] for choice in choices])
    names = [arm.name for arm in arms]
    base = names.index(reference)
    data = choices[base].runs[0].data
    overlap = data["examples"]["test"] / data["examples"]["train"] if resampled else 0.0
    if _only_training_is_drawn(choices[base].runs):
        overlap = 0.0  # subsets of a large pool are all but independent, and the test split is one
    if delta is None:
        delta = fmean(one.error for one in scores[base]) / 10
    differences = _differences(scores, base, delta=delta, level=level, overlap=overlap)
    classes = data["task"] == "classification"
    return Comparison(
        data=data,
        task=data["task"],
        metric="test error" if classes else "test RMSE",
        level=level,
        delta=delta,
        reference=reference,
        arms=tuple(_result(*one, level, overlap) for one in zip(choices, scores, differences, strict=True)),
        environment=choices[base].runs[0].environment,
        command=command,
        cautions=tuple(_cautions(choices, scores)),
        resampled=resampled,
    )


def _check(
    arms: Sequence[ArmRuns], reference: str, delta: float | None, level: float, resampled: bool
) -> None:
    names = [arm.name for arm in arms]
    if reference not in names:
        raise SettingError(f"reference={reference!r} is not an arm: choose one of {', '.join(names)}")
    if len(set(names)) < len(names):
        raise SettingError(f"two arms have the same name among {', '.join(names)}: rename one")
    check_levels(delta, level)
    first = next(iter(arms[names.index(reference)].runs.values()), ())
    for arm in arms:
        if not any(arm.runs.values()):
            raise SettingError(f"arm {arm.name!r} has no runs: repeat the study")
        for rate, runs in arm.runs.items():
            place = f"arm {arm.name!r} at learning rate {rate:g}"
            if [run.seed for run in runs] != [run.seed for run in first]:
                raise SettingError(
                    f"{place} has other seeds than {reference!r}: repeat the study for all arms"
                )
            for run, other in zip(runs, first, strict=True):
                _check_pair(place, run, other if resampled else first[0])


def check_levels(delta: float | None, level: float) -> None:
    """Raises `SettingError` for a level or a smallest difference that `compare` does not take."""
    if not 0.5 < level < 1:
        raise SettingError(f"level={level} must lie between 0.5 and 1, such as 0.95")
    if delta is not None and not 0 < delta < np.inf:
        raise SettingError(f"delta={delta} must be a positive number: the smallest difference that matters")


def _only_training_is_drawn(runs: Sequence[Run]) -> bool:
    """Whether the seeds have other data but the same test examples: the data's own test split."""
    first = runs[0].predictions["test_targets"]
    same_test = all(np.array_equal(run.predictions["test_targets"], first) for run in runs)
    return same_test and (len(runs) == 1 or len({run.data["fingerprint"] for run in runs}) > 1)


def _check_pair(place: str, run: Run, other: Run) -> None:
    """Refuse a pair in which more than the arm differs."""
    for what, mine, theirs in (
        ("data", run.data["fingerprint"], other.data["fingerprint"]),
        ("device", run.environment.get("device"), other.environment.get("device")),
        ("number of cores (NPROC)", _cores(run), _cores(other)),
    ):
        if mine != theirs:
            raise SettingError(
                f"{place}, seed {run.seed}, cannot be paired: its {what} is {mine}, elsewhere {theirs}; "
                "repeat the study in one place, into a new store"
            )


def _cores(run: Run) -> str:
    """What fixes the order of sums on CPU: NPROC where it was set, else the machine's cores."""
    fixed = run.environment.get("NPROC")
    return str(run.environment.get("cores") if fixed in (None, "unset") else fixed)


def _choose(arms: Sequence[ArmRuns]) -> list[_Choice]:
    """Each arm at its learning rate of lowest validation error. Nothing of the test split is read."""
    settings = [(arm.name, rate) for arm in arms for rate in sorted(arm.runs)]
    runs = {(arm.name, rate): runs for arm in arms for rate, runs in arm.runs.items()}
    scores = _never_winning([[score(run, "validation") for run in runs[one]] for one in settings])
    found = dict(zip(settings, scores, strict=True))
    return [_best(arm, {rate: found[arm.name, rate] for rate in sorted(arm.runs)}) for arm in arms]


def _best(arm: ArmRuns, validation: dict[float, list[Score]]) -> _Choice:
    ranked, grid = [], []
    for rate, scores in validation.items():
        error, loss = fmean(one.error for one in scores), fmean(one.loss for one in scores)
        grid.append(Setting(rate, error, sum(one.diverged for one in scores)))
        # Equal means must tie although they were summed from other numbers: 12 digits are the same.
        ranked.append((float(f"{error:.12g}"), float(f"{loss:.12g}"), rate))
    rate = min(ranked)[-1]
    return _Choice(arm.name, rate, tuple(grid), arm.runs[rate])


def _never_winning(scores: list[list[Score]]) -> list[list[Score]]:
    """The scores, a diverged run's no better than the worst of the finished.

    Among rare classes, or noise, a constant guess may beat an honest network.
    """
    finished = [one for group in scores for one in group if not one.guessed]
    if not finished:
        return scores
    error, loss = max(one.error for one in finished), max(one.loss for one in finished)
    return [
        [
            replace(one, error=max(one.error, error), loss=max(one.loss, loss)) if one.guessed else one
            for one in group
        ]
        for group in scores
    ]


def _differences(
    scores: list[list[Score]], base: int, *, delta: float, level: float, overlap: float
) -> list[Difference | None]:
    """Each arm's difference to the arm `base`, which itself has none."""
    errors = np.array([[one.error for one in arm] for arm in scores])
    others = [arm for arm in range(len(scores)) if arm != base]
    if not others:
        return [None]
    judged = paired.judge((errors[others] - errors[base]).T, delta=delta, level=level, overlap=overlap)
    differences: list[Difference | None] = [None] * len(scores)
    for arm, one in zip(others, judged, strict=True):
        over = None if overlap else _over_examples(scores[arm], scores[base])
        differences[arm] = Difference(
            interval=_interval(one.estimate, level),
            p=one.estimate.p(),
            p_holm=one.p_holm,
            effect=one.estimate.effect(),
            verdict=one.verdict,
            more_seeds=one.more_seeds,
            over_examples=_interval(over, level) if over else None,
            p_over_examples=over.p() if over else None,
        )
    return differences


def _over_examples(arm: list[Score], reference: list[Score]) -> paired.Estimate | None:
    """The difference over the examples, each one's error averaged over the seeds.

    None for regression, and where a run diverged: its error is a convention, no count of examples.
    """
    pairs = [
        one.wrong.astype(float) - other.wrong
        for one, other in zip(arm, reference, strict=True)
        if one.wrong is not None and other.wrong is not None
    ]
    if not pairs or any(one.guessed for one in (*arm, *reference)):
        return None
    return paired.estimate(np.mean(pairs, axis=0))


def _interval(one: paired.Estimate, level: float) -> Interval:
    return Interval(one.mean, *one.interval(level))


def _result(
    choice: _Choice, scores: list[Score], difference: Difference | None, level: float, overlap: float
) -> ArmResult:
    def averaged(values: list[float]) -> Interval:
        return _interval(paired.estimate(np.array(values), overlap), level)

    runs, errors = choice.runs, [one.error for one in scores]
    return ArmResult(
        name=choice.name,
        recipe=runs[0].recipe,
        learning_rate=choice.learning_rate,
        at_edge=choice.at_edge,
        grid=choice.grid,
        seeds=tuple(run.seed for run in runs),
        errors=tuple(errors),
        error=averaged(errors),
        loss=None if scores[0].wrong is None else averaged([one.loss for one in scores]),
        diverged=sum(one.diverged for one in scores),
        difference=difference,
        best_steps=tuple(run.best_step for run in runs),
        parameters=runs[0].parameters,
        seconds=median(run.seconds for run in runs),
        milliseconds_per_step=median(1000 * run.seconds / max(run.steps, 1) for run in runs),
        memory_bytes=max(run.memory_bytes for run in runs),
        curves={name: curve(runs, name, level) for name in CURVES if name in runs[0].history},
    )


def curve(runs: Sequence[Run], column: str, level: float) -> Curve:
    """A column of the runs' histories along the steps: mean and t band over the seeds.

    Runs that stopped early leave the average where they end; it goes on while half of the runs or more are
    in it. Values that are not finite are left out. Where one run alone is left the band has no width.
    """
    steps = np.unique(np.concatenate([run.history["step"] for run in runs]))
    values = np.full((len(runs), len(steps)), np.nan)
    for row, run in zip(values, runs, strict=True):
        row[np.searchsorted(steps, run.history["step"])] = run.history[column]
    values[~np.isfinite(values)] = np.nan
    count = np.isfinite(values).sum(axis=0)
    enough = count >= max(1, len(runs) / 2)
    values, count, steps = values[:, enough], count[enough], steps[enough]
    mean = np.nanmean(values, axis=0)
    spread = np.sqrt(np.nansum((values - mean) ** 2, axis=0) / np.maximum(count - 1, 1))
    half = (
        np.array([paired.critical(n, level) if n > 1 else 0.0 for n in count.tolist()])
        * spread
        / np.sqrt(count)
    )
    return Curve(*(tuple(numbers.tolist()) for numbers in (steps, mean, mean - half, mean + half)))


def _cautions(choices: Sequence[_Choice], scores: list[list[Score]]) -> Iterator[str]:
    """What a reader should know before relying on the comparison."""
    seeds = len(choices[0].runs)
    if seeds < FEW_SEEDS:
        yield (
            f"fewer than {FEW_SEEDS} seeds ({seeds}): intervals and p-values rest on the assumption that "
            "differences are normally distributed; add seeds"
        )
    edges = [f"{one.name} ({one.learning_rate:g})" for one in choices if one.at_edge]
    if edges:
        yield (
            f"the smallest or largest learning rate tried was the best for {', '.join(edges)}: "
            "widen the grid, a better one may lie beyond it"
        )
    diverged = [
        f"{choice.name} ({count} of {seeds}, as error {max(one.error for one in arm if one.diverged):.3g})"
        for choice, arm in zip(choices, scores, strict=True)
        if (count := sum(one.diverged for one in arm))
    ]
    if diverged:
        yield (
            "diverged trainings count as the best constant guess, or as the worst that finished: "
            f"{', '.join(diverged)}"
        )
    yield from _mixtures([run.environment for choice in choices for run in choice.runs])


def _mixtures(environments: list[dict[str, Any]]) -> Iterator[str]:
    """Versions that differ between the runs; cores do not matter where NPROC is the same."""
    for key in sorted({key for one in environments for key in one} - {"NPROC", "cores", "device"}):
        found = sorted({str(one.get(key)) for one in environments})
        if len(found) > 1:
            yield f"the runs differ in {key} ({', '.join(found)}): repeat the older ones"
