"""The exhibit on initialisation: symmetry, the factor of each layer, the first loss, active rectifiers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from trainwright.exhibits import initialization
from trainwright.strategies.initialization import Initialization as Strategy


def test_zeros_stay_symmetric_and_random_weights_do_not() -> None:
    claim = initialization.stays_symmetric(initialization.measure_symmetry())
    assert claim.holds, claim.seen


def test_each_layer_multiplies_the_mean_square_as_theory_says() -> None:
    claim = initialization.factor(initialization.measure_rules("relu", seeds=4))
    assert claim.holds, claim.seen


def test_factors_are_those_of_the_rules() -> None:
    rng, width = np.random.default_rng(0), initialization.WIDTH
    site: Any = SimpleNamespace(kernel_shape=(width, width), fan_in=width, fan_out=width, units=width)
    for rule, (name, factor) in initialization.RULES.items():
        drawn = Strategy.from_json({"rule": name}).initial_kernel(site, rng)
        # The variance of 10,000 draws is off by a relative √(2/10,000) or less; five of that.
        assert abs(drawn.var() * width / factor - 1) < 0.07, rule


def test_marginals_make_the_first_loss_the_entropy() -> None:
    losses = initialization.measure_first_losses(seeds=2)
    claim = initialization.first_loss(losses)
    assert claim.holds, claim.seen
    data = initialization.unequal()
    labels = data.targets[data.splits.train]
    c = np.bincount(labels) / len(labels)
    np.testing.assert_allclose(losses["entropy"], -(c * np.log(c)).sum(), rtol=1e-6)
    assert len(labels) <= 512  # the instruments look at so many: all of them


def biases(active: float, dead: float) -> pd.DataFrame:
    """Three seeds: half active and a tenth dead without a bias; with it, under He, so many."""
    found = {("U(±1/√m)", 0.0): (50, 10), ("U(±1/√m)", 0.1): (86, 5), ("He", 0.0): (50, 10)}
    found["He", 0.1] = active, dead
    rows = [
        (rule, bias, seed, active + 0.1 * seed * bias, dead + 0.1 * seed * bias)
        for (rule, bias), (active, dead) in found.items()
        for seed in range(3)
    ]
    return pd.DataFrame(rows, columns=["rule", "bias", "seed", "active", "dead"])


@pytest.mark.parametrize(
    ("active", "dead", "holds"), [(60, 8, True), (49, 8, False), (60, 12, False), (60, 10, None)]
)
def test_a_bias_must_make_most_units_active_and_fewer_dead(
    active: float, dead: float, holds: bool | None
) -> None:
    claim = initialization.more_active(biases(active, dead), "He")
    assert claim.holds is holds
    assert initialization.more_active(biases(active, dead), "U(±1/√m)").holds


def test_a_bias_is_measured_under_both_rules() -> None:
    found = initialization.measure_biases(seeds=2)
    assert found.groupby(["rule", "bias"]).size().tolist() == [2, 2, 2, 2]
    means = found.groupby(["rule", "bias"])["active"].mean()
    for rule in initialization.BIASED:
        # Half of the units by symmetry; with 1000 units a share has a standard deviation of 1.6 points at
        # most, were a unit's response the same for all examples.
        assert abs(means[rule, 0.0] - 50) < 4 * 1.6
        assert means[rule, 0.1] > means[rule, 0.0]


def tanh(spread: float, printed: float) -> pd.DataFrame:
    """Two layers and three seeds: under U(±1/√m) they differ by this factor, with Glorot's rule by 2."""
    return pd.DataFrame(
        [
            (rule, seed, layer, (factor + 0.1 * seed) ** layer, (factor + 0.1 * seed) ** -layer, saturated)
            for rule, factor, saturated in (
                ("U(±1/√m)", spread, 0.0),
                ("Glorot", 2.0, 1.0),
                ("as the lecture prints it", 1.0, printed),
            )
            for seed in range(3)
            for layer in (1, 2)
        ],
        columns=["rule", "seed", "layer", *initialization.READ, "saturated"],
    )


def test_glorots_rule_is_far_more_alike_from_ten_times_on() -> None:
    claim = initialization.more_alike(tanh(spread=22, printed=30))
    assert claim.holds
    assert "in 3 of 3 seeds" in claim.seen
    claim = initialization.more_alike(tanh(spread=20, printed=30))
    assert not claim.holds
    assert "in 1 of 3 seeds" in claim.seen


def test_the_printed_rule_saturates_where_it_has_more_flat_responses() -> None:
    assert initialization.saturates(_scattered(tanh(spread=22, printed=30))).holds
    assert not initialization.saturates(_scattered(tanh(spread=22, printed=1))).holds


def _scattered(layers: pd.DataFrame) -> pd.DataFrame:
    """Saturation as it scatters between seeds, by 0.1 point."""
    printed = layers["rule"] == "as the lecture prints it"
    return layers.assign(saturated=layers["saturated"] + 0.1 * printed * (layers["seed"] - 1))
