"""The exhibit on minibatches: gradient noise and the order of batches. Timings are not tested."""

from __future__ import annotations

import numpy as np
import pytest

from trainwright.data import load
from trainwright.exhibits import minibatch


def test_error_of_a_gradient_falls_as_one_over_root_n() -> None:
    data = load("digits")
    params, gradient = minibatch.half_trained(data)
    noise = minibatch.measure_noise(params, gradient, data, (10, 100, 10_000), 30)
    assert [claim.says for claim in minibatch.noise_claims(noise) if not claim.holds] == []
    # σ comes from single examples alone; 4.5 standard errors leave room for its own.
    off = np.abs(np.log(noise["error"] / noise["σ/√n"]))
    assert (off < 4.5 * np.hypot(noise["se"], noise["se"].iloc[0])).all()


def test_order_of_the_batches() -> None:
    orders = minibatch.measure_orders(seeds=5, passes=8)
    assert [claim.says for claim in minibatch.order_claims(orders) if not claim.holds] == []
    first = orders[orders["pass"] == 1].pivot(index="seed", columns="order", values="error, %")
    # The first pass of both shuffled orders is the same training, to the last bit.
    assert (first["shuffled once"] == first["shuffled in each pass"]).all()


@pytest.mark.parametrize("name", minibatch.ORDERS)
def test_every_order_sees_each_example_once(name: str) -> None:
    data = load("digits")
    batches = minibatch._batches(data, name, seed=1, number=2, size=32)
    assert len(np.unique(batches)) == batches.size
    assert set(batches.ravel()) <= set(data.splits.train)
