"""Regularization: what each penalty does to the weights, on a smaller study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trainwright.data import DataSpec
from trainwright.exhibits import regularization
from trainwright.exhibits.regularization import KINDS, STRENGTHS, Measured, claims, draw, measure, study_of
from trainwright.study import Study


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    whole = study_of("quick")
    arms = {name: recipe.replace(steps=800, evaluate_every=200) for name, recipe in whole.arms.items()}
    study = Study(DataSpec("digits", examples=100), arms, seeds=2)
    return measure(study, tmp_path_factory.mktemp("store"))


def test_the_book_s_statements_that_need_few_seeds(measured: Measured) -> None:
    found = claims(measured)
    assert len(found) == 7
    for claim in found[4:]:
        assert claim.holds, claim.seen


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
