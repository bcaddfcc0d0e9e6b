"""Factorial studies: the arms are combinations of strategies, so that each is judged beside all others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from trainwright import strategies
from trainwright.base.errors import SettingError
from trainwright.comparison import metrics
from trainwright.comparison.candidates import ArmRuns
from trainwright.comparison.contrasts import design, factorial
from trainwright.comparison.results import Comparison, Factorial
from trainwright.recipe import Recipe


class Combined(NamedTuple):
    """The arms of a factorial study."""

    arms: Mapping[str, Recipe]
    """By arm: the base recipe with its combination of strategies."""
    factors: Mapping[str, tuple[str, ...]]
    """By arm: which of the texts it has."""


def combined(base: Recipe, texts: Sequence[str]) -> Combined:
    """The base recipe with all combinations of up to five texts added, or a regular fraction of six to eight.

    Each text is one strategy or several that go together, such as "dropout(0.5), max_norm(2.0)", at one
    setting. Raises `SettingError` for alternatives, for a strategy that two texts name, and for a number of
    texts that has no design.

    >>> list(combined(Recipe(), ["l2", "dropout(0.2)"]).arms)
    ['plain', 'l2', 'dropout(0.2)', 'l2 + dropout(0.2)']
    """
    texts = [text.strip() for text in texts]
    if several := [text for text in texts if "|" in text]:
        raise SettingError(
            f"--factorial takes one setting of each strategy, not alternatives: write {several[0]!r} with one"
        )
    read = {text: strategies.read(text) for text in texts}
    names = [strategy.name for text in texts for strategy in read[text]]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SettingError(f"--factorial: {', '.join(twice)} is in two arms: every strategy is one factor")
    arms, factors = {}, {}
    for run in design(len(texts)).runs:
        present = tuple(texts[factor] for factor in sorted(run))
        name = " + ".join(present) or "plain"
        arms[name] = base.adding(*(strategy for text in present for strategy in read[text]))
        factors[name] = present
    return Combined(arms, factors)


def effects(
    factors: Mapping[str, tuple[str, ...]], arms: Sequence[ArmRuns], comparison: Comparison
) -> Factorial:
    """Main effects and interactions, from the runs that the comparison chose.

    `factors`: by arm, the strategies that it combines.
    """
    chosen = {frozenset(factors[arm.name]): arm.runs[comparison.arm(arm.name).learning_rate] for arm in arms}
    texts = list(dict.fromkeys(text for present in factors.values() for text in present))
    metric = metrics.labelled(comparison.metric)
    return factorial(
        chosen,
        texts,
        metric=metric.name,
        delta=comparison.delta,
        level=comparison.level,
        looks=comparison.looks,
    )
