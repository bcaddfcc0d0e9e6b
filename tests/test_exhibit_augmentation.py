"""Augmentation: digits' mirror images hurt; gains are paired by seed and size."""

from __future__ import annotations

import numpy as np
import pytest

from trainwright.data import DataSpec
from trainwright.exhibits.augmentation import SETS, Measured, claims, draw, measure, plan, samples, table
from trainwright.networks.mlp import Mlp
from trainwright.study import Study

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
            studies[name, size] = Study(study.data, arms, seeds=2)
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
    assert len(claims(measured)) == 8
    images = list(samples(studies))
    assert np.array_equal(images[1][1], images[0][1][:, ::-1])
    assert len(draw(measured, iter(images)).axes) == 14


def test_shoes_are_left_out_where_it_says_so(studies: dict[tuple[str, int], Study]) -> None:
    assert len(studies["no_shoes", 100].dataset().classes) == 7
    assert len(studies["fashion_mnist", 100].dataset().classes) == 10
