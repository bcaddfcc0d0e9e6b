"""The ablation path: what each part of a recipe contributes where it stands, and which parts work together.

Parts are taken out one at a time, until the plain recipe is left (Fawcett & Hoos, Journal of Heuristics 22,
2016). The order is decided elsewhere, on validation; here every step is measured on test examples, on paired
trainings. Beside each step stand the removals that were not made, so that two parts can be seen together,
apart and not at all: that is their interaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from trainwright.comparison import cells, metrics
from trainwright.comparison.cells import Cells, Layout
from trainwright.comparison.estimate import Estimate
from trainwright.comparison.results import Interval
from trainwright.comparison.verdict import Verdict, judge
from trainwright.runs.run import Run

Removed = frozenset[str]
"""The parts that are taken out of a recipe."""


@dataclass(frozen=True)
class Step:
    """A part taken out, and what that costs."""

    part: str
    recipe: dict[str, Any]
    """What is left."""
    error: Interval
    """The metric of what is left."""
    cost: Interval
    """The metric without the part minus with it: positive where the part contributes."""
    p_holm: float
    """Of "it costs nothing", after Holm's correction over the steps."""
    verdict: Verdict
    """Of taking it out: *hurts* says that the part contributes."""

    @property
    def could_go(self) -> bool:
        """Whether the part is not shown to contribute."""
        return self.verdict != "hurts"


@dataclass(frozen=True)
class Interaction:
    """Two parts: what the first contributes beside the second, and without it."""

    parts: tuple[str, str]
    beside: Interval
    """The cost of taking the first out while the second is there."""
    without: Interval
    """The same without the second."""
    difference: Interval
    """`beside` minus `without`: positive where the two do more together than one by one."""
    p_holm: float
    """Of "they do not interact", after Holm's correction over the pairs."""
    shown: bool
    """Whether that p is below 1 - level."""

    @property
    def only_together(self) -> bool:
        """Whether the first contributes beside the second, and is not shown to without it."""
        return self.shown and self.beside.low > 0 and not self.without.low > 0


@dataclass(frozen=True)
class Path:
    """From a recipe back to the plain one."""

    start: Interval
    """The metric of the whole recipe."""
    steps: tuple[Step, ...]
    """In the order in which parts are taken out."""
    interactions: tuple[Interaction, ...]
    """Every pair of which all four combinations were trained, the first taken out before the second."""
    complete: bool
    """Whether it reaches the plain recipe."""
    seeds: int


def trace(
    runs: Mapping[Removed, Sequence[Run]],
    order: Sequence[str],
    parts: Collection[str],
    *,
    metric: str | None = None,
    delta: float | None = None,
    level: float = 0.95,
) -> Path:
    """Measure a path: `runs` by what is taken out, on the same seeds; `order`: the parts as they go.

    `parts`: all that the recipe has beyond the plain one. Verdicts are those of `verdict.judge`, at `delta`,
    by default a tenth of the whole recipe's metric, and never less than what one example can change.
    """
    whole: Removed = frozenset()
    first = runs[whole]
    validated = np.concatenate([metrics.targets(run, "validation") for run in first])
    measured, _ = metrics.choose(metric, first[0].data["task"], validated)
    layout = Layout.of(first)
    resolution = layout.resolution(measured)
    scored = dict(zip(runs, cells.of_arms(list(runs.values()), layout, measured), strict=True))
    margin = max(delta if delta is not None else float(np.mean(scored[whole].errors)) / 10, resolution)

    def estimate(weighted: Sequence[tuple[float, Cells]]) -> Estimate:
        return layout.estimate(cells.contrast(weighted), resolution)

    nodes = [frozenset(order[:count]) for count in range(len(order) + 1)]
    costs = [estimate([(1, scored[after]), (-1, scored[before])]) for before, after in pairwise(nodes)]
    judgements = judge(costs, delta=margin, level=level, step=layout.step) if costs else ()
    steps = tuple(
        Step(
            part,
            runs[node][0].recipe,
            _interval(layout.estimate(scored[node].values, resolution), level),
            _interval(judgement.estimate, level),
            judgement.p_holm,
            judgement.verdict,
        )
        for part, node, judgement in zip(order, nodes[1:], judgements, strict=True)
    )
    pairs, four = [], []
    for pair, corners in _pairs(nodes, order, parts, scored):
        pairs.append(pair)
        four.append(corners)
    differences = [estimate([(1, a), (-1, none), (-1, both), (1, b)]) for none, a, b, both in four]
    tested = judge(differences, delta=margin, level=level, step=layout.step) if differences else ()
    interactions = tuple(
        Interaction(
            pair,
            _interval(estimate([(1, a), (-1, none)]), level),
            _interval(estimate([(1, both), (-1, b)]), level),
            _interval(judgement.estimate, level),
            judgement.p_holm,
            judgement.p_holm < 1 - level,
        )
        for pair, (none, a, b, both), judgement in zip(pairs, four, tested, strict=True)
    )
    start = _interval(layout.estimate(scored[whole].values, resolution), level)
    return Path(start, steps, interactions, len(order) == len(parts), len(first))


def _pairs(
    nodes: Sequence[Removed], order: Sequence[str], parts: Collection[str], scored: Mapping[Removed, Cells]
) -> Iterator[tuple[tuple[str, str], tuple[Cells, Cells, Cells, Cells]]]:
    """Each part as it goes, with every other still there: with nothing, it, the other, and both taken out."""
    for node, part in zip(nodes, order, strict=False):
        for other in parts:
            corners = [node, node | {part}, node | {other}, node | {part, other}]
            if other not in node | {part} and all(corner in scored for corner in corners):
                none, a, b, both = (scored[corner] for corner in corners)
                yield (part, other), (none, a, b, both)


def _interval(estimate: Estimate, level: float) -> Interval:
    return Interval(estimate.mean, *estimate.interval(level))
