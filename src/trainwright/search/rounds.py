"""Rounds: how a search's procedure is carried out by trainings in a store, within its budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from trainwright.comparison.metrics import Metric
from trainwright.runs.store import Store
from trainwright.search.budget import SearchBudget
from trainwright.search.procedure import OutOfBudget, Standing
from trainwright.studies.executor import Rounds, trained
from trainwright.studies.plan import Planned
from trainwright.studies.stages import outcome
from trainwright.studies.trials import Procedure, Trial


def searched(
    procedure: Procedure[Standing],
    standing: Standing,
    store: Store,
    training: Callable[[Trial], Planned],
    metric: Metric,
    budget: SearchBudget,
) -> Rounds[Standing]:
    """What a search comes to when its trials are trained, judged by a metric on validation, and the budget
    ends it."""
    ask = next(procedure)
    while True:
        new = [trial for trial in dict.fromkeys(ask) if trial not in standing.outcomes]
        while new:
            plan = [training(trial) for trial in new]
            part = affordable(plan, store, budget)
            if not part:
                return _ended(procedure)
            missing = absent(part, store)
            runs = yield from trained(store, part)
            budget.charge(len(part), missing)
            pairs = zip(new, runs, strict=False)  # a part of them may have been trained
            standing.outcomes.update((trial, outcome(run, metric)) for trial, run in pairs)
            new = new[len(part) :]
        try:
            ask = procedure.send(standing.outcomes)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def affordable(plan: Sequence[Planned], store: Store, budget: SearchBudget) -> list[Planned]:
    """The first trainings of a plan, as many as may begin now; those in the store before the first that is
    missing are always among them where time is the bound."""
    stored = next((n for n, training in enumerate(plan) if training.digest not in store), len(plan))
    if budget.room(stored, 0) == stored == len(plan):
        return list(plan)
    room = budget.room(len(plan), absent(plan, store))
    return list(plan[: max(room, budget.room(stored, 0))])


def absent(plan: Sequence[Planned], store: Store) -> int:
    """How many of these trainings the store has not."""
    return sum(digest not in store for digest in {training.digest for training in plan})


def _ended(procedure: Procedure[Standing]) -> Standing:
    try:
        procedure.throw(OutOfBudget())
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    raise AssertionError("a search goes on although its budget has ended")
