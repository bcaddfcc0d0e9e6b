"""Augmentation: digits' mirror images hurt; gains are paired by seed and size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import comparisons
from trainwright.data import DataSpec
from trainwright.exhibits.augmentation import SETS, Measured, claims, draw, measure, plan, samples, table
from trainwright.networks.mlp import Mlp
from trainwright.studies.study import Study

SIZES = (100, 500)


@pytest.fixture(scope="module")
def studies() -> dict[tuple[str, int], Study]:
    """The exhibit's studies with a small network and two seeds."""
    studies = {}
    for (name, size), study in plan("quick").items():
        if size in SIZES:
            arms = {
                arm: recipe.replace(network=Mlp((32,)), steps=200, evaluate_every=200)
                for arm, recipe in study.arms.items()
            }
            studies[name, size] = Study(study.data, arms, seeds=2, folds=False)
    return studies


@pytest.fixture(scope="module")
def measured(studies: dict[tuple[str, int], Study], tmp_path_factory: pytest.TempPathFactory) -> Measured:
    return measure(studies, tmp_path_factory.mktemp("store"))


def test_mirror_images_of_digits_hurt_more_than_those_of_clothes(measured: Measured) -> None:
    """2,500 test images: a difference's standard error is at most 1.4 points; four trainings' mean 0.7."""
    gain = {name: np.mean(list(measured.gains(name, "mirror").values())) for name in SETS}
    assert gain["mnist"] < -1.4
    assert gain["mnist"] < gain["fashion_mnist"]


def test_more_examples_lower_the_error(measured: Measured) -> None:
    for name in SETS:
        errors = [measured.comparisons[name, size].arms[0].error.mean for size in SIZES]
        assert errors[0] > errors[1]


def test_gains_are_differences_of_the_errors_in_the_table(measured: Measured) -> None:
    rows = table(measured).set_index(["data", "examples", "arm"])
    assert len(rows) == 2 * (4 + 4 + 2)
    for (name, size, arm), row in rows.iterrows():
        plain = rows.loc[(name, size, "plain"), "test error (%)"]
        assert row["gain"] == pytest.approx(plain - row["test error (%)"], abs=1e-9), arm


def test_studies_differ_in_the_training_examples_alone(studies: dict[tuple[str, int], Study]) -> None:
    few, many = (studies["mnist", size].dataset() for size in SIZES)
    assert [len(data.splits.train) for data in (few, many)] == list(SIZES)
    assert np.array_equal(few.splits.test, many.splits.test)
    assert isinstance(studies["mnist", 100].data, DataSpec)


def test_every_statement_has_its_numbers_and_the_picture_its_panels(
    studies: dict[tuple[str, int], Study], measured: Measured
) -> None:
    assert all(claim.seen.endswith(".") for claim in claims(measured))
    images = list(samples(studies))
    assert np.array_equal(images[1][1], images[0][1][:, ::-1])
    assert len(draw(measured, iter(images)).axes) == 14


def test_shoes_are_left_out_where_it_says_so(studies: dict[tuple[str, int], Study]) -> None:
    assert len(studies["no_shoes", 100].dataset().classes) == 7
    assert len(studies["fashion_mnist", 100].dataset().classes) == 10


def made(gains: dict[str, tuple[float, ...]]) -> Measured:
    """Hand-made errors of four seeds on all data sets: by arm the gain in points at 100, 1000 and 10,000."""
    scatter = 0.001 * np.array([-1, 0, 0, 1])  # of the gains: 0.1 points, more where there are more examples
    found = {}
    for name in SETS:
        arms = ["mirror"] if name == "no_shoes" else list(gains)
        for place, size in enumerate((100, 1000, 10_000)):
            errors = {"plain": np.full(4, 0.2)} | {
                arm: 0.2 - gains[arm][place] / 100 - place * scatter for arm in arms
            }
            results = tuple(comparisons.arm(arm, ones, None, delta=0.01) for arm, ones in errors.items())
            found[name, size] = replace(comparisons.study(["plain"]), arms=results)
    return Measured(found)


HELPS, HURTS, NOTHING = (3.0, 2.0, 1.0), (-3.0, -2.0, -1.0), (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("gain", "clothes_hold", "digits_mirror_holds"),
    [(HELPS, True, False), (HURTS, False, True), (NOTHING, False, False)],
)
def test_mirror_claims_are_those_of_the_gains(
    gain: tuple[float, ...], clothes_hold: bool, digits_mirror_holds: bool
) -> None:
    no_shoes, clothes, digits, *_ = claims(made({"mirror": gain, "shift": NOTHING, "noise": NOTHING}))
    assert no_shoes.holds == clothes.holds == clothes_hold
    assert digits.holds == digits_mirror_holds


@pytest.mark.parametrize("arm", ["shift", "noise"])
def test_shifts_and_noise_help_where_all_gains_together_are_above_zero(arm: str) -> None:
    arms = ["mirror", "shift", "noise"]
    for gain, holds in ((HELPS, True), (NOTHING, False), (HURTS, False)):
        found = claims(made(dict.fromkeys(arms, NOTHING) | {arm: gain}))
        judged = found[3:5] if arm == "shift" else found[5:7]
        assert [claim.holds for claim in judged] == [holds, holds]
        assert [claim.holds for claim in found[:7]].count(True) == 2 * holds


def test_gains_must_fall_along_the_examples_for_every_arm_that_helps() -> None:
    falling = claims(made({"mirror": HURTS, "shift": HELPS, "noise": NOTHING}))[-1]
    assert falling.holds
    assert "shift, digits: -1.00 (-1." in falling.seen
    assert "mirror" not in falling.seen
    assert not claims(made({"mirror": HURTS, "shift": HELPS, "noise": HELPS[::-1]}))[-1].holds
    assert not claims(made({"mirror": HURTS, "shift": (2.0, 2.0, 2.0), "noise": NOTHING}))[-1].holds


def test_without_an_arm_that_helps_nothing_is_said_of_its_gains() -> None:
    none = claims(made(dict.fromkeys(("mirror", "shift", "noise"), HURTS)))[-1]
    assert not none.holds
    assert none.seen == "nothing helps over all numbers of examples."
