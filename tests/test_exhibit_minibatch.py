"""The exhibit on minibatches: gradient noise and the order of batches. Timings are not tested."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from comparisons import study
from trainwright.data import load
from trainwright.exhibits import minibatch


def test_error_of_a_gradient_falls_as_one_over_root_n() -> None:
    data = load("digits")
    params, gradient = minibatch.half_trained(data)
    noise = minibatch.measure_noise(params, gradient, data, (10, 100, 10_000), 30)
    assert minibatch.noise_claim(noise).holds
    assert not minibatch.noise_claim(noise.assign(error=noise["error"] * noise["n"] ** 0.1)).holds
    # σ comes from single examples alone; 4.5 standard errors leave room for its own.
    off = np.abs(np.log(noise["error"] / noise["σ/√n"]))
    assert (off < 4.5 * np.hypot(noise["se"], noise["se"].iloc[0])).all()


def machine_of(n: list[int], **columns: list[float]) -> pd.DataFrame:
    size = pd.Series(n)
    plain = {"operations, million": 0.2 * size, "µs per example": 2 + 80 / size, "cores at work": 1.0}
    kept = 3500 * size / 1e6
    return pd.DataFrame({"batch size": size, **plain, "memory, MB": kept}).assign(**columns)


def test_a_hundred_times_the_work_for_a_tenth_of_the_error() -> None:
    noise = pd.DataFrame({"n": [100, 10_000], "error": [0.7, 0.07], "se": 0.01})
    machine = machine_of([100, 10_000])
    assert minibatch.work_claim(noise, machine).holds
    assert not minibatch.work_claim(noise.assign(error=[0.7, 0.08]), machine).holds
    assert not minibatch.work_claim(noise, machine.assign(**{"operations, million": [20, 1000]})).holds


def test_one_example_alone_is_mostly_a_call_s_fixed_cost() -> None:
    machine = machine_of([1, 4, 1024])
    assert [claim.holds for claim in minibatch.machine_claims(machine)] == [True, True]
    even = machine.assign(**{"µs per example": [3.0, 2.0, 2.0]})
    assert [claim.holds for claim in minibatch.machine_claims(even)] == [False, True]


def test_memory_is_out_of_proportion_when_an_example_takes_less_or_more_than_it_can() -> None:
    for memory in ([0.2, 0.2, 0.2], [0.2, 0.014, 5.0]):
        machine = machine_of([1, 4, 1024], **{"memory, MB": memory})
        assert [claim.holds for claim in minibatch.machine_claims(machine)] == [True, False]


def orders_of(harm: list[float]) -> pd.DataFrame:
    rows = [
        (seed, name, 1, 4 + 0.1 * seed + more)
        for seed, one in enumerate(harm)
        for name, more in zip(minibatch.ORDERS, (0, one, 20 + one), strict=True)
    ]
    return pd.DataFrame(rows, columns=["seed", "order", "pass", "error, %"])


@pytest.mark.parametrize(
    ("harm", "holds"),
    [([0.1, -0.1, 0.1, -0.1], True), ([2.0, -2.0, 2.0, -2.0], False), ([0.6, 0.5, 0.6, 0.5], False)],
)
def test_no_harm_is_harm_below_a_tenth_and_not_a_wide_interval(harm: list[float], *, holds: bool) -> None:
    assert [claim.holds for claim in minibatch.order_claims(orders_of(harm))] == [True, holds]


def test_order_of_the_batches() -> None:
    orders = minibatch.measure_orders(seeds=5, passes=8)
    assert minibatch.order_claims(orders)[0].holds
    first = orders[orders["pass"] == 1].pivot(index="seed", columns="order", values="error, %")
    # The first pass of both shuffled orders is the same training, to the last bit.
    assert (first["shuffled once"] == first["shuffled in each pass"]).all()


@pytest.mark.parametrize("name", minibatch.ORDERS)
def test_every_order_sees_each_example_once(name: str) -> None:
    data = load("digits")
    batches = minibatch._batches(data, name, seed=1, number=2, size=32)
    assert len(np.unique(batches)) == batches.size
    assert set(batches.ravel()) <= set(data.splits.train)


def test_small_batches_regularise_if_they_help() -> None:
    for shift, holds in ((-0.01, True), (0.0, False), (0.01, False)):
        comparison = study(["batch size 256", "batch size 16"], shifts=(0, shift))
        assert minibatch.regularising_claim(comparison).holds == holds
