"""A comparison in Markdown, to paste into an issue, a README or a paper's appendix."""

from __future__ import annotations

import re

from trainwright.comparison.results import Comparison
from trainwright.report import contrasts, tables, verdicts
from trainwright.report.quantities import printable
from trainwright.report.sentences import sentence


def markdown(comparison: Comparison) -> str:
    """The answer, a sentence per arm, caveats, all tables and the command that repeats it."""
    parts = [f"## {prose(verdicts.headline(comparison))}"]
    parts += map(prose, verdicts.summary(comparison))
    parts.append("\n".join(f"- {prose(sentence(arm, comparison))}" for arm in verdicts.by_effect(comparison)))
    if comparison.cautions:
        parts.append("\n".join(f"> **Caveat:** {prose(caution)}  " for caution in comparison.cautions))
    trained = (tables.settings, tables.costs) if comparison.trained else ()
    parts += [table_of(build(comparison)) for build in (tables.results, tables.evidence, *trained)]
    if comparison.factorial:
        parts.append(table_of(contrasts.effects(comparison)))
    if comparison.command:
        fence = _fence(comparison.command, 3)
        parts.append(f"{fence}sh\n{comparison.command}\n{fence}")
    return "\n\n".join(parts) + "\n"


def table_of(table: tables.Table) -> str:
    """A table with its title."""
    left = {"arm", "verdict", "setting"}
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
