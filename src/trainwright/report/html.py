"""A comparison as one HTML file that opens offline and is complete without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup, escape

from trainwright.base import files, strict_json
from trainwright.comparison.recommendation import Recommendation
from trainwright.comparison.results import Comparison
from trainwright.report import (
    contrasts,
    figures,
    path_figure,
    quantities,
    recipes,
    recommendation,
    tables,
    verdicts,
)
from trainwright.report.caution_sentences import cautions
from trainwright.report.quantities import printable
from trainwright.report.sentences import sentence, tested

_SIZES = {"wide": figures.WIDE, "narrow": figures.NARROW}


def page(comparison: Comparison, found: Recommendation | None = None) -> str:
    """The whole report as HTML. Names from data are escaped; nothing in it refers to another file.

    `found`: the search that the comparison confirms; then its answer comes first.
    """
    headline = recommendation.headline(found) if found else verdicts.headline(comparison)
    summary = recommendation.summary(found) if found else verdicts.summary(comparison)
    return template(resources.files(__package__).joinpath("report.html.j2").read_text("utf-8")).render(
        comparison=comparison,
        headline=unbroken(headline),
        summary=[unbroken(paragraph) for paragraph in summary],
        found=_found(found) if found else None,
        cautions=[unbroken(caution) for caution in cautions(comparison, found)],
        factorial=contrasts.effects(comparison) if comparison.factorial else None,
        sentences=[
            (
                verdicts.word(arm),
                verdicts.SIGNS[verdicts.word(arm)],
                arm.name,
                unbroken(sentence(arm, comparison).removeprefix(arm.name)),
            )
            for arm in verdicts.by_effect(comparison)
        ],
        meanings=[(verdicts.SIGNS[word], word, text) for word, text in verdicts.meanings(comparison).items()],
        figures={
            draw.__name__: [(size, Markup(draw(comparison, width))) for size, width in _SIZES.items()]
            for draw in (figures.effects, figures.curves, figures.costs)
        }
        | _path(found),
        results=tables.results(comparison),
        evidence=tables.evidence(comparison),
        choosing=tables.choosing(comparison),
        settings=tables.settings(comparison),
        candidates=tables.candidates(comparison),
        costs=tables.costs(comparison),
        recipes=recipes.recipes(comparison),
        level=quantities.level(comparison),
        margin=quantities.margin(comparison),
        tested=tested(comparison),
        compared=any(arm.difference for arm in comparison.arms),
    )


def _found(found: Recommendation) -> dict[str, Any]:
    """What a search's page shows besides the comparison that confirms it."""
    return {
        "path": recommendation.path(found, found.path) if found.path else None,
        "remarks": [unbroken(remark) for remark in recommendation.remarks(found)],
        "rivals": recommendation.rivals(found),
        "tried": recommendation.tried(found),
        "cost": recommendation.cost(found),
        "fit": found.fit,
        "python": found.python,
        "json": strict_json.dumps(found.recipe),
    }


def _path(found: Recommendation | None) -> dict[str, list[tuple[str, Markup]]]:
    if found is None or found.path is None:
        return {}
    drawn = [(size, path_figure.drawn(found.comparison, found.path, width)) for size, width in _SIZES.items()]
    return {"path": [(size, Markup(svg)) for size, svg in drawn]}


def template(text: str) -> Template:
    """A page's template: what it shows is escaped, `styles` is the look that all pages share."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_shown
    )
    environment.filters |= {"fact": fact, "records": _records, "breakable": breakable}
    environment.tests |= {"listing": _is_listing}
    environment.globals["styles"] = Markup(
        resources.files(__package__).joinpath("page.css").read_text("utf-8")
    )
    return environment.from_string(text)


def write(comparison: Comparison, path: Path, found: Recommendation | None = None) -> None:
    """Write the report to `path`, whole or not at all; a report that is there is replaced.

    Raises `StoreError` when the disk is full or the folder cannot be written.
    """
    content = page(comparison, found).encode()
    with files.explained(path):
        files.replace_file(path, content, path.parent)


def breakable(name: str) -> Markup:
    """An arm's name that may be broken after an opening bracket or an equals sign, not only at spaces.

    >>> breakable("dropout(hidden_rate=0.5)")
    Markup('dropout(<wbr>hidden_rate=<wbr>0.5)')
    """
    return Markup(re.sub(r"([(=])", r"\1<wbr>", str(escape(printable(name)))))


def unbroken(text: str) -> str:
    """Text whose quantities are not broken across lines.

    >>> unbroken("2.31 % instead of 3 %, interval [−1, 2], p = 0.03").replace("\N{NO-BREAK SPACE}", "_")
    '2.31_% instead of 3_%, interval [−1,_2], p_=_0.03'
    """
    quantity = r"(?<=\d) (?=%)|(?<=\d) (?=points)|(?<=,) (?=[−+\d.,]+\])|(?<=\bp) (?=[=<])|(?<=p [=<]) (?=\d)"
    return re.sub(quantity, "\N{NO-BREAK SPACE}", text)


def _shown(value: Any) -> Any:
    """Text from data without control characters, which no page may hold; markup as it is."""
    return printable(value) if type(value) is str else value


def _records(value: Any) -> list[dict[str, Any]]:
    """The rows of a value that reads best as a table: a list of mappings, or mappings by name."""
    if isinstance(value, Mapping) and len(value) > 1:
        value = [{"": name, **row} if isinstance(row, Mapping) else row for name, row in value.items()]
    rows = list(value) if _is_listing(value) else []
    return rows if rows and all(isinstance(row, Mapping) for row in rows) else []


def _is_listing(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def fact(value: Any) -> str:
    """One plain JSON value in words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return quantities.MISSING
    if isinstance(value, int):
        return f"{value:,}"
    return quantities.significant(value, 6) if isinstance(value, float) else str(value)
