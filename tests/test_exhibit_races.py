"""Words on the way of a training: its evaluations, when it arrives at a goal, and who gets there sooner."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from small import recipe
from trainwright.exhibit import arrival, at_each_rate, compare, evaluations, images, race, scores
from trainwright.strategies import Dropout
from trainwright.studies.study import Study


def test_a_training_arrives_at_the_first_step_that_is_good_enough() -> None:
    errors = pd.Series([0.4, 0.2, 0.3], index=[50, 100, 150])
    assert [arrival(errors, goal) for goal in (0.5, 0.3, 0.2, 0.1)] == [50, 100, 100, np.inf]
    assert arrival(pd.Series([np.nan, 0.2], index=[50, 100]), 0.3) == 100


def test_who_never_arrives_counts_as_if_it_did_at_the_last_step() -> None:
    ratio, medians, missed = race([100, 200, 300], [np.inf, 800, np.inf], last=1200)
    assert ratio.mean == pytest.approx((100 / 1200 * 200 / 800 * 300 / 1200) ** (1 / 3))
    assert (ratio.n, medians, missed) == (3, (200, 1200), (0, 2))


def test_evaluations_end_with_the_scores_and_arms_meet_at_each_rate(tmp_path: Path) -> None:
    arms = {"plain": recipe(), "dropout": recipe(Dropout(0.5))}
    study = Study(images("digits", train=100), arms, seeds=3, rates=(0.1, 0.3))
    runs = study.run(tmp_path)
    rows, sweep = evaluations(runs), at_each_rate(runs, "plain")
    assert list(sweep.comparisons) == [0.1, 0.3]
    for rate, comparison in sweep.comparisons.items():
        alone = Study(images("digits", train=100), arms, seeds=3, rates=(rate,)).run(tmp_path)
        assert comparison.gain("dropout") == compare(alone, reference="plain").gain("dropout")
        own = rows[rows["learning rate"] == rate]
        last = own.groupby(["arm", "seed"], sort=False).last()
        table = scores(alone).set_index(["arm", "seed"])
        for column in ("training loss", "step"):
            seen = table[column.replace("step", "steps")]
            np.testing.assert_allclose(last[column], seen, rtol=1e-6)
        best = own.groupby(["arm", "seed"], sort=False)["validation error"].min()
        assert (best <= table["validation error"] + 1e-4).all()
