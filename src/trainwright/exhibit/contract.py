"""The contract of an exhibit: one figure or demonstration of the lecture, recomputed.

An exhibit uses the package as any user would. It computes its numbers, draws them, and compares them with
what the lecture or its source says, claim by claim.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, ParamSpec, Self

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trainwright.base.config import Config
from trainwright.comparison.measured import enumerated, named
from trainwright.comparison.results import Comparison
from trainwright.comparison.sweep import Sweep
from trainwright.comparison.verdict import Verdict
from trainwright.report import cautions as words
from trainwright.report import quantities
from trainwright.report.sentences import correction
from trainwright.studies.defaults import Budget

TOLD: dict[Verdict, str] = {
    "helps": "helps",
    "hurts": "hurts",
    "no difference": "makes no difference that matters",
    "inconclusive": "is inconclusive",
    "changed nothing": "changes nothing",
}
ONE_DRAW = "Intervals are over seeds (initial weights, batch order), for one draw of the training data."
EACH_DRAW = (
    "Intervals are over seeds: initial weights, batch order, and which examples are trained on, where not "
    "all are."
)
ONE_SEED = "Of one training each, intervals are over the test examples, and leave out how trainings differ."
EXAMPLES = "Those of errors and of gains also cover which examples are tested."
Numbers = ParamSpec("Numbers")
Floats = NDArray[np.float64]  # what most claims are functions of, but for tables
Judged = tuple[str, bool | np.bool_ | None]  # what was seen, with its numbers, and what follows: see `Claim`


class Scale(SimpleNamespace):
    """How large everything is, at one budget: an attribute for each setting."""

    def replace(self, **changes: Any) -> Scale:
        """The same but for these settings. Raises `TypeError` for one that is not there."""
        if unknown := changes.keys() - vars(self).keys():
            raise TypeError(f"no setting {', '.join(unknown)}; there are {', '.join(vars(self))}")
        return Scale(**vars(self) | changes)


def scales(**settings: tuple[Any, Any]) -> dict[Budget, Scale]:
    """An exhibit's settings at both budgets, side by side: each is a pair, quick and full.

    >>> sizes = scales(data=("digits", "mnist"), seeds=(15, 10))
    >>> sizes["full"], sizes["quick"].seeds
    (Scale(data='mnist', seeds=10), 15)
    """
    quick, full = ({name: pair[place] for name, pair in settings.items()} for place in (0, 1))
    return {"quick": Scale(**quick), "full": Scale(**full)}


@dataclass(frozen=True)
class Claim:
    """Something that the lecture or its source says, beside what was seen."""

    says: str
    """The statement, as a sentence."""
    source: str
    """Where it stands: paper, section, figure."""
    seen: str
    """What was measured, in words with the numbers; with n and interval where chance has a part."""
    holds: bool | None
    """Whether the two agree; None where the numbers leave it open: an interval that goes both ways, a verdict
    that is inconclusive."""

    @classmethod
    def judged(
        cls,
        says: str,
        source: str,
        comparison: Comparison,
        arm: str,
        *,
        expected: Verdict = "helps",
        more: str = "",
    ) -> Self:
        """A claim on an arm, judged by the comparison's verdict, see `agrees`; `more` is also seen.

        The interval is of this arm alone, the verdict is corrected for all arms: so that is said.
        """
        error = comparison.error_of(comparison.reference)
        reached = f"{error.mean:.2f} {error.unit}".rstrip()
        corrected = f" ({correction(comparison)})" if correction(comparison) else ""
        seen = (
            f"{arm} gains {comparison.gain(arm)} over {comparison.reference}'s {comparison.metric} of "
            f"{reached}; verdict: {comparison.verdict(arm)}{corrected}. {more}"
        )
        return cls(says, source, seen.rstrip(), agrees(comparison.verdict(arm), expected))


def agrees(verdict: str, expected: Verdict = "helps") -> bool | None:
    """Whether a verdict is the expected one; None if it is inconclusive.

    >>> agrees("helps"), agrees("no difference"), agrees("inconclusive")
    (True, False, None)
    """
    return None if verdict == "inconclusive" else verdict == expected


def claim(says: str, source: str) -> Callable[[Callable[Numbers, Judged]], Callable[Numbers, Claim]]:
    """Make a claim of a function that judges it: numbers in, what was seen and whether it holds out, or None.

    >>> @claim("The mean is above zero.", "Nobody 1900")
    ... def above(mean: float):
    ...     return f"it is {mean:g}.", mean > 0
    >>> above(2.5)
    Claim(says='The mean is above zero.', source='Nobody 1900', seen='it is 2.5.', holds=True)
    """

    def of(judge: Callable[Numbers, Judged]) -> Callable[Numbers, Claim]:
        @wraps(judge)
        def judged(*numbers: Numbers.args, **named: Numbers.kwargs) -> Claim:
            seen, holds = judge(*numbers, **named)
            return Claim(says, source, seen, None if holds is None else bool(holds))

        return judged

    return of


def told(sweep: Sweep, arm: str) -> str:
    """What an arm gains along a range, and the verdict by place: "100: +2.07 (1.14 to 2.99), 500: … points
    (95 %, n = 8); it helps at 100, makes no difference that matters at 500 (Holm's correction)"."""
    verdicts = sweep.verdicts(arm)
    parts = [
        f"{said} at {enumerated(named(place) for place, verdict in verdicts.items() if verdict == word)}"
        for word, said in TOLD.items()
        if word in verdicts.values()
    ]
    return f"{sweep.gains(arm)}; it {', '.join(parts)} (Holm's correction)"


def cautions(*comparisons: Comparison, redrawn: bool = False) -> tuple[str, ...]:
    """What to know about studies' intervals: what they cover, and each comparison's cautions, once.

    `redrawn`: each seed has training examples of its own, as it has in any case where folds are compared.
    """
    redrawn = redrawn or any(comparison.design == "folds" for comparison in comparisons)
    alone = all(len(comparison.arms[0].seeds) == 1 for comparison in comparisons)
    covered = ONE_SEED if alone else f"{intervals_cover(redrawn)} {EXAMPLES}"
    warnings = dict.fromkeys(text for comparison in comparisons for text in words(comparison))
    return (
        covered,
        *(text[:1].upper() + text[1:] + "." for text in warnings),
    )


def intervals_cover(redrawn: bool = False) -> str:
    """What chance the intervals cover: that of the data too where they are drawn for each seed."""
    return EACH_DRAW if redrawn else ONE_DRAW


@dataclass(frozen=True, eq=False)
class ExhibitResult:
    """What an exhibit shows."""

    name: str
    title: str
    figure: Figure
    tables: dict[str, pd.DataFrame]
    """The numbers behind the figure, by caption; columns with their units."""
    claims: tuple[Claim, ...]
    notes: tuple[str, ...] = ()
    """What was scaled down or done otherwise than in the source."""


class Exhibit(Config):
    """Base of all exhibits; one file each in `exhibits/`, found by its name."""

    title: ClassVar[str]
    """What is shown, in a line."""

    def make(self, budget: Budget, store: Path) -> ExhibitResult:
        """Compute and draw: `quick` within about half a minute on two cores, `full` in what it takes.

        `store` is where trainings are kept: an exhibit that is made again finds them there.
        """
        raise NotImplementedError

    def result(
        self,
        figure: Figure,
        tables: dict[str, pd.DataFrame],
        claims: Iterable[Claim],
        notes: Iterable[str] = (),
    ) -> ExhibitResult:
        """What `make` hands back, under the exhibit's name and title; empty notes are left out."""
        return ExhibitResult(
            self.name, self.title, figure, tables, tuple(claims), tuple(note for note in notes if note)
        )


def sign(claim: Claim) -> str:
    """A check mark for a claim that holds, a cross for one that does not, a question mark if it is open."""
    return {True: "✓", False: "✗", None: "?"}[claim.holds]


def spelled(table: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """A table's heads and its rows in words, as the terminal and every page show them.

    >>> spelled(pd.DataFrame({"κ": [1, 10_000], "steps": [3.14159, float("nan")]}))
    (['κ', 'steps'], [['1', '3.142'], ['10,000', '–']])
    """
    table = flat(table)
    rows = [[_cell(value) for value in row] for row in table.astype(object).itertuples(index=False)]
    return [str(head) for head in table.columns], rows


def flat(table: pd.DataFrame) -> pd.DataFrame:
    """The table with an index that has a name as its first column; without one the rows only count."""
    return table if table.index.name is None else table.reset_index()


def _cell(value: Any) -> str:
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return quantities.significant(value, 4) if isinstance(value, float) else quantities.typeset(str(value))
