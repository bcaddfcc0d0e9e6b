"""A search's report: the answer first, the path as a table and a figure, on the terminal and as a page."""

from __future__ import annotations

import io
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from comparisons import recommendation
from trainwright import report
from trainwright.cli import main
from trainwright.comparison.recommendation import Recommendation
from trainwright.comparison.results import Interval
from trainwright.report.html import page
from trainwright.report.recommendation import headline, remarks, summary


def printed(found: Recommendation, width: int = 80, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    Console(file=file, width=width).print(report.recommended(found))
    file.flush()
    return raw.getvalue().decode(encoding)


def guessing(found: Recommendation) -> Recommendation:
    """The same, but that no arm is shown to be better than guessing."""
    arms = tuple(replace(arm, over_guessing=Interval(-0.01, -0.1, 0.08)) for arm in found.comparison.arms)
    return replace(found, comparison=replace(found.comparison, arms=arms))


def test_the_answer_comes_first_and_says_what_is_handed_over() -> None:
    found = recommendation()
    assert headline(found).startswith("Train with batch_norm, dropout(hidden_rate=0.2): on digits it lowers")
    assert found.delivered == "best"
    assert "Judged on 1,797 examples that the search never saw, with 20 fresh seeds" in summary(found)[0]
    assert "too optimistic" in summary(found)[1]
    assert "the average of its confirmed networks" in summary(found)[2]
    text = printed(found)
    assert text.startswith("Train with")
    assert "✓ contributes" in text
    assert "≈ could go" in text
    assert max(map(len, text.splitlines())) <= 80
    printed(found, encoding="ascii")


def test_harm_and_guessing_hand_over_plain_without_pride() -> None:
    harmful = recommendation(gain=-0.008)
    assert headline(harmful).startswith("Stay with plain on digits")
    assert "but unseen examples were worse" in headline(harmful)
    assert "unseen examples show no difference that matters" in headline(recommendation(gain=0.0))
    assert harmful.delivered == "plain"
    assert headline(guessing(recommendation())) == "Nothing is shown to beat guessing on digits."
    assert guessing(recommendation()).delivered == "plain"


def test_a_search_that_tried_nothing_says_so_and_chance_is_called_chance() -> None:
    found = recommendation()
    plain = found.comparison.reference
    assert "no strategy was tried" in headline(replace(found, best=plain, single=""))
    assert "the search found nothing better" in headline(replace(found, best=plain))
    seen = found.winner.error
    assert "which may be chance" in summary(replace(found, seen=(seen.low + seen.mean) / 2))[1]
    assert "which may be chance" not in summary(replace(found, seen=seen.low - 0.01))[1]


def test_parts_that_could_go_and_pairs_that_need_each_other_are_named() -> None:
    idle, pair = remarks(recommendation())
    assert idle == "Not shown to contribute where they stand: max_norm."
    assert pair.startswith("dropout is shown to contribute only with batch_norm: taking it out costs +0.40")


def test_a_search_s_report_is_redrawn_from_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["trainwright", "report", str(tmp_path), *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    found = recommendation()
    (tmp_path / "found.json").write_text(found.to_json())
    assert run() == 0
    assert capsys.readouterr().out.startswith("Train with batch_norm")
    assert (tmp_path / "report.html").read_text("utf-8") == page(found.comparison, found)
    assert run("--json") == 0
    assert Recommendation.from_json(capsys.readouterr().out) == found
    assert run("--markdown") == 0
    said = capsys.readouterr().out
    assert said.startswith("## Train with batch_norm")
    for part in (
        "too optimistic",
        "Handed over",
        "the search ended with its budget",
        f"```sh\n{found.fit}\n```",
    ):
        assert part in said
    assert "| taken out | verdict |" in said
    assert len(re.findall(r"^\| :---", said, re.MULTILINE)) == said.count("### ")  # names stand on the left
    assert run("--metric", "brier") == 2
    assert "repeat it with --metric" in capsys.readouterr().err
    (tmp_path / "found.json").write_text("{")
    assert run() == 4
    assert "is damaged" in capsys.readouterr().err


def test_the_page_has_the_path_and_how_to_use_it() -> None:
    found = recommendation()
    shown = page(found.comparison, found)
    assert "What each part contributes" in shown
    assert len(re.findall('aria-label="From the best recipe to the plain one', shown)) == 2  # desk and phone
    assert "trainwright fit digits --with batch_norm" in shown
    assert "the search ended with its budget" in shown
    assert "What each part contributes" not in page(found.comparison, replace(found, path=None))
    assert "What was tried" not in page(found.comparison)
    assert 'id="candidates"' in page(found.comparison)
    assert 'id="candidates"' not in shown, "a search chose in another way, on other trainings"


def test_names_from_data_cannot_break_the_page() -> None:
    found = recommendation(name="<script>alert(1)</script>")
    found = replace(found, strategies="<b>x</b>", fit="fit '</code><script>'", cautions=("<i>",))
    shown = page(found.comparison, found)
    for raw in ("<script>", "<b>x", "<i>"):
        assert raw not in shown


@pytest.mark.parametrize("width", [330, 760])
def test_the_figure_is_drawn_without_a_bound(width: int) -> None:
    from trainwright.report.path_figure import drawn

    found = recommendation()
    assert found.path is not None
    unbounded = replace(found.path, start=Interval(0.02, float("-inf"), float("inf")))
    assert "without dropout" in drawn(found.comparison, unbounded, width)


def test_a_recommendation_survives_json() -> None:
    found = recommendation()
    assert Recommendation.from_json(found.to_json()) == found
