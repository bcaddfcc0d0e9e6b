"""A comparison's verdicts in words: signs, the headline, and what each word means."""

from __future__ import annotations

from collections import Counter

from trainwright.comparison.results import ArmResult, Comparison
from trainwright.report import quantities

# A verdict is never told by its colour alone.
SIGNS = {"helps": "✓", "hurts": "✗", "no difference": "≈", "cannot tell": "?", "reference": "•"}


def word(arm: ArmResult) -> str:
    """The arm's verdict, or "reference"."""
    return arm.difference.verdict if arm.difference else "reference"


def signed_word(arm: ArmResult) -> str:
    """The arm's verdict with its sign."""
    return f"{SIGNS[word(arm)]} {word(arm)}"


def headline(comparison: Comparison) -> str:
    """What was found, in one line."""
    data = comparison.data.get("name", "this data")
    judged = [arm for arm in comparison.arms if arm.difference]
    if not judged:
        return f"Only the reference was trained on {data}: nothing to compare"
    if len(judged) == 1:
        return _alone(judged[0], comparison.reference, data)
    count = Counter(word(arm) for arm in judged)
    if helping := count["helps"]:
        return f"{helping} of {len(judged)} arms {'helps' if helping == 1 else 'help'} on {data}"
    if count["cannot tell"] == len(judged):
        return f"Cannot tell yet whether any of {len(judged)} arms helps on {data}"
    return f"None of {len(judged)} arms was found to help on {data}"


def summary(comparison: Comparison) -> str:
    """How many arms got which verdict, and the best that helps; nothing for a single arm."""
    judged = [arm for arm in comparison.arms if arm.difference]
    if len(judged) < 2:
        return ""
    count = Counter(word(arm) for arm in judged)
    none = f"no difference larger than {quantities.margin(comparison)}"
    phrases = {
        "helps": ("helps", "help"),
        "hurts": ("hurts", "hurt"),
        "no difference": (f"makes {none}", f"make {none}"),
        "cannot tell": ("cannot be told yet", "cannot be told yet"),
    }
    parts = [
        f"{count[verdict]} {one if count[verdict] == 1 else more}"
        for verdict, (one, more) in phrases.items()
        if count[verdict]
    ]
    text = f"Against {comparison.reference}: {', '.join(parts)}."
    helping = [arm for arm in judged if word(arm) == "helps"]
    if helping:
        best = min(helping, key=lambda arm: arm.error.mean)
        text += f" Lowest {comparison.metric} among those that help: {best.name}."
    return text


def meanings(comparison: Comparison) -> dict[str, str]:
    """What each verdict asserts, at this comparison's level and margin."""
    level, margin = quantities.level(comparison), quantities.margin(comparison)
    alpha = f"{100 * (1 - comparison.level):g} %"
    return {
        "helps": f"The {comparison.metric} is lower than the reference's by more than chance explains:"
        f" of studies without any effect, at most {alpha} would say helps or hurts of even one arm (Holm).",
        "hurts": f"The same, with a higher {comparison.metric}.",
        "no difference": f"The runs speak against a difference larger than {margin} in either direction;"
        " a smaller one may exist.",
        "cannot tell": f"The evidence is too thin for any of the above: the {level} interval is too wide."
        " That is not evidence of no effect; more seeds would narrow it.",
    }


def _alone(arm: ArmResult, reference: str, data: str) -> str:
    return {
        "helps": f"{arm.name} helps on {data}",
        "hurts": f"{arm.name} hurts on {data}",
        "no difference": f"{arm.name} makes no difference that matters on {data}",
        "cannot tell": f"Cannot tell yet whether {arm.name} is better than {reference} on {data}",
    }[word(arm)]
