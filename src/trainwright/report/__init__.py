"""A comparison, drawn: on the terminal, as Markdown, as one HTML file, as figures.

Nothing is computed here but the spelling of numbers: every number comes from
`trainwright.comparison`, and all four ways write it alike. `quantities`, `verdicts` and `caution_sentences`
are the spelling, `tables` the cells.
"""

from trainwright.report.caution_sentences import cautions
from trainwright.report.figures import costs, curves, effects
from trainwright.report.html import page, write
from trainwright.report.markdown_text import markdown
from trainwright.report.terminal import cost_table, effects_table, findings, recommended, table

__all__ = [
    "cautions",
    "cost_table",
    "costs",
    "curves",
    "effects",
    "effects_table",
    "findings",
    "markdown",
    "page",
    "recommended",
    "table",
    "write",
]
