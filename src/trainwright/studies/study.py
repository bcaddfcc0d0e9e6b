"""Study: arms side by side on one data set, each by the candidate that validation chose for it.

First every arm is tuned (`tuning.py`), on seeds of its own; then the chosen candidates are trained on fresh
seeds, the same for all arms, and these trainings alone are compared. What the store has is not trained again:
a study may be interrupted and repeated at any moment, and extended at the cost of what is new.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from trainwright.base.errors import SettingError
from trainwright.comparison import metrics
from trainwright.comparison.compare import ArmRuns, Comparison, check_levels, compare
from trainwright.data.dataset import Dataset
from trainwright.data.loading import DataSpec
from trainwright.data.splits import FOLDS
from trainwright.ensemble import Ensemble
from trainwright.model import Model
from trainwright.recipe import Recipe
from trainwright.runs.store import Store
from trainwright.studies import defaults
from trainwright.studies.arms import Arm, Candidate, as_arms, at_rates, check_arms, check_names, check_rates
from trainwright.studies.ensembles import (
    Ensembles,
    averaged,
    check_ensembles,
    further_members,
    members_of,
    planned_members,
)
from trainwright.studies.executor import Rounds, carry_out, trained
from trainwright.studies.factorial import effects
from trainwright.studies.folds import Folds
from trainwright.studies.handover import best_of
from trainwright.studies.plan import Planned, check_seeds, planned, tuning_seed
from trainwright.studies.progress import StudyProgress
from trainwright.studies.stages import StudyRuns, Tuned, by_arm, cautions, tuned_by
from trainwright.studies.trials import Trial
from trainwright.studies.tuning import Tuning, allowance, choose
from trainwright.training.building import ProgramFacts, Training, dry_run

Watch = Callable[[StudyProgress], None]
Folder = str | os.PathLike[str]


@dataclass(frozen=True, eq=False)
class Study:
    """Arms side by side on one data set, over the same seeds.

    Raises `SettingError` for fewer than one seed, an unknown reference, a rate given twice, arms that are the
    same recipe (at the same rate), and candidates to choose among without a tuning stage.

    >>> from trainwright.strategies import Dropout
    >>> arms = {"plain": Recipe(epochs=2), "dropout": Recipe(strategies=(Dropout(0.5),), epochs=2)}
    >>> study = Study(DataSpec("digits"), arms, seeds=5, rates=(0.03, 0.1))
    >>> len(study.plan)
    20
    """

    data: DataSpec
    """The data set."""
    arms: Mapping[str, Any]
    """A recipe by name, or several among which tuning chooses."""
    seeds: int = 10
    """Trainings of each arm for the verdict."""
    rates: tuple[float, ...] = ()
    """Without tuning: the learning rates that every arm may choose from, on validation, each trained on all
    seeds; none keeps each recipe's own. With tuning: the only ones that it tries."""
    metric: str | None = None
    """What validation chooses by and the arms are compared by; None for what suits the data."""
    reference: str = ""
    """The arm that the others are compared with; the first, if not given."""
    tuning: Tuning | None = None
    """How much is spent on choosing candidates, rates and length; None for no tuning stage."""
    baselines: Mapping[str, Any] = field(default_factory=dict)
    """Learners shown beside the arms, outside the tests."""
    folds: bool = True
    """Whether each seed has its own fold of the data (see `Dataset.fold`), so that the verdict is about the
    data and not about one split. Seeds come in whole repetitions: 7 seeds become 10. Of a data set with a
    test set of its own, all seeds share the one split."""
    factors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By arm, the strategies that it combines, where the study is factorial; see `studies.factorial`."""
    ensembles: Ensembles = field(default_factory=dict)
    """Arms that are averages of other arms' trainings: by name, the arms, each as often as it has members."""
    first_seed: int = 0
    """The verdict's first seed. With another one, the study is repeated on trainings of its own; in
    cross-validation it begins a repetition of the folds."""
    loaded: Dataset | None = field(default=None, repr=False)
    """The data set, where it has been read already."""

    def __post_init__(self) -> None:
        check_seeds(self.seeds, self.first_seed)
        check_names(self.arms, self.baselines, self.reference)
        check_rates(self.rates, self.tuning.rates if self.tuning else ())
        check_ensembles(self.ensembles, list(self.arms), rate_chosen=bool(self.rates) and self.tuning is None)
        tuned = self.tuning is not None
        check_arms(self._arms, as_arms(self.baselines), tuned=tuned, rate_chosen=tuned or bool(self.rates))

    @cached_property
    def _arms(self) -> tuple[Arm, ...]:
        return as_arms(self.arms)

    @cached_property
    def _all(self) -> tuple[Arm, ...]:
        return self._arms + as_arms(self.baselines)

    @cached_property
    def _reference(self) -> Arm:
        return next(arm for arm in self._arms if arm.name == (self.reference or self._arms[0].name))

    def dataset(self, seed: int | None = None) -> Dataset:
        """The data as this seed sees it: its fold, where the study has folds; else the fixed split."""
        return self._folds.of(seed)

    @cached_property
    def _folds(self) -> Folds:
        return Folds(self.loaded or self.data.load(), self.folds)

    @property
    def verdict_seeds(self) -> range:
        """The seeds of the verdict, in whole repetitions of the folds."""
        return self._folds.seeds(self.first_seed, self.seeds)

    @cached_property
    def plan(self) -> list[Planned]:
        """Every training of a study without a tuning stage, arm by arm and seed by seed.

        Raises `SettingError` where there is one: what it will choose is not known yet.
        """
        if self.tuning:
            raise SettingError("study: with a tuning stage, its trainings depend on what is chosen")
        return self._with_members({arm.name: arm.candidates[0] for arm in self._all})

    def run(self, folder: Folder, *, workers: int | None = None, watch: Watch | None = None) -> list[ArmRuns]:
        """Train what the store in `folder` has not, and return every arm's runs by learning rate.

        `workers`: processes, one training per core each; by default as many as there are cores. `watch` is
        called with the progress. Damaged runs are moved aside and done again. Raises `SettingError` where a
        recipe does not suit the data, `StoreError` where the folder cannot be written, and `WorkerDied`.
        """
        return self.execute(folder, workers=workers, watch=watch).arms

    def execute(self, folder: Folder, *, workers: int | None = None, watch: Watch | None = None) -> StudyRuns:
        """`run`, with the baselines' runs and what tuning decided."""
        self.check()
        store = Store(Path(folder))
        [runs] = carry_out([self.rounds(store)], store, most=self.most_runs(), workers=workers, watch=watch)
        return runs

    def check(self) -> None:
        """Raises `SettingError` for an arm with nothing to act on, and for a metric that does not suit the
        data, before anything is trained. Of an arm's candidates the first is tried."""
        defaults.metric(self.dataset(), self.metric)
        assert self._programs

    @cached_property
    def _programs(self) -> list[ProgramFacts]:
        """What is known of each arm's program beforehand: every arm has something to act on."""
        data = self.dataset(self.verdict_seeds[0])
        recipes = [arm.candidates[0] for arm in self._arms]
        return [dry_run(Training(recipe, data, 0)) for recipe in recipes if isinstance(recipe, Recipe)]

    def tune(
        self,
        folder: Folder,
        *,
        fold: int | None = None,
        workers: int | None = None,
        watch: Watch | None = None,
    ) -> Tuned:
        """What tuning decides, trained where the store in `folder` has not yet.

        `fold`: choose by the trainings of this seed's fold alone, so that no example that it judges has had a
        say (nested cross-validation). By default the choice pools over all folds, which gives one recipe to
        hand over. Raises `SettingError` for a study without a tuning stage, and as `run` does.
        """
        if self.tuning is None:
            raise SettingError("study: it has no tuning stage: give tuning=Tuning()")
        store = Store(Path(folder))
        rounds = self._tuned(store, self.tuning, fold)
        [tuned] = carry_out([rounds], store, most=self.most_runs(), workers=workers, watch=watch)
        return tuned

    def compare(
        self,
        folder: Folder,
        *,
        metric: str | None = None,
        delta: float | None = None,
        level: float = 0.95,
        looks: Sequence[int] = (),
        command: str = "",
        workers: int | None = None,
        watch: Watch | None = None,
    ) -> Comparison:
        """`execute`, and the arms side by side: see `trainwright.comparison.compare.compare`.

        `metric`: another than the study's, for the same trainings. `looks` are kept by a `StudyRecord` only.
        """
        check_levels(delta, level)  # before the work, not after it
        judged, reason = defaults.metric(self.dataset(), metric or self.metric)
        runs = self.execute(folder, workers=workers, watch=watch)
        comparison = compare(
            runs.arms,
            reference=self._reference.name,
            metric=judged.name,
            delta=delta,
            level=level,
            looks=looks,
            baselines=runs.baselines,
            command=command,
        )
        choosing, _ = defaults.metric(self.dataset(), self.metric)
        other = choosing.label if runs.tuned and choosing != judged else ""
        added = cautions(runs.tuned, other) if runs.tuned else ()
        combined = runs.arms[: len(self.arms)]  # without the ensembles
        return replace(
            comparison,
            metric_reason=reason,
            chosen_by=other,
            cautions=(*comparison.cautions, *added),
            factorial=effects(self.factors, combined, comparison) if self.factors else None,
        )

    def best_model(self, folder: Folder, comparison: Comparison) -> Model | Ensemble:
        """The model of the arm that did best on validation; an ensemble's models together. It is the seed's
        that did best there, in cross-validation the first seed's: see `handover.best_of`.

        Raises `SettingError` if every training of that arm diverged.
        """
        arm = comparison.best_on_validation()
        members = self.ensembles.get(arm.name, (arm.name,))
        candidates = {name: Recipe.from_json(comparison.arm(name).recipe) for name in members}
        groups = [members_of(members, candidates, self.dataset(seed), seed) for seed in arm.seeds]
        return best_of(groups, arm.recipe, Store(Path(folder)), metrics.labelled(comparison.metric))

    def rounds(self, store: Store) -> Rounds[StudyRuns]:
        """The study round by round; see `executor`."""
        candidates = {arm.name: arm.candidates[0] for arm in self._all}
        tuned = None
        if self.tuning:
            tuned = yield from self._tuned(store, self.tuning)
            candidates = {name: choice.candidate for name, choice in tuned.choices.items()}
        plan = self._with_members(candidates)
        runs = yield from trained(store, plan)
        compared = len(self._verdict(candidates))
        arms = by_arm(plan[:compared], runs[:compared], tuned)
        by_digest = {training.digest: run for training, run in zip(plan, runs, strict=True)}
        ensembles = averaged(self.ensembles, candidates, self.dataset, self.verdict_seeds, by_digest)
        return StudyRuns(
            [*(arms[name] for name in self.arms), *ensembles], [arms[name] for name in self.baselines], tuned
        )

    def most_runs(self) -> int:
        """How many trainings there may be."""
        if not self.tuning:
            return len(self.plan)
        tuning = len(self._arms) * allowance(self._arms, self._grid(self.tuning))
        each = len(self._all) + further_members(self.ensembles)
        return tuning + each * len(self.verdict_seeds)

    def _grid(self, tuning: Tuning) -> Tuning:
        return replace(tuning, rates=tuple(sorted(self.rates or tuning.rates)))

    def _tuned(self, store: Store, tuning: Tuning, fold: int | None = None) -> Rounds[Tuned]:
        """Tuning alternates between the folds, and pools what it finds; or it keeps to one of them."""
        pooled = fold is None and self._folds.repeated

        def training(trial: Trial) -> Planned:
            data = self.dataset(trial.number % FOLDS if fold is None else fold)
            seed = tuning_seed(1000 * self.first_seed + trial.number)  # a thousand are more than tuning has
            return planned("tuning", trial.candidate, data, seed, "tuning")

        procedure = choose(self._all, self._reference, self._grid(tuning), FOLDS if pooled else 1)
        metric, _ = defaults.metric(self.dataset(), self.metric)
        return Tuned(*(yield from tuned_by(procedure, store, training, metric)))

    def _with_members(self, candidates: Mapping[str, Candidate]) -> list[Planned]:
        """The trainings that are compared, and after these what else the ensembles need."""
        compared = self._verdict(candidates)
        needed = planned_members(self.ensembles, candidates, self.dataset, self.verdict_seeds)
        known = {training.digest for training in compared}
        return compared + [training for training in needed if training.digest not in known]

    def _verdict(self, candidates: Mapping[str, Candidate]) -> list[Planned]:
        """The trainings that are compared: each arm's candidate on every seed, the same for all arms."""
        rates = () if self.tuning else self.rates
        return [
            planned(name, at_rate, self.dataset(seed), seed)
            for name, candidate in candidates.items()
            for at_rate in at_rates(candidate, rates)
            for seed in self.verdict_seeds
        ]
