"""Record: what the trainings of a system came to, as one JSON file that a table is made of.

    FOLDER/BUDGET/NAME.json             the test errors; or, until one training has ended, how far it got
    FOLDER/BUDGET/NAME.held-out.json    the validation errors of trainings without the validation examples

Errors are in %. Nothing else of the project is needed to read it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Any, Literal, get_args

from trainwright.base import files, strict_json
from trainwright.base.environment import environment
from trainwright.base.errors import StoreError
from trainwright.comparison.measured import Measured
from trainwright.comparison.metrics import METRICS, Metric, guess, measure, targets
from trainwright.runs.run import Run
from trainwright.system.contract import Rerun, SystemBudget
from trainwright.training.progress import Progress


@dataclass(frozen=True)
class SeedOutcome:
    """One training that has ended."""

    seed: int
    """Counted from 0; of an ensemble, all members together have one."""
    error: float
    """In %: on the test examples, or on the validation examples if these were held out."""
    status: str
    """finished or diverged."""
    steps: int
    """Weight updates, in all phases and of all members."""
    seconds: float
    """Of pretraining, training and evaluating, compiling left out."""


@dataclass(frozen=True)
class SystemRecord:
    """A system's trainings under one budget."""

    system: str
    """The system's name on the command line."""
    title: str
    """What was trained, as the published table calls it."""
    published: float | None
    """Test error in %; None where there is no number."""
    source: str
    """Where the published number stands."""
    budget: SystemBudget
    """quick, standard or paper."""
    held_out: bool
    """Whether the errors are those on the validation examples, which were not trained on."""
    recipe: dict[str, Any]
    """What was trained, as `to_json` says."""
    deviations: tuple[str, ...]
    """What is not known, or not done, as in the source."""
    outcomes: tuple[SeedOutcome, ...]
    """The trainings that have ended; none while the first one is under way."""
    mean: float | None
    """The mean error in %."""
    interval: tuple[float, float] | None
    """Its 95 % interval over seeds (Student's t), in %; None for fewer than two."""
    steps: int
    """Weight updates of the first training, or that it has made so far."""
    length: int
    """Updates at which it ends at the latest; 0 for a baseline."""
    seconds: float
    """What a training took on average, or the first so far."""
    curve: dict[str, list[float]]
    """The first training: step, train_loss (nats), and on the validation examples the error (%) of classes,
    or of whole numbers. Of an ensemble one line: the means of its members' at their ends."""
    curve_of: str
    """Whether these were trained on."""
    command: str
    """The command line that trained it."""
    date: str
    """The day on which it was written, UTC."""
    environment: dict[str, Any]
    """Versions, device and cores of the latest training."""
    metric: str = "error"
    """What the errors measure: a name in `trainwright.comparison.metrics.METRICS`."""
    data: str = "mnist"
    """The name of the data that it was trained on: of a stand-in, that of the folder. Records without this
    and the metric are from before there were others."""
    examples: tuple[int, int] | None = None
    """How many examples one pass trained on, and how many judged; None in records from before this was
    kept."""
    fingerprint: str = ""
    """That of the data, split as it was; empty where `examples` is None."""
    guess: float | None = None
    """The error in % of the best guess that looks at no input; None where `examples` is, and while the first
    training is under way."""

    @property
    def finished(self) -> bool:
        """Whether a training has ended."""
        return bool(self.outcomes)

    @property
    def by_chance(self) -> tuple[float, float] | None:
        """The 95 % interval that the number of judged examples alone leaves to the first training's error, in
        % (Wilson 1927); None where the errors do not count examples, or the number is not known.

        A network of the same error on all such examples would lie in it in 95 of 100 draws of a test set.
        """
        if not (self.finished and self.examples and METRICS[self.metric].counts):
            return None
        from scipy.stats import binomtest  # here: it takes half a second

        judged = self.examples[1]
        wrong = round(self.outcomes[0].error / 100 * judged)
        low, high = binomtest(wrong, judged).proportion_ci(method="wilson")
        return 100 * float(low), 100 * float(high)

    def write(self, folder: Path) -> Path:
        """Put it in its place, whole or not at all. Raises `StoreError` where that cannot be."""
        path = place(folder, self.system, self.budget, self.held_out)
        with files.explained(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            files.replace_file(path, strict_json.dumps(asdict(self)).encode() + b"\n", path.parent)
        return path


def place(folder: Path, name: str, budget: SystemBudget, held_out: bool = False) -> Path:
    """Where a system's record is kept."""
    return folder / budget / f"{name}{'.held-out' if held_out else ''}.json"


def read(folder: Path, name: str, budget: SystemBudget, *, held_out: bool = False) -> SystemRecord | None:
    """A system's record, if there is one. Raises `StoreError` for a file that is none."""
    path = place(folder, name, budget, held_out)
    try:
        kept = strict_json.loads(path.read_bytes())
        outcomes = tuple(SeedOutcome(**outcome) for outcome in kept.pop("outcomes"))
        for name in ("interval", "deviations", "examples"):
            kept[name] = kept.get(name) and tuple(kept[name])
        kept["deviations"] = kept["deviations"] or ()
        return SystemRecord(**kept, outcomes=outcomes)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as problem:
        raise StoreError(
            f"{path} is no system's record ({problem}): delete it and run the system again"
        ) from None


def largest(folder: Path, name: str, *, held_out: bool = False) -> SystemRecord | None:
    """The finished record of the largest budget; without one, the record of the largest that has begun."""
    kept = [read(folder, name, budget, held_out=held_out) for budget in reversed(get_args(SystemBudget))]
    records = [record for record in kept if record is not None]
    return next((record for record in records if record.finished), next(iter(records), None))


def of_runs(rerun: Rerun, runs: Sequence[Run], command: str) -> SystemRecord:
    """The record of trainings that have ended, seed by seed."""
    split = _judged(rerun)
    metric = METRICS[rerun.system.metric]
    errors = [round(100 * measure(run, split, metric), 4) for run in runs]
    outcomes = tuple(
        SeedOutcome(run.seed, error, run.status, run.steps, round(run.seconds_from_scratch, 1))
        for run, error in zip(runs, errors, strict=True)
    )
    spread = Measured.of(errors, "%", signed=False)
    bounds = (round(spread.low, 4), round(spread.high, 4))
    return _record(
        rerun,
        outcomes=outcomes,
        guess=round(100 * _guessing(runs[0], split, metric), 4),
        mean=round(spread.mean, 4),
        interval=bounds if all(map(isfinite, bounds)) else None,
        steps=outcomes[0].steps,
        seconds=round(sum(outcome.seconds for outcome in outcomes) / len(outcomes), 1),
        curve=_curve(runs[0].history),
        command=command,
        environment=runs[-1].environment,
    )


def of_progress(rerun: Rerun, progress: Progress, command: str) -> SystemRecord:
    """The record of a first training that is under way."""
    return _record(
        rerun,
        outcomes=(),
        mean=None,
        interval=None,
        steps=progress.total,
        seconds=round(progress.seconds / max(progress.timed, 1) * progress.total, 1),
        curve=_curve(progress.history),
        command=command,
        environment=environment(),
    )


def _guessing(run: Run, split: Literal["validation", "test"], metric: Metric) -> float:
    """What the best guess that looks at no input gets."""
    truth = targets(run, split)
    return float(metric.contributions(metric.losses(guess(run, split), truth), truth).mean())


def _judged(rerun: Rerun) -> Literal["validation", "test"]:
    """The split that the errors are of."""
    return "validation" if rerun.hold_out else "test"


def _record(rerun: Rerun, **rest: Any) -> SystemRecord:
    system = rerun.system
    return SystemRecord(
        system=system.name,
        title=system.title,
        published=system.published,
        source=system.source,
        budget=rerun.budget,
        held_out=rerun.hold_out,
        recipe=rerun.to_json(),
        deviations=system.deviations,
        length=rerun.length,
        metric=system.metric,
        data=rerun.data.name,
        examples=(rerun.data.splits.examples, len(getattr(rerun.data.splits, _judged(rerun)))),
        fingerprint=rerun.data.fingerprint,
        curve_of="validation examples, " + ("held out" if rerun.apart else "trained on too"),
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        **rest,
    )


def _curve(history: Mapping[str, Any]) -> dict[str, list[float]]:
    if not history:
        return {}
    return {
        "step": [int(step) for step in history["step"]],
        "train_loss": [float(f"{loss:.5g}") for loss in history["train_loss"]],
        "error": [round(100 * float(error), 4) for error in history["validation_error"]],
    }
