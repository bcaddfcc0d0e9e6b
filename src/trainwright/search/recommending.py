"""Recommending: from a search and its confirmation to the numbers that say what to train with, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from trainwright.comparison.compare import compare
from trainwright.comparison.metrics import Metric
from trainwright.comparison.pairing import FEW_SEEDS
from trainwright.comparison.path import Path, trace
from trainwright.comparison.recommendation import Recommendation, Tried
from trainwright.comparison.results import Comparison
from trainwright.recipe import Recipe
from trainwright.search import delivery
from trainwright.search.confirmation import PLAIN, SEEDS, Confirmed
from trainwright.search.procedure import Standing
from trainwright.search.space import Space, spelled

LISTED = 30  # recipes that were tried, in the result


def recommended(
    standing: Standing,
    space: Space,
    evidence: Confirmed,
    metric: Metric,
    of_search: int,
    *,
    level: float,
    command: str,
) -> Recommendation:
    """The confirmed arms compared with the plain one and with the best one, the path, and what was tried.

    `of_search`: how many trainings the search itself had.
    """

    def compared(reference: str) -> Comparison:
        return compare(
            evidence.arms,
            reference=reference,
            metric=metric.name,
            level=level,
            baselines=evidence.baselines,
            command=command,
        )

    comparison = compared(PLAIN)
    shared = min(standing.trials(standing.best), standing.trials(standing.plain))
    found = Recommendation(
        comparison=comparison,
        against=compared(evidence.best),
        best=evidence.best,
        single=evidence.single,
        strategies=_in_words(standing, space),
        path=_path(evidence, metric, comparison.delta, level) if evidence.parts else None,
        seen=standing.error(standing.best),
        seen_plain=standing.error(standing.plain, shared),
        tried=_tried(standing, space),
        recipes=len(_recipes(standing)),
        trainings=of_search,
        seconds=0.0,
    )
    return replace(found, cautions=tuple(_cautions(standing, found, evidence.left_out, of_search)))


def _path(evidence: Confirmed, metric: Metric, delta: float, level: float) -> Path:
    return trace(
        evidence.ablated, evidence.order, evidence.parts, metric=metric.name, delta=delta, level=level
    )


def _in_words(standing: Standing, space: Space) -> str:
    """The best recipe as it is called in a sentence."""
    words = spelled(standing.best, space.plain)
    return words if words != "plain" or standing.best == standing.plain else "plain with other numbers"


def _recipes(standing: Standing) -> list[Recipe]:
    candidates = dict.fromkeys(trial.candidate for trial in standing.outcomes)
    return [candidate for candidate in candidates if isinstance(candidate, Recipe)]


def _tried(standing: Standing, space: Space) -> tuple[Tried, ...]:
    """What was tried, those with the most trials first, best first among them."""
    rows = [
        Tried(
            spelled(recipe, space.plain),
            f"{recipe.network}, rate {recipe.learning_rate:g}, batches of {recipe.batch_size}, "
            f"{recipe.epochs} epochs",
            standing.error(recipe),
            standing.trials(recipe),
        )
        for recipe in _recipes(standing)
        if standing.trials(recipe)
    ]
    return tuple(sorted(rows, key=lambda row: (-row.trials, row.validation))[:LISTED])


def _cautions(
    standing: Standing, found: Recommendation, left_out: tuple[str, ...], of_search: int
) -> Iterator[str]:
    """What the budget did not allow, and how the model is trained; the comparison has its own."""
    for name in left_out:
        yield f"{name} is not among the baselines: it takes longer than the time that was left"
    more = "give more --minutes or --trainings to go on"
    if standing.screened and standing.single is None:
        yield "no strategy was there to be tried: all that could act on the data are kept or left out"
    elif standing.single is None:
        yield f"the budget ended after {of_search} trainings, before any strategy had been tried: {more}"
    elif not standing.screened:
        yield (
            f"the budget ended while strategies were being screened, after {of_search} trainings: this is "
            f"the best of what was tried; {more}"
        )
    elif not standing.exhausted:
        yield "the budget ended the search, not lack of ideas: a larger one goes on where it stopped"
    if FEW_SEEDS <= len(found.winner.seeds) <= SEEDS:
        yield f"the budget allowed {SEEDS} seeds for the confirmation: more narrow the intervals"
    if found.path and not found.path.complete:
        yield "the budget ended the ablation path before it reached the plain recipe"
    if delivery.stops(Recipe.from_json(found.recipe)):
        yield "the model stops by what it sees on validation: a fifth of the data is kept for that"
