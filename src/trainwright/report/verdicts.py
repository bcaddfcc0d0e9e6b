"""A comparison's verdicts in words: signs, the answer in short, and what each word means."""

from __future__ import annotations

from collections import Counter

from trainwright.comparison.results import ArmResult, Comparison
from trainwright.report import quantities
from trainwright.report.sentences import counted, gain

# A verdict is never told by its colour alone.
SIGNS = {
    "helps": "✓",
    "hurts": "✗",
    "no difference": "≈",
    "inconclusive": "?",
    "changed nothing": "=",
    "reference": "•",
}


def word(arm: ArmResult) -> str:
    """The arm's verdict, or "reference"."""
    return arm.difference.verdict if arm.difference else "reference"


def signed_word(arm: ArmResult) -> str:
    """The arm's verdict with its sign."""
    return f"{SIGNS[word(arm)]} {word(arm)}"


def by_effect(comparison: Comparison) -> list[ArmResult]:
    """The reference, then the other arms from the largest improvement to the largest harm."""

    def rank(arm: ArmResult) -> tuple[bool, float]:
        return arm.difference is not None, arm.difference.interval.mean if arm.difference else 0.0

    return sorted(comparison.arms, key=rank)


def best(comparison: Comparison) -> ArmResult | None:
    """Of the arms that help, the one with the lowest validation error; None if none helps.

    Not the one with the lowest test error: the lowest of several is low by luck, too.
    """
    arm = comparison.arm(comparison.best)
    return arm if arm.difference else None


def headline(comparison: Comparison) -> str:
    """The answer in one sentence: which arm to use, or that none is shown to help."""
    data, judged = comparison.data.get("name", "this data"), _judged(comparison)
    if not judged:
        return f"Only {comparison.reference} was trained on {data}: there is nothing to compare."
    arm = best(comparison)
    if arm:
        unit, reference = quantities.unit(comparison), _reference(comparison)
        return (
            f"Use {arm.name}: on {data} it lowers the {comparison.metric}"
            f" from {quantities.size(reference.error.mean, unit)} to {quantities.size(arm.error.mean, unit)}."
        )
    if len(judged) == 1:
        return _alone(judged[0], comparison, data)
    if all(word(arm) == "inconclusive" for arm in judged):
        return (
            f"Inconclusive: whether any of {len(judged)} arms helps on {data} cannot be told from these runs."
        )
    return f"None of {len(judged)} arms is shown to help on {data}: stay with {comparison.reference}."


def summary(comparison: Comparison) -> str:
    """How sure the headline is, and how the other arms fared."""
    judged, arm = _judged(comparison), best(comparison)
    parts = []
    if arm and arm.difference:
        seeds = counted(len(arm.seeds), "seed")
        parts.append(f"How sure: {gain(arm.difference, comparison)}; {seeds}.")
    if len(judged) > 1:
        parts.append(_tally(judged, comparison))
    if arm and sum(word(other) == "helps" for other in judged) > 1:
        parts.append(
            "Of those that help, this one has the lowest error on validation data;"
            " they were not tested against each other."
        )
    return " ".join(parts)


def meanings(comparison: Comparison) -> dict[str, str]:
    """What each verdict asserts, at this comparison's level and margin."""
    level, margin = quantities.level(comparison), quantities.margin(comparison)
    alpha = f"{100 * (1 - comparison.level):g} %"
    return {
        "helps": f"The {comparison.metric} is lower than the reference's by more than chance explains."
        f" If no arm had any effect, at most {alpha} of such studies would say helps or hurts of even one.",
        "hurts": f"The same, with a higher {comparison.metric}.",
        "no difference": f"The runs speak against a difference larger than {margin} in either direction."
        " There may be a smaller one.",
        "inconclusive": f"None of the above can be said: the {level} interval is too wide."
        " This is not evidence of no effect.",
        "changed nothing": "At every seed its predictions are the reference's, bit by bit.",
    }


def _judged(comparison: Comparison) -> list[ArmResult]:
    return [arm for arm in comparison.arms if arm.difference]


def _reference(comparison: Comparison) -> ArmResult:
    return next(arm for arm in comparison.arms if arm.name == comparison.reference)


def _tally(judged: list[ArmResult], comparison: Comparison) -> str:
    """How many arms got which verdict."""
    count = Counter(map(word, judged))
    none = f"no difference larger than {quantities.margin(comparison)}"
    phrases = {
        "helps": ("helps", "help"),
        "hurts": ("hurts", "hurt"),
        "no difference": (f"makes {none}", f"make {none}"),
        "inconclusive": ("is inconclusive", "are inconclusive"),
        "changed nothing": ("changed nothing", "changed nothing"),
    }
    parts = [
        f"{count[verdict]} {singular if count[verdict] == 1 else plural}"
        for verdict, (singular, plural) in phrases.items()
        if count[verdict]
    ]
    return f"Of {len(judged)} arms, {_listed(parts)}."


def _listed(parts: list[str]) -> str:
    """
    >>> _listed(["1 helps"]), _listed(["2 help", "1 hurts", "4 are inconclusive"])
    ('1 helps', '2 help, 1 hurts and 4 are inconclusive')
    """
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]


def _alone(arm: ArmResult, comparison: Comparison, data: str) -> str:
    reference = comparison.reference
    return {
        "hurts": f"{arm.name} hurts on {data}: stay with {reference}.",
        "no difference": f"{arm.name} makes no difference that matters on {data}: stay with {reference}.",
        "changed nothing": f"{arm.name} changed nothing on {data}: its predictions are {reference}'s.",
        "inconclusive": f"Inconclusive: whether {arm.name} is better than {reference} on {data}"
        " cannot be told from these runs.",
    }[word(arm)]
