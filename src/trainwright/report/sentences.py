"""What was found for an arm, in one plain sentence."""

from __future__ import annotations

from trainwright.comparison.results import ArmResult, CandidateResult, Comparison, Difference
from trainwright.comparison.score_table import TURNED
from trainwright.comparison.verdict import MOST_SEEDS
from trainwright.report import quantities


def sentence(arm: ArmResult, comparison: Comparison) -> str:
    """An arm's verdict, the sizes behind it and how sure they are; the numbers as in the tables."""
    unit = quantities.unit(comparison)
    reached = f"{comparison.metric} {quantities.size(arm.error.mean, unit)}"
    seeds = counted(len(arm.seeds), "seed")
    if arm.difference is None:
        half = quantities.error(arm.error, unit)[1]
        sure = f"({seeds}, no interval)" if half == quantities.NO_INTERVAL else f"{half} ({seeds})"
        text = f"{arm.name} is the reference: {reached} {sure}."
    elif arm.difference.verdict == "changed nothing":
        text = (
            f"{arm.name} changed nothing: at every seed its predictions are exactly those of"
            f" {comparison.reference}. It was not counted among the tests."
        )
    else:
        reference = comparison.arm(comparison.reference)
        text = (
            f"{arm.name} {_verdict(arm.difference, comparison)}: {reached}"
            f" instead of {quantities.size(reference.error.mean, unit)}"
            f" ({gain(arm.difference, comparison)}, {seeds}){_remark(arm, arm.difference, comparison)}."
        )
    candidate = chosen(arm)
    if candidate and candidate.strategies:
        text += f" Validation chose {candidate.strategies}."
    if arm.no_better_than_guessing:
        text += " It is not shown to be better than guessing without looking at the inputs."
    if arm.diverged:
        text += (
            f" {arm.diverged} of {counted(len(arm.seeds), 'training')} diverged,"
            " and counted by the weights kept before, or else as the best constant guess or as the worst"
            " training that finished."
        )
    return text


def chosen(arm: ArmResult) -> CandidateResult | None:
    """The candidate that validation chose for an arm; None where nothing is known of it.

    An arm's settings differ in more than the learning rate where it is a family, `dropout(0.2|0.5)`.
    """
    return arm.grid[0] if arm.grid else None


def gain(difference: Difference, comparison: Comparison) -> str:
    """A difference with its interval and p-value: "difference −0.65 points, 95 % interval [−0.75, −0.55]".

    The p-value is the one that the verdict rests on: corrected for the number of arms and for earlier looks.
    """
    unit = quantities.unit(comparison)
    mean, interval = quantities.difference(difference.interval, unit)
    no_interval = interval == quantities.NO_INTERVAL
    bounds = "no interval" if no_interval else f"{quantities.level(comparison)} interval {interval}"
    p = quantities.probability(difference.p_holm)
    p = f"p {p}" if p.startswith("<") else f"p = {p}"
    adjusted = "adjusted " if difference.p_holm != difference.p else ""
    turned = f" in {comparison.metric}" if comparison.metric in TURNED else ""
    return f"difference {mean}{unit.points}{turned}, {bounds}, {adjusted}{p}"


def counted(count: int, thing: str) -> str:
    """
    >>> counted(1, "seed"), counted(1200, "seed")
    ('1 seed', '1,200 seeds')
    """
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def tested(comparison: Comparison) -> int:
    """How many arms are tested: those that changed nothing are not."""
    tests = [arm.difference for arm in comparison.arms if arm.difference]
    return sum(difference.verdict != "changed nothing" for difference in tests)


def correction(comparison: Comparison) -> str:
    """What p-values are adjusted for: "Holm's correction over 11 arms"; empty for a single test."""
    count = tested(comparison)
    parts = [f"Holm's correction over {count} arms"] if count > 1 else []
    if comparison.looks:
        parts.append(f"the correction for {counted(len(comparison.looks), 'earlier look')}")
    return " and ".join(parts)


def _verdict(difference: Difference, comparison: Comparison) -> str:
    return {
        "helps": "helps",
        "hurts": "hurts",
        "no difference": f"makes no difference larger than {quantities.margin(comparison)}",
        "inconclusive": "is inconclusive",
    }[difference.verdict]


def _remark(arm: ArmResult, difference: Difference, comparison: Comparison) -> str:
    """What a reader in a hurry would get wrong without being told."""
    if difference.verdict in ("helps", "hurts") and abs(difference.interval.mean) < comparison.delta:
        reach = max(abs(difference.interval.low), abs(difference.interval.high))
        beyond = ", though the interval reaches beyond it" if reach > comparison.delta else ""
        margin = quantities.margin(comparison)
        matters = f"{margin} that matter{'' if margin.endswith('s') else 's'}"
        return f"; statistically significant; the estimate is smaller than the {matters}{beyond}"
    if difference.verdict != "inconclusive":
        return ""
    if len(arm.seeds) == 1:
        return "; one seed does not show how much trainings vary"
    return f"; {_lean(difference, comparison)}; {_advice(difference, comparison)}"


def _lean(difference: Difference, comparison: Comparison) -> str:
    side = "lower" if difference.interval.mean < 0 else "higher"
    if difference.p < 1 - comparison.level:
        paid = f"after {correction(comparison)}" if correction(comparison) else "with later looks allowed for"
        return f"{side}, but not significant {paid}"
    return f"it leans {side}, but not significantly" if difference.leans else "it leans neither way"


def _advice(difference: Difference, comparison: Comparison) -> str:
    if difference.more_seeds is not None:
        return f"about {counted(difference.more_seeds, 'more seed')} would probably settle it"
    if not comparison.repeated:
        return f"{2 * len(comparison.arms[0].seeds)} seeds would show whether more of them can settle it"
    if difference.needs_more_data:
        return "more seeds alone would not settle it; more data might"
    return f"not even {MOST_SEEDS:,} more seeds would settle it"
