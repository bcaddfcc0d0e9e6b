"""Regularization: what each penalty does to the weights, on a smaller study."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from comparisons import study
from trainwright.data import DataSpec
from trainwright.exhibits import regularization
from trainwright.exhibits.regularization import KINDS, STRENGTHS, Measured, claims, draw, measure, study_of
from trainwright.studies.study import Study


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    whole = study_of("quick")
    arms = {name: recipe.replace(steps=800, evaluate_every=200) for name, recipe in whole.arms.items()}
    small = Study(DataSpec("digits", examples=100), arms, seeds=2)
    return measure(small, tmp_path_factory.mktemp("store"))


def test_the_book_s_statements_that_need_few_seeds(measured: Measured) -> None:
    turn, _, sparse = claims(measured)[4:]
    assert turn.holds, turn.seen
    assert sparse.holds, sparse.seen


def test_a_penalty_helps_if_its_verdict_says_so(measured: Measured) -> None:
    arms = study(["none", "L1 0.001", "L2 0.01", "max-norm 2"], shifts=(0, -0.01, 0.0, 0.01))
    helps = claims(replace(measured, chosen=arms))[:3]
    assert [claim.holds for claim in helps] == [True, False, False]


SEEDS = np.array([0.0, 0.02, 0.01, 0.03])


def made(measured: Measured, loss: float, fit: float) -> Measured:
    """Four seeds with test loss 0.4 and training loss 0.1 without penalty, and these with each penalty."""
    jitter = np.array([0.001, -0.001, 0.0, 0.002])
    losses = {"none": 0.4 + SEEDS, **dict.fromkeys(KINDS, loss + SEEDS + jitter)}
    fits = {"none": 0.1 + SEEDS / 2, **dict.fromkeys(KINDS, fit + SEEDS / 2)}
    errors = measured.errors.copy()
    errors["training loss"] = errors.strength.where(errors.penalty != "max-norm", -errors.strength)
    return replace(measured, losses=losses, fits=fits, errors=errors)


def test_loss_on_new_examples_must_fall_for_every_penalty(measured: Measured) -> None:
    assert regularization._tamed(made(measured, 0.3, 0.1)).holds
    assert not regularization._tamed(made(measured, 0.4, 0.1)).holds
    one = made(measured, 0.3, 0.1)
    one.losses["L2"][:] = 0.4 + SEEDS
    assert not regularization._tamed(one).holds


def test_the_gap_must_close_and_the_fit_be_paid_for(measured: Measured) -> None:
    better = made(measured, 0.35, 0.12)
    assert regularization._fit(better).holds
    assert not regularization._fit(made(measured, 0.42, 0.12)).holds  # the gap is that without penalty
    unmet = better.errors["training loss"].replace(-3.0, -2.0)  # two bounds that never bind
    assert regularization._fit(replace(better, errors=better.errors.assign(**{"training loss": unmet}))).holds
    fallen = better.errors.assign(**{"training loss": -better.errors["training loss"]})
    assert not regularization._fit(replace(better, errors=fallen)).holds


def test_too_strong_a_penalty_must_cost_fit_and_error(measured: Measured) -> None:
    for column, said in (("training loss", "for 2 of the 3"), ("test error", "for 3 of the 3")):
        errors = measured.errors.copy()
        errors.loc["L2 0.1", column] = 0.0
        claim = regularization._turn(errors)
        assert not claim.holds
        assert said in claim.seen


def test_l2_that_leaves_the_weights_large_is_not_what_is_said(measured: Measured) -> None:
    l2 = next(name for name in measured.weights if name.startswith("L2"))
    large = replace(measured, weights=measured.weights | {l2: 2 * measured.weights["none"]})
    assert not regularization._sparse(large).holds
    dense = measured.zeros.assign(L1=measured.zeros["none"])
    assert not regularization._sparse(replace(measured, zeros=dense)).holds


def test_a_penalty_lowers_the_loss_on_new_examples(measured: Measured) -> None:
    none = measured.losses["none"]
    assert measured.errors["test loss"]["none"] == pytest.approx(none.mean())
    assert np.all(measured.losses["L2"] < none)  # seed by seed
    for kind in KINDS:
        along = measured.errors[measured.errors.penalty == kind]
        assert measured.tamed[kind].name == along["validation loss"].idxmin()


def test_zeros_are_counted_within_one_step_of_l1(measured: Measured) -> None:
    strength, bound, l1, _, _ = measured.zeros.iloc[5]
    assert bound == pytest.approx(0.1 * strength)
    assert 0 < l1 < 1
    chosen = next(name for name in measured.weights if name.startswith("L1"))
    row = measured.zeros.iloc[STRENGTHS["L1"].index(float(chosen.split()[1]))]
    assert row["L1"] == pytest.approx(np.mean(np.abs(measured.weights[chosen]) <= row["ε λ"]))


def test_max_norm_holds_every_unit_within_the_ball(measured: Measured, tmp_path: Path) -> None:
    assert list(regularization.COLOURS) == ["none", *KINDS]
    chosen = next(name for name in measured.weights if name.startswith("max-norm"))
    # Blank pixels' weights are missing here, so a unit's norm is at most c.
    kernels = measured.weights[chosen].reshape(2, -1, 64)
    assert np.linalg.norm(kernels, axis=1).max() <= float(chosen.split()[1]) * (1 + 1e-6)


def test_the_picture_has_its_panels(measured: Measured) -> None:
    titles = [axes.get_title() for axes in draw(measured).axes]
    assert len(titles) == 4
    assert all(titles)
