"""The plan: the trainings of a study, each with the name of the run that it leaves."""

from __future__ import annotations

from typing import Literal, NamedTuple

from trainwright.base.errors import SettingError
from trainwright.base.keys import generator
from trainwright.baseline import Baseline
from trainwright.data.dataset import Dataset
from trainwright.recipe import Recipe
from trainwright.runs import store
from trainwright.studies.arms import Candidate
from trainwright.training.building import Training

Stage = Literal["tuning", "verdict"]

FIRST_TUNING_SEED = 2**32  # studies count their seeds from 0


class Planned(NamedTuple):
    """A training of the study and the name of the run that it leaves."""

    arm: str
    """The arm that it is for; before an arm has its candidate, what else it is for, such as "tuning"."""
    candidate: Candidate
    """The recipe or the baseline that is trained."""
    data: Dataset
    """The data with the split that it is trained on."""
    seed: int
    """Of weights, batches and dropout masks; 0 for a baseline."""
    digest: str
    """The name of its run in the store, 20 hexadecimal digits."""
    stage: Stage = "verdict"
    """Whether it helps to choose a candidate, or counts for the verdict."""

    @property
    def training(self) -> Training:
        """The training of a recipe. Raises `SettingError` for a baseline, which is no training."""
        if not isinstance(self.candidate, Recipe):
            raise SettingError(f"{self.candidate} is a baseline, and has no training")
        return Training(self.candidate, self.data, self.seed)

    def __str__(self) -> str:
        rate = f", rate {self.candidate.learning_rate:g}" if isinstance(self.candidate, Recipe) else ""
        return f"{self.arm}{rate}, seed {self.seed}"


def planned(arm: str, candidate: Candidate, data: Dataset, seed: int, stage: Stage = "verdict") -> Planned:
    """One training; a baseline is deterministic, so its seed is always 0."""
    seed = 0 if isinstance(candidate, Baseline) else seed
    digest = store.digest(candidate.to_json(), data.fingerprint, seed)
    return Planned(arm, candidate, data, seed, digest, stage)


def check_seeds(seeds: int, first_seed: int) -> None:
    """Raises `SettingError` for fewer than one seed, and for a negative first one."""
    if seeds < 1:
        raise SettingError(f"study: seeds = {seeds} is not allowed: give a whole number in [1, ∞)")
    if first_seed < 0:
        raise SettingError(f"study: first_seed = {first_seed} is not allowed: give one in [0, ∞)")


def tuning_seed(number: int) -> int:
    """The seed of a tuning training: none that a study's verdict ever has.

    >>> tuning_seed(0) == tuning_seed(0) != tuning_seed(1)
    True
    >>> tuning_seed(0) >= 2**32
    True
    """
    return int(generator(number, "tuning").integers(FIRST_TUNING_SEED, 2**53))  # exact in any JSON reader
