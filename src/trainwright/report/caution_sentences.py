"""Cautions in words: a sentence for each kind, with its numbers as they are in the tables."""

from __future__ import annotations

from typing import Any

from trainwright.comparison.caution import Caution
from trainwright.comparison.recommendation import Recommendation
from trainwright.comparison.results import Comparison
from trainwright.report import quantities
from trainwright.report.sentences import counted

MORE = "give more --minutes or --trainings to go on"

SENTENCES = {
    "short trainings": "the reference still improves in the last quarter of its training: strategies that"
    " only learn faster may look better than they are; train longer (--epochs, or --budget full)",
    "no examples": "the scores say nothing of single examples: the verdicts hold for this very test set, and"
    " another one may say otherwise; add a column 'example'",
    "folds alone": "the scores say nothing of single examples: folds are taken for independent, though they"
    " share most of what they train on, so intervals may be too narrow; add a column 'example'",
    "negated scores": "a tenth of the reference's mean score is taken for a difference that matters, as"
    " nothing says how far the scores are from the best ones: give --delta",
    "like accuracies": "lower scores are taken for better ones, but these look like accuracies: give"
    " --higher-is-better (in Python higher_is_better=True) if they are",
    "nothing to try": "there was no strategy to try: all that can act on this data are kept or left out",
    "search cut short": "the search ended with its budget, before it ran out of recipes to try: a larger"
    " budget goes on where it stopped",
    "path cut short": "the budget ended the ablation path before it reached the plain recipe",
    "stops on validation": "the model stops by what it sees on validation: a fifth of the data is kept for"
    " that",
}
"""Those without names and numbers."""


def cautions(comparison: Comparison, found: Recommendation | None = None) -> tuple[str, ...]:
    """What a reader should know before relying on a comparison, as sentences without a full stop.

    `found`: the search that the comparison confirms; then its own come first.
    """
    unit = quantities.unit(comparison)
    return tuple(worded(one, unit) for one in (*(found.cautions if found else ()), *comparison.cautions))


def worded(caution: Caution | str, unit: quantities.Unit | None = None) -> str:
    """A caution as a sentence; one that an older result holds is a sentence already.

    `unit`: how the comparison's errors are written, in percent if it is not given. A kind that has no
    sentence, as a later version may write, is shown as it is.

    >>> worded(Caution("few seeds", {"seeds": 3, "enough": 5}))
    'fewer than 5 seeds (3): they hardly show how much trainings differ; add seeds'
    """
    unit = unit or quantities.percent()
    match caution:
        case str():
            return caution
        case Caution("few seeds", {"seeds": seeds, "enough": enough}):
            return (
                f"fewer than {enough} seeds ({seeds}): they hardly show how much trainings differ; add seeds"
            )
        case Caution("few squares", {"enough": enough}):
            return (
                f"fewer than {enough} examples judge, and squared errors are skewed: the intervals of the"
                " RMSE are rather too narrow"
            )
        case Caution("fine delta", {"wished": wished, "finest": finest}):
            return (
                f"the delta given, {quantities.amount(wished, unit)}, is finer than what one test example can"
                f" change: it is raised to {quantities.amount(finest, unit)}"
            )
        case Caution("edge of the grid", {"rates": rates}):
            edges = [f"{arm} ({quantities.significant(rate)})" for arm, rate in rates.items()]
            return (
                f"the smallest or largest learning rate tried was the best for {', '.join(edges)}: widen the"
                " grid, a better one may lie beyond it"
            )
        case Caution("diverged", {"arms": arms, "metric": metric}):
            return (
                "diverged trainings count as the best constant guess, or as the worst that finished: "
                + ", ".join(f"{arm} ({_diverged(facts, metric, unit)})" for arm, facts in arms.items())
            )
        case Caution("different versions", {"of": of, "versions": versions}):
            return f"the runs differ in {of} ({', '.join(versions)}): repeat the older ones"
        case Caution("rare classes", {"guessing": guessing}):
            rarely = quantities.size(guessing, quantities.percent())
            return f"always guessing the commonest class would err in only {rarely}"
        case Caution("another metric", {"chosen_by": metric}):
            by = metric.replace("test", "validation")
            return f"settings and rates were chosen by the {by}, not by this metric"
        case Caution("still improving", {"arms": arms}):
            return f"{'; '.join(arms)}: still improving in the last quarter of training; more epochs may help"
        case Caution(kind) if kind in SENTENCES:
            return SENTENCES[kind]
        case _:
            return _of_search(caution)


def _of_search(caution: Caution) -> str:
    """What a search says, and what is said of a recipe before it is trained."""
    match caution:
        case Caution("baseline left out", {"baseline": name}):
            return f"{name} is not among the baselines: it takes longer than the time that was left"
        case Caution("nothing tried", {"trainings": trainings}):
            ended = f"the budget ended after {counted(trainings, 'training')}"
            return f"{ended}, before any strategy had been tried: {MORE}"
        case Caution("screening cut short", {"trainings": trainings}):
            return (
                "the budget ended while strategies were being screened, after"
                f" {counted(trainings, 'training')}: this is the best of what was tried; {MORE}"
            )
        case Caution("small confirmation", {"seeds": seeds}):
            return (
                f"the budget allowed {counted(seeds, 'seed')} for the confirmation: a larger one allows more,"
                " for narrower intervals"
            )
        case Caution("read before", {"times": times}):
            often = "once" if times == 1 else f"{times:,} times"
            return (
                f"these unseen examples were read {often} before, for other recipes: the figures may be a"
                " little too good"
            )
        case Caution("no neighbours", {"network": network}):
            return (
                f"the network, {network}, does not know which pixels are neighbours. For photographs"
                " convolutions are usually better, and take longer:"
                ' --network "convnet(((16, 3, 2), (32, 3, 2)), (64,))"'
            )
        case Caution("a single batch", {"batch_size": batch_size, "examples": examples}):
            return (
                f"a batch of {batch_size:,} holds all {examples:,} training examples, so that an epoch is a"
                " single step: smaller batches make more of them"
            )
        case _:
            facts = ", ".join(f"{name} {value}" for name, value in caution.facts.items())
            return f"{caution.kind} ({facts})" if facts else caution.kind


def _diverged(facts: dict[str, Any], metric: str, unit: quantities.Unit) -> str:
    """How many of an arm's trainings count as a guess, and as what error: the worst of several."""
    guessed, seeds = facts["guessed"], facts["seeds"]
    most = "up to " if guessed > 1 else ""
    return f"{guessed:,} of {seeds:,}, {metric} {most}{quantities.size(facts['worst'], unit)}"
