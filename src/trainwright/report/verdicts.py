"""A comparison's verdicts in words: signs, the answer in short, and what each word means."""

from __future__ import annotations

from collections import Counter
from math import isfinite
from statistics import median

from trainwright.comparison.results import ArmResult, BaselineResult, Comparison
from trainwright.comparison.score_table import TURNED
from trainwright.report import quantities
from trainwright.report.caution_sentences import worded
from trainwright.report.sentences import chosen, correction, counted, gain

# A verdict is never told by its colour alone.
SIGNS = {
    "helps": "✓",
    "hurts": "✗",
    "no difference": "≈",
    "inconclusive": "?",
    "changed nothing": "=",
    "reference": "•",
    "baseline": "◦",
}


def word(arm: ArmResult) -> str:
    """The arm's verdict, or "reference"."""
    return arm.difference.verdict if arm.difference else "reference"


def signed(verdict: str) -> str:
    """A verdict's word with its sign."""
    return f"{SIGNS[verdict]} {verdict}"


def by_effect(comparison: Comparison) -> list[ArmResult]:
    """The reference, then the other arms from the largest improvement to the largest harm."""

    def rank(arm: ArmResult) -> tuple[bool, float]:
        return arm.difference is not None, arm.difference.interval.mean if arm.difference else 0.0

    return sorted(comparison.arms, key=rank)


def headline(comparison: Comparison) -> str:
    """The answer in one sentence: what to use, or that nothing is shown to help."""
    data, judged = comparison.data.get("name", "this data"), _judged(comparison)
    best = comparison.arm(comparison.best)
    if comparison.better_baselines:
        return _better_baseline(comparison.better_baselines[0], best, comparison, data)
    if all(arm.no_better_than_guessing for arm in comparison.arms):
        return f"No network is shown to do better than guessing on {data}."
    if not judged:
        return f"Only {comparison.reference} was trained on {data}: there is nothing to compare."
    if best.difference:
        return _use(best, comparison, data)
    if len(judged) == 1:
        return _alone(judged[0], comparison, data)
    if all(word(arm) == "inconclusive" for arm in judged):
        return f"Inconclusive: these runs do not tell whether any of {len(judged)} arms helps on {data}."
    return f"None of {len(judged)} arms is shown to help on {data}: stay with {comparison.reference}."


def summary(comparison: Comparison) -> list[str]:
    """The paragraphs below the headline: how sure it is; how the arms fared and what the numbers rest on."""
    judged, best = _judged(comparison), comparison.arm(comparison.best)
    sure, details = [], []
    if comparison.better_baselines and best.difference:
        sure.append(_use(best, comparison, "").replace("Use", "Among the networks, use", 1))
    if best.difference:
        sure.append(_sure(best, comparison))
    if sum(word(arm) == "helps" for arm in judged) > 1:
        lowest = f"the lowest {comparison.metric.replace('test', 'validation')}"
        details.append(
            f"Of the arms that help, {best.name} has {lowest if comparison.trained else 'the surest gain'}; "
            "they were not tested against each other."
        )
    if len(judged) > 1 and any(word(arm) != "inconclusive" for arm in judged):
        details.append(_tally(judged, comparison))
    if comparison.metric_reason:
        details.append(f"The metric is the {comparison.metric}, because {worded(comparison.metric_reason)}.")
    details += _uncertainty(judged, comparison)
    return [" ".join(sentences) for sentences in (sure, details) if sentences]


def meanings(comparison: Comparison) -> dict[str, str]:
    """What each verdict asserts, at this comparison's level and margin."""
    level, margin = quantities.level(comparison), quantities.margin(comparison)
    alpha = f"{100 * (1 - comparison.level):g} %"
    return {
        "helps": f"The {comparison.metric} is lower than the reference's by more than chance explains."
        f" If no arm had any effect, at most {alpha} of such studies would say helps or hurts of even one.",
        "hurts": f"The same, with a higher {comparison.metric}.",
        "no difference": f"The runs speak against a difference of {margin} or more in either direction."
        " There may be a smaller one.",
        "inconclusive": f"None of the above can be said: the {level} interval is too wide."
        " This is not evidence of no effect.",
        "changed nothing": "At every seed the predictions are exactly those of the reference.",
    }


def _judged(comparison: Comparison) -> list[ArmResult]:
    return [arm for arm in comparison.arms if arm.difference]


def _use(best: ArmResult, comparison: Comparison, data: str) -> str:
    unit, reference = quantities.unit(comparison), comparison.arm(comparison.reference)
    before, after = (arm.error.mean for arm in (reference, best))
    change = f"lowers the {comparison.metric}"
    if comparison.metric in TURNED:
        before, after = (TURNED[comparison.metric] - value for value in (before, after))
        change = "raises the score"
    first, last = (quantities.size(value, unit) for value in (before, after))
    where = f"on {data} it" if data else "it"
    candidate = chosen(best)
    name = candidate.strategies if candidate and candidate.strategies else best.name
    return f"Use {name}: {where} {change} from {first} to {last}."


def _sure(best: ArmResult, comparison: Comparison) -> str:
    assert best.difference
    sure, seeds = gain(best.difference, comparison), counted(len(best.seeds), "seed")
    adjusted = f"; {correction(comparison)}" if correction(comparison) else ""
    return f"{sure[0].upper()}{sure[1:]} ({seeds}{adjusted})."


def _better_baseline(baseline: BaselineResult, best: ArmResult, comparison: Comparison, data: str) -> str:
    unit = quantities.unit(comparison)
    mine, theirs = (quantities.size(result.error.mean, unit) for result in (baseline, best))
    return (
        f"On {data} the baseline {baseline.name} is clearly better than every network:"
        f" {comparison.metric} {mine}, against {theirs} with {best.name}."
    )


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
    if len(count) == 1:
        [verdict] = count
        return f"{'Both' if len(judged) == 2 else f'All {len(judged)}'} arms {phrases[verdict][1]}."
    parts = [
        f"{count[verdict]} {singular if count[verdict] == 1 else plural}"
        for verdict, (singular, plural) in phrases.items()
        if count[verdict]
    ]
    return f"Of {len(judged)} arms, {', '.join(parts[:-1])} and {parts[-1]}."


def _uncertainty(judged: list[ArmResult], comparison: Comparison) -> list[str]:
    """Where the uncertainty of the differences comes from, and what would reduce it."""
    differences = [arm.difference for arm in judged if arm.difference]
    shares = [part.from_trainings for part in differences if isfinite(part.from_trainings)]
    if not shares or not comparison.examples:
        return []
    if not comparison.repeated:
        return [
            "Each example was judged once, which does not tell the chance of the trainings from that of the"
            f" examples: {2 * len(comparison.arms[0].seeds)} seeds would."
        ]
    trainings = median(shares)
    pieces = "groups" if comparison.groups < comparison.examples else "examples"
    return [
        f"Typically {quantities.share(trainings)} of the variance comes from the trainings, which more seeds"
        f" would reduce, and {quantities.share(1 - trainings)} from the {comparison.groups:,} {pieces},"
        " which only more data would."
    ]


def _alone(arm: ArmResult, comparison: Comparison, data: str) -> str:
    reference = comparison.reference
    return {
        "hurts": f"{arm.name} hurts on {data}: stay with {reference}.",
        "no difference": f"{arm.name} makes no difference that matters on {data}: stay with {reference}.",
        "changed nothing": f"{arm.name} changed nothing on {data}: its predictions are those of {reference}.",
        "inconclusive": f"Inconclusive: these runs do not tell whether {arm.name} is better than {reference}"
        f" on {data}.",
    }[word(arm)]
