"""Street numbers: the numbers are drawn as said and can be read; the claims hold where the numbers say so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import comparisons
from trainwright.comparison.results import Comparison
from trainwright.data import sequences
from trainwright.exhibit import house_numbers
from trainwright.exhibits import street_numbers as exhibit

TINY = exhibit.SCALES["quick"].replace(
    shape=(8, 16), numbers=(60, 20), depths=(3, 4), larger=(2,), width=2, dense=1, steps=4, batch=16, seeds=2
)


def test_the_same_seed_draws_the_same_numbers() -> None:
    (images, numbers), again = (house_numbers.house_numbers(20, seed=3) for _ in range(2))
    np.testing.assert_array_equal(images, again[0])
    np.testing.assert_array_equal(numbers, again[1])
    other, _ = house_numbers.house_numbers(20, seed=4)
    assert (images != other).mean() > 0.5
    assert (images.shape, images.dtype) == ((20, 24, 48, 3), np.uint8)


def test_lengths_and_digits_come_as_often_as_asked_for() -> None:
    lengths = (0.5, 0.2, 0.3)
    _, numbers = house_numbers.house_numbers(600, seed=0, shape=(8, 16), lengths=lengths)
    targets = sequences.from_texts(list(numbers))
    seen = np.bincount(targets[:, 0], minlength=4)[1:4] / 600
    np.testing.assert_allclose(seen, lengths, atol=4 * np.sqrt(0.25 / 600))
    digits = targets[:, 1:][targets[:, 1:] >= 0]
    assert np.bincount(digits, minlength=10).min() > len(digits) / 20


def test_digits_can_be_read_by_whoever_knows_their_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one font, the known picture that a new one correlates with most names its digit; by chance a tenth
    would be right."""
    monkeypatch.setattr(house_numbers, "FONTS", ("DejaVuSans-Bold",))

    def drawn(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        images, numbers = house_numbers.house_numbers(count, seed, shape=(20, 20), lengths=(1.0,))
        grey = images.mean(axis=3).reshape(count, -1)
        grey -= grey.mean(axis=1, keepdims=True)
        return grey / np.linalg.norm(grey, axis=1, keepdims=True), numbers.astype(int)

    (known, names), (new, truth) = drawn(600, 0), drawn(200, 1)
    read = names[(new @ known.T).argmax(axis=1)]
    assert (read == truth).mean() > 0.7


def test_a_number_stays_inside_its_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """However it is tilted and placed, something of it is seen, and something of the wall."""
    for setting in ("NOISE", "SHADE", "BLUR"):
        monkeypatch.setattr(house_numbers, setting, 0.0)
    images, _ = house_numbers.house_numbers(40, seed=0)
    for image in images:
        colours, counts = np.unique(image.reshape(-1, 3), axis=0, return_counts=True)
        assert len(colours) > 1
        assert counts.max() > 0.2 * 24 * 48


def test_networks_are_trained_compared_and_drawn(tmp_path: Path) -> None:
    study, networks = exhibit.plan(TINY, exhibit.drawn(TINY))
    assert networks == NETWORKS
    assert tuple(study.arms) == NAMES
    comparison = study.compare(tmp_path)
    size = {arm.name: arm.parameters for arm in comparison.arms}
    assert min(size["3 layers, convolutions ×2"], size["3 layers, dense ×2"]) > size["3 layers"]
    data = study.dataset()
    figure = exhibit.draw(comparison, networks, {"7": data.inputs[0], "42": data.inputs[1]})
    _, _, depth, sizes = figure.axes
    assert len(depth.containers) == 1
    assert len(sizes.containers) == 3
    right = exhibit.accuracy(comparison, "3 layers")
    assert right.mean == pytest.approx(100 - 100 * np.mean(comparison.arm("3 layers").errors))
    assert right.low <= right.mean <= right.high


NETWORKS = exhibit.Networks(
    ["3 layers", "4 layers"],
    ["3 layers", "3 layers, convolutions ×2"],
    ["3 layers", "3 layers, dense ×2"],
    ["4 layers", "4 layers, convolutions ×2"],
)
NAMES = (
    "3 layers",
    "4 layers",
    "3 layers, convolutions ×2",
    "3 layers, dense ×2",
    "4 layers, convolutions ×2",
)


def made_up(*errors: float, parameters: tuple[int, ...] = (10, 10, 20, 20, 20)) -> dict[str, Comparison]:
    """The five networks with these test errors, in the order of `NAMES`, over four seeds."""
    scatter = 0.001 * np.array([[1, -1, 0, 0], [0, 0, 1, -1], [-1, 0, 0, 1], [0, 1, -1, 0], [1, 0, -1, 0]])
    reached = dict(zip(NAMES, np.array(errors)[:, None] + scatter, strict=True))
    sizes = dict(zip(NAMES, parameters, strict=True))
    return {
        reference: replace(
            comparisons.study(["plain"]),
            arms=tuple(
                replace(
                    comparisons.arm(
                        name, values, None if name == reference else reached[reference], delta=0.01
                    ),
                    parameters=sizes[name],
                )
                for name, values in reached.items()
            ),
            reference=reference,
        )
        for reference in reached
    }


CLAIMS = (exhibit.deeper, exhibit.deepest_best, exhibit.not_size, exhibit.ineffective, exhibit.deep_gains)


@pytest.mark.parametrize(
    ("errors", "holds"),
    [
        ((0.5, 0.3, 0.45, 0.48, 0.2), [True, True, True, True, True]),
        ((0.5, 0.3, 0.45, 0.25, 0.2), [True, True, False, False, True]),  # dense layers do as well
        ((0.5, 0.3, 0.35, 0.48, 0.2), [True, True, True, False, True]),  # three quarters of depth's gain
        ((0.5, 0.5, 0.55, 0.55, 0.5), [None, None, True, None, None]),  # nothing helps
        ((0.5, 0.3, 0.45, 0.48, 0.4), [True, True, True, True, False]),
    ],
)
def test_claims_hold_where_every_interval_does(errors: tuple[float, ...], holds: list[bool | None]) -> None:
    over = made_up(*errors)
    assert [claim(over, NETWORKS).holds for claim in CLAIMS] == holds


def test_a_shallow_network_that_is_smaller_proves_nothing() -> None:
    over = made_up(0.5, 0.3, 0.45, 0.48, 0.2, parameters=(10, 30, 20, 20, 60))
    assert not exhibit.not_size(over, NETWORKS).holds


def test_real_numbers_are_a_setting() -> None:
    assert exhibit.StreetNumbers("svhn_numbers").data == "svhn_numbers"
