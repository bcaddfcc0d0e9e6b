"""Several data sets: a joint verdict on each arm, and the arms' ranks.

Here data sets are the chance. An arm is judged by the Wilcoxon signed-rank test over its mean differences to
the reference, one for each data set, with Holm's correction over the arms. Ranks are Friedman's, with
Nemenyi's critical difference (Demšar, Journal of Machine Learning Research 7, 2006).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import nan, sqrt
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from trainwright.base import strict_json
from trainwright.base.errors import DataError, SettingError
from trainwright.comparison.estimate import holm
from trainwright.comparison.results import Comparison
from trainwright.comparison.score_table import checked
from trainwright.comparison.scores import compare_scores

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class JointResult:
    """An arm over all data sets."""

    name: str
    rank: float
    """The mean of its ranks; 1 is best."""
    better: int
    """On how many data sets it is better than the reference."""
    worse: int
    """On how many it is worse."""
    p_holm: float
    """Of "no difference", after Holm's correction over the arms; NaN for the reference."""
    verdict: Literal["helps", "hurts", "inconclusive", "reference"]


@dataclass(frozen=True)
class JointComparison:
    """The same arms on several data sets."""

    comparisons: dict[str, Comparison]
    """By data set."""
    arms: tuple[JointResult, ...]
    """Best rank first."""
    reference: str
    level: float
    p_friedman: float
    """Of "all arms rank alike"; NaN for two arms."""
    critical_difference: float
    """Mean ranks that differ by less are not told apart (Nemenyi)."""

    def to_json(self) -> str:
        """The joint comparison as JSON text."""
        return strict_json.dumps(asdict(self))


def compare_datasets(
    scores: pd.DataFrame,
    *,
    reference: str | None = None,
    higher_is_better: bool = False,
    delta: float | None = None,
    level: float = 0.95,
    command: str = "",
) -> JointComparison:
    """Compare arms by their scores on several data sets; see `comparison.scores.compare_scores`.

    Raises `DataError`, too, for an arm that a data set lacks; `SettingError` for a single data set.
    """
    table = checked(scores)
    names = list(dict.fromkeys(table["dataset"].tolist()))
    if len(names) < 2:
        raise SettingError("the scores are of one data set: use compare_scores, or give a column 'dataset'")
    arms = list(dict.fromkeys(table["arm"].tolist()))
    reference = arms[0] if reference is None else reference
    for name in names:
        lacking = [arm for arm in arms if arm not in set(table.loc[table["dataset"] == name, "arm"])]
        if lacking:
            raise DataError(
                f"data set {name!r} has no score for arm {lacking[0]!r}: add its rows, or drop it"
            )
    comparisons = {}
    for name in names:
        try:
            comparisons[name] = compare_scores(
                scores[(table["dataset"] == name).to_numpy()],
                reference=reference,
                higher_is_better=higher_is_better,
                delta=delta,
                level=level,
                command=command,
            )
        except DataError as error:
            raise DataError(f"data set {name!r}: {error}") from None
    errors = _rounded(
        np.array([[found.arm(arm).error.mean for arm in arms] for found in comparisons.values()]), 12
    )
    return _joint(comparisons, errors, arms, reference, level)


def _joint(
    comparisons: dict[str, Comparison],
    errors: NDArray[np.float64],
    arms: Sequence[str],
    reference: str,
    level: float,
) -> JointComparison:
    from scipy import stats

    ranks = stats.rankdata(errors, axis=1).mean(axis=0)
    others = [at for at, arm in enumerate(arms) if arm != reference]
    differences = _rounded(errors - errors[:, [arms.index(reference)]], 8)
    tests = {at: _signed_rank(differences[:, at]) for at in others}
    ps = np.array([p for _, p in tests.values()])
    adjusted = dict(zip(others, holm(ps)[0].tolist(), strict=True))
    results = []
    for at, arm in enumerate(arms):
        verdict: Literal["helps", "hurts", "inconclusive", "reference"] = "inconclusive"
        if at not in adjusted:
            verdict = "reference"
        elif adjusted[at] < 1 - level:
            verdict = "helps" if tests[at][0] < 0 else "hurts"
        better, worse = int((differences[:, at] < 0).sum()), int((differences[:, at] > 0).sum())
        results.append(JointResult(arm, float(ranks[at]), better, worse, adjusted.get(at, nan), verdict))
    count = len(arms)
    reach = stats.studentized_range.ppf(level, count, np.inf) / sqrt(2)
    return JointComparison(
        comparisons=comparisons,
        arms=tuple(sorted(results, key=lambda result: result.rank)),
        reference=reference,
        level=level,
        p_friedman=_friedman(errors),
        critical_difference=float(reach * sqrt(count * (count + 1) / (6 * len(errors)))),
    )


def _rounded(values: NDArray[np.float64], digits: int) -> NDArray[np.float64]:
    """Values to so many significant digits: what differs by rounding alone is a tie, and has one rank."""
    return np.array([[float(f"{value:.{digits}g}") for value in row] for row in values])


def _friedman(errors: NDArray[np.float64]) -> float:
    """The p of Friedman's test; NaN for two arms, which it is not for, and 1 where nothing differs."""
    from scipy import stats

    if errors.shape[1] < 3:
        return nan
    return float(stats.friedmanchisquare(*errors.T).pvalue) if np.ptp(errors, axis=1).any() else 1.0


def _signed_rank(differences: NDArray[np.float64]) -> tuple[float, float]:
    """The sum of the signed ranks, whose sign is the direction, and the p of Wilcoxon's test of it; 1 where
    nothing differs. Ties count half for either side, and so nothing for the sum."""
    from scipy import stats

    if not differences.any():
        return 0.0, 1.0
    total = float(np.sign(differences) @ stats.rankdata(np.abs(differences)))
    return total, float(stats.wilcoxon(differences, zero_method="zsplit", method="auto").pvalue)
