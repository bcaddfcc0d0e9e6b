"""The exhibit on initialisation: symmetry, the factor of each layer, the first loss, active rectifiers."""

from __future__ import annotations

import numpy as np

from trainwright.exhibits import initialization


def test_zeros_stay_symmetric_and_random_weights_do_not() -> None:
    claim = initialization.symmetry_claim(initialization.measure_symmetry())
    assert claim.holds, claim.seen


def test_each_layer_multiplies_the_mean_square_as_theory_says() -> None:
    claim = initialization.factor_claim(initialization.measure_layers("relu", seeds=4))
    assert claim.holds, claim.seen


def test_factors_are_those_of_the_rules() -> None:
    rng, width = np.random.default_rng(0), initialization.WIDTH
    site = type("Site", (), {"fan_in": width})()
    for rule, strategy in initialization.RULES.items():
        drawn = strategy.initial_kernel(site, width, rng)
        # The variance of 10,000 draws is off by a relative √(2/10,000) or less; five of that.
        assert abs(drawn.var() * width / initialization.FACTORS[rule] - 1) < 0.07, rule


def test_marginals_make_the_first_loss_the_entropy() -> None:
    losses = initialization.measure_first_losses(seeds=2)
    claim = initialization.loss_claim(losses)
    assert claim.holds, claim.seen
    data = initialization._unequal()
    labels = data.targets[data.splits.train]
    c = np.bincount(labels) / len(labels)
    np.testing.assert_allclose(losses["entropy"], -(c * np.log(c)).sum(), rtol=1e-6)
    assert len(labels) <= 512  # the instruments look at so many: all of them


def test_a_bias_keeps_rectifiers_active() -> None:
    claim = initialization.bias_claim(initialization.measure_biases(seeds=4))
    assert claim.holds, claim.seen
