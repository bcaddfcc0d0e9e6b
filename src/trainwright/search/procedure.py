"""The procedure of a search: from the plain recipe to the best one, by validation alone.

1. The plain recipe is tuned as in a study: its length and its learning rate.
2. Screening: every family alone, its settings at the plain recipe's rate, and the best setting at rates
   around it, until the best rate lies inside those tried. The best of each family race each other.
3. Combining: what helps is added to the best recipe so far, one family at a time and in pairs (forward
   selection), until nothing more is gained.
4. Refining: changes of rates, settings, sizes and network, strategies taken out and put in, and jumps of
   several changes race the best recipe, until three rounds have found nothing better.
5. Where trainings fail at the next rate above the best one, the next one below may take its place.

A search is a procedure as in `studies.trials`: it asks for trials and is sent their outcomes, and depends on
nothing else. It can be stopped at any trial; `Standing` has the best so far.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from trainwright.recipe import Recipe
from trainwright.search import moves
from trainwright.search.racing import race
from trainwright.search.space import Space, added
from trainwright.studies.arms import Arm, Candidate
from trainwright.studies.cliff import safe_rate
from trainwright.studies.ladder import RateLadder
from trainwright.studies.trials import Outcome, Procedure, Trial, rank, side_by_side, trials_of
from trainwright.studies.tuning import Choice, Tuning, settle_length, tune

PROMISING = 5  # families that are combined
PAIRED = 4  # families of which all pairs are tried
PATIENCE = 3  # rounds without anything better
KINDS = ("numbers", "shapes", "strategies", "jumps")


class OutOfBudget(Exception):
    """Thrown into a procedure whose next trial is not to be begun."""


@dataclass(frozen=True)
class Effort:
    """How many trials decide, by how little a validation split says."""

    first: int
    """Of every recipe that is tried."""
    most: int
    """Of what takes the best one's place."""

    @staticmethod
    def for_validation(examples: int) -> Effort:
        """With few validation examples several folds at first, and all twice; with many a single fold."""
        return Effort(3, 10) if examples < 100 else Effort(2, 5) if examples < 500 else Effort(1, 3)


@dataclass
class Standing:
    """What a search has come to."""

    plain: Recipe
    """The plain recipe, tuned as far as the search has come."""
    best: Recipe
    """The best recipe so far; at first the plain one."""
    single: Recipe | None = None
    """The best recipe with one family alone."""
    stage: str = "tuning the plain recipe"
    """What the search is at, in words."""
    screened: bool = False
    """Whether every family has been tried alone."""
    exhausted: bool = False
    """Whether the search ended by itself."""
    baselines: dict[str, Candidate] = field(default_factory=dict)
    """Each baseline as validation chose it; before that, at the first of its settings."""
    outcomes: dict[Trial, Outcome] = field(default_factory=dict)
    """All trials so far."""

    def error(self, recipe: Candidate, trials: int | None = None) -> float:
        """A recipe's mean error over its trials (or the first so many); NaN for none."""
        numbers = range(trials if trials is not None else self.trials(recipe))
        return rank(recipe, numbers, self.outcomes)[0] if numbers else math.nan

    def trials(self, recipe: Candidate) -> int:
        """How many trials a recipe has had."""
        return trials_of(recipe, self.outcomes)


def search(
    space: Space,
    standing: Standing,
    baselines: Sequence[Arm],
    tuning: Tuning,
    effort: Effort,
    seed: int,
) -> Procedure[Standing]:
    """Search until nothing better is found or `OutOfBudget` is thrown; what it comes to is in `standing`."""
    standing.baselines = {arm.name: arm.candidates[0] for arm in baselines}
    try:
        yield from _tune_plain(standing, baselines, tuning, effort)
        champions = yield from _screen(space, standing, effort)
        champions = yield from _combine(space, standing, champions, effort)
        yield from _refine(space, standing, champions, effort, seed)
        standing.exhausted = True
    except OutOfBudget:
        _settle(space, standing)
    recipes = dict.fromkeys(t.candidate for t in standing.outcomes if isinstance(t.candidate, Recipe))
    standing.best = safe_rate(standing.best, recipes, standing.outcomes)
    standing.single = standing.single and safe_rate(standing.single, recipes, standing.outcomes)
    return standing


def _tune_plain(
    standing: Standing, baselines: Sequence[Arm], tuning: Tuning, effort: Effort
) -> Procedure[None]:
    """The plain recipe's length and rate; and each baseline's candidate, on as many trials."""
    arm = Arm("plain", (standing.plain,))
    _, choice = yield from settle_length(arm, tuning, tuning.trainings)
    standing.plain = standing.best = _as_recipe(choice.candidate)
    procedures: dict[str, Procedure[Choice]] = {
        arm.name: tune(arm, tuning, 1.0, effort.first * len(arm.candidates)) for arm in baselines
    }
    chosen = yield from side_by_side(procedures)
    standing.baselines = {name: choice.candidate for name, choice in chosen.items()}
    # What is compared with the plain recipe later is compared on the same trials.
    yield [Trial(standing.plain, number) for number in range(effort.most)]


def _screen(space: Space, standing: Standing, effort: Effort) -> Procedure[dict[str, Recipe]]:
    """Each family's best recipe alone, best first; the best of all becomes the standing's single."""
    standing.stage = "screening"
    procedures = {
        name: alone([standing.plain.adding(*setting) for setting in family], effort.first)
        for name, family in space.families.items()
    }
    champions = yield from side_by_side(procedures)
    standing.screened = True
    if champions:
        standing.single = yield from race(list(champions.values()), effort.first, effort.most)
        standing.best = yield from race([standing.single], effort.most, effort.most, standing.plain)
    order = sorted(champions, key=lambda name: rank(champions[name], range(effort.first), standing.outcomes))
    return {name: champions[name] for name in order}


def alone(settings: Sequence[Recipe], first: int) -> Procedure[Recipe]:
    """The best of a family's settings at their rate, then at the rate that is best for it."""
    outcomes = yield _trials(settings, first)
    best = min(settings, key=lambda recipe: rank(recipe, range(first), outcomes))
    ladder, middle = RateLadder(), moves.rung_of(best.learning_rate)
    tried = {middle: best}
    new = [rung for rung in ladder.begin(best.learning_rate) if rung != middle]
    while new:
        tried |= {rung: best.replace(learning_rate=ladder.rate(rung)) for rung in new}
        outcomes = yield _trials([tried[rung] for rung in new], first)
        leader = min(tried, key=lambda rung: rank(tried[rung], range(first), outcomes))
        new = ladder.beyond(leader, set(tried))
    return tried[leader] if len(tried) > 1 else best


def _combine(
    space: Space, standing: Standing, champions: dict[str, Recipe], effort: Effort
) -> Procedure[dict[str, Recipe]]:
    """Forward selection of what is promising alone, in steps of one family or two; returns the champions."""
    standing.stage = "combining"
    promising = dict(list(champions.items())[:PROMISING])
    top = list(promising.values())[:PAIRED]
    field = [
        *moves.pairs(space, standing.plain, top),
        *moves.additions(space, standing.best, promising),
    ]
    while field:
        winner = yield from race(field, effort.first, effort.most, standing.best)
        if winner == standing.best:
            break
        standing.best = winner
        field = moves.additions(space, winner, promising)
    return champions


def _refine(
    space: Space, standing: Standing, champions: Mapping[str, Recipe], effort: Effort, seed: int
) -> Procedure[None]:
    """Neighbours race the best recipe, kind by kind, until rounds in a row bring nothing."""
    standing.stage = "refining"
    round_ = idle = 0
    while idle < PATIENCE:
        before = standing.best
        for kind in KINDS:
            near = _near(kind, space, standing.best, champions, seed, round_)
            standing.best = yield from race(near, effort.first, effort.most, standing.best)
        round_ += 1
        idle = idle + 1 if standing.best == before else 0


def _near(
    kind: str, space: Space, best: Recipe, champions: Mapping[str, Recipe], seed: int, round_: int
) -> list[Recipe]:
    """The neighbours of one kind."""
    if kind == "numbers":
        return [*moves.rates(space, best), *moves.settings(space, best)]
    if kind == "shapes":
        return moves.shapes(space, best)
    if kind == "strategies":
        return [*moves.removals(space, best), *moves.additions(space, best, champions)]
    return moves.jumps(space, best, seed, round_)


def _settle(space: Space, standing: Standing) -> None:
    """Choose by what there is, where the budget ended before every family had been tried alone."""
    if standing.screened:
        return
    recipes = dict.fromkeys(t.candidate for t in standing.outcomes if isinstance(t.candidate, Recipe))
    singles = [recipe for recipe in recipes if added(recipe, space.plain)]
    if not singles:
        if standing.trials(standing.plain):
            standing.best = standing.plain
        return
    trials = max(map(standing.trials, singles))
    full = [recipe for recipe in singles if standing.trials(recipe) == trials]
    order = lambda recipe: rank(recipe, range(trials), standing.outcomes)  # noqa: E731
    standing.single = min(full, key=order)
    known = standing.trials(standing.plain) >= trials
    standing.best = min([standing.plain, standing.single], key=order) if known else standing.plain


def _trials(recipes: Sequence[Recipe], trials: int) -> list[Trial]:
    return [Trial(recipe, number) for number in range(trials) for recipe in recipes]


def _as_recipe(candidate: Candidate) -> Recipe:
    assert isinstance(candidate, Recipe)
    return candidate
