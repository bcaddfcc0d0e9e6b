"""Confirmation: what a search found, on fresh seeds and on examples that it has never seen; and taken apart.

The plain recipe, the best single strategy, the best recipe and the tuned baselines are trained on seeds of
their own; what they reach on the examples set aside is read once, and only that gives figures and verdicts.
Then the best recipe loses one part after the other until the plain one is left. Which goes next is decided on
validation: the one whose removal costs least.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from trainwright.baseline import Baseline
from trainwright.comparison.compare import ArmRuns
from trainwright.comparison.metrics import Metric
from trainwright.comparison.path import Removed
from trainwright.data.dataset import Dataset
from trainwright.recipe import Recipe
from trainwright.runs.run import Run
from trainwright.runs.store import Store
from trainwright.search.budget import SearchBudget
from trainwright.search.procedure import Standing
from trainwright.search.rounds import absent
from trainwright.search.space import Space, added, spelled, without
from trainwright.studies.arms import Candidate
from trainwright.studies.executor import Rounds, trained
from trainwright.studies.plan import Planned, planned
from trainwright.studies.stages import outcome

PLAIN = "plain"
SEEDS = 5  # of a block: the first is always trained, the second where the budget allows it
QUICK = 10.0  # seconds: what baselines may take even where no time is left
NUMBERS = "numbers and network"
"""The part of a recipe that is no strategy: learning rate, batch size, length and network."""
_NUMBERS = ("network", "learning_rate", "batch_size", "epochs", "steps")


@dataclass(frozen=True)
class Confirmed:
    """The trainings that confirm and explain what a search found."""

    arms: tuple[ArmRuns, ...]
    """plain; the best single strategy, where it is another recipe than the best; the best."""
    best: str
    """The name of the best recipe's arm; "plain" if the search found nothing better."""
    single: str
    """The name of the best single strategy's arm; empty without any."""
    baselines: tuple[ArmRuns, ...]
    """The tuned baselines that there was time for, with their runs."""
    left_out: tuple[str, ...]
    """The baselines that the time left was too short for."""
    ablated: Mapping[Removed, Sequence[Run]]
    """The best recipe's runs by what was taken out, on the first seeds."""
    order: tuple[str, ...]
    """The parts in the order in which they go."""
    parts: tuple[str, ...]
    """All parts that the best recipe has beyond the plain one."""

    def runs(self, name: str) -> tuple[Run, ...]:
        """The runs of the arm of this name."""
        (arm,) = (arm for arm in self.arms if arm.name == name)
        return next(iter(arm.runs.values()))


def confirmed(
    standing: Standing,
    space: Space,
    data: Dataset,
    store: Store,
    metric: Metric,
    budget: SearchBudget,
    seed: int,
) -> Rounds[Confirmed]:
    """Train what confirms the search, then what explains it, then more seeds, as far as the budget goes.

    `seed`: the search's. Each confirms with seeds of its own: a search that is repeated meets other weights.
    """
    candidates, best, single = _candidates(standing, space)
    everything: dict[str, Candidate] = {**candidates, **standing.baselines}
    seeds = SEEDS
    if budget.trainings is not None:
        seeds = max(2, min(SEEDS, (budget.trainings - 1 - budget.used) // len(everything)))

    def plan(named: Mapping[str, Candidate], numbers: range) -> list[Planned]:
        own = [2 * SEEDS * seed + number for number in numbers]
        return [planned(name, candidate, data.fold(s), s) for name, candidate in named.items() for s in own]

    standing.stage = "confirming"
    runs = yield from _trained(plan(candidates, range(seeds)), store, budget)
    runs |= yield from _beside(standing.baselines, plan, seeds, store, budget)
    left_out = tuple(name for name in everything if name not in runs)
    everything = {name: candidate for name, candidate in everything.items() if name in runs}
    ablated: dict[Removed, list[Run]] = {frozenset(): runs[best]}
    parts = parts_of(standing.best, standing.plain)
    ablated[frozenset(parts)] = runs[PLAIN]
    standing.stage = "taking apart"
    order = yield from _path(
        standing, space, ablated, lambda recipe: plan({"path": recipe}, range(seeds)), store, metric, budget
    )
    further = plan(everything, range(seeds, 2 * seeds))
    if seeds == SEEDS and budget.affords(len(further), absent(further, store)):
        standing.stage = "confirming"
        more = yield from _trained(further, store, budget)
        runs = {name: [*runs[name], *more[name]] for name in runs}
    arms = tuple(_arm(name, candidate, runs[name]) for name, candidate in candidates.items())
    beside = tuple(
        _arm(name, baseline, runs[name]) for name, baseline in standing.baselines.items() if name in runs
    )
    return Confirmed(arms, best, single, beside, left_out, ablated, tuple(order), parts)


def parts_of(recipe: Recipe, plain: Recipe) -> tuple[str, ...]:
    """What a recipe has beyond the plain one: its strategies by name, and its numbers where they differ."""
    names = tuple(strategy.name for strategy in added(recipe, plain))
    differ = any(getattr(recipe, name) != getattr(plain, name) for name in _NUMBERS)
    return (*names, NUMBERS) if differ else names


def taken_out(recipe: Recipe, plain: Recipe, removed: Removed) -> Recipe:
    """The recipe without these parts."""
    left = without(recipe, tuple(removed))
    if NUMBERS in removed:
        left = left.replace(**{name: getattr(plain, name) for name in _NUMBERS})
    return left


def _beside(
    baselines: Mapping[str, Candidate],
    plan: Callable[[Mapping[str, Candidate], range], list[Planned]],
    seeds: int,
    store: Store,
    budget: SearchBudget,
) -> Rounds[dict[str, list[Run]]]:
    """The runs of the baselines that there is time for: one fit of each says what the others will take."""
    runs = yield from _trained(plan(baselines, range(1)), store, budget)
    for name, (first,) in list(runs.items()):
        others = plan({name: baselines[name]}, range(1, seeds))
        if absent(others, store) * first.seconds > max(budget.seconds_left, QUICK):
            del runs[name]
    affordable = {name: baselines[name] for name in runs}
    more = yield from _trained(plan(affordable, range(1, seeds)), store, budget)
    return {name: [*runs[name], *more[name]] for name in runs}


def _path(
    standing: Standing,
    space: Space,
    ablated: dict[Removed, list[Run]],
    plan: Callable[[Recipe], list[Planned]],
    store: Store,
    metric: Metric,
    budget: SearchBudget,
) -> Rounds[list[str]]:
    """Take the best recipe apart; `ablated` gets the runs. It ends early where the budget does."""
    order: list[str] = []
    parts = parts_of(standing.best, standing.plain)
    while len(order) < len(parts):
        options = {part: frozenset({*order, part}) for part in parts if part not in order}
        recipes = {
            removed: taken_out(standing.best, standing.plain, removed)
            for removed in options.values()
            if removed not in ablated
        }
        recipes = {removed: recipe for removed, recipe in recipes.items() if space.allows(recipe)}
        new = {removed: plan(recipe) for removed, recipe in recipes.items()}
        wanted = [training for trainings in new.values() for training in trainings]
        missing = absent(wanted, store)
        if not budget.affords(len(wanted), missing):
            break
        runs = iter((yield from trained(store, wanted)) if wanted else ())
        budget.charge(len(wanted), missing)
        ablated |= {removed: [next(runs) for _ in trainings] for removed, trainings in new.items()}
        known = [part for part, removed in options.items() if removed in ablated]
        if not known:
            break  # whatever goes leaves another part with nothing to act on
        order.append(min(known, key=lambda part: _validation(ablated[options[part]], metric)))
    return order


def _candidates(standing: Standing, space: Space) -> tuple[dict[str, Recipe], str, str]:
    """The recipes to confirm by name, and the names of the best and of the best single strategy."""
    candidates = {PLAIN: standing.plain}
    best = single = PLAIN
    if standing.best != standing.plain:
        best = "best"
        candidates[best] = standing.best
    if standing.single is None:
        return candidates, best, ""
    if standing.single == standing.best:
        return candidates, best, best
    single = f"best single: {spelled(standing.single, space.plain)}"
    candidates[single] = standing.single
    return candidates, best, single


def _trained(plan: list[Planned], store: Store, budget: SearchBudget) -> Rounds[dict[str, list[Run]]]:
    """The runs of a plan by arm."""
    missing = absent(plan, store)
    runs: dict[str, list[Run]] = {}
    for training, run in zip(plan, (yield from trained(store, plan)), strict=True):
        runs.setdefault(training.arm, []).append(run)
    budget.charge(len(plan), missing)
    return runs


def _arm(name: str, candidate: Candidate, runs: Sequence[Run]) -> ArmRuns:
    rate = 0.0 if isinstance(candidate, Baseline) else candidate.learning_rate
    return ArmRuns(name, {rate: tuple(runs)})


def _validation(runs: Sequence[Run], metric: Metric) -> tuple[float, float]:
    outcomes = [outcome(run, metric) for run in runs]
    return fmean(reached.error for reached in outcomes), fmean(reached.loss for reached in outcomes)
