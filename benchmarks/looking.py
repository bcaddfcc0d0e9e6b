"""Looking again, simulated: what error rate holds, what it costs, and how often the advice comes true.

    python benchmarks/looking.py > results/looking.md

Studies are simulated as the estimator sees them: a difference per seed, and a part of the first look's
variance that belongs to the examples and that no seed changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from math import sqrt
from textwrap import fill
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainwright.comparison.estimate import Estimate
from trainwright.comparison.looks import nominal_level
from trainwright.comparison.verdict import judge

STUDIES = 1000
USERS = 200
SEED = 0
ALPHA, FIRST, LOOKS = 0.05, 10, 10
EXAMPLES = 1000  # degrees of freedom of their part of the variance
SHARES = (0.0, 0.5, 0.9)  # of the variance at the first look that belongs to the examples
# Mean and standard deviation over the users.
EFFECTS = {"0": (0, 0), "1": (1, 0), "2": (2, 0), "± 1": (0, 1), "± 2": (0, 2)}
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


def false_verdicts(case: tuple[int, str, float]) -> list[tuple[float, float]]:
    """By each rule, how many studies without an effect find one: at the first look, and at any.

    Holm's procedure finds something exactly if the smallest p is below its own first level.
    """
    arms, name, share = case
    schedule = SCHEDULES[name]
    rates = []
    for rule in RULES.values():
        first = ever = 0
        for number in range(STUDIES):
            study = Study(np.random.default_rng([SEED, 1, number]), arms, share)
            for look, count in enumerate(schedule):
                best = min(study.look(count), key=Estimate.p)
                if best.p() < rule(best, schedule[:look], arms):
                    first += look == 0
                    ever += 1
                    break
        rates.append((first / STUDIES, ever / STUDIES))
    return rates


def power(effect: float) -> dict[str, float]:
    """How often one arm with this effect is found at the first look."""
    found = dict.fromkeys(RULES, 0)
    for number in range(STUDIES):
        (estimate,) = Study(np.random.default_rng([SEED, 2, number]), 1, 0.5, effect).look(FIRST)
        for name, rule in RULES.items():
            found[name] += estimate.p() < rule(estimate, (), 1)
    return {name: count / STUDIES for name, count in found.items()}


def users(plan: tuple[str, tuple[float, float]]) -> tuple[float, ...]:
    """Users who do what the advice says, up to ten looks: how often advice is given and comes true; and the
    shares of users who find something, nothing, and what is not so."""
    name, (delta, share) = plan
    effect = EFFECTS[name]
    count = dict.fromkeys(("asked", "advised", "true", "false", "effect", "none"), 0)
    for number in range(USERS):
        rng = np.random.default_rng([SEED, 3, number])
        size = effect[0] + effect[1] * rng.normal()
        study = Study(rng, 1, share, size)
        looks: list[int] = []
        seeds = FIRST
        for _ in range(LOOKS):
            (found,) = judge(study.look(seeds), delta=delta, looks=looks)
            decided = found.verdict != "inconclusive"
            count["true"] += bool(looks) and decided
            if decided:
                none = found.verdict == "no difference"
                count["none" if none else "effect"] += 1
                sign = (found.verdict == "hurts") == (size > 0) and size != 0
                right = abs(size) < delta if none else sign
                count["false"] += not right
                break
            count["asked"] += 1
            if found.more_seeds is None:
                break
            if len(looks) < LOOKS - 1:
                count["advised"] += 1
            looks.append(seeds)
            seeds += found.more_seeds
    return (
        count["advised"] / max(count["asked"], 1),
        count["true"] / count["advised"] if count["advised"] else np.nan,
        count["effect"] / USERS,
        count["none"] / USERS,
        count["false"] / USERS,
    )


def text(paragraph: str) -> str:
    return fill(paragraph, 110, break_on_hyphens=False)


def row(*cells: Any) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def percent(share: float) -> str:
    return "–" if np.isnan(share) else f"{100 * share:.1f} %"


def page(pool: ProcessPoolExecutor) -> Iterator[str]:
    yield "# Looking again"
    yield text(
        f"Simulated by `python benchmarks/looking.py`: {STUDIES:,} studies a row, {USERS:,} users a row for "
        "the "
        f"advice; seed {SEED}. A rate of 5 % is known to ± {100 * 1.96 * sqrt(0.05 * 0.95 / STUDIES):.1f} "
        "points."
    )
    yield "## False verdicts"
    yield text(
        "Studies in which no arm has an effect, at a stated rate of 5 %: how many find one at the first "
        "look, and "
        "at any. Users stop only when something is found. Examples' share: of the variance at the first look."
    )
    lines = [row("arms", "looks at", "examples' share", *(f"{name}: first look, any look" for name in RULES))]
    lines.append(row(*["---"] * 5))
    cases = list(product((1, 11), SCHEDULES, SHARES))
    for case, rates in zip(cases, pool.map(false_verdicts, cases), strict=True):
        arms, name, share = case
        lines.append(row(arms, name, percent(share), *(f"{percent(a)}, {percent(b)}" for a, b in rates)))
    yield "\n".join(lines)
    yield "## What the first look costs"
    lines = [row("effect, in standard errors", *RULES), row(*["---"] * 3)]
    for effect in (1.5, 2.0, 2.5, 3.0, 3.5):
        lines.append(row(effect, *(percent(rate) for rate in power(effect).values())))
    yield "\n".join(lines)
    yield "## Following the advice"
    yield text(
        'Users who add as many seeds as "about k more seeds" says, up to ten looks; one arm. Effects and δ '
        "are in "
        "standard errors of the first look; ± means effects that differ from user to user, normal with this "
        "standard deviation. *Advice given*: after how many of the inconclusive looks; *comes true*: the "
        "next look "
        "decides; *false*: helps or hurts where there is no effect or one of the other sign, or no "
        "difference "
        "where there is one of δ or more."
    )
    heads = (
        "effect",
        "δ",
        "examples' share",
        "advice given",
        "comes true",
        "helps or hurts",
        "no difference",
        "false",
    )
    lines = [row(*heads), row(*["---"] * len(heads))]
    plans = list(product(EFFECTS, ((0.5, 0.0), (1.0, 0.0), (1.0, 0.2))))
    for plan, rates in zip(plans, pool.map(users, plans), strict=True):
        name, (delta, share) = plan
        lines.append(row(name, delta, percent(share), *map(percent, rates)))
    yield "\n".join(lines)


if __name__ == "__main__":
    with ProcessPoolExecutor() as pool:
        print("\n\n".join(page(pool)))
