"""Anyone's results: a table of scores, from whatever framework -> the same comparison.

Columns: `arm`, `seed`, `score`; and, where there are any, `fold`, `example`, `dataset`. A row for each score;
`fold` is the same part of the data at every seed. With examples, seeds and examples are chance as in a study;
without, the seeds (and folds) are all there is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trainwright.base.errors import DataError, SettingError
from trainwright.comparison import examples, paired
from trainwright.comparison.caution import Caution
from trainwright.comparison.estimate import Estimate
from trainwright.comparison.pairing import check_levels, too_few
from trainwright.comparison.results import ArmResult, Comparison, Difference, Interval
from trainwright.comparison.score_table import TURNED, checked, named
from trainwright.comparison.verdict import judge

if TYPE_CHECKING:
    import pandas as pd

Cells = list[NDArray[np.float64]]


def compare_scores(
    scores: pd.DataFrame,
    *,
    reference: str | None = None,
    higher_is_better: bool = False,
    delta: float | None = None,
    level: float = 0.95,
    looks: Sequence[int] = (),
    command: str = "",
) -> Comparison:
    """Compare arms by their scores on one data set, paired by seed (and fold, and example).

    `scores`: columns as above; the index names the rows in messages. `reference`: the arm that the others are
    compared with, by default the first. `higher_is_better`: the scores are turned into what is better when
    it is lower, as in all comparisons: 1 - score where all lie between 0 and 1, 100 - score where all lie
    between 0 and 100, else -score. The rest is as in `comparison.compare.compare`; where scores are negated,
    a tenth of the reference's is hardly a `delta` that matters, and the comparison says so. Where each score
    is 0 or 1, an example judged right or wrong, no `delta` is finer than one example.

    Raises `DataError` for columns that are missing or unknown, scores that are no numbers or come twice,
    pairs that are missing, and a single seed; `SettingError` for several data sets and options out of range.

    >>> import pandas as pd
    >>> rows = [(arm, seed, 0.1 * seed + (0.5 if arm == "dropout" else 1))
    ...         for arm in ("plain", "dropout") for seed in range(8)]
    >>> scores = pd.DataFrame(rows, columns=["arm", "seed", "score"])
    >>> compare_scores(scores).arm("dropout").difference.verdict
    'helps'
    """
    check_levels(delta, level)
    table = checked(scores)
    names = list(dict.fromkeys(table["dataset"].tolist()))
    if len(names) > 1:
        raise SettingError(f"scores of {len(names)} data sets ({', '.join(names)}): use compare_datasets")
    label, lower = _lower_is_better(table["score"].to_numpy(np.float64), higher_is_better)
    table = table.assign(score=lower)
    arms = list(dict.fromkeys(table["arm"].tolist()))
    reference = arms[0] if reference is None else reference
    if reference not in arms:
        raise SettingError(f"reference={reference!r} is not an arm: choose one of {', '.join(arms)}")
    layout = _Layout.of(table, reference)
    values = {arm: layout.values(table, arm) for arm in arms}
    others = [arm for arm in arms if arm != reference]
    finest = layout.resolution(lower)
    estimates = [layout.estimate(_minus(values[arm], values[reference]), finest) for arm in others]
    errors = {arm: tuple(float(cells.mean()) for cells in values[arm]) for arm in arms}
    margin = max(abs(float(np.mean(errors[reference]))) / 10 if delta is None else delta, finest)
    past = tuple(look for look in looks if look < layout.seeds)
    folds = layout.count // layout.seeds  # trainings come in whole seeds
    judgements = judge(
        estimates, delta=margin, level=level, looks=[look * folds for look in past], step=folds
    )
    differences = {
        arm: Difference(
            interval=_interval(judgement.estimate, level),
            p=judgement.estimate.p(),
            p_holm=judgement.p_holm,
            p_equivalence=judgement.p_equivalence,
            verdict=judgement.verdict,
            leans=judgement.leans,
            more_seeds=judgement.more_seeds and judgement.more_seeds // folds,
            from_trainings=judgement.estimate.share,
            over_examples=None,
        )
        for arm, judgement in zip(others, judgements, strict=True)
    }
    return Comparison(
        data={"name": names[0] or "the scores"},
        task="regression",
        metric=label,
        unit="score",
        metric_reason=None,
        level=level,
        delta=margin,
        reference=reference,
        arms=tuple(
            _result(
                arm, layout, errors[arm], layout.estimate(values[arm], finest), differences.get(arm), level
            )
            for arm in arms
        ),
        baselines=(),
        design="scores",
        examples=layout.examples,
        groups=layout.examples,
        looks=past,
        environment={},
        command=command,
        repeated=layout.repeated,
        cautions=tuple(_cautions(layout, table["score"], label, delta, finest)),
    )


AS_GIVEN, NEGATED = "score", "negated score"


def _cautions(
    layout: _Layout, scores: pd.Series[float], label: str, delta: float | None, finest: float
) -> Iterator[Caution]:
    """What a reader should know before relying on the comparison."""
    yield from too_few(layout.seeds)
    if delta is not None and delta < finest:
        yield Caution("fine delta", {"wished": delta, "finest": finest})
    if not layout.examples:
        yield Caution("folds alone" if layout.folded else "no examples")
    if label == NEGATED and delta is None:
        yield Caution("negated scores")
    if label == AS_GIVEN and _like_accuracies(scores):
        yield Caution("like accuracies")


def _like_accuracies(scores: pd.Series[float]) -> bool:
    """Whether scores are fractions, or percentages, most of them above half."""
    whole = 1.0 if scores.max() <= 1 else 100.0
    return bool(scores.min() >= 0 and scores.max() <= whole and scores.median() > whole / 2)


def _lower_is_better(scores: NDArray[np.float64], higher: bool) -> tuple[str, NDArray[np.float64]]:
    """The scores so that lower is better, and what they are called."""
    if not higher:
        return AS_GIVEN, scores
    inside = (item for item in TURNED.items() if scores.min() >= 0 and scores.max() <= item[1])
    label, whole = next(inside, (NEGATED, TURNED[NEGATED]))
    return label, whole - scores


@dataclass(frozen=True)
class _Layout:
    """Which scores are paired: the same seeds, folds and examples for every arm."""

    keys: pd.DataFrame
    """The reference's rows: seed, fold, example."""
    unit: str
    """The column of what trainings have in common: example, else fold, else nothing."""
    trainings: list[str]
    """The columns that tell one training from another."""

    @staticmethod
    def of(table: pd.DataFrame, reference: str) -> _Layout:
        """Raises `DataError` for an arm that lacks a score which another has, and for a single training."""
        keys = table.loc[table["arm"] == reference, ["seed", "fold", "example"]]
        _check_pairs(table, keys, reference)
        if (keys["example"] != "").any():
            layout = _Layout(keys, "example", ["seed", "fold"])
        elif (keys["fold"] != "").any() and keys["seed"].nunique() > 1:
            layout = _Layout(keys, "fold", ["seed"])
        else:
            layout = _Layout(keys, "", ["seed", "fold"])
        if layout.seeds < 2 and (layout.count < 2 or not layout.examples):
            raise DataError(
                f"arm {reference!r} has one seed ({keys['seed'].iloc[0]}), which does not show how much "
                "trainings differ: give two seeds or more, better ten"
            )
        return layout

    @property
    def count(self) -> int:
        """How many trainings each arm has."""
        return len(self.keys[self.trainings].drop_duplicates())

    @property
    def seeds(self) -> int:
        return int(self.keys["seed"].nunique())

    @property
    def examples(self) -> int:
        return int(self.keys["example"].nunique()) if self.unit == "example" else 0

    @property
    def folded(self) -> bool:
        return bool((self.keys["fold"] != "").any())

    @property
    def repeated(self) -> bool:
        """Whether examples were judged by several trainings; there is nothing to tell apart without them."""
        return self.examples == 0 or self.examples < len(self.keys)

    def values(self, table: pd.DataFrame, arm: str) -> Cells:
        """Per training the arm's scores, in the order of the units."""
        return self._grouped(table[table["arm"] == arm], "score")

    def resolution(self, scores: NDArray[np.float64]) -> float:
        """What one example that changes sides adds to a mean of 0s and 1s; 0 for any other scores."""
        counts = self.examples and np.isin(scores, (0, 1)).all()
        return 1 / self.examples if counts else 0.0

    def estimate(self, values: Cells, resolution: float) -> Estimate:
        """The mean and its uncertainty."""
        if not self.unit:
            return paired.estimate(np.array([cells.mean() for cells in values]))
        codes = self.keys.assign(code=self.keys[self.unit].astype("category").cat.codes)
        return examples.estimate(values, self._grouped(codes, "code"), resolution=resolution)

    def _grouped(self, rows: pd.DataFrame, column: str) -> list[NDArray[Any]]:
        ordered = rows.sort_values(self.unit or "fold", kind="stable")
        return [group[column].to_numpy() for _, group in ordered.groupby(self.trainings)]


def _check_pairs(table: pd.DataFrame, keys: pd.DataFrame, reference: str) -> None:
    """Raises `DataError` for a score of the reference that an arm lacks, or the other way round."""
    wanted = set(map(tuple, keys.to_numpy().tolist()))
    for arm, rows in table.groupby("arm", sort=False):
        own = set(map(tuple, rows[["seed", "fold", "example"]].to_numpy().tolist()))
        for missing, there, here in (
            (wanted - own, reference, str(arm)),
            (own - wanted, str(arm), reference),
        ):
            if missing:
                place = dict(zip(("seed", "fold", "example"), min(missing), strict=True))
                raise DataError(
                    f"no score for {named({'arm': here, **place, 'dataset': ''})}, which arm {there!r} has: "
                    "add the row, or drop that of the other arms"
                )


def _minus(values: Cells, others: Cells) -> Cells:
    """The differences; one of the size of rounding is none."""

    def less(mine: NDArray[Any], theirs: NDArray[Any]) -> NDArray[Any]:
        return np.where(np.isclose(mine, theirs, rtol=1e-12, atol=0), 0, mine - theirs)

    return [less(mine, theirs) for mine, theirs in zip(values, others, strict=True)]


def _interval(estimate: Estimate, level: float) -> Interval:
    return Interval(estimate.mean, *estimate.interval(level))


def _result(
    arm: str,
    layout: _Layout,
    errors: tuple[float, ...],
    estimate: Estimate,
    difference: Difference | None,
    level: float,
) -> ArmResult:
    """An arm of whose trainings nothing is known but the scores."""
    return ArmResult(
        name=arm,
        recipe={},
        learning_rate=nan,
        at_edge=False,
        grid=(),
        validation=nan,
        seeds=tuple(range(layout.seeds)),
        errors=errors,
        error=_interval(estimate, level),
        loss=None,
        diverged=0,
        difference=difference,
        over_guessing=None,
        best_steps=(),
        parameters=0,
        seconds=nan,
        milliseconds_per_step=nan,
        memory_bytes=0,
        curves={},
    )
