"""Stored runs -> paired differences, intervals and verdicts. Numbers only: no JAX, no drawing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import nan
from statistics import fmean, median

import numpy as np

from trainwright.comparison import cells, metrics, pairing
from trainwright.comparison.candidates import ArmRuns, ChosenArm, choose
from trainwright.comparison.caution import Caution
from trainwright.comparison.cells import Cells, Layout
from trainwright.comparison.curves import curve
from trainwright.comparison.estimate import Estimate, quantile
from trainwright.comparison.metrics import LOG_LOSS, Metric
from trainwright.comparison.pairing import check_levels
from trainwright.comparison.results import (
    ArmResult,
    BaselineResult,
    CandidateResult,
    Comparison,
    Curve,
    Difference,
    Interval,
)
from trainwright.comparison.verdict import Verdict, judge
from trainwright.runs.run import Run

__all__ = [
    "ArmResult",
    "ArmRuns",
    "BaselineResult",
    "CandidateResult",
    "Comparison",
    "Curve",
    "Difference",
    "Interval",
    "Verdict",
    "check_levels",
    "compare",
    "curve",
]

# With 120, intervals of the RMSE held the truth in 88 and 80 %: results/best-coverage.md.
FEW_SQUARES = 300  # test examples
CURVES = ("train_loss", "validation_loss", "validation_error")


def compare(
    arms: Sequence[ArmRuns],
    *,
    reference: str,
    metric: str | None = None,
    delta: float | None = None,
    level: float = 0.95,
    looks: Sequence[int] = (),
    baselines: Sequence[ArmRuns] = (),
    command: str = "",
) -> Comparison:
    """Compare a study's arms with its reference, paired by seed and by example.

    Each arm's candidate is the one of lowest mean metric on validation; the test split is read for the chosen
    runs alone. A run that diverged and kept no weights counts as the best constant guess, or as the worst run
    that finished where that is worse. Seeds and examples (or groups of them) both are chance, see
    `comparison.examples`; verdicts are those of `comparison.verdict.judge`. An arm whose predictions are the
    reference's, bit by bit and at every seed, changed nothing, and is not counted among the tests.

    `metric`: one of `comparison.metrics.METRICS`; by default what suits the targets, see `metrics.choose`.
    `delta`: the smallest difference that matters, by default a tenth of the reference's metric; never less
    than what one example can change.
    `looks`: with how many seeds these arms were compared before, which the verdicts pay for.
    `baselines`: learners that are no networks, on the same data; they are outside the tests.

    Raises `SettingError` for arms that cannot be paired, and for options out of range.
    """
    check_levels(delta, level)
    pairing.check(arms, reference)
    base = [arm.name for arm in arms].index(reference)
    data = next(iter(arms[base].runs.values()))[0].data
    validated = [metrics.targets(run, "validation") for run in next(iter(arms[base].runs.values()))]
    measured, reason = metrics.choose(metric, data["task"], np.concatenate(validated))
    choices = choose(arms, measured)
    runs = [choice.runs for choice in choices]
    layout = Layout.of(runs[base])
    scored = cells.of_arms(runs, layout, measured)
    finest = layout.resolution(measured)
    wished = delta if delta is not None else fmean(scored[base].errors) / 10
    margin = max(wished, finest)
    past = tuple(look for look in looks if look < len(runs[base]))
    differences = _differences(choices, scored, base, layout, finest, margin, level, past)
    guessing = cells.of_guessing(runs[base], layout, measured)
    return Comparison(
        data=data,
        task=data["task"],
        metric=measured.label,
        unit=measured.unit,
        metric_reason=reason,
        level=level,
        delta=margin,
        reference=reference,
        arms=tuple(
            _result(choice, arm, difference, guessing, layout, finest, level)
            for choice, arm, difference in zip(choices, scored, differences, strict=True)
        ),
        baselines=tuple(_baselines(baselines, runs[base], scored, scored[base], layout, measured, level)),
        design=layout.design,
        examples=layout.examples,
        groups=layout.groups,
        looks=past,
        repeated=len(layout.repetitions) > 1,
        environment=runs[base][0].environment,
        command=command,
        cautions=tuple(
            _cautions(choices, scored, wished if delta is not None else None, finest, measured, layout)
        ),
    )


def _differences(
    choices: Sequence[ChosenArm],
    scored: Sequence[Cells],
    base: int,
    layout: Layout,
    resolution: float,
    delta: float,
    level: float,
    looks: tuple[int, ...],
) -> list[Difference | None]:
    """Each arm's difference to the arm `base`, which itself has none."""
    differences: list[Difference | None] = [None] * len(scored)
    tested, estimates = [], []
    for arm, (choice, cells_) in enumerate(zip(choices, scored, strict=True)):
        if arm == base:
            continue
        if _identical(choice, choices[base]):
            differences[arm] = UNCHANGED
            continue
        tested.append(arm)
        estimates.append(layout.estimate(cells_.minus(scored[base]), resolution))
    judgements = judge(estimates, delta=delta, level=level, looks=looks, step=layout.step)
    for arm, judgement in zip(tested, judgements, strict=True):
        estimate = judgement.estimate
        differences[arm] = Difference(
            interval=_interval(estimate, level),
            p=estimate.p(),
            p_holm=judgement.p_holm,
            p_equivalence=judgement.p_equivalence,
            verdict=judgement.verdict,
            leans=judgement.leans,
            more_seeds=judgement.more_seeds,
            from_trainings=estimate.share,
            over_examples=_over_examples(estimate, level) if estimate.count == 1 else None,
        )
    return differences


UNCHANGED = Difference(Interval(0.0, 0.0, 0.0), 1.0, 1.0, 1.0, "changed nothing", None, None, nan, None)


def _identical(choice: ChosenArm, reference: ChosenArm) -> bool:
    """Whether an arm predicts what the reference predicts, bit by bit and at every seed."""
    return all(
        np.array_equal(run.predictions["test"], other.predictions["test"])
        for run, other in zip(choice.runs, reference.runs, strict=True)
    )


def _interval(estimate: Estimate, level: float) -> Interval:
    return Interval(estimate.mean, *estimate.interval(level))


def _over_examples(estimate: Estimate, level: float) -> Interval:
    half = quantile((1 + level) / 2, estimate.df) * estimate.examples**0.5
    return Interval(estimate.mean, estimate.mean - half, estimate.mean + half)


def _baselines(
    baselines: Sequence[ArmRuns],
    trained: Sequence[Run],
    scored: Sequence[Cells],
    reference: Cells,
    layout: Layout,
    metric: Metric,
    level: float,
) -> Iterator[BaselineResult]:
    """Each baseline beside the arms, whose cells are `scored`; `trained` are the reference's runs."""
    resolution = layout.resolution(metric)
    for baseline in baselines:
        runs = pairing.matched(baseline, trained)
        (own,) = cells.of_arms([runs], layout, metric)
        above = [layout.estimate(arm.minus(own), resolution).p_above() for arm in scored]
        yield BaselineResult(
            name=baseline.name,
            recipe=runs[0].recipe,
            errors=own.errors,
            error=_interval(layout.estimate(own.values, resolution), level),
            difference=_interval(layout.estimate(own.minus(reference), resolution), level),
            p_better=min(1.0, max(above) * len(baselines)),
        )


def _result(
    choice: ChosenArm,
    arm: Cells,
    difference: Difference | None,
    guessing: Cells,
    layout: Layout,
    resolution: float,
    level: float,
) -> ArmResult:
    runs = choice.runs
    loss = None
    if log_loss := LOG_LOSS.get(runs[0].data["task"]):
        (surprise,) = cells.of_arms([runs], layout, log_loss)
        loss = _interval(layout.estimate(surprise.values, 0.0), level)
    return ArmResult(
        name=choice.name,
        recipe=runs[0].recipe,
        learning_rate=choice.learning_rate,
        at_edge=choice.at_edge,
        grid=choice.grid,
        validation=choice.validation,
        seeds=tuple(run.seed for run in runs),
        errors=arm.errors,
        error=_interval(layout.estimate(arm.values, resolution), level),
        loss=loss,
        diverged=sum(arm.diverged),
        difference=difference,
        over_guessing=_interval(layout.estimate(arm.minus(guessing), resolution), level),
        best_steps=tuple(run.best_step for run in runs),
        parameters=runs[0].parameters,
        seconds=median(run.seconds_from_scratch for run in runs),
        milliseconds_per_step=median(1000 * run.seconds / max(run.steps, 1) for run in runs),
        memory_bytes=max(run.memory_bytes for run in runs),
        curves={name: curve(runs, name, level) for name in CURVES if name in runs[0].history},
    )


def _cautions(
    choices: Sequence[ChosenArm],
    scored: Sequence[Cells],
    wished: float | None,
    finest: float,
    metric: Metric,
    layout: Layout,
) -> Iterator[Caution]:
    """What a reader should know before relying on the comparison."""
    seeds = len(choices[0].runs)
    yield from pairing.too_few(seeds)
    if metric.pooling == "root" and layout.design == "test set" and layout.examples < FEW_SQUARES:
        yield Caution("few squares", {"enough": FEW_SQUARES})
    if wished is not None and wished < finest:
        yield Caution("fine delta", {"wished": wished, "finest": finest})
    if edges := {choice.name: choice.learning_rate for choice in choices if choice.at_edge}:
        yield Caution("edge of the grid", {"rates": edges})
    guesses = {
        choice.name: {
            "guessed": sum(arm.guessed),
            "seeds": seeds,
            "worst": max(error for error, guessed in zip(arm.errors, arm.guessed, strict=True) if guessed),
        }
        for choice, arm in zip(choices, scored, strict=True)
        if any(arm.guessed)
    }
    if guesses:
        yield Caution("diverged", {"arms": guesses, "metric": metric.label})
    yield from pairing.mixtures([run.environment for choice in choices for run in choice.runs])
