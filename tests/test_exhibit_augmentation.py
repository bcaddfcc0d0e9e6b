"""Augmentation: what is tried, and claims judged along the whole range."""

from __future__ import annotations

import numpy as np
import pytest

import comparisons
from trainwright.exhibit import Sweep, compare_all
from trainwright.exhibits import augmentation as exhibit
from trainwright.networks.mlp import Mlp

SMALL = exhibit.SCALES["quick"].replace(hidden=(32,), steps=200, sizes=(100, 500), seeds=2)


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory: pytest.TempPathFactory) -> exhibit.Sweeps:
    """The exhibit with a small network and two seeds."""
    compared = compare_all(exhibit.studies(SMALL), tmp_path_factory.mktemp("store"))
    return {title: Sweep({size: compared[title, size] for size in SMALL.sizes}) for title in exhibit.SETS}


def test_mirror_images_of_digits_hurt_more_than_those_of_clothes(sweeps: exhibit.Sweeps) -> None:
    """2,500 test images: a difference's standard error is at most 1.4 points; four trainings' mean 0.7."""
    gain = {title: np.mean(list(sweep.gains("mirror").means.values())) for title, sweep in sweeps.items()}
    assert gain[exhibit.DIGITS] < -1.4
    assert gain[exhibit.DIGITS] < gain[exhibit.CLOTHES]


def test_more_examples_lower_the_error_and_the_picture_has_its_panels(sweeps: exhibit.Sweeps) -> None:
    for sweep in sweeps.values():
        few, many = sweep.errors("plain").means.values()
        assert few > many
    assert len(exhibit.draw(sweeps).axes) == 8 + 6


def test_every_seed_trains_on_examples_of_its_own() -> None:
    studies = exhibit.studies(SMALL)
    first, second = (studies[exhibit.DIGITS, 100].dataset(seed) for seed in (0, 1))
    assert len(first.splits.train) == len(second.splits.train) == 100
    assert not np.array_equal(first.splits.train, second.splits.train)
    np.testing.assert_array_equal(first.inputs[first.splits.test], second.inputs[second.splits.test])
    assert len(studies[exhibit.NO_SHOES, 100].dataset(0).classes) == 7
    assert studies[exhibit.DIGITS, 500].arms["mirror"].network == Mlp((32,))


def test_samples_show_what_is_done() -> None:
    plain, mirrored, *_ = exhibit.samples().values()
    np.testing.assert_array_equal(mirrored, plain[:, ::-1])


@pytest.mark.parametrize(
    ("gains", "outcome"), [((3, 0, 0), "helps"), ((-3, -2, 0), "hurts"), ((3, 2, -1), "both")]
)
def test_what_helps_at_one_size_may_hurt_at_none(gains: tuple[float, ...], outcome: str) -> None:
    sweeps = {exhibit.DIGITS: comparisons.sweep("mirror", *gains)}
    for expected in ("helps", "hurts"):
        claim = exhibit.as_said(sweeps, "", "", "mirror", expected, exhibit.DIGITS)
        assert claim.holds is (expected == outcome)


@pytest.mark.parametrize(("gains", "holds"), [((3, 2, 1), True), ((1, 2, 3), False), ((2, 2, 2), None)])
def test_gains_must_fall_along_the_examples(gains: tuple[float, ...], holds: bool | None) -> None:
    assert exhibit.fades({exhibit.NO_SHOES: comparisons.sweep("mirror", *gains)}).holds is holds


def test_without_an_arm_that_helps_nothing_is_said_of_its_gains() -> None:
    claim = exhibit.fades({exhibit.NO_SHOES: comparisons.sweep("mirror", -3, -2, -1)})
    assert claim.holds is None
    assert claim.seen == "nothing helps."
