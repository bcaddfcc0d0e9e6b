"""Stages: how a study's procedures are carried out by trainings in a store, and what they leave."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from trainwright.base.config import Config
from trainwright.comparison import metrics
from trainwright.comparison.caution import Caution
from trainwright.comparison.compare import ArmRuns, CandidateResult
from trainwright.comparison.metrics import Metric
from trainwright.recipe import Recipe
from trainwright.runs.run import Run
from trainwright.runs.score import score
from trainwright.runs.store import Store
from trainwright.studies.arms import Candidate
from trainwright.studies.executor import Rounds, trained
from trainwright.studies.length import Length
from trainwright.studies.plan import Planned
from trainwright.studies.trials import Outcome, Procedure, Trial
from trainwright.studies.tuning import Choice

Result = TypeVar("Result")


class Tuned(NamedTuple):
    """What tuning decided: the length of all trainings, and each arm's candidate."""

    length: Length
    """How long all recipes are trained."""
    choices: dict[str, Choice]
    """By arm, baselines included: what validation chose, and what was tried."""


class StudyRuns(NamedTuple):
    """What a study left: each arm's runs by learning rate, the baselines', and what tuning decided."""

    arms: list[ArmRuns]
    """The arms' runs by learning rate, then the ensembles'."""
    baselines: list[ArmRuns]
    """The baselines' runs, at the learning rate 0."""
    tuned: Tuned | None
    """What tuning decided; None without a tuning stage."""


def tuned_by(
    procedure: Procedure[Result], store: Store, training: Callable[[Trial], Planned], metric: Metric
) -> Rounds[Result]:
    """What a procedure comes to when its trials are trained and judged by a metric on validation."""
    outcomes: dict[Trial, Outcome] = {}
    ask = next(procedure)
    while True:
        new = [trial for trial in ask if trial not in outcomes]
        runs = yield from trained(store, [training(trial) for trial in new])
        outcomes |= {trial: outcome(run, metric) for trial, run in zip(new, runs, strict=True)}
        try:
            ask = procedure.send(outcomes)
        except StopIteration as end:
            result: Result = end.value
            return result


def outcome(run: Run, metric: Metric) -> Outcome:
    """How a run did on validation. One that diverged, and kept no weights from before, has no error.

    The curve is the error's where the metric counts wrong examples or is a regression's. Others see more than
    the most probable class: theirs is the loss's.
    """
    scored = score(run, "validation")
    errors = metric.task == "regression" or (metric.counts and metric.pooling == "mean")
    curve = tuple(map(float, run.history.get("validation_error" if errors else "validation_loss", ())))
    return Outcome(metrics.measure(run, "validation", metric), scored.loss, scored.guessed, curve)


def by_arm(plan: Sequence[Planned], runs: Sequence[Run], tuned: Tuned | None) -> dict[str, ArmRuns]:
    """Every arm's runs by learning rate (0 for a baseline), and what its candidates did in tuning."""
    grouped: dict[str, dict[float, list[Run]]] = {}
    for planned, run in zip(plan, runs, strict=True):
        grouped.setdefault(planned.arm, {}).setdefault(_rate(planned.candidate), []).append(run)
    return {
        name: ArmRuns(
            name,
            {rate: tuple(runs) for rate, runs in rates.items()},
            _settings(tuned.choices[name]) if tuned else (),
        )
        for name, rates in grouped.items()
    }


def cautions(tuned: Tuned, other: str) -> Iterator[Caution]:
    """What tuning found that a reader should know. `other`: the metric that it went by, if another one."""
    if other:
        yield Caution("another metric", {"chosen_by": other})
    if not tuned.length.enough:
        yield Caution("short trainings")
    late = [name for name, choice in tuned.choices.items() if choice.improving]
    if late and tuned.length.enough:
        yield Caution("still improving", {"arms": late})


def _settings(choice: Choice) -> tuple[CandidateResult, ...]:
    several = len({_without_rate(tried.candidate) for tried in choice.tried}) > 1
    varied = _varied([tried.candidate for tried in choice.tried])
    return tuple(
        CandidateResult(
            _rate(tried.candidate),
            tried.error,
            tried.diverged,
            _strategies(tried.candidate, varied) if several else "",
        )
        for tried in choice.tried
    )


def _varied(candidates: Sequence[Candidate]) -> dict[str, set[str]]:
    """By name, the settings in which the candidates' parts differ: they tell one from another, and so are
    written out even where they are the defaults."""
    values: dict[tuple[str, str], set[str]] = {}
    for part in (part for candidate in candidates for part in _parts(candidate)):
        for name, value in part.to_json().items():
            values.setdefault((part.name, name), set()).add(repr(value))
    varied: dict[str, set[str]] = {}
    for (part_name, name), seen in values.items():
        varied.setdefault(part_name, set()).update({name} if len(seen) > 1 else ())
    return varied


def _parts(candidate: Candidate) -> tuple[Config, ...]:
    return candidate.strategies if isinstance(candidate, Recipe) else (candidate,)


def _rate(candidate: Candidate) -> float:
    return candidate.learning_rate if isinstance(candidate, Recipe) else 0.0


def _without_rate(candidate: Candidate) -> Candidate:
    return candidate.replace(learning_rate=1.0) if isinstance(candidate, Recipe) else candidate


def _strategies(candidate: Candidate, varied: dict[str, set[str]]) -> str:
    return ", ".join(part.written(*varied[part.name]) for part in _parts(candidate))
