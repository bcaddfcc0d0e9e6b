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

from trainwright import networks
from trainwright.base import files
from trainwright.base.errors import SettingError
from trainwright.base.keys import generator
from trainwright.comparison.averaged import averaged
from trainwright.comparison.caution import Caution
from trainwright.comparison.compare import check_levels
from trainwright.comparison.metrics import Metric
from trainwright.data.dataset import Dataset
from trainwright.data.loading import DataSpec, Source
from trainwright.ensemble import Ensemble
from trainwright.model import Model
from trainwright.recipe import Recipe
from trainwright.runs.run import Run
from trainwright.runs.score import score
from trainwright.runs.store import Store
from trainwright.search import delivery
from trainwright.search.budget import SearchBudget
from trainwright.search.confirmation import confirmed
from trainwright.search.found import Found
from trainwright.search.procedure import Effort, Standing, search
from trainwright.search.progress import SearchProgress, of_standing
from trainwright.search.recommending import recommended
from trainwright.search.record import SearchRecord
from trainwright.search.rounds import searched
from trainwright.search.space import Space
from trainwright.studies import defaults
from trainwright.studies.arms import as_arms, read_baselines
from trainwright.studies.executor import Rounds, carry_out, trained
from trainwright.studies.plan import FIRST_TUNING_SEED, Planned, planned
from trainwright.studies.trials import Trial
from trainwright.studies.tuning import Tuning

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
    `seed`: of all trainings; and, for data without a test set of its own, which fifth is set aside.
    `ensemble`: hand over all confirmed networks as one model that averages them.
    `folder`: where the search is kept, to be resumed or extended; by default it is not kept.
    `watch` is called with a `SearchProgress`.

    Raises `SettingError` for options out of range or at odds with each other, `DataError` for data that
    cannot be read or are too few to set a part aside, and `StoreError` for a folder that cannot be written.
    """
    if minutes is None and trainings is None:
        minutes = 10
    budget = SearchBudget(minutes, trainings)
    check_levels(None, level)
    spec = data if isinstance(data, DataSpec) else None if isinstance(data, Dataset) else DataSpec(data)
    loaded = data if isinstance(data, Dataset) else spec.load()  # type: ignore[union-attr]
    aside = loaded.set_aside(seed)
    start = defaults.recipe(loaded)
    base = start if network is None else start.replace(network=_network(network))
    space = Space(aside, base, keep, tuple(without), tuple(arms), fixed_network=network is not None)
    with tempfile.TemporaryDirectory(prefix="trainwright-best-") as temporary:
        place = Path(folder) if folder is not None else Path(temporary)
        asked = Search(space, loaded, spec, start, metric, seed, level, ensemble, command)
        return asked.run(place, budget, workers, watch)


@dataclass(frozen=True, eq=False)
class Search:
    """One search: what is asked, and how it is carried out in a folder."""

    space: Space
    """What may be tried, and the examples to try it on."""
    loaded: Dataset
    """The data as they were read, before a part was set aside."""
    spec: DataSpec | None
    """Where the data were read from; None if they were given as a `Dataset`."""
    start: Recipe
    """What `trainwright fit` begins with."""
    metric: str | None
    """What the search goes by; None for what suits the data."""
    seed: int
    """Of all trainings and random moves."""
    level: float
    """The level of confidence of all intervals, such as 0.95."""
    ensemble: bool
    """Whether the confirmed networks are handed over, too, as one model."""
    command: str
    """The command line, for the report; empty where there is none."""

    def run(self, folder: Path, budget: SearchBudget, workers: int | None, watch: Watch | None) -> Found:
        """Carry the search out in this folder, or go on with it."""
        question = {
            "data": self.loaded.fingerprint,
            "fingerprint": self.space.data.fingerprint,
            "space": self.space.to_json(),
            "metric": self.metric,
            "seed": self.seed,
        }
        record = SearchRecord.of(question, folder)
        with files.explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
            files.probe(folder)
        budget.spent = record.spent
        budget.note = lambda seconds: record.save(seconds)
        store = Store(folder / "store")
        standing = Standing(self.space.plain, self.space.plain)
        measured, reason = defaults.metric(self.space.data, self.metric)
        rounds = self._rounds(store, standing, measured, reason, budget, record)

        def note(progress: Any) -> None:
            if watch:
                watch(of_standing(standing, self.space, measured, budget, progress))

        [result] = carry_out([rounds], store, most=1, workers=workers, watch=note)
        record.looked(result.recommendation)
        return result

    def _rounds(
        self,
        store: Store,
        standing: Standing,
        metric: Metric,
        reason: Caution | None,
        budget: SearchBudget,
        record: SearchRecord,
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
        evidence = yield from confirmed(standing, self.space, data, store, metric, budget, self.seed)
        recommendation = recommended(
            standing, self.space, evidence, metric, of_search, level=self.level, command=self.command
        )
        recipe = Recipe.from_json(recommendation.recipe)
        standing.stage = "training the model"
        [run] = yield from trained(store, [final := delivery.final(recipe, self.loaded)])
        budget.charge(1, 0)
        runs = [member for member in evidence.runs(recommendation.delivered) if not guessed(member)]
        together = self.ensemble and len(runs) > 1
        recommendation = replace(
            recommendation,
            comparison=replace(recommendation.comparison, metric_reason=reason),
            trainings=budget.used,
            seconds=budget.seconds,
            ensemble=averaged(runs, metric.name, self.level) if together else None,
            fit=delivery.fit_command(recipe, self.start, self.spec, self.loaded),
            python=delivery.in_python(recipe),
            cautions=(
                *recommendation.cautions,
                *record.cautions(recommendation),
                *defaults.advice(self.loaded, recipe),
            ),
        )
        usable = self.loaded.preparation is not None and not guessed(run)
        model = Model.of(run, final.data) if usable else None
        return Found(recommendation, recipe, model, self._members(runs) if usable and together else None)

    def _members(self, runs: Sequence[Run]) -> Ensemble:
        """The confirmed networks, each with the preparation of its own fold."""
        folds = [(replace(run, weights=dict(run.weights)), self.space.data.fold(run.seed)) for run in runs]
        return Ensemble(tuple(Model.of(run, fold) for run, fold in folds))


def guessed(run: Run) -> bool:
    """Whether a training diverged and left no weights."""
    return score(run, "validation").guessed


def _network(text: str) -> Any:
    read = networks.read(text)
    if len(read) != 1:
        raise SettingError(f"network {text!r}: give one network, such as 'mlp((64, 64))'")
    return read[0]


def _search_seed(seed: int, number: int) -> int:
    """The seed of a search's trial: none that a confirmation ever has."""
    return int(generator(seed, "search", number).integers(FIRST_TUNING_SEED, 2**53))
