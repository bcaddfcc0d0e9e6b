"""Ensembles as arms of a study: averages of trainings of its other arms.

A member is a training of an arm's chosen candidate on the fold of the verdict's seed. The first member of an
arm is the arm's own run of that seed; every further one has a seed of its own, which no other training of the
study has. So ensembles of different seeds have no training in common: they are as independent as single
trainings are, and are paired with them seed by seed. Their members are tuned as their arms are.

The published ensembles' members share their first weights and differ in the order and the sampling of the
images (GoogLeNet, arXiv 1409.4842, section 7); here they differ in all that is drawn at random.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from trainwright.base.errors import SettingError
from trainwright.base.keys import generator
from trainwright.comparison.candidates import ArmRuns
from trainwright.data.dataset import Dataset
from trainwright.runs.average import average
from trainwright.runs.run import Run
from trainwright.studies.arms import Candidate
from trainwright.studies.plan import FIRST_TUNING_SEED, Planned, planned

Ensembles = Mapping[str, tuple[str, ...]]
"""By name: the arms whose trainings are averaged, each as often as it is named."""


def read_ensembles(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Each text's members: arms with how many of each, joined by ` + `.

    >>> read_ensembles(["2 * plain + dropout(0.2)"])
    {'2 * plain + dropout(0.2)': ('plain', 'plain', 'dropout(0.2)')}
    """
    ensembles = {}
    for text in texts:
        members: list[str] = []
        for part in text.split(" + "):
            number, name = re.fullmatch(r"(?:(\d+)\s*\*)?(.*)", part.strip(), re.DOTALL).groups()  # type: ignore[union-attr]
            members += int(number or 1) * [name.strip()]
        ensembles[text.strip()] = tuple(members)
    return ensembles


def check_ensembles(ensembles: Ensembles, arms: Sequence[str], *, rate_chosen: bool) -> None:
    """Raises `SettingError` for fewer than two members, for one that is no arm, for an arm's name, and where
    an arm's learning rate is only known once all its trainings are there (`rate_chosen`)."""
    if ensembles and rate_chosen:
        raise SettingError(
            "study: an ensemble's members must be known before they are trained: "
            "give tuning=Tuning(rates=...) in place of rates=..."
        )
    for name, members in ensembles.items():
        if name in arms:
            raise SettingError(f"study: {name!r} names an arm and an ensemble: rename one")
        if unknown := [member for member in members if member not in arms]:
            joined = " (members are joined by a + with spaces around it)" if "+" in unknown[0] else ""
            raise SettingError(
                f"study: ensemble {name!r}: there is no arm {unknown[0]!r}{joined}; there are: "
                f"{', '.join(arms)}"
            )
        if len(members) < 2:
            raise SettingError(
                f"study: ensemble {name!r} has {len(members)} members: give two or more, as in '5 * plain'"
            )


def member_seed(seed: int, number: int) -> int:
    """The seed of an arm's member of this number at a seed of the verdict: the arm's own run is number 0.

    >>> member_seed(3, 0)
    3
    >>> member_seed(3, 1) >= 2**32 and member_seed(3, 1) != member_seed(3, 2) != member_seed(4, 1)
    True
    """
    if number == 0:
        return seed
    return int(generator(seed, "member", number).integers(FIRST_TUNING_SEED, 2**53))


def members_of(
    members: Sequence[str], candidates: Mapping[str, Candidate], data: Dataset, seed: int
) -> list[Planned]:
    """The trainings whose average is an ensemble at one seed, with this seed's data."""
    return [
        planned(arm, candidates[arm], data, member_seed(seed, members[:place].count(arm)))
        for place, arm in enumerate(members)
    ]


def planned_members(
    ensembles: Ensembles,
    candidates: Mapping[str, Candidate],
    dataset: Callable[[int], Dataset],
    seeds: Sequence[int],
) -> list[Planned]:
    """All trainings that the ensembles need, each once."""
    needed = (
        member
        for members in ensembles.values()
        for seed in seeds
        for member in members_of(members, candidates, dataset(seed), seed)
    )
    return list({member.digest: member for member in needed}.values())


def further_members(ensembles: Ensembles) -> int:
    """How many trainings the ensembles need at each seed, besides their arms' own.

    >>> further_members({"two": ("plain", "plain"), "mixed": ("plain", "l2", "l2")})
    2
    """
    return len(
        {
            (arm, number)
            for members in ensembles.values()
            for arm in members
            for number in range(1, members.count(arm))
        }
    )


def averaged(
    ensembles: Ensembles,
    candidates: Mapping[str, Candidate],
    dataset: Callable[[int], Dataset],
    seeds: Sequence[int],
    runs: Mapping[str, Run],
) -> Iterator[ArmRuns]:
    """Each ensemble as an arm with a run for each seed, from its members' runs by digest."""
    for name, members in ensembles.items():
        recipe = {"name": "ensemble", "members": list(members)}
        groups = (members_of(members, candidates, dataset(seed), seed) for seed in seeds)
        together = tuple(average([runs[member.digest] for member in group], recipe) for group in groups)
        yield ArmRuns(name, {0.0: together})
