"""Dropout: figure 2 exactly, and the exhibit's other numbers on small networks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

import comparisons
from trainwright.comparison.results import Comparison, Interval
from trainwright.data import DataSpec, load
from trainwright.exhibits.dropout import (
    DRAWS,
    PASSES,
    Measured,
    Plan,
    _approximates,
    _equal,
    _groups,
    _growing,
    _middle,
    _sparser,
    claims,
    draw,
    equality,
    measure,
    passes,
    tables,
)
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.strategies.dropout import Dropout
from trainwright.studies.study import Study
from trainwright.training.fit import fit


def recipe(rate: float, inputs: float = 0.0) -> Recipe:
    strategies = (Dropout(hidden_rate=rate, input_rate=inputs),) if rate else ()
    return Recipe(Mlp((48,)), strategies, learning_rate=0.2, batch_size=25, steps=400, evaluate_every=200)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    arms = {"plain": recipe(0), "plain with dropout": recipe(0.5)}
    kept = {"0.1": recipe(0.9), "0.5": recipe(0.5), "1.0": recipe(0)}
    networks = {name.replace("plain", "1×48"): one for name, one in arms.items()}
    plan = Plan(
        Study(DataSpec("digits", examples=500), networks, seeds=2),
        Study(DataSpec("digits", examples=500), kept, seeds=2),
        {size: Study(DataSpec("digits", examples=size), arms, seeds=2) for size in (100, 500)},
    )
    return measure(plan, tmp_path_factory.mktemp("store"))


def test_scaling_is_the_average_over_all_thinned_linear_units() -> None:
    """Ten products of float32 inputs with weights of a few units: an error of 10 · 2⁻²⁴ · 5 at most."""
    units = equality(inputs=7, units=5)
    np.testing.assert_allclose(units["linear: average"], units["linear: scaled"], rtol=0, atol=3e-6)
    # The rectified average is never below the rectified mean (Jensen).
    assert np.all(units["rectified: average"] >= units["rectified: scaled"] - 3e-6)


def test_keeping_a_tenth_is_too_little(measured: Measured) -> None:
    errors = {arm.name: arm.error.mean for arm in measured.retention.arms}
    assert errors["0.1"] > errors["0.5"]


def test_many_passes_beat_one_and_come_to_the_scaled_network(measured: Measured) -> None:
    assert measured.passes.shape == (2, DRAWS, PASSES)
    one, many = measured.passes[..., 0].mean(), measured.passes[..., -1].mean()
    assert many < one
    # 360 test images: two binomial standard errors of a difference between two correlated networks.
    assert abs(many - measured.scaled.mean()) < 2 * np.sqrt(2 * 0.05 * 0.95 / 720)
    # The sets differ, and the more passes they have, the less.
    scatter = measured.passes.std(axis=1).mean(axis=0)
    assert 0 < scatter[-1] < scatter[0]


def test_passes_without_dropout_are_all_the_same() -> None:
    data = load("digits", examples=100)
    run = fit(recipe(0), data)
    x, y = data.inputs[data.splits.test], data.targets[data.splits.test]
    expected = np.mean(run.predictions["test"].argmax(axis=1) != y)
    assert passes(run, data, x, y) == pytest.approx(expected)


def pair(plain: float, dropped: float, seeds: int = 4) -> Comparison:
    """Test errors without and with dropout; a single seed has an interval over examples, ± 0.4 points."""
    return comparisons.study(["plain", "with dropout"], seeds, base=plain, shifts=(0, dropped - plain))


def test_groups_are_two_and_every_network_gains() -> None:
    assert _groups([pair(0.10, 0.05), pair(0.11, 0.06)]).holds
    assert not _groups([pair(0.20, 0.11), pair(0.10, 0.05)]).holds  # all gain, in groups that overlap
    assert not _groups([pair(0.10, 0.05), pair(0.11, 0.11)]).holds


def test_intervals_of_a_single_training_are_said_to_be_over_examples() -> None:
    alone = _groups([pair(0.10, 0.05, seeds=1)])
    assert alone.holds
    assert "over the 360 test examples of one training each" in alone.seen
    assert "n = 4 seeds" in _groups([pair(0.10, 0.05)]).seen


def test_dropout_gains_nothing_at_first_and_then_something() -> None:
    nothing, much, loss = pair(0.2, 0.2), pair(0.1, 0.05), pair(0.1, 0.15)
    assert _growing({100: nothing, 1000: much, 5000: nothing}).holds
    assert _growing({100: loss, 1000: much}).holds
    assert not _growing({100: nothing, 1000: nothing}).holds
    assert not _growing({100: nothing, 1000: loss}).holds
    assert not _growing({100: pair(0.2, 0.1), 1000: much}).holds
    seen = _growing({100: nothing, 1000: much, 5000: pair(0.1, 0.02)}).seen
    assert "at 1,000 and 5,000. The gain is largest at 5,000." in seen


def test_a_p_in_between_beats_both_ends() -> None:
    def retention(**errors: float) -> Comparison:
        first, *rest = errors.values()
        made = comparisons.study(list(errors), 4, base=first, shifts=(0, *(one - first for one in rest)))
        return replace(made, arms=tuple(replace(arm, name=arm.name[1:]) for arm in made.arms))

    assert _middle(retention(**{"p1.0": 0.1, "p0.2": 0.2, "p0.5": 0.05})).holds
    assert not _middle(retention(**{"p1.0": 0.1, "p0.2": 0.2, "p0.5": 0.1})).holds
    assert not _middle(retention(**{"p1.0": 0.1, "p0.2": 0.04, "p0.5": 0.05})).holds


def test_averaged_passes_are_as_good_within_a_tenth() -> None:
    scaled = 0.1 + 0.001 * np.array([0, 1, -1, 0])
    jitter = 0.0002 * np.array([1, -1, 1, -1])

    def errors(first: float, last: float) -> NDArray[np.float64]:
        along = np.linspace(first, last, PASSES)
        return np.broadcast_to((scaled + jitter)[:, None, None] + along, (4, DRAWS, PASSES))

    assert _approximates(errors(0.04, 0.001), scaled).holds
    assert not _approximates(errors(0.04, 0.02), scaled).holds  # 50 passes are worse
    assert not _approximates(errors(0.04, -0.02), scaled).holds  # or better
    assert not _approximates(errors(0, 0), scaled).holds  # one pass is as good


def test_sparser_is_fewer_active_units() -> None:
    rng = np.random.default_rng(0)
    many, few = ((rng.random((3, 200, 20)) < share).astype(np.float32) for share in (0.6, 0.3))
    assert _sparser({"without dropout": many, "with dropout": few}).holds
    assert not _sparser({"without dropout": few, "with dropout": many}).holds
    assert not _sparser({"without dropout": many, "with dropout": 0.5 * many}).holds  # weaker, not fewer


def test_equality_fails_where_the_scaling_is_wrong() -> None:
    units = equality(inputs=7, units=5)
    assert _equal(units).holds
    assert not _equal(units.assign(**{"linear: scaled": 1.01 * units["linear: scaled"]})).holds


def test_no_gain_is_no_tiny_number(measured: Measured) -> None:
    """Equal errors leave the rounding of their mean, which is not to be shown."""
    same = pair(0.1, 0.1)
    errors = same.arms[0].errors
    found = replace(same.arms[1].difference, interval=Interval(-3e-18, -0.01, 0.01))
    level = replace(same, arms=(same.arms[0], replace(same.arms[1], errors=errors, difference=found)))
    table = next(iter(tables(replace(measured, networks=[level])).values()))
    assert table["gain"].tolist() == [0]
    assert "plain: +0.00 (-1.00 to +1.00)" in _groups([level]).seen


def test_the_page_is_of_the_networks_with_most_examples(measured: Measured) -> None:
    assert len(claims(measured)) == len(draw(measured).axes) == 6
    assert sorted(measured.sizes) == [100, 500]
    assert measured.scaled == pytest.approx(measured.sizes[500].arms[1].errors)
    plain, dropped = measured.activations.values()
    assert plain.shape == dropped.shape
    assert plain.shape[::2] == (2, 48)
