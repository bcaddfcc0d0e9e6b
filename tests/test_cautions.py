"""Cautions: each kind has its sentence, with numbers as in the tables, and older results keep theirs."""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import comparisons
import trainwright
from trainwright import report
from trainwright.comparison.caution import Caution
from trainwright.comparison.recommendation import Recommendation
from trainwright.comparison.results import Comparison
from trainwright.exhibit import cautions as notes
from trainwright.report import quantities
from trainwright.report.caution_sentences import worded

GUESSED = {
    "momentum": {"guessed": 2, "seeds": 8, "worst": 0.9},
    "adam": {"guessed": 1, "seeds": 8, "worst": 0.1},
}
SAYS: dict[str, tuple[dict[str, Any], str]] = {
    "few seeds": ({"seeds": 3, "enough": 5}, "fewer than 5 seeds (3)"),
    "few squares": ({"enough": 300}, "fewer than 300 examples"),
    "fine delta": (
        {"wished": 0.0001, "finest": 0.000556},
        "0.01 percentage points, is finer than what one test example can change: it is raised to 0.056 per",
    ),
    "edge of the grid": ({"rates": {"plain": 0.1, "adam": 1e-5}}, "best for plain (0.1), adam (10⁻⁵): widen"),
    "diverged": (
        {"arms": GUESSED, "metric": "test error"},
        "momentum (2 of 8, test error up to 90.00 %), adam (1 of 8, test error 10.00 %)",
    ),
    "different versions": ({"of": "jax", "versions": ["0.10.2", "0.12.0"]}, "differ in jax (0.10.2, 0.12.0)"),
    "rare classes": ({"guessing": 0.06}, "would err in only 6.00 %"),
    "another metric": ({"chosen_by": "balanced test error"}, "by the balanced validation error"),
    "still improving": ({"arms": ["plain", "adam"]}, "plain; adam: still improving"),
    "short trainings": ({}, "the reference still improves"),
    "no examples": ({}, "hold for this very test set"),
    "folds alone": ({}, "folds are taken for independent"),
    "negated scores": ({}, "give --delta"),
    "like accuracies": ({}, "give --higher-is-better"),
    "baseline left out": ({"baseline": "boosting"}, "boosting is not among the baselines"),
    "nothing to try": ({}, "there was no strategy to try"),
    "nothing tried": ({"trainings": 1200}, "after 1,200 trainings, before any strategy"),
    "screening cut short": ({"trainings": 1}, "after 1 training: this is the best"),
    "search cut short": ({}, "the search ended with its budget"),
    "small confirmation": ({"seeds": 5}, "allowed 5 seeds for the confirmation"),
    "path cut short": ({}, "ended the ablation path"),
    "stops on validation": ({}, "a fifth of the data"),
    "read before": ({"times": 2}, "were read 2 times before"),
    "no neighbours": ({"network": "mlp((64, 64))"}, "mlp((64, 64)), does not know which pixels"),
    "a single batch": ({"batch_size": 2048, "examples": 1797}, "a batch of 2,048 holds all 1,797"),
}
OLD = "delta=0.0001 is finer than the 0.000556 that one test example can change"


def found_in(path: Path) -> set[str]:
    """The kinds of caution that a file gives rise to."""
    calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    kinds = [call.args[0] for call in calls if ast.unparse(call.func) == "Caution" and call.args]
    return {
        node.value
        for kind in kinds
        for node in ast.walk(kind)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_every_kind_that_is_found_has_a_sentence() -> None:
    package = Path(trainwright.__file__).parent
    places = [path for path in package.rglob("*.py") if "report" not in path.parts]
    assert set.union(*map(found_in, places)) == SAYS.keys()


@pytest.mark.parametrize("kind", SAYS)
def test_a_sentence_has_the_names_and_numbers(kind: str) -> None:
    facts, says = SAYS[kind]
    assert says in worded(Caution(kind, facts))


def test_errors_are_in_the_unit_and_the_decimals_of_the_comparison() -> None:
    made = comparisons.regression()
    facts = {"arms": {"l2": {"guessed": 1, "seeds": 8, "worst": 23456.7}}, "metric": made.metric}
    [said] = report.cautions(replace(made, cautions=(Caution("diverged", facts),)))
    assert f"l2 (1 of 8, test RMSE {quantities.size(23456.7, quantities.unit(made))})" in said


def everywhere(made: Comparison, found: Recommendation | None = None) -> list[str]:
    """What terminal, Markdown and page show, without the places where lines and numbers may not break."""
    console = Console(width=2000, force_terminal=False, color_system=None)
    with console.capture() as terminal:
        console.print(report.recommended(found) if found else report.findings(made))
    texts = terminal.get(), report.markdown(made, found), report.page(made, found)
    return [" ".join(text.split()) for text in texts]


def test_what_an_older_study_says_in_words_is_shown_as_it_is() -> None:
    made = replace(comparisons.nine_arms(), cautions=(OLD,), metric_reason="guessing errs in only 6.0 %")
    stored = json.loads(made.to_json())
    assert stored["cautions"] == [OLD]
    again = Comparison.from_json(made.to_json())
    assert again == made
    for text in everywhere(again):
        assert OLD in text
        assert "because guessing errs in only 6.0 %." in text
    assert notes(again)[1] == f"{OLD[:1].upper()}{OLD[1:]}."
    usual = Comparison.from_json(json.dumps(stored | {"metric_reason": ""}))
    assert "The metric is" not in report.markdown(usual)


def test_what_an_older_search_says_in_words_is_shown_as_it_is() -> None:
    made = replace(comparisons.recommendation(), cautions=(OLD,))
    again = Recommendation.from_json(made.to_json())
    assert again == made
    for text in everywhere(again.comparison, again):
        assert OLD in text


def test_cautions_are_kept_as_values() -> None:
    kept = tuple(Caution(kind, facts) for kind, (facts, _) in SAYS.items())
    made = replace(comparisons.nine_arms(), cautions=kept, metric_reason=kept[0])
    assert Comparison.from_json(made.to_json()) == made
    sentences = report.cautions(made)
    assert len(sentences) == len(kept)
    for text in everywhere(made)[:1]:
        assert all(sentence in text for sentence in sentences)


def test_a_kind_of_a_later_version_is_shown_as_it_is() -> None:
    assert worded(Caution("few groups", {"groups": 7})) == "few groups (groups 7)"
    assert worded(Caution("few groups")) == "few groups"
