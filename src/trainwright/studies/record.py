"""Record: a study's plan and looks, as `study.json` in its folder.

With the store beside it, a study can be compared again, resumed and extended from its folder alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from trainwright import baselines
from trainwright.base import files, strict_json
from trainwright.base.errors import DataError, StoreError
from trainwright.comparison.results import Comparison
from trainwright.data.loading import DataSpec
from trainwright.recipe import Recipe
from trainwright.studies import defaults
from trainwright.studies.arms import Candidate, as_arms
from trainwright.studies.study import Study, Watch
from trainwright.studies.tuning import Tuning

NAME = "study.json"


@dataclass(frozen=True)
class StudyRecord:
    """What `study.json` says."""

    study: Study
    """The plan: data, arms, seeds, tuning."""
    store: Path
    """Where its runs are."""
    delta: float | None = None
    """The smallest difference that matters; None for the default."""
    level: float = 0.95
    """The level of confidence."""
    looks: tuple[int, ...] = ()
    """With how many seeds its arms have been compared."""
    others: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """The same of other arms that were compared in this folder, by the digest of what was asked."""
    asked: str = ""
    """The digest of what this study asks, where it has been stored."""

    def after(self, earlier: StudyRecord) -> StudyRecord:
        """The record with the looks that were had in its folder before, at the same arms on the same data.

        Raises `StoreError` where the earlier study is of other data: its report would be lost.
        """
        mine, theirs = _source(self.study.data), _source(earlier.study.data)
        if mine != theirs:
            raise StoreError(
                f"a study of other data ({' '.join(filter(None, theirs))}) is in this folder already: choose"
                " another with --out, or delete it"
            )
        looked = {**earlier.others, earlier.asked or _question(earlier.study): earlier.looks}
        return replace(self, looks=looked.pop(_question(self.study), ()), others=looked)

    def compare(
        self,
        *,
        metric: str | None = None,
        command: str = "",
        workers: int | None = None,
        watch: Watch | None = None,
    ) -> Comparison:
        """`Study.compare` as the record has it, earlier looks paid for; by another metric, if given.

        The study's `delta` holds for another metric where that has the same unit.
        """
        asked, own = (defaults.metric(self.study.dataset(), name)[0] for name in (metric, self.study.metric))
        same = metric is None or asked.unit == own.unit
        return self.study.compare(
            self.store,
            metric=metric,
            delta=self.delta if same else None,
            level=self.level,
            looks=self.looks,
            command=command,
            workers=workers,
            watch=watch,
        )

    def looked(self) -> StudyRecord:
        """The record once its comparison has been looked at."""
        return replace(self, looks=tuple(sorted({*self.looks, len(self.study.verdict_seeds)})))

    def save(self, folder: Path) -> None:
        """Write `study.json` into the folder, whole or not at all.

        Raises `StoreError` where it cannot be written. Data that was given as arrays is not in it: such a
        study cannot be loaded again.
        """
        study = self.study
        try:
            data = study.data.to_json()
        except DataError:
            data = None
        content = {
            "format": files.FORMAT,
            "data": data,
            "arms": _to_json(study.arms),
            "baselines": _to_json(study.baselines),
            "seeds": study.seeds,
            "first_seed": study.first_seed,
            "rates": list(study.rates),
            "reference": study.reference,
            "folds": study.folds,
            "ensembles": {name: list(members) for name, members in study.ensembles.items()},
            "factors": {name: list(present) for name, present in study.factors.items()},
            "tuning": asdict(study.tuning) if study.tuning else None,
            "store": os.path.relpath(self.store, folder),
            "metric": study.metric,
            "delta": self.delta,
            "level": self.level,
            "looks": list(self.looks),
            "asked": _question(study),
            "others": {asked: list(looks) for asked, looks in self.others.items()},
        }
        with files.explained(folder):
            files.replace_file(folder / NAME, strict_json.dumps(content).encode() + b"\n", folder)

    @classmethod
    def load(cls, folder: Path) -> StudyRecord:
        """Read a study's folder.

        Raises `StoreError` for a folder without a readable `study.json` and for a study of arrays, and
        `SettingError` for a strategy that is not here (import a class of your own first).
        """
        path = folder / NAME
        try:
            stored = strict_json.loads(path.read_bytes())
        except OSError as problem:
            raise StoreError(f"{path} cannot be read: {problem.strerror}; name a study's folder") from None
        except ValueError:
            raise StoreError(
                f"{path} is damaged: delete it and repeat the study; its runs stay valid"
            ) from None
        try:
            files.refuse_newer(stored["format"], folder)
            if stored["data"] is None:
                raise StoreError(f"{path}: the study's data was given as arrays, which it does not hold")
            study = Study(
                DataSpec.from_json(stored["data"]),
                _from_json(stored["arms"]),
                seeds=stored["seeds"],
                first_seed=stored.get("first_seed", 0),
                rates=tuple(stored["rates"]),
                metric=stored["metric"],
                reference=stored["reference"],
                tuning=stored["tuning"] and TypeAdapter(Tuning).validate_python(stored["tuning"]),
                baselines=_from_json(stored["baselines"]),
                folds=stored["folds"],
                ensembles={name: tuple(members) for name, members in stored.get("ensembles", {}).items()},
                factors={name: tuple(present) for name, present in stored.get("factors", {}).items()},
            )
            return cls(
                study,
                folder / stored["store"],
                delta=stored["delta"],
                level=stored["level"],
                looks=tuple(stored["looks"]),
                asked=stored.get("asked", ""),
                others={asked: tuple(looks) for asked, looks in stored.get("others", {}).items()},
            )
        except (KeyError, TypeError, ValidationError):
            raise StoreError(f"{path} is not a study of this version: repeat the study") from None


def _question(study: Study) -> str:
    """The digest of what a study asks: its arms, on its data. Looks at this are paid for."""
    arms, fingerprint = _to_json(study.arms), study.dataset().fingerprint
    ensembles = {name: list(members) for name, members in study.ensembles.items()}
    asked = [arms, ensembles, study.reference, study.folds, study.first_seed, fingerprint]
    return files.sha256(strict_json.canonical(asked).encode())[:20]


def _source(data: DataSpec) -> tuple[str, str | None]:
    """What a study is of: a file or a name, and the column to predict; nothing for arrays."""
    try:
        named = data.to_json()
    except DataError:
        return "", None
    return named["source"], named["target"]


def _to_json(named: Mapping[str, Any]) -> dict[str, Any]:
    return {arm.name: [candidate.to_json() for candidate in arm.candidates] for arm in as_arms(named)}


def _from_json(stored: Mapping[str, Any]) -> dict[str, tuple[Candidate, ...]]:
    return {name: tuple(map(_candidate, candidates)) for name, candidates in stored.items()}


def _candidate(stored: dict[str, Any]) -> Candidate:
    if stored["name"] == Recipe.name:
        return Recipe.from_json(stored)
    return baselines.find(stored["name"]).from_json(stored)
