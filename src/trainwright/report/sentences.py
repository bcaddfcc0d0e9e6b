"""What was found for an arm, in one plain sentence."""

from __future__ import annotations

from trainwright.comparison.results import ArmResult, Comparison, Difference
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
    else:
        reference = next(other for other in comparison.arms if other.name == comparison.reference)
        text = (
            f"{arm.name} {_verdict(arm.difference, comparison)}: {reached}"
            f" instead of {quantities.size(reference.error.mean, unit)}"
            f" ({gain(arm.difference, comparison)}, {seeds}){_remark(arm, comparison)}."
        )
    if arm.diverged:
        text += (
            f" {arm.diverged} of {counted(len(arm.seeds), 'training')} diverged,"
            " each counted as the best constant guess or as the worst training that finished."
        )
    return text


def gain(difference: Difference, comparison: Comparison) -> str:
    """A difference with its interval and p-value: "difference −0.65 points, 95 % interval [−0.75, −0.55]".

    The p-value is Holm's where there are several arms.
    """
    unit = quantities.unit(comparison)
    mean, interval = quantities.difference(difference.interval, unit)
    points = " points" if unit.percent else ""
    bounds = (
        "no interval"
        if interval == quantities.NO_INTERVAL
        else f"{quantities.level(comparison)} interval {interval}"
    )
    return f"difference {mean}{points}, {bounds}, {_probability(difference, comparison)}"


def counted(count: int, thing: str) -> str:
    """
    >>> counted(1, "seed"), counted(1200, "seed")
    ('1 seed', '1,200 seeds')
    """
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def correction(comparison: Comparison) -> str:
    """What was done about several tests: "Holm's correction over 11 arms"; nothing for a single one."""
    tests = sum(
        arm.difference is not None and arm.difference.verdict != "changed nothing" for arm in comparison.arms
    )
    return f"Holm's correction over {tests} arms" if tests > 1 else ""


def _verdict(difference: Difference, comparison: Comparison) -> str:
    return {
        "helps": "helps",
        "hurts": "hurts",
        "no difference": f"makes no difference larger than {quantities.margin(comparison)}",
        "inconclusive": "is inconclusive",
        "changed nothing": "changed nothing",
    }[difference.verdict]


def _remark(arm: ArmResult, comparison: Comparison) -> str:
    """What a reader in a hurry would get wrong without being told."""
    assert arm.difference
    difference, mean = arm.difference, arm.difference.interval.mean
    if difference.verdict in ("helps", "hurts") and abs(mean) < comparison.delta:
        return f"; statistically significant, but below the threshold of {quantities.margin(comparison)}"
    if difference.verdict != "inconclusive":
        return ""
    if len(arm.seeds) == 1:
        return "; one seed does not show how much trainings vary"
    leans = "lower" if mean < 0 else "higher" if mean > 0 else "equal"
    if difference.p < 1 - comparison.level and correction(comparison):
        text = f"; {leans}, but not significant after {correction(comparison)}"
    else:
        text = f"; {leans}, but not significantly"
    if difference.needs_more_data:
        return f"{text}; only more data would settle it"
    if difference.more_seeds is None:
        return f"{text}; not even {MOST_SEEDS:,} more seeds would settle it"
    return f"{text}; about {counted(difference.more_seeds, 'more seed')} would settle it"


def _probability(difference: Difference, comparison: Comparison) -> str:
    text = quantities.probability(difference.p_holm)
    text = f"p {text}" if text.startswith("<") else f"p = {text}"
    return f"Holm-adjusted {text}" if correction(comparison) else text
