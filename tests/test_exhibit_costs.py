"""The quadratic cost against cross-entropy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

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
    networks = costs.measure_networks(3, 3, "digits", tmp_path)
    difference = networks["sure start"].arms[1].difference
    assert difference is not None
    assert difference.interval.mean > 0.05
    assert {arm.name for arm in networks["usual start"].arms} == {"cross-entropy", "quadratic"}
