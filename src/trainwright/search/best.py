"""`best`: a data set and a budget -> the recipe to train with, confirmed, explained, and its model.

Everything happens in a folder: `search.json` says what is searched and how long that took, `store` has the
trainings. Whatever interrupts it, the same call goes on where it was; a larger budget goes further.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from trainwright import networks
from trainwright.base import files
from trainwright.base.errors import SettingError
from trainwright.base.keys import generator
from trainwright.comparison import metrics
from trainwright.comparison.averaged import averaged
from trainwright.comparison.compare import FEW_SEEDS, check_levels, compare
from trainwright.comparison.metrics import Metric
from trainwright.comparison.path import trace
from trainwright.comparison.recommendation import Recommendation, Tried
from trainwright.comparison.results import Comparison
from trainwright.data.dataset import Dataset
from trainwright.data.loading import DataSpec, Source
from trainwright.ensemble import Ensemble
from trainwright.model import Model
from trainwright.recipe import Recipe
from trainwright.runs.score import score
from trainwright.runs.store import Store
from trainwright.search import delivery
from trainwright.search.budget import Budget
from trainwright.search.confirmation import SEEDS, Confirmed, confirmed
from trainwright.search.found import Found
from trainwright.search.procedure import Effort, Standing, search
from trainwright.search.progress import SearchProgress, of_standing
from trainwright.search.record import Record
from trainwright.search.rounds import searched
from trainwright.search.space import Space, spelled
from trainwright.studies import defaults
from trainwright.studies.arms import as_arms, read_baselines
from trainwright.studies.executor import Rounds, carry_out, trained
from trainwright.studies.plan import FIRST_TUNING_SEED, Planned, planned
from trainwright.studies.tuning import Trial, Tuning

LISTED = 30  # recipes that were tried, in the result

Watch = Callable[[SearchProgress], None]


def best(
    data: Source | DataSpec | Dataset,
    *,
    minutes: float | None = None,
    trainings: int | None = None,
    keep: str = "",
    without: Sequence[str] = (),
    arms: Sequence[str] = (),
    network: str | None = None,
    metric: str | None = None,
    seed: int = 0,
    level: float = 0.95,
    ensemble: bool = False,
    folder: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    watch: Watch | None = None,
    command: str = "",
) -> Found:
    """Search for the best recipe, confirm it on examples that the search has not seen, explain and train it.

    `data`: what `trainwright.load` reads, a `DataSpec`, or a `Dataset`.
    `minutes`, `trainings`: the budget, 10 minutes if neither is given; at least half of it is searched with.
    Bound by trainings alone, the same call gives the same result however often it is interrupted.
    `keep`: strategies that every recipe has, "batch_norm". `without`: names of strategies that none has.
    `arms`: strategies to choose among, as in a study: "dropout(hidden_rate=0.2|0.5)"; by default those of a
    study and a few more. `network`: as on the command line; by default its width and depth are searched too.
    `metric`: what the search goes by; by default what suits the data.
    `seed`: of the search's trainings; and, for data without a test set of its own, which fifth is set aside.
    `ensemble`: hand over all confirmed networks as one model that averages them.
    `folder`: where the search is kept, to be resumed or extended; by default it is not kept.
    `watch` is called with a `SearchProgress`.

    Raises `SettingError` for options out of range or at odds with each other, `DataError` for data that
    cannot be read or are too few to set a part aside, and `StoreError` for a folder that cannot be written.
    """
    if minutes is None and trainings is None:
        minutes = 10
    budget = Budget(minutes, trainings)
    check_levels(None, level)
    spec = data if isinstance(data, DataSpec) else None if isinstance(data, Dataset) else DataSpec(data)
    loaded = data if isinstance(data, Dataset) else spec.load()  # type: ignore[union-attr]
    aside = loaded.set_aside(seed)
    start = defaults.recipe(loaded)
    base = start if network is None else start.replace(network=_network(network))
    space = Space(aside, base, keep, tuple(without), tuple(arms), fixed_network=network is not None)
    with tempfile.TemporaryDirectory(prefix="trainwright-best-") as temporary:
        place = Path(folder) if folder is not None else Path(temporary)
        job = Job(space, loaded, spec, start, metric, seed, level, ensemble, command)
        return job.run(place, budget, workers, watch)


@dataclass(frozen=True, eq=False)
class Job:
    """One search: what is asked, and how it is carried out in a folder."""

    space: Space
    loaded: Dataset
    """The data as they were read, before a part was set aside."""
    spec: DataSpec | None
    start: Recipe
    """What `trainwright fit` begins with."""
    metric: str | None
    seed: int
    level: float
    ensemble: bool
    command: str

    def run(self, folder: Path, budget: Budget, workers: int | None, watch: Watch | None) -> Found:
        """Carry the search out in this folder, or go on with it."""
        question = {
            "fingerprint": self.space.data.fingerprint,
            "space": self.space.to_json(),
            "metric": self.metric,
            "seed": self.seed,
        }
        record = Record.of(question, folder)
        with files.explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
            files.probe(folder)
        budget.spent = record.spent
        budget.note = lambda seconds: record.save(seconds)
        store = Store(folder / "store")
        standing = Standing(self.space.plain, self.space.plain)
        measured, reason = self._metric()
        rounds = self._rounds(store, standing, measured, reason, budget, record)

        def note(progress: Any) -> None:
            if watch:
                watch(of_standing(standing, self.space, measured, budget, progress))

        [found] = carry_out([rounds], store, most=1, workers=workers, watch=note)
        record.looked(found.recommendation)
        return found

    def _rounds(
        self,
        store: Store,
        standing: Standing,
        metric: Metric,
        reason: str,
        budget: Budget,
        record: Record,
    ) -> Rounds[Found]:
        """The whole search, round by round."""
        data, effort = self.space.data, Effort.for_validation(len(self.space.data.splits.validation))
        longest = defaults.tuning(self.loaded).longest
        tuning = Tuning(9 * effort.first, effort.first, longest)
        baselines = as_arms(read_baselines(defaults.baselines(self.loaded)))

        def training(trial: Trial) -> Planned:
            seed = _search_seed(self.seed, trial.number)
            return planned("search", trial.candidate, data.fold(trial.number), seed, "tuning")

        procedure = search(self.space, standing, baselines, tuning, effort, self.seed)
        yield from searched(procedure, standing, store, training, metric, budget)
        of_search = budget.used
        evidence = yield from confirmed(standing, self.space, data, store, metric, budget)
        recommendation = self._recommended(standing, evidence, metric, reason, budget, record, of_search)
        standing.stage = "training the model"
        recipe = Recipe.from_json(recommendation.recipe)
        [run] = yield from trained(store, [final := delivery.final(recipe, self.loaded)])
        model = Model.of(run, final.data) if self.loaded.preparation else None
        members = self._members(evidence, recommendation.delivered, store) if self.ensemble else None
        return Found(recommendation, recipe, model, members)

    def _recommended(
        self,
        standing: Standing,
        evidence: Confirmed,
        metric: Metric,
        reason: str,
        budget: Budget,
        record: Record,
        of_search: int,
    ) -> Recommendation:
        def compared(reference: str) -> Comparison:
            made = compare(
                evidence.arms,
                reference=reference,
                metric=metric.name,
                level=self.level,
                baselines=evidence.baselines,
                command=self.command,
            )
            return replace(made, metric_reason=reason)

        comparison = compared("plain")
        path = None
        if evidence.parts:
            path = trace(
                evidence.ablated,
                evidence.order,
                evidence.parts,
                metric=metric.name,
                delta=comparison.delta,
                level=self.level,
            )
        trials = min(standing.trials(standing.best), standing.trials(standing.plain))
        delivered = Recommendation(
            comparison=comparison,
            against=compared(evidence.best),
            best=evidence.best,
            single=evidence.single,
            strategies=_in_words(standing, self.space),
            path=path,
            seen=standing.error(standing.best),
            seen_plain=standing.error(standing.plain, trials or None),
            tried=_tried(standing, self.space),
            recipes=len(_recipes(standing)),
            trainings=budget.used,
            seconds=budget.seconds,
        )
        recipe = Recipe.from_json(delivered.recipe)
        runs = next(arm for arm in evidence.arms if arm.name == delivered.delivered).runs
        return replace(
            delivered,
            ensemble=averaged(
                [run for run in next(iter(runs.values())) if not score(run, "validation").guessed],
                metric.name,
                self.level,
            )
            if self.ensemble
            else None,
            fit=delivery.fit_command(recipe, self.start, self.spec, self.loaded),
            python=delivery.in_python(recipe),
            cautions=tuple(_cautions(standing, evidence, delivered, self.space, record, of_search, recipe)),
        )

    def _members(self, evidence: Confirmed, name: str, store: Store) -> Ensemble | None:
        """The confirmed networks of an arm, those that kept weights."""
        arm = next(arm for arm in evidence.arms if arm.name == name)
        models = []
        for run in next(iter(arm.runs.values())):
            if self.loaded.preparation and not score(run, "validation").guessed:
                models.append(
                    Model.of(replace(run, weights=dict(run.weights)), self.space.data.fold(run.seed))
                )
        return Ensemble(tuple(models)) if models else None

    def _metric(self) -> tuple[Metric, str]:
        """What the search goes by, and why where it is not the usual: by all examples but those set aside."""
        data = self.space.data
        rows = np.concatenate([data.splits.train, data.splits.validation])
        return metrics.choose(self.metric, data.task, data.labels(rows))


def _network(text: str) -> Any:
    read = networks.read(text)
    if len(read) != 1:
        raise SettingError(f"network {text!r}: give one network, such as 'mlp((64, 64))'")
    return read[0]


def _search_seed(seed: int, number: int) -> int:
    """The seed of a search's trial: none that a confirmation ever has."""
    return int(generator(seed, "search", number).integers(FIRST_TUNING_SEED, 2**53))


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
    standing: Standing,
    evidence: Confirmed,
    recommendation: Recommendation,
    space: Space,
    record: Record,
    of_search: int,
    recipe: Recipe,
) -> Sequence[str]:
    """What a reader should know of the search; the comparison has its own."""
    found = []
    if standing.single is None:
        found.append(
            f"the budget ended after {of_search} trainings, before any strategy had been tried: give more "
            "--minutes or --trainings to go on"
        )
    elif not standing.screened:
        found.append(
            f"the budget ended while strategies were being screened, after {of_search} trainings: this is "
            "the best of what was tried; give more --minutes or --trainings to go on"
        )
    elif not standing.exhausted:
        found.append("the budget ended the search, not lack of ideas: a larger one goes on where it stopped")
    seeds = len(recommendation.winner.seeds)
    if FEW_SEEDS <= seeds <= SEEDS:
        found.append(
            f"the budget allowed {seeds} seeds for the confirmation: more would narrow the intervals"
        )
    if recommendation.path and not recommendation.path.complete:
        found.append("the budget ended the ablation path before it reached the plain recipe")
    if earlier := record.earlier(recommendation):
        found.append(
            f"these unseen examples were read {earlier} times before, for other recipes of this search: "
            "the figures are a little too good"
        )
    if delivery.stops(recipe):
        found.append("the model stops by what it sees on validation: a fifth of the data is kept for that")
    return found
