"""The report: the same numbers everywhere, nothing escapes from a name, one file, whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath
from rich.console import Console

import comparisons
from trainwright import report
from trainwright.base.errors import StoreError
from trainwright.comparison.results import BaselineResult, Comparison, Interval
from trainwright.report import figures, html, quantities, tables, verdicts
from trainwright.report.sentences import sentence

MADE = {
    name: getattr(comparisons, name)()
    for name in ("nine_arms", "one_seed", "regression", "diverged", "hostile")
}
PAGES = {name: report.page(made) for name, made in MADE.items()}
DRAWN = {
    f"{name}-{index}": svg
    for name, text in PAGES.items()
    for index, svg in enumerate(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
}
VOID = {"meta", "link", "br", "hr", "img", "input", "wbr"}
each = pytest.mark.parametrize("name", MADE)


class Page(HTMLParser):
    """A page's elements, ids and text; `broken` holds every end tag that closes the wrong element."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.broken: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, key, value or "") for key, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, key, value or "") for key, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.broken.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def ids(self) -> list[str]:
        return [value for _, key, value in self.attributes if key == "id"]


PARSED = {name: Page(text) for name, text in PAGES.items()}


def words(text: str) -> str:
    return " ".join(text.split())


def shown(part: object, width: int = 200, encoding: str = "utf-8") -> str:
    """What the terminal shows in so many columns."""
    console = Console(width=width, force_terminal=False, color_system=None)
    options = console.options.update(width=width)
    options.encoding = encoding
    return "".join(segment.text for segment in console.render(part, options))  # type: ignore[arg-type]


def cells(made: Comparison) -> list[str]:
    """Every number of the result and cost tables, piece by piece."""
    rows = [row for build in (tables.results, tables.costs) for row in build(made).rows]
    return [piece for row in rows for cell in row.cells for piece in cell if piece]


# ---- the same in all three


@each
def test_terminal_markdown_and_page_hold_the_same_cells(name: str) -> None:
    made = MADE[name]
    terminal = words(shown(report.table(made)) + shown(report.cost_table(made)))
    markdown, page = words(report.markdown(made)), words(PARSED[name].text)
    for cell in cells(made):
        assert cell in terminal
        assert cell in markdown
        assert cell in page


@each
def test_every_arm_has_its_sentence_everywhere(name: str) -> None:
    made = MADE[name]
    page = words(PARSED[name].text)
    terminal = words(shown(report.findings(made), 1000))
    markdown = words(re.sub(r"\\(\W|_)", r"\1", report.markdown(made)))
    for arm in made.arms:
        said = words(quantities.printable(sentence(arm, made)))
        assert said in page
        assert said in terminal
        assert said in markdown
    for caution in report.cautions(made):
        assert caution in page
        assert caution in terminal
        assert caution in markdown


@pytest.mark.parametrize("width", [80, 200])
@each
def test_terminal_fits_its_width_and_cuts_nothing_off(name: str, width: int) -> None:
    made = MADE[name]
    for part in (report.table(made), report.cost_table(made)):
        text = shown(part, width)
        assert "…" not in text
        assert max(map(len, text.splitlines())) <= width
    for row in tables.results(made).rows:
        for piece in (piece for cell in row.cells for piece in cell if piece):
            assert all(word in shown(report.table(made), width) for word in piece.split())


def test_result_table_does_not_know_the_time() -> None:
    made = MADE["nine_arms"]
    slow = [
        replace(arm, seconds=9e3, milliseconds_per_step=7.0, memory_bytes=1, best_steps=(3,))
        for arm in made.arms
    ]
    other = replace(made, arms=tuple(slow))
    assert shown(report.table(made), 80) == shown(report.table(other), 80)
    assert shown(report.cost_table(made), 80) != shown(report.cost_table(other), 80)


def test_terminal_obeys_neither_markup_nor_escapes_in_names() -> None:
    made = MADE["hostile"]
    text = shown(report.table(made)) + shown(report.findings(made))
    assert "[red]a|b[/red]" in text
    assert "\x1b" not in text
    assert "\x00" not in text


def test_terminal_without_unicode_keeps_numbers_and_verdicts() -> None:
    text = shown(report.table(MADE["nine_arms"]), 200, "ascii")
    assert text.isascii()
    assert "-0.73 [-0.79, -0.67]" in text
    assert "+ helps" in text


def test_verdict_is_a_sign_and_a_word_without_colour() -> None:
    for row in tables.results(MADE["nine_arms"]).rows:
        assert (f"{verdicts.SIGNS[row.verdict]} {row.verdict}", "") in row.cells
    assert len(set(verdicts.SIGNS.values())) == len(verdicts.SIGNS)


def judged(made: Comparison, **said: str) -> Comparison:
    """The comparison with some arms' verdicts changed, and those that help made to stand out."""
    arms = [
        replace(arm, difference=replace(arm.difference, verdict=said[arm.name]))
        if arm.difference and arm.name in said
        else arm
        for arm in made.arms
    ]
    return replace(made, arms=tuple(arms))


def test_the_headline_says_which_arm_to_use_and_the_summary_how_sure() -> None:
    made = MADE["nine_arms"]
    helping = [arm for arm in made.arms if verdicts.word(arm) == "helps"]
    assert len(helping) == 2
    assert verdicts.headline(made) == (
        f"Use {DROPOUT}: on digits it lowers the test error from 2.98 % to 2.25 %."
    )
    sure, details = verdicts.summary(made)
    assert sure == (
        "Difference −0.73 points, 95 % interval [−0.79, −0.67], adjusted p = 0.0012"
        " (20 seeds; Holm's correction over 8 arms)."
    )
    assert "Of 8 arms, 2 help, 2 hurt and 4 make no difference larger than 0.31 percentage points." in details
    assert "they were not tested against each other" in details
    assert "60 % of the variance comes from the trainings" in details
    assert "40 % from the 1,797 examples" in details


def test_the_winner_is_named_by_validation_not_by_test_error() -> None:
    made = MADE["nine_arms"]
    lucky = next(arm for arm in made.arms if arm.name == "batch_norm")
    lucky = replace(lucky, error=replace(lucky.error, mean=0.001))
    other = replace(made, arms=tuple(lucky if arm.name == "batch_norm" else arm for arm in made.arms))
    assert verdicts.headline(other) == verdicts.headline(made)


def test_the_headline_without_a_winner() -> None:
    made = MADE["nine_arms"]
    nothing = judged(made, **{arm.name: "no difference" for arm in made.arms})
    assert "All 8 arms make no difference larger than 0.31 percentage points." in verdicts.summary(nothing)[0]
    assert verdicts.headline(nothing) == "None of 8 arms is shown to help on digits: stay with plain."
    unsure = judged(made, **{arm.name: "inconclusive" for arm in made.arms})
    assert verdicts.headline(unsure).startswith(
        "Inconclusive: these runs do not tell whether any of 8 arms helps on digits"
    )
    assert verdicts.headline(MADE["one_seed"]).startswith(
        "Inconclusive: these runs do not tell whether dropout is better"
    )
    one_arm = replace(made, arms=made.arms[:2])
    assert verdicts.headline(judged(one_arm, **{DROPOUT: "hurts"})).endswith(
        "hurts on digits: stay with plain."
    )
    alone = replace(made, arms=made.arms[:1])
    assert "nothing to compare" in verdicts.headline(alone)
    assert "nothing to compare" in report.page(alone)


def test_arms_stand_in_order_of_effect_after_the_reference() -> None:
    made = MADE["nine_arms"]
    names = [arm.name for arm in verdicts.by_effect(made)]
    assert names[0] == "plain"
    effects = [arm.difference.interval.mean for arm in verdicts.by_effect(made)[1:] if arm.difference]
    assert effects == sorted(effects)
    assert [row.name for row in tables.results(made).rows] == names
    said = report.markdown(made)
    places = [said.index(f"\n- {name}") for name in names]
    assert places == sorted(places)


# ---- the sentences


DROPOUT = "dropout(input_rate=0.2, hidden_rate=0.5), max_norm(3.5)"


def said(made: Comparison, name: str) -> str:
    return sentence(next(arm for arm in made.arms if arm.name == name), made)


@pytest.mark.parametrize("name", ["nine_arms", "one_seed", "regression", "diverged"])
def test_a_sentence_has_the_numbers_of_the_table_to_the_digit(name: str) -> None:
    made = MADE[name]
    for row in tables.results(made).rows:
        difference, error = (tuple(piece.replace("\xa0", " ") for piece in cell) for cell in row.cells[1:3])
        text = said(made, row.name)
        assert f" {error[0]} " in text
        if row.verdict != "reference":
            assert f"(difference {difference[0]}" in text
            assert difference[1].strip("()") in text


def test_sentences_of_each_verdict() -> None:
    made = MADE["nine_arms"]
    assert said(made, "plain") == "plain is the reference: test error 2.98 % ± 0.07 % (20 seeds)."
    assert said(made, "batch_norm") == (
        "batch_norm helps: test error 2.44 % instead of 2.98 % (difference −0.55 points, 95 % interval"
        " [−0.61, −0.48], adjusted p = 0.0012, 20 seeds)."
    )
    assert said(made, "adam").startswith("adam hurts: test error 3.34 % instead of 2.98 % (difference +0.36")
    assert said(made, "momentum(0.9)").startswith(
        "momentum(0.9) makes no difference larger than 0.31 percentage points: test error 2.99 %"
    )
    small = replace(made, delta=0.02)
    assert said(small, "batch_norm").endswith(
        "; statistically significant; the estimate is smaller than the 2 percentage points that matter."
    )
    assert said(replace(made, delta=0.006), "batch_norm").endswith(
        " percentage points that matter, though the interval reaches beyond it."
    )
    prices = replace(MADE["regression"], delta=5000.0)
    assert said(prices, "dropout(0.5)").endswith("the estimate is smaller than the 5,000 that matters.")


def open_arm(made: Comparison, name: str, **changes: Any) -> str:
    """The sentence of an arm made inconclusive, with other changes to its difference."""
    [arm] = [arm for arm in made.arms if arm.name == name]
    assert arm.difference
    return sentence(replace(arm, difference=replace(arm.difference, verdict="inconclusive", **changes)), made)


def test_an_inconclusive_arm_is_said_to_lean_and_what_would_settle_it() -> None:
    made = MADE["nine_arms"]
    text = open_arm(made, "batch_norm", leans="better", more_seeds=14)
    assert text.startswith("batch_norm is inconclusive: test error 2.44 % instead of")
    assert text.endswith(
        "; lower, but not significant after Holm's correction over 8 arms;"
        " about 14 more seeds would probably settle it."
    )
    text = open_arm(made, "adam", p=0.2, leans="worse", more_seeds=None, from_trainings=0.1)
    assert text.endswith(
        "; it leans higher, but not significantly; more seeds alone would not settle it; more data might."
    )
    text = open_arm(made, "adam", p=0.9, leans=None, more_seeds=None, from_trainings=0.9)
    assert text.endswith("; it leans neither way; not even 1,000 more seeds would settle it.")
    assert said(MADE["one_seed"], "dropout").endswith("; one seed does not show how much trainings vary.")


def test_earlier_looks_are_said_to_be_paid_for() -> None:
    again = replace(MADE["nine_arms"], looks=(5, 10))
    assert "not significant after Holm's correction over 8 arms and the correction for 2 earlier looks" in (
        open_arm(again, "batch_norm", leans="better")
    )
    assert "with 5, 10 seeds" in Page(report.page(again)).text


def test_an_arm_that_changed_nothing_is_said_to_and_not_counted() -> None:
    made = judged(MADE["nine_arms"], adam="changed nothing")
    assert said(made, "adam") == (
        "adam changed nothing: at every seed its predictions are exactly those of plain."
        " It was not counted among the tests."
    )
    assert "Holm's correction over 7 arms" in verdicts.summary(made)[0]
    assert "1 changed nothing" in verdicts.summary(made)[1]


def test_no_better_than_guessing_is_said_whatever_the_verdict() -> None:
    made = MADE["nine_arms"]
    arms = tuple(replace(arm, over_guessing=Interval(-0.01, -0.03, 0.01)) for arm in made.arms)
    for arm in arms:
        text = sentence(arm, made)
        assert text.endswith("It is not shown to be better than guessing without looking at the inputs.")
    nothing = replace(made, arms=arms)
    assert verdicts.headline(nothing) == "No network is shown to do better than guessing on digits."


def baseline(name: str, error: float, p_better: float) -> BaselineResult:
    around = Interval(error, error - 0.001, error + 0.001)
    beside = Interval(error - 0.03, error - 0.032, error - 0.028)
    return BaselineResult(name, {"name": name}, (error,) * 20, around, beside, p_better)


def test_a_clearly_better_baseline_is_the_headline() -> None:
    found = (baseline("boosting", 0.01, 0.001), baseline("linear", 0.05, 1.0))
    made = replace(MADE["nine_arms"], baselines=found)
    assert verdicts.headline(made) == (
        "On digits the baseline boosting is clearly better than every network:"
        f" test error 1.00 %, against 2.25 % with {DROPOUT}."
    )
    assert verdicts.summary(made)[0].startswith(
        f"Among the networks, use {DROPOUT}: it lowers the test error"
    )
    rows = tables.results(made).rows[-2:]
    assert [row.name for row in rows] == ["boosting", "linear"]
    assert rows[0].cells[:3] == (("◦ baseline", ""), ("−2.00", "[−2.20, −1.80]"), ("1.00 %", "± 0.10 %"))
    for text in (shown(report.table(made)), report.markdown(made), Page(report.page(made)).text):
        assert "boosting" in words(text)
    worse = replace(made, baselines=(baseline("linear", 0.05, 1.0),))
    assert verdicts.headline(worse).startswith(f"Use {DROPOUT}")


def test_another_metric_is_named_with_its_reason_and_in_its_unit() -> None:
    made = replace(
        MADE["nine_arms"], metric="balanced test error", metric_reason="the commonest class is very common"
    )
    assert (
        "The metric is the balanced test error, because the commonest class is very"
        in verdicts.summary(made)[1]
    )
    nats = replace(MADE["regression"], metric="test log-loss", unit="nats", task="classification")
    assert " nats, 95 % interval" in said(nats, "l2(0.01)")


def test_candidates_stand_by_setting_and_the_chosen_is_marked() -> None:
    """The chosen one comes first in the grid; another of its rate may do better, in fewer trainings."""
    made = MADE["nine_arms"]
    [plain, *_] = tables.settings(made).rows
    assert tables.settings(made).heads[1] == "learning rates"
    assert plain.cells == (("0.03 to 0.3", "(3)"), ("▸ 0.03", ""), ("2.98 %", ""))
    family = tuple(
        replace(setting, strategies=name, validation_error=setting.validation_error + worse)
        for name, worse in (("rate 0.2", 0.0), ("rate 0.5", -0.01))
        for setting in made.arms[0].grid
    )
    made = replace(made, arms=(replace(made.arms[0], grid=family), *made.arms[1:]))
    assert [row.cells[0][0] for row in tables.settings(made).rows[:3]] == ["rate 0.2", "rate 0.5", "–"]
    [chosen] = [row for row in tables.candidates(made).rows if row.name == "plain" and "▸" in row.cells[1][0]]
    assert chosen.cells[:2] == (("rate 0.2", ""), ("▸ 0.03", ""))
    assert said(made, "plain").endswith(" Validation chose rate 0.2.")


def test_a_single_arm_needs_no_correction_and_none_is_claimed() -> None:
    made = MADE["nine_arms"]
    two = replace(made, arms=made.arms[:2])
    assert "Holm" not in said(two, DROPOUT)
    assert "p = 0.0012" in said(two, DROPOUT)


def test_a_p_that_pays_for_looks_to_come_is_called_adjusted() -> None:
    two = replace(MADE["nine_arms"], arms=MADE["nine_arms"].arms[:2])
    difference = two.arms[1].difference
    assert difference
    paid = replace(two.arms[1], difference=replace(difference, p=0.02, p_holm=0.025))
    equal = replace(two.arms[1], difference=replace(difference, p=0.02, p_holm=0.02))
    assert "adjusted p = 0.025" in said(replace(two, arms=(two.arms[0], paid)), DROPOUT)
    assert "adjusted" not in said(replace(two, arms=(two.arms[0], equal)), DROPOUT)


def test_of_one_repetition_of_folds_no_share_is_claimed() -> None:
    made = MADE["nine_arms"]
    shares = [{row.cells[3] for row in tables.evidence(replace(made, repeated=again)).rows[1:]}
              for again in (True, False)]  # fmt: skip
    assert shares[1] == {tables.NOTHING}
    assert tables.NOTHING not in shares[0]


def test_groups_are_said_to_be_the_pieces_of_chance() -> None:
    made = MADE["nine_arms"]
    assert "groups: those of one group" not in report.page(made)
    assert "come in 40 groups: those of one group" in report.page(replace(made, groups=40))


def test_the_page_explains_the_correction_only_where_several_arms_are_tested() -> None:
    made = MADE["nine_arms"]
    several = "Because several arms are tested at once"
    reference, first, second = made.arms[:3]
    assert reference.difference is None
    assert second.difference
    assert several in report.page(replace(made, arms=(reference, first, second)))
    assert several not in report.page(replace(made, arms=(reference, first)))
    untested = replace(second, difference=replace(second.difference, verdict="changed nothing"))
    assert several not in report.page(replace(made, arms=(reference, first, untested)))


def test_divergence_is_said_and_regression_has_no_percent() -> None:
    assert said(MADE["diverged"], "momentum(0.99)").endswith(
        " 20 of 20 trainings diverged, and counted by the weights kept before, or else as the best constant"
        " guess or as the worst training that finished."
    )
    assert "%" not in said(MADE["regression"], "dropout(0.5)").replace("95 % interval", "")


# ---- the page


@each
def test_page_is_well_formed_and_its_ids_are_unique(name: str) -> None:
    page = PARSED[name]
    assert page.broken == []
    assert page.open == []
    assert [one for one, count in Counter(page.ids).items() if count > 1] == []
    assert all(page.tags[tag] for tag in ("h1", "main", "table", "figure", "svg"))


@each
def test_page_is_one_file_and_runs_no_script(name: str) -> None:
    page = PARSED[name]
    assert page.tags["script"] == page.tags["link"] == page.tags["img"] == page.tags["iframe"] == 0
    for _, key, value in page.attributes:
        assert not key.startswith("on")
        if key in ("src", "href", "xlink:href", "srcset", "action", "data"):
            assert value.startswith("#")
    own = re.findall(r"url\(([^)]*)\)", PAGES[name])
    assert all(target.startswith("#") for target in own)
    assert "@import" not in PAGES[name]


@each
def test_every_reference_inside_the_page_finds_its_target(name: str) -> None:
    page = PARSED[name]
    named = re.findall(r'(?:url\(|href=")#([^)"]+)', PAGES[name])
    named += [value for _, key, value in page.attributes if key == "aria-labelledby"]
    assert named
    assert set(named) <= set(page.ids)


def test_names_are_text_in_the_page() -> None:
    page = PARSED["hostile"]
    assert page.text.count("<script>alert('x')</script>") >= 6  # heading, sentence, tables, classes, columns
    assert "\x00" not in PAGES["hostile"]
    assert "\x1b" not in PAGES["hostile"]


def test_tables_name_their_rows_and_columns() -> None:
    page = PARSED["nine_arms"]
    assert all(("th", "scope", scope) in page.attributes for scope in ("row", "col"))
    assert sum((tag, key) == ("th", "scope") for tag, key, _ in page.attributes) == page.tags["th"]
    labels = [value for tag, key, value in page.attributes if (tag, key) == ("svg", "aria-label")]
    assert len(labels) == page.tags["svg"]
    assert all(labels)


def test_page_shows_recipes_data_environment_and_command() -> None:
    text = words(PARSED["regression"].text)
    made = MADE["regression"]
    assert "mlp(hidden=(64, 64), activation=relu)" in text
    assert "left out: free text; replace it by categories or numbers" in text
    assert made.environment["versions"]["jax"] in text
    assert made.command in text
    assert "dropout(input_rate=0.2, hidden_rate=0.5), max_norm(limit=3.5)" in words(PARSED["nine_arms"].text)


def test_the_page_counts_as_sentences_do() -> None:
    assert (html.fact(1077), html.fact(360), html.fact(True)) == ("1,077", "360", "yes")
    assert "1,077" in PARSED["nine_arms"].text


def test_page_takes_any_json_facts() -> None:
    odd = {"name": "x", "none": None, "empty": [], "deep": {"a": [{"b": [1, [2, 3]]}, {"c": {"d": True}}]}}
    page = Page(report.page(replace(MADE["one_seed"], data=odd, environment={}, command="")))
    assert page.broken == []
    assert "yes" in page.text


# ---- the figures


@pytest.mark.parametrize("key", DRAWN)
def test_figures_are_xml_without_dates(key: str) -> None:
    ElementTree.fromstring(DRAWN[key])
    assert "date" not in DRAWN[key].lower()


def test_figures_are_the_same_in_another_process() -> None:
    code = "import comparisons; from trainwright.report import figures; "
    code += "import sys; sys.stdout.buffer.write(figures.effects(comparisons.nine_arms()).encode())"
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)}
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=environment)
    assert other.stdout.decode() == figures.effects(MADE["nine_arms"])


@pytest.mark.parametrize("key", DRAWN)
def test_figure_text_is_legible_and_stays_inside(key: str) -> None:
    root = ElementTree.fromstring(DRAWN[key])
    width = float(root.attrib["viewBox"].split()[2])
    for text in root.iter("{http://www.w3.org/2000/svg}text"):
        style = text.get("style", "")
        size = float(re.findall(r"font-size: ([\d.]+)", style)[0])
        font = FontProperties(family="DejaVu Sans", weight="bold" if "font-weight" in style else "normal")
        line = quantities.printable(text.text or " ").encode("ascii", "replace").decode()
        length = TextPath((0, 0), line, size=size, prop=font).get_extents().width
        x = float(text.get("x") or re.findall(r"[-\d.]+", text.get("transform", ""))[0])
        anchor = re.findall(r"text-anchor: (\w+)", style)
        start = x - length * {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor[0] if anchor else "start"]
        assert size >= figures.SMALL
        assert start >= 0
        assert start + length <= width


def test_effects_write_verdict_and_numbers_beside_each_arm() -> None:
    made = MADE["nine_arms"]
    root = ElementTree.fromstring(figures.effects(made))
    said = [text.text or "" for text in root.iter("{http://www.w3.org/2000/svg}text")]
    for arm in made.arms[1:]:
        assert arm.difference
        assert verdicts.signed(verdicts.word(arm)) in said
        assert " ".join(quantities.difference(arm.difference.interval, quantities.unit(made))) in said


def test_a_wrecked_arm_does_not_squeeze_the_others() -> None:
    ticks = [
        abs(float(text.text.replace("−", "-")))
        for text in ElementTree.fromstring(figures.effects(MADE["diverged"])).iter()
        if text.text and re.fullmatch(r"[−+]?[\d.]+", text.text)
    ]
    assert 0 < max(ticks) < 5  # the others differ by less than two points, the wrecked one by 87


# ---- how quantities are written


@given(st.floats(-1e6, 1e6), st.integers(0, 4))
def test_number_reads_back(value: float, decimals: int) -> None:
    text = quantities.number(value, decimals, signed=True)
    read = float(text.replace("−", "-").replace(",", ""))
    assert abs(read - value) <= 0.5 * 10**-decimals * (1 + 1e-9)
    assert text[0] not in "−+" or read != 0


@given(st.floats(1e-12, 1e12))
def test_significant_keeps_three_digits(value: float) -> None:
    text = quantities.significant(value).replace(",", "")
    if power := re.fullmatch(r"(?:(.+)×)?10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)", text):
        exponent = power[2].translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
        text = f"{power[1] or 1}e{exponent}"
    assert abs(float(text) - value) <= 0.00501 * value


def test_errors_are_percent_or_three_digits_of_the_targets_unit() -> None:
    found = Interval(0.0231, 0.02, 0.0262)
    assert quantities.error(found, quantities.percent()) == ("2.31 %", "± 0.31 %")
    assert quantities.error(Interval(12345.0, 12000.0, 12690.0), quantities.plain(-1)) == (
        "12,340",
        "± 340",
    )
    assert quantities.error(found, quantities.plain(4)) == ("0.0231", "± 0.0031")


def shrunk(made: Comparison, factor: float) -> Comparison:
    """The comparison with every difference and its interval so many times as large."""
    arms = [
        replace(arm, difference=replace(arm.difference, interval=scaled(arm.difference.interval, factor)))
        if arm.difference
        else arm
        for arm in made.arms
    ]
    return replace(made, arms=tuple(arms))


def scaled(interval: Interval, factor: float) -> Interval:
    return Interval(factor * interval.mean, factor * interval.low, factor * interval.high)


@given(st.floats(1e-9, 1e3))
@pytest.mark.parametrize("name", ["nine_arms", "regression"])
def test_all_numbers_of_a_comparison_share_their_decimals(name: str, factor: float) -> None:
    made = shrunk(MADE[name], factor)
    decimals = quantities.unit(made).decimals
    pieces = [piece for row in tables.results(made).rows for cell in row.cells[1:3] for piece in cell]
    shown = [
        len(number.partition(".")[2])
        for piece in pieces
        for number in re.findall(r"\d[\d,]*(?:\.\d+)?", piece)
    ]
    assert set(shown) == {max(decimals, 0)}
    assert 2 <= decimals <= 4 if name == "nine_arms" else -2 <= decimals <= 1  # of some 23,000: 3 to 6 digits


def test_a_narrow_interval_is_not_rounded_away() -> None:
    [*_, low] = (tables.results(shrunk(MADE["nine_arms"], factor)).rows[1].cells[1] for factor in (1.0, 0.01))
    assert low == ("−0.0073", "[−0.0079, −0.0067]")
    assert tables.results(shrunk(MADE["regression"], 0.05)).rows[1].cells[1] == ("−101", "[−133, −69]")


@pytest.mark.parametrize("bound", [inf, nan])
def test_no_interval_is_said_in_words(bound: float) -> None:
    found = Interval(0.02, -bound, bound)
    assert quantities.error(found, quantities.percent())[1] == "(no interval)"
    assert quantities.difference(found, quantities.percent())[1] == "(no interval)"
    assert "(no interval)" in words(PARSED["one_seed"].text)
    assert "inf" not in words(shown(report.table(MADE["one_seed"])))


# ---- writing


def test_write_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.html"
    for name in ("one_seed", "regression"):
        report.write(MADE[name], path)
        assert path.read_text("utf-8") == PAGES[name]
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_full_disk_leaves_the_old_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"cannot write to .*report\.html: the disk is full"):
        report.write(MADE["one_seed"], path)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_unwritable_places_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "report.html", tmp_path):
        with pytest.raises(StoreError, match=re.escape(str(path))):
            report.write(MADE["one_seed"], path)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
    assert [file.name for file in tmp_path.parent.iterdir() if file.suffix == ".tmp"] == []


def test_a_name_that_utf8_cannot_hold_is_written(tmp_path: Path) -> None:
    made = replace(MADE["one_seed"], data={"name": "odd\udc80.csv"})
    report.write(made, tmp_path / "report.html")
    assert "odd\N{REPLACEMENT CHARACTER}.csv" in (tmp_path / "report.html").read_text("utf-8")


def test_only_control_characters_are_replaced() -> None:
    kept = "a\N{NO-BREAK SPACE}b\n层é\N{ZERO WIDTH NON-JOINER}"
    assert quantities.printable(kept) == kept
    assert not {"\x1b", "\x00", "\x9b", "\udc80"} & set(quantities.printable("\x1b \x00 \x9b \udc80"))
