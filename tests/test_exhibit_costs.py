"""The quadratic cost against cross-entropy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from comparisons import study
from trainwright.exhibits import costs


@pytest.mark.parametrize("y", [0.0, 1.0, 0.3])
def test_slopes_are_the_gradients_of_the_costs(y: float) -> None:
    z, h = np.linspace(-4, 4, 17), 1e-5

    def quadratic(z: costs.Array) -> costs.Array:
        return (costs.sigmoid(z) - y) ** 2 / 2

    def cross_entropy(z: costs.Array) -> costs.Array:
        return -y * np.log(costs.sigmoid(z)) - (1 - y) * np.log(1 - costs.sigmoid(z))

    for name, cost in (("quadratic", quadratic), ("cross-entropy", cross_entropy)):
        differences = (cost(z + h) - cost(z - h)) / (2 * h)
        np.testing.assert_allclose(costs.slope(name, z, y), differences, atol=1e-8)


def test_saturation_slows_learning_under_the_quadratic_cost_alone() -> None:
    good, saturated = costs.STARTS.values()
    slowed = {}
    for cost in costs.COSTS:
        first = [float(costs.slope(cost, np.float64(sum(start)), 0.0)) for start in (good, saturated)]
        slowed[cost] = first[1] < first[0]
        # Gradient descent on one weight and one bias never turns back on the way to 0.
        assert (np.diff(costs.measure_neuron(cost, saturated)) < 0).all()
    assert slowed == {"quadratic": True, "cross-entropy": False}
    quadratic, cross_entropy = (costs.steps_to_halve(costs.measure_neuron(c, saturated)) for c in costs.COSTS)
    # dz/dt = -2 ε ∂C/∂z: the time until a = a₀/2, whatever the size of the steps.
    z = np.linspace(np.log(0.491 / 0.509), 4, 20_001)
    for steps, cost in ((quadratic, "quadratic"), (cross_entropy, "cross-entropy")):
        time = np.trapezoid(1 / costs.slope(cost, z, 0.0), z) / (2 * costs.RATE)
        assert steps == pytest.approx(time, abs=2 + 0.1 * time)  # a step of 0.3 in z is a tenth of the way


def test_networks_that_are_sure_and_wrong_learn_better_with_cross_entropy(tmp_path: Path) -> None:
    comparison = costs.plan(3, 3, "digits")["sure start"].compare(tmp_path)
    difference = comparison.arms[1].difference
    assert difference is not None
    assert difference.interval.mean > 0.05


def test_only_the_sure_start_saturates_first_outputs() -> None:
    usual, sure = (costs.saturated(study) for study in costs.plan(2, 3, "digits").values())
    assert usual < 0.01
    assert 0.5 < sure <= 1


def test_the_neuron_s_claim_fails_where_both_costs_are_the_same() -> None:
    neurons = {(s, c): costs.measure_neuron(c, costs.STARTS[s]) for s in costs.STARTS for c in costs.COSTS}
    assert costs.neuron_claim(neurons).holds
    good, bad = costs.STARTS
    for cost in costs.COSTS:
        alike = neurons | {(bad, cost): neurons[good, cost]}
        assert not costs.neuron_claim(alike).holds


def test_cross_entropy_is_better_if_the_whole_interval_says_so() -> None:
    for shift, seeds, holds in ((0.01, 20, True), (0.001, 2, False), (-0.01, 20, False)):
        comparison = study(["cross-entropy", "quadratic"], seeds, shifts=(0, shift))
        claim = costs.network_claim("sure start", comparison, 0.25)
        assert claim.holds == holds
        assert "25%" in claim.seen
