"""Inception: arrivals and maxima are counted as said; the claims hold where the numbers say so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trainwright.exhibit import evaluations
from trainwright.exhibits import inception as exhibit
from trainwright.exhibits.inception import BASELINE, PLAIN, PLAIN_SIGMOID, PLAIN_X5, SIGMOID, X5, X30
from trainwright.strategies import find

TINY = exhibit.SCALES["quick"].replace(
    images={"pool": 60, "test": 20, "halved": True}, modules=("3c",), width=2, steps=4, every=2, seeds=2
)


def test_each_network_has_the_paper_s_changes() -> None:
    arms = exhibit.study(TINY).arms
    assert list(arms) == [*exhibit.CURVES, PLAIN_X5, PLAIN_SIGMOID]
    rates = {arm: recipe.learning_rate / arms[PLAIN].learning_rate for arm, recipe in arms.items()}
    assert rates == pytest.approx(
        {PLAIN: 1, BASELINE: 1, X5: 5, X30: 30, SIGMOID: 5, PLAIN_X5: 5, PLAIN_SIGMOID: 1}
    )
    for arm, recipe in arms.items():
        given = {strategy.name: strategy for strategy in recipe.strategies}
        assert ("batch_norm" in given) == arm.startswith("BN")
        assert ("activation" in given) == arm.endswith("Sigmoid")
        hastened = "x" in arm
        assert given["l2"] == find("l2")(exhibit.L2 / (5 if hastened else 1))
        assert given["rate_schedule"].final == pytest.approx(exhibit.FINAL ** (6 if hastened else 1))


def test_networks_are_trained_and_drawn(tmp_path: Path) -> None:
    study = exhibit.study(TINY)
    curves = exhibit.accuracies(evaluations(study.run(tmp_path)))
    assert len(curves) == 7 * 2 * 2
    reached = exhibit.outcomes(curves)
    assert len(reached) == 7 * 2
    assert np.isfinite(reached["steps"][reached["arm"] == PLAIN]).all()  # it is as good as itself
    table = exhibit.table(reached)
    assert list(table["network"]) == list(study.arms)
    figure = exhibit.draw(curves, reached)
    assert len(figure.axes[0].lines) == 6  # five curves and a level


def test_an_arrival_is_the_first_step_that_is_as_good_as_the_plain_network_s_best() -> None:
    rows = [
        (PLAIN, 0, (50.0, 70.0, 60.0)),
        (PLAIN, 1, (50.0, 55.0, 80.0)),
        (X5, 0, (70.0, 60.0, 90.0)),
        (X5, 1, (79.9, np.nan, np.nan)),
    ]
    curves = pd.DataFrame(
        [(arm, seed, 10 * n, value) for arm, seed, values in rows for n, value in enumerate(values, 1)],
        columns=["arm", "seed", "step", "accuracy"],
    )
    reached = exhibit.outcomes(curves)
    assert reached["steps"].tolist() == [20, 30, 10, np.inf]
    assert reached["best"].tolist() == [70, 80, 90, 79.9]
    assert reached["diverged"].tolist() == [False, False, False, True]


def made_up(**changes: tuple[float, float, bool]) -> pd.DataFrame:
    """Outcomes as the paper has them (steps, highest accuracy, whether it diverged), with these changes."""
    paper: dict[str, tuple[float, float, bool]] = {
        PLAIN: (300, 72, False), BASELINE: (130, 73, False), X5: (20, 73, False), X30: (30, 75, False),
        SIGMOID: (np.inf, 70, False), PLAIN_X5: (np.inf, 10, True), PLAIN_SIGMOID: (np.inf, 10, False),
    }  # fmt: skip
    seen = paper | {name.replace("_", "-"): change for name, change in changes.items()}
    rows = [
        (arm, seed, steps * (1 + 0.02 * wiggle), best + 0.1 * wiggle, 330.0, diverged)
        for number, (arm, (steps, best, diverged)) in enumerate(seen.items())
        for seed, wiggle in enumerate(np.roll([0, 1, 2, 0, -1, -2, 0], number)[:4])
    ]
    return pd.DataFrame(rows, columns=["arm", "seed", "steps", "best", "last", "diverged"])


CLAIMS = (exhibit.sooner, exhibit.much_sooner, exhibit.higher, exhibit.saturating, exhibit.unstable)


def test_the_paper_s_numbers_make_the_claims_hold() -> None:
    assert all(claim(made_up()).holds for claim in CLAIMS)


@pytest.mark.parametrize(
    ("changes", "fails"),
    [
        ({"BN_Baseline": (200, 73, False)}, {"sooner"}),
        ({"BN_Baseline": (np.inf, 70, False)}, {"sooner"}),
        ({"BN_x5": (140, 73, False)}, {"much_sooner"}),  # less than half, but not before BN-Baseline
        ({"BN_x5": (np.inf, 70, False)}, {"much_sooner"}),
        ({"BN_x30": (30, 73, False)}, {"higher"}),
        ({"BN_x5_Sigmoid": (np.inf, 15, False)}, {"saturating"}),
        ({"Inception_Sigmoid": (np.inf, 60, False)}, {"saturating"}),
        ({"Inception_x5": (np.inf, 70, False)}, {"unstable"}),
        ({"Inception_x5": (np.inf, 11, False)}, set()),  # it stays at chance
    ],
)
def test_a_claim_fails_where_its_numbers_do(
    changes: dict[str, tuple[float, float, bool]], fails: set[str]
) -> None:
    reached = made_up(**changes)
    assert {claim.__name__ for claim in CLAIMS if not claim(reached).holds} == fails
