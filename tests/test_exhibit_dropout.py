"""Dropout: figure 2 exactly, and the exhibit's other numbers on small networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import comparisons
from trainwright.comparison.results import Comparison
from trainwright.comparison.sweep import Sweep
from trainwright.data import load
from trainwright.diagnosis.averaging import all_masks, averaged_passes, by_passes
from trainwright.exhibits import dropout
from trainwright.exhibits.dropout import SCALES
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.strategies.dropout import Dropout
from trainwright.training.fit import fit

DIGITS = load("digits", examples=500)


def recipe(rate: float) -> Recipe:
    strategies = (Dropout(hidden_rate=rate),) if rate else ()
    return Recipe(Mlp((48,)), strategies, learning_rate=0.2, batch_size=25, steps=400, evaluate_every=200)


def wrong(rate: float) -> NDArray[np.bool_]:
    """Which test images two networks with this dropout get wrong, (2, images)."""
    runs = [fit(recipe(rate), DIGITS, seed=seed) for seed in (0, 1)]
    return np.array(
        [run.predictions["test"].argmax(axis=1) != run.predictions["test_targets"] for run in runs]
    )


def test_scaling_is_the_average_over_all_thinned_linear_units() -> None:
    """Ten products of float32 inputs with weights of a few units: an error of 10 · 2⁻²⁴ · 5 at most."""
    units = all_masks(7, 5, retained=(0.5, 0.8))
    np.testing.assert_allclose(units["linear: average"], units["linear: scaled"], rtol=0, atol=3e-6)
    # The rectified average is never below the rectified mean (Jensen).
    assert np.all(units["rectified: average"] >= units["rectified: scaled"] - 3e-6)


def test_keeping_a_tenth_is_too_little() -> None:
    assert wrong(0.9).mean() > wrong(0.5).mean()


def test_many_passes_beat_one_and_come_to_the_scaled_network() -> None:
    averaged = np.array([averaged_passes(fit(recipe(0.5), DIGITS, seed=seed), DIGITS) for seed in (0, 1)])
    assert averaged.shape == (2, 20, 50)
    one, many = averaged[..., 0].mean(), averaged[..., -1].mean()
    assert many < one
    # 360 test images: two binomial standard errors of a difference between two correlated networks.
    assert abs(many - wrong(0.5).mean()) < 2 * np.sqrt(2 * 0.05 * 0.95 / 720)
    # The sets differ, and the more passes they have, the less.
    first, *_, last = by_passes(averaged).values()
    assert 0 < last.high - last.mean < first.high - first.mean


def test_passes_without_dropout_are_all_the_same() -> None:
    run = fit(recipe(0), DIGITS)
    expected = np.mean(run.predictions["test"].argmax(axis=1) != run.predictions["test_targets"])
    assert averaged_passes(run, DIGITS) == pytest.approx(expected)


def pair(plain: float, dropped: float, seeds: int = 4) -> Comparison:
    """Test errors without and with dropout; a single seed has an interval over examples, ± 0.4 points."""
    return comparisons.study(["without", "with"], seeds, base=plain, shifts=(0, dropped - plain))


def test_dropout_gains_nothing_at_first_and_then_something() -> None:
    nothing, much, loss = pair(0.2, 0.2, seeds=12), pair(0.1, 0.05), pair(0.1, 0.15)
    plain, arm = nothing.arms
    assert arm.difference
    untold = replace(arm, difference=replace(arm.difference, verdict="inconclusive"))
    unclear = replace(nothing, arms=(plain, untold))

    def holds(**sizes: Comparison) -> bool | None:
        return dropout.more_examples(Sweep({int(size[1:]): one for size, one in sizes.items()})).holds

    assert holds(_100=nothing, _1000=much, _5000=nothing)
    assert holds(_100=loss, _1000=much)
    assert not holds(_100=nothing, _1000=nothing)
    assert not holds(_100=nothing, _1000=loss)
    assert holds(_100=unclear, _1000=much) is None  # not to know is not to see nothing
    # A gain below a tenth of the error is a gain, at the least size as at the others.
    assert not holds(_100=pair(0.2, 0.19, seeds=20), _1000=much)
    seen = dropout.more_examples(Sweep({100: nothing, 1000: much, 5000: pair(0.1, 0.02)})).seen
    assert "it helps at 1,000 and 5,000, makes no difference that matters at 100 (Holm" in seen
    assert "The gain is largest at 5,000." in seen


def test_a_p_in_between_beats_both_ends() -> None:
    def holds(best: float, least: float, all_kept: float) -> bool | None:
        made = comparisons.study(
            ["p0.5", "p0.2", "p1.0"], 4, base=best, shifts=(0, least - best, all_kept - best)
        )
        arms = tuple(replace(made.arm(f"p{p}"), name=p) for p in ("0.2", "0.5", "1.0"))
        return dropout.best_in_between(replace(made, arms=arms, reference="0.5")).holds

    assert holds(0.05, 0.2, 0.1)
    assert not holds(0.1, 0.2, 0.1)
    assert not holds(0.05, 0.04, 0.1)


def test_averaged_passes_are_as_good_within_a_tenth() -> None:
    scaled = 0.1 + 0.001 * np.array([0, 1, -1, 0])
    jitter = 0.0002 * np.array([1, -1, 1, -1])

    def errors(first: float, last: float) -> NDArray[np.float64]:
        along = np.linspace(first, last, 50)
        return np.broadcast_to((scaled + jitter)[:, None, None] + along, (4, 20, 50))

    assert dropout.as_good_as_scaled(errors(0.04, 0.001), scaled).holds
    assert not dropout.as_good_as_scaled(errors(0.04, 0.02), scaled).holds  # 50 passes are worse
    assert not dropout.as_good_as_scaled(errors(0.04, -0.02), scaled).holds  # or better
    assert not dropout.as_good_as_scaled(errors(0, 0), scaled).holds  # one pass is as good


def test_sparser_is_fewer_active_units() -> None:
    rng = np.random.default_rng(0)
    many, few = ((rng.random((3, 200, 20)) < share).astype(np.float32) for share in (0.6, 0.3))
    assert dropout.sparser({"without dropout": many, "with dropout": few}).holds
    assert not dropout.sparser({"without dropout": few, "with dropout": many}).holds


def test_equal_is_equal_to_rounding() -> None:
    units = all_masks(4, 3, retained=(0.5, 0.8))
    assert dropout.equal(units).holds
    assert not dropout.equal(units.assign(**{"linear: scaled": units["linear: scaled"] + 1e-4})).holds


def test_the_smallest_version_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it, on networks of 8 units trained for 20 steps: what is shown, not whether it holds."""
    smallest = SCALES["quick"].replace(
        images={"pool": 600, "test": 100, "halved": True}, width=8,
        steps=20, every=2, seeds=2, examples=100, sizes=(50, 100),
    )  # fmt: skip
    monkeypatch.setitem(SCALES, "quick", smallest)
    shown = dropout.Dropout().make("quick", tmp_path)
    assert len(shown.claims) == 5
    assert len(shown.tables) == 5
    assert all(axes.get_title() for axes in shown.figure.axes)
