"""Recommending: from a search and its confirmation to the numbers that say what to train with, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from trainwright.comparison.caution import Caution
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
) -> Iterator[Caution]:
    """What the budget did not allow, and how the model is trained; the comparison has its own."""
    for name in left_out:
        yield Caution("baseline left out", {"baseline": name})
    if standing.screened and standing.single is None:
        yield Caution("nothing to try")
    elif standing.single is None:
        yield Caution("nothing tried", {"trainings": of_search})
    elif not standing.screened:
        yield Caution("screening cut short", {"trainings": of_search})
    elif not standing.exhausted:
        yield Caution("search cut short")
    if FEW_SEEDS <= len(found.winner.seeds) <= SEEDS:
        yield Caution("small confirmation", {"seeds": SEEDS})
    if found.path and not found.path.complete:
        yield Caution("path cut short")
    if delivery.stops(Recipe.from_json(found.recipe)):
        yield Caution("stops on validation")
