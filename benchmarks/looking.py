"""Looking again, simulated: what error rate holds, what it costs, and how often the advice comes true.

    python benchmarks/looking.py > results/looking.md

Studies are simulated as the estimator sees them: per seed a difference, with a part of the first look's variance
that belongs to the examples and that no seed changes. Deterministic: the seeds are fixed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainwright.comparison.estimate import Estimate
from trainwright.comparison.looks import nominal_level
from trainwright.comparison.verdict import judge

STUDIES = 4000
USERS = 1000
ALPHA, FIRST, LOOKS = 0.05, 10, 10
EXAMPLES = 1000  # degrees of freedom of their part of the variance
SHARES = (0.0, 0.5, 0.9)  # of the variance at the first look that belongs to the examples
Array = NDArray[np.float64]


class Study:
    """Arms without or with an effect, whose differences share a reference; the unit is the standard error of
    the first look."""

    def __init__(self, rng: np.random.Generator, arms: int, share: float, effect: float = 0.0) -> None:
        self.rng, self.share = rng, share
        self.lasting = self._shared(1, arms)[0] * sqrt(share) + effect
        self.seeds = np.empty((0, arms))
        self.scale = sqrt((1 - share) * FIRST)

    def _shared(self, count: int, arms: int) -> Array:
        own, common = self.rng.normal(size=(count, arms)), self.rng.normal(size=(count, 1))
        return (own + common) / sqrt(2) if arms > 1 else own

    def look(self, count: int) -> list[Estimate]:
        """The arms' estimates with so many seeds, earlier ones included."""
        more = self._shared(count - len(self.seeds), self.seeds.shape[1]) * self.scale
        self.seeds = np.concatenate([self.seeds, more])
        examples = self.share * self.rng.chisquare(EXAMPLES) / EXAMPLES
        trainings = self.seeds.var(axis=0, ddof=1) / count
        return [
            Estimate(mean, part, examples, df, count)
            for mean, part, df in zip(
                (self.lasting + self.seeds.mean(axis=0)).tolist(),
                trainings.tolist(),
                (
                    (trainings + examples) ** 2
                    / (trainings**2 / (count - 1) + examples**2 / EXAMPLES)
                ).tolist(),
                strict=True,
            )
        ]  # fmt: skip


def levels_paid(estimate: Estimate, looks: Sequence[int], arms: int) -> float:
    return nominal_level(ALPHA / arms, [estimate.variance(count) for count in (*looks, estimate.count)])


def levels_unpaid(estimate: Estimate, looks: Sequence[int], arms: int) -> float:
    return ALPHA / arms


Rule = Callable[[Estimate, Sequence[int], int], float]
RULES: dict[str, Rule] = {"nothing paid": levels_unpaid, "Trainwright's": levels_paid}
SCHEDULES = {
    "10, 20, … 100 seeds": [FIRST * look for look in range(1, LOOKS + 1)],
    "10, 11, … 19 seeds": [FIRST + look for look in range(LOOKS)],
    "10, 20, 40 … seeds": [FIRST * 2**look for look in range(5)],
}


def false_verdicts(rule: Rule, schedule: Sequence[int], arms: int, share: float) -> tuple[float, float]:
    """How many studies without an effect find one: at the first look, and at any.

    Holm's procedure finds something exactly if the smallest p is below its own first level.
    """
    first = ever = 0
    for number in range(STUDIES):
        study = Study(np.random.default_rng([1, number]), arms, share)
        for look, count in enumerate(schedule):
            best = min(study.look(count), key=Estimate.p)
            if best.p() < rule(best, schedule[:look], arms):
                first += look == 0
                ever += 1
                break
    return first / STUDIES, ever / STUDIES


def power(effect: float) -> dict[str, float]:
    """How often one arm with this effect is found at the first look."""
    found = dict.fromkeys(RULES, 0)
    for number in range(STUDIES):
        (estimate,) = Study(np.random.default_rng([2, number]), 1, 0.5, effect).look(FIRST)
        for name, rule in RULES.items():
            found[name] += estimate.p() < rule(estimate, (), 1)
    return {name: count / STUDIES for name, count in found.items()}


def follow(share: float, effect: float, delta: float) -> tuple[int, int, int, bool, bool]:
    """Users who do what they are told up to ten times: (of one) how often advice was given and came true at once,
    looks, and whether "helps or hurts" and "no difference" were ever said."""
    raise NotImplementedError


def users(share: float, effect: float, delta: float) -> dict[str, float]:
    """Users who do what the advice says, up to ten looks."""
    count = dict.fromkeys(("asked", "advised", "true", "effect", "none"), 0)
    for number in range(USERS):
        study = Study(np.random.default_rng([3, number]), 1, share, effect)
        looks: list[int] = []
        seeds = FIRST
        while len(looks) < LOOKS:
            (found,) = judge(study.look(seeds), delta=delta, looks=looks)
            looks.append(seeds)
            if len(looks) > 1:
                count["true"] += found.verdict != "inconclusive"
            if found.verdict != "inconclusive":
                count["none" if found.verdict == "no difference" else "effect"] += 1
                break
            count["asked"] += 1
            if found.more_seeds is None:
                break
            if len(looks) < LOOKS:
                count["advised"] += 1
            seeds += found.more_seeds
    return {
        "advice given": count["advised"] / max(count["asked"], 1),
        "comes true": count["true"] / max(count["advised"], 1),
        "helps or hurts": count["effect"] / USERS,
        "no difference": count["none"] / USERS,
    }


def row(*cells: Any) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def page() -> Iterator[str]:
    yield "# Looking again"
    yield f"Simulated by `python benchmarks/looking.py`; {STUDIES:,} studies a row ({USERS:,} users for the advice)."
    yield "## False verdicts"
    yield (
        "Studies in which no arm has an effect, at a stated rate of 5 %. Looks are taken on the schedule whatever is "
        "found, so this is the most that a stubborn user gets. Examples' share: of the variance at the first look."
    )
    lines = [row("arms", "looks at", "examples' share", *(f"{name}: first look, any look" for name in RULES))]
    lines.append(row(*["---"] * 5))
    for arms in (1, 11):
        for name, schedule in SCHEDULES.items():
            for share in SHARES:
                rates = [false_verdicts(rule, schedule, arms, share) for rule in RULES.values()]
                lines.append(
                    row(arms, name, percent(share), *(f"{percent(a)}, {percent(b)}" for a, b in rates))
                )
    yield "\n".join(lines)
    yield "## What the first look costs"
    lines = [row("effect, in standard errors", *RULES), row(*["---"] * 3)]
    for effect in (1.5, 2.0, 2.5, 3.0, 3.5):
        lines.append(row(effect, *(percent(rate) for rate in power(effect).values())))
    yield "\n".join(lines)
    yield "## Following the advice"
    yield (
        'Users who add as many seeds as "about k more seeds" says, up to ten looks. δ and the effect are in standard '
        "errors of the first look. *Advice given*: of the inconclusive looks; *comes true*: the next look decides."
    )
    lines = [
        row(
            "effect",
            "δ",
            "examples' share",
            "advice given",
            "comes true",
            "ever helps or hurts",
            "ever no difference",
        )
    ]
    lines.append(row(*["---"] * 7))
    for effect in (0.0, 0.5, 1.0, 2.0, 3.0):
        for delta in (0.5, 1.0):
            for share in (0.0, 0.5):
                rates = users(share, effect, delta)
                lines.append(row(effect, delta, percent(share), *map(percent, rates.values())))
    yield "\n".join(lines)


if __name__ == "__main__":
    print("\n\n".join(page()))
