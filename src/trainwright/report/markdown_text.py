"""A comparison in Markdown, to paste into an issue, a README or a paper's appendix."""

from __future__ import annotations

import re

from trainwright.comparison.recommendation import Recommendation
from trainwright.comparison.results import Comparison
from trainwright.report import contrasts, recommendation, tables, verdicts
from trainwright.report.caution_sentences import cautions
from trainwright.report.quantities import printable
from trainwright.report.sentences import sentence


def markdown(comparison: Comparison, found: Recommendation | None = None) -> str:
    """The answer, a sentence per arm, caveats, all tables and the command that repeats it.

    `found`: the search that the comparison confirms; then its answer comes first.
    """
    if found:
        return _searched(found)
    parts = [f"## {prose(verdicts.headline(comparison))}"]
    parts += map(prose, verdicts.summary(comparison))
    parts.append("\n".join(f"- {prose(sentence(arm, comparison))}" for arm in verdicts.by_effect(comparison)))
    parts.append(_caveats(comparison))
    trained = (tables.settings, tables.costs) if comparison.trained else ()
    parts += [table_of(build(comparison)) for build in (tables.results, tables.evidence, *trained)]
    if comparison.factorial:
        parts.append(table_of(contrasts.effects(comparison)))
    if comparison.command:
        parts.append(_block(comparison.command, "sh"))
    return "\n\n".join(filter(None, parts)) + "\n"


def _caveats(comparison: Comparison, found: Recommendation | None = None) -> str:
    return "\n".join(f"> **Caveat:** {prose(caution)}  " for caution in cautions(comparison, found))


def _searched(found: Recommendation) -> str:
    """A search's answer, caveats, rivals, path and cost, and the recipe as a command and in Python."""
    parts = [f"## {prose(recommendation.headline(found))}", *map(prose, recommendation.summary(found))]
    parts.append(_caveats(found.comparison, found))
    parts.append(table_of(recommendation.rivals(found)))
    if found.path:
        parts.append(table_of(recommendation.path(found, found.path)))
        parts.append("\n".join(f"- {prose(remark)}" for remark in recommendation.remarks(found)))
    parts.append(table_of(tables.results(found.comparison)))
    parts.append(f"Cost: {prose(recommendation.cost(found))}")
    if found.fit:
        parts.append(f"One such network:\n\n{_block(found.fit, 'sh')}")
    parts.append(f"In Python:\n\n{_block(found.python, 'python')}")
    return "\n\n".join(filter(None, parts)) + "\n"


def _block(code: str, language: str) -> str:
    fence = _fence(code, 3)
    return f"{fence}{language}\n{code}\n{fence}"


def table_of(table: tables.Table) -> str:
    """A table with its title."""
    left = {table.heads[0], "verdict", "setting"}
    lines = [
        row_of([prose(head) for head in table.heads]),
        row_of([":---" if head in left else "---:" for head in table.heads]),
    ]
    for row in table.rows:
        lines.append(row_of([_code(row.name), *(prose(" ".join(filter(None, cell))) for cell in row.cells)]))
    return f"### {prose(table.title)}\n\n" + "\n".join(lines)


def row_of(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _code(text: str) -> str:
    """A name as a code span: no other Markdown or HTML in it takes effect."""
    text = " ".join(printable(text).split()).replace("|", "\\|")
    fence = _fence(text, 1)
    edge = " " if "`" in text else ""
    return f"{fence}{edge}{text}{edge}{fence}"


def _fence(text: str, shortest: int) -> str:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    return "`" * max(shortest, longest + 1)


def prose(text: str) -> str:
    """Text in which words, numbers and code between backticks alone are left to Markdown; underscores inside
    a word are harmless.

    >>> prose("hidden_rate <b> a|b *x*, see `crops`")
    'hidden_rate \\\\<b> a\\\\|b \\\\*x\\\\*, see `crops`'
    """
    text = " ".join(printable(text).split())
    # "]" only where a link would follow, so that intervals stay as they are.
    special = r"[\\`*<|~$]|&(?=\w|#)|^[-+#>]|\](?=[(\[:])|(?<!\w)_|_(?!\w)"
    return re.sub(rf"(`[^`\\|]+`)|{special}", lambda found: found[1] or f"\\{found[0]}", text)
