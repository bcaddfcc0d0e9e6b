"""Several data sets together: the answer in short, and the table of ranks."""

from __future__ import annotations

from math import isfinite

from trainwright.comparison.joint import JointComparison
from trainwright.report import quantities
from trainwright.report.tables import Row, Table
from trainwright.report.verdicts import SIGNS


def headline(joint: JointComparison) -> str:
    """Which arm to use over all data sets, or that none is shown to help."""
    count = len(joint.comparisons)
    helping = [arm for arm in joint.arms if arm.verdict == "helps"]
    if helping:
        best = helping[0]
        return (
            f"Use {best.name}: it is better than {joint.reference} on {best.better} of {count} data sets"
            f" (Holm-adjusted p {_p(best.p_holm)})."
        )
    return f"No arm is shown to help over {count} data sets: stay with {joint.reference}."


def remark(joint: JointComparison) -> str:
    """What the ranks say, and what they cannot."""
    text = (
        f"Mean ranks that differ by less than {quantities.number(joint.critical_difference, 2)} are not "
        "told apart"
        " (Nemenyi)."
    )
    if isfinite(joint.p_friedman):
        text = f"Whether the arms rank alike: Friedman's p {_p(joint.p_friedman)}. {text}"
    if len(joint.comparisons) < 6:
        text += " With fewer than six data sets the signed-rank test cannot reach 5 %."
    return text


def ranks(joint: JointComparison) -> Table:
    """A row for each arm, best rank first."""
    rows = tuple(
        Row(
            arm.name,
            arm.verdict,
            (
                (f"{SIGNS[arm.verdict]} {arm.verdict}", ""),
                (quantities.number(arm.rank, 2), ""),
                (str(arm.better), ""),
                (str(arm.worse), ""),
                (quantities.probability(arm.p_holm), ""),
            ),
        )
        for arm in joint.arms
    )
    heads = ("arm", "verdict", "mean rank", "better on", "worse on", "Holm's p")
    return Table(f"{len(joint.comparisons)} data sets, against {joint.reference}", heads, rows)


def _p(p: float) -> str:
    text = quantities.probability(p)
    return text if text.startswith("<") else f"= {text}"
