"""A search's result in words and tables: the answer, what each part is worth, and what was tried."""

from __future__ import annotations

from trainwright.comparison.path import Interaction, Path, Step
from trainwright.comparison.recommendation import Recommendation
from trainwright.comparison.results import Interval
from trainwright.report import quantities, verdicts
from trainwright.report.quantities import Pieces
from trainwright.report.sentences import counted, gain
from trainwright.report.tables import Row, Table

CONTRIBUTION = {
    "hurts": ("helps", "✓ contributes"),
    "no difference": ("no difference", "≈ could go"),
    "changed nothing": ("no difference", "≈ could go"),
    "inconclusive": ("inconclusive", "? not shown"),
    "helps": ("hurts", "✗ does harm"),
}
"""What a part is worth, by what taking it out does: the verdict whose colour it has, and the words."""


def headline(found: Recommendation) -> str:
    """The answer in one sentence: what to train with, or that nothing better was found."""
    comparison, data = found.comparison, found.comparison.data.get("name", "this data")
    if comparison.better_baselines:
        return verdicts.headline(comparison)
    if found.guessing:
        return f"Nothing is shown to beat guessing on {data}."
    plain, best = comparison.arm(comparison.reference), found.winner
    before, after = _size(found, plain.error), _size(found, best.error)
    if best.difference is None and not found.single:
        return f"Stay with plain on {data}: no strategy was tried ({comparison.metric} {after})."
    if best.difference is None:
        return f"Stay with plain on {data}: the search found nothing better ({comparison.metric} {after})."
    if found.delivered == comparison.reference:
        seen = "were worse" if best.difference.verdict == "hurts" else "show no difference that matters"
        return (
            f"Stay with plain on {data}: {found.strategies} did best in the search, but unseen examples"
            f" {seen} ({comparison.metric} {after}, against {before})."
        )
    if best.difference.verdict == "helps":
        lowers = f"it lowers the {comparison.metric} from {before} to {after}"
        return f"Train with {found.strategies}: on {data} {lowers}."
    return (
        f"Inconclusive: {found.strategies} did best in the search on {data}, but unseen examples do not show"
        f" that it beats plain ({comparison.metric} {after}, against {before})."
    )


def summary(found: Recommendation) -> list[str]:
    """The paragraphs below the headline: how sure it is, the optimism, and what is handed over."""
    comparison, winner = found.comparison, found.winner
    pieces = "groups" if comparison.groups < comparison.examples else "examples"
    sure = [
        f"Judged on {comparison.groups:,} {pieces} that the search never saw, with"
        f" {counted(len(winner.seeds), 'fresh seed')}."
    ]
    if winner.difference and winner.difference.verdict != "changed nothing":
        sure.append(f"Against plain: {gain(winner.difference, comparison)}.")
    if found.single and found.single != found.best:
        single = found.against.arm(found.single)
        if single.difference and single.difference.verdict != "changed nothing":
            sure.append(f"The {found.single} against it: {gain(single.difference, found.against)}.")
    elif found.single and found.best != comparison.reference:
        sure.append(f"No combination did better in the search than {found.strategies} alone.")
    unit = quantities.unit(comparison)
    off = quantities.number(abs(found.optimism) * unit.factor, unit.decimals)
    points = unit.points or (f" {unit.difference}" if unit.difference != "target's unit" else "")
    tendency = "too optimistic" if found.optimism > 0 else "too pessimistic"
    chance = ", which may be chance" if winner.error.low <= found.seen <= winner.error.high else ""
    optimism = (
        f"On validation the search saw {quantities.size(found.seen, unit)}; unseen examples show"
        f" {_size(found, winner.error)}: it was {off}{points} {tendency}{chance}."
    )
    return [" ".join(sure), optimism, handed_over(found)]


def handed_over(found: Recommendation) -> str:
    """What the recipe's model is."""
    name = "the plain recipe" if found.delivered == found.comparison.reference else "this recipe"
    text = f"Handed over: {name}, and one network of it, trained on all data."
    if found.ensemble is not None:
        mean, half = quantities.error(found.ensemble, quantities.unit(found.comparison))
        text = (
            f"Handed over: {name}, and the average of its confirmed networks, whose"
            f" {found.comparison.metric} is {mean} {half} (chance in the examples alone)."
        )
    return text


def remarks(found: Recommendation) -> list[str]:
    """What the path shows beyond its table: parts that could go, and pairs that interact."""
    if found.path is None:
        return []
    said = []
    idle = [step.part for step in found.path.steps if step.could_go]
    if idle:
        said.append(f"Not shown to contribute where they stand: {', '.join(idle)}.")
    said += [_interaction(pair, found, idle) for pair in found.path.interactions if pair.shown]
    return said


def path(found: Recommendation, path: Path) -> Table:
    """What each part costs to take out, in the order in which they go."""
    unit, level = quantities.unit(found.comparison), quantities.level(found.comparison)

    def row(step: Step) -> Row:
        verdict, words = CONTRIBUTION[step.verdict]
        cells: tuple[Pieces, ...] = (
            (words, ""),
            quantities.difference(step.cost, unit),
            quantities.error(step.error, unit),
            (quantities.probability(step.p_holm), ""),
        )
        return Row(step.part, verdict, cells)

    points = unit.points and f",{unit.points}"
    heads = (
        "taken out",
        "verdict",
        f"cost{points} [{level}]",
        f"{found.comparison.metric} left",
        "adjusted p",
    )
    seeds = len(found.winner.seeds)
    first = f", over the first {path.seeds} of {seeds} seeds" if path.seeds < seeds else ""
    title = f"From the best recipe ({_size(found, path.start)}) back to plain, a part at a time{first}"
    return Table(title, heads, tuple(map(row, path.steps)))


def rivals(found: Recommendation) -> Table:
    """By how much every other arm and baseline is worse than the best recipe."""
    unit, level = quantities.unit(found.comparison), quantities.level(found.comparison)
    rows = [
        Row(
            arm.name,
            "",
            (
                quantities.difference(arm.difference.interval, unit),
                (quantities.probability(arm.difference.p_holm), ""),
            ),
        )
        for arm in found.against.arms
        if arm.difference
    ]
    rows += [
        Row(baseline.name, "", (quantities.difference(baseline.difference, unit), (quantities.MISSING, "")))
        for baseline in found.against.baselines
    ]
    points = unit.points and f",{unit.points}"
    heads = ("arm", f"worse by{points} [{level}]", "adjusted p")
    name = "plain" if found.best == found.comparison.reference else "the best recipe"
    return Table(f"Against {name}; negative is better than it", heads, tuple(rows))


def tried(found: Recommendation) -> Table:
    """Recipes that the search tried, best first among those with as many trials."""
    unit = quantities.unit(found.comparison)
    rows = tuple(
        Row(
            one.strategies,
            "",
            ((one.numbers, ""), (quantities.size(one.validation, unit), ""), (str(one.trials), "")),
        )
        for one in found.tried
    )
    metric = found.comparison.metric.replace("test ", "")
    heads = ("strategies", "setting", f"validation {metric}", "trials")
    shown = f"the first {len(rows)} of {found.recipes}" if len(rows) < found.recipes else f"all {len(rows)}"
    return Table(f"What was tried: {shown} recipes", heads, rows)


def cost(found: Recommendation) -> str:
    """What the search cost."""
    return (
        f"{counted(found.recipes, 'recipe')}, {counted(found.trainings, 'training')},"
        f" {quantities.duration(found.seconds)}."
    )


def _interaction(pair: Interaction, found: Recommendation, idle: list[str]) -> str:
    first, second = pair.parts
    unit = quantities.unit(found.comparison)
    beside, without = (" ".join(quantities.difference(one, unit)) for one in (pair.beside, pair.without))
    if pair.only_together and first not in idle:
        how = f"{first} is shown to contribute only with {second}"
    else:
        more = "more" if pair.difference.mean > 0 else "less"
        how = f"{first} does {more} with {second} than without it"
    return f"{how}: taking it out costs {beside}{unit.points} beside it, {without}{unit.points} without it."


def _size(found: Recommendation, interval: Interval) -> str:
    return quantities.size(interval.mean, quantities.unit(found.comparison))
