"""What was found for an arm, in one plain sentence."""

from __future__ import annotations

from math import floor, inf, isfinite, log10

from trainwright.comparison.paired import MOST_SEEDS
from trainwright.comparison.results import ArmResult, Comparison, Difference, Interval


def sentence(arm: ArmResult, comparison: Comparison) -> str:
    """What was found for one arm, in one plain sentence: the verdict, the sizes and how sure they are."""
    spell = _Spelling(arm, comparison)
    seeds = f"n = {_counted(len(arm.seeds), 'seed')}"
    reached = f"{comparison.metric} {spell.error(arm.error)}"
    if arm.difference is None:
        text = f"{arm.name} is the reference: {reached} ({spell.interval(arm.error)}, {seeds})."
    else:
        reference = next(one for one in comparison.arms if one.name == comparison.reference)
        found, margin = arm.difference, spell.size(comparison.delta)
        verdict = {
            "helps": "helps:",
            "hurts": "hurts:",
            "no difference": f"makes no difference larger than {margin}:",
            "cannot tell": "may help or hurt, cannot tell:",
        }[found.verdict]
        corrections = "Nadeau-Bengio and Holm corrections" if comparison.resampled else "Holm's correction"
        text = (
            f"{arm.name} {verdict} {reached} instead of {spell.error(reference.error)}"
            f" (difference {spell.difference(found.interval)}, {spell.interval(found.interval)},"
            f" {seeds}, {_probability(found.p_holm)} after {corrections})"
            f"{_remark(arm, found, comparison.delta, margin)}."
        )
    if arm.diverged:
        text += f" {arm.diverged} of {_counted(len(arm.seeds), 'training')} diverged (best constant guess)."
    return text


def _remark(arm: ArmResult, found: Difference, delta: float, margin: str) -> str:
    """What a reader in a hurry would get wrong without being told."""
    if found.verdict == "cannot tell":
        if len(arm.seeds) == 1:
            return "; one seed shows no spread"
        if found.more_seeds is None:
            return f"; not even {MOST_SEEDS:,} more seeds would decide"
        return f"; about {_counted(found.more_seeds, 'more seed')} would decide"
    if found.verdict != "no difference" and abs(found.interval.mean) < delta:
        return f"; beyond chance, but smaller than the {margin} that matter"
    return ""


class _Spelling:
    """How an arm's quantities are written: fractions in percent, RMSE in the target's unit."""

    def __init__(self, arm: ArmResult, comparison: Comparison) -> None:
        self.percent = comparison.task == "classification"
        self.factor = 100 if self.percent else 1
        self.level = f"{100 * comparison.level:g} %"
        # Percentages have two decimals, an RMSE three digits; more where the interval would read as nothing.
        error = arm.error.mean
        least = 2 if self.percent or error <= 0 else 2 - floor(log10(error))
        shown = arm.difference.interval if arm.difference else arm.error
        width = self.factor * (shown.high - shown.low)
        self.decimals = max(0, least, -floor(log10(width)) if 0 < width < inf else 0)

    def number(self, value: float) -> str:
        rounded = round(self.factor * value, self.decimals) + 0.0  # adding 0.0 makes a negative zero zero
        return f"{rounded:,.{self.decimals}f}".replace("-", "−")

    def error(self, one: Interval) -> str:
        return self.number(one.mean) + (" %" if self.percent else "")

    def size(self, value: float) -> str:
        return self.number(value) + (" points" if self.percent else "")

    def difference(self, one: Interval) -> str:
        return ("+" if one.mean > 0 else "") + self.size(one.mean)

    def interval(self, one: Interval) -> str:
        if not (isfinite(one.low) and isfinite(one.high)):
            return "no interval"
        return f"{self.level} interval {self.number(one.low)} to {self.number(one.high)}"


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _probability(p: float) -> str:
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.2g}"
