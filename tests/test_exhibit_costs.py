"""The quadratic cost against cross-entropy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

import comparisons
from trainwright.exhibit import Floats, Measured
from trainwright.exhibits import costs

SMALL = costs.SCALES["quick"].replace(epochs=3, seeds=5)


@pytest.mark.parametrize("y", [0.0, 1.0, 0.3])
def test_slopes_are_the_gradients_of_the_costs(y: float) -> None:
    z, h = np.linspace(-4, 4, 17), 1e-5

    def quadratic(z: Floats) -> Floats:
        return (expit(z) - y) ** 2 / 2

    def cross_entropy(z: Floats) -> Floats:
        return -y * np.log(expit(z)) - (1 - y) * np.log(1 - expit(z))

    for name, cost in (("quadratic", quadratic), ("cross-entropy", cross_entropy)):
        differences = (cost(z + h) - cost(z - h)) / (2 * h)
        np.testing.assert_allclose(costs.slope(name, expit(z), y), differences, atol=1e-8)


@pytest.mark.parametrize("cost", costs.NEURON_COSTS)
def test_the_neuron_follows_its_gradient(cost: str) -> None:
    """dz/dt = -2 ε ∂C/∂z gives the time until a = a₀/2, whatever the size of the steps."""
    steps = costs.steps_to_halve(costs.learn(cost, "saturated start"))
    z = np.linspace(np.log(0.491 / 0.509), 4, 20_001)
    time = np.trapezoid(1 / costs.slope(cost, expit(z)), z) / (2 * costs.RATE)
    assert steps == pytest.approx(time, abs=2 + 0.1 * time)  # a step of 0.3 in z is a tenth of the way


def test_networks_that_are_sure_and_wrong_learn_better_with_either_cross_entropy(tmp_path: Path) -> None:
    study = costs.studies(SMALL)["sure start"]
    compared = study.compare(tmp_path)
    assert min(compared.gain(cost).mean for cost in ("cross-entropy", "J(θ)")) > 5
    assert costs.first_loss(study).low > 2 * np.log(10)


def test_the_usual_start_is_not_sure() -> None:
    assert costs.first_loss(costs.studies(SMALL)["usual start"]).high < 1.5 * np.log(10)


def test_the_neuron_s_claim_fails_where_a_worse_start_changes_nothing() -> None:
    neurons = {(s, c): costs.learn(c, s) for s in costs.NEURON_STARTS for c in costs.NEURON_COSTS}
    assert costs.slowed(neurons).holds
    good, bad = costs.NEURON_STARTS
    for cost in costs.NEURON_COSTS:
        assert not costs.slowed(neurons | {(bad, cost): neurons[good, cost]}).holds


@pytest.mark.parametrize(("shift", "holds"), [(-0.01, True), (0.0, False), (0.01, False)])
def test_cross_entropy_is_better_if_the_verdict_says_so(shift: float, holds: bool) -> None:
    comparison = comparisons.study(list(costs.COSTS), shifts=(0, shift, -0.01))
    first = Measured(9.0, 8.0, 10.0, 5, "nats", signed=False)
    softmax, sigmoid = costs.better(comparison, first, costs.SURE)
    assert softmax.holds is holds
    assert sigmoid.holds
    assert "sure of wrong answers" in softmax.says
    assert "9.0 nats" in softmax.seen
