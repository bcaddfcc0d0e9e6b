"""The exhibit on minibatches: gradient noise and the order of batches. Timings are not tested."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from comparisons import study
from trainwright.data import load
from trainwright.diagnosis.gradients import gradient_noise
from trainwright.exhibit import fit, network
from trainwright.exhibits import minibatch


def test_error_of_a_gradient_falls_as_one_over_root_n() -> None:
    data = load("digits")
    run = fit(network(64, steps=200, evaluate_every=200, batch_size=64), data)
    noise = gradient_noise(run, data, (10, 100, 10_000), 30).set_index("n")
    assert minibatch.root_n(noise).holds
    assert not minibatch.root_n(noise.assign(error=noise["error"] * noise.index**0.1)).holds
    # σ comes from single examples alone; 4.5 standard errors leave room for its own.
    off = np.abs(np.log(noise["error"] / noise["σ/√n"]))
    assert (off < 4.5 * np.hypot(noise["se"], noise["se"].iloc[0])).all()


def machine_of(n: list[int], **columns: list[float]) -> pd.DataFrame:
    size = pd.Index(n, name="batch size")
    plain = {"operations, million": 0.2 * size, "µs per example": 2 + 80 / size, "cores at work": 1.0}
    return pd.DataFrame(plain | {"memory, MB": 3500 * size / 1e6}, size).assign(**columns)


def test_a_hundred_times_the_work_for_a_tenth_of_the_error() -> None:
    noise = pd.DataFrame({"error": [0.7, 0.07], "se": 0.01}, [100, 10_000])
    machine = machine_of([100, 10_000])
    assert minibatch.work(noise, machine).holds
    assert not minibatch.work(noise.assign(error=[0.7, 0.08]), machine).holds
    assert not minibatch.work(noise, machine.assign(**{"operations, million": [20, 1000]})).holds


def test_underused_is_fewer_cores_with_one_example() -> None:
    machine = machine_of([1, 4, 1024])
    assert minibatch.cores(machine.assign(**{"cores at work": [1.0, 1.2, 1.8]})).holds
    assert not minibatch.cores(machine.assign(**{"cores at work": [1.7, 1.2, 1.8]})).holds


def test_memory_is_out_of_proportion_when_an_example_takes_less_or_more_than_it_can() -> None:
    assert minibatch.memory(machine_of([1, 4, 1024])).holds
    for amounts in ([0.2, 0.2, 0.2], [0.2, 0.014, 5.0]):
        assert not minibatch.memory(machine_of([1, 4, 1024], **{"memory, MB": amounts})).holds


def orders_of(harm: list[float]) -> pd.DataFrame:
    rows = [
        (seed, name, 1, 4 + 0.1 * seed + more)
        for seed, one in enumerate(harm)
        for name, more in zip(minibatch.ORDERS, (0, one, 20 + one), strict=True)
    ]
    return pd.DataFrame(rows, columns=["seed", "arm", "pass", "error"])


@pytest.mark.parametrize(
    ("harm", "holds"),
    [([0.1, -0.1, 0.1, -0.1], True), ([2.0, -2.0, 2.0, -2.0], None), ([0.6, 0.5, 0.6, 0.5], False)],
)
def test_no_harm_is_harm_below_a_tenth_and_not_a_wide_interval(
    harm: list[float], *, holds: bool | None
) -> None:
    assert minibatch.random_order(orders_of(harm)).holds
    assert minibatch.shuffled_once(orders_of(harm)).holds is holds


def test_small_batches_regularise_if_they_help() -> None:
    for shift, holds in ((-0.01, True), (0.0, False), (0.01, False)):
        comparison = study(["256", "16"], shifts=(0, shift))
        assert minibatch.regularises(comparison).holds == holds


def methods_of(descent: tuple[float, float], newton: tuple[float, float]) -> pd.DataFrame:
    """Losses with 10 and with 1,000 examples, over four seeds."""
    rows = [
        (arm, n, seed, loss * (1 + 0.01 * seed * (n == 10) * (arm == "L-BFGS")))
        for arm, losses in zip(minibatch.METHODS, (descent, newton), strict=True)
        for n, loss in zip((10, 1000), losses, strict=True)
        for seed in range(4)
    ]
    return pd.DataFrame(rows, columns=["arm", "n", "seed", "loss"])


@pytest.mark.parametrize(
    ("descent", "newton", "holds"),
    [((0.2, 0.1), (0.3, 0.1), True), ((0.2, 0.1), (0.2, 0.1), None), ((0.3, 0.1), (0.2, 0.1), False)],
)
def test_a_method_needs_larger_batches_if_small_ones_cost_it_more(
    descent: tuple[float, float], newton: tuple[float, float], *, holds: bool | None
) -> None:
    assert minibatch.second_order(methods_of(descent, newton)).holds is holds
