"""The same recipe, data and seed give the same numbers as before, or the store is told."""

from __future__ import annotations

import numpy as np
import pytest

import small
from trainwright.base import files, keys
from trainwright.networks.convnet import Convnet
from trainwright.networks.mlp import Mlp
from trainwright.runs import store
from trainwright.strategies import read
from trainwright.training.batches import order
from trainwright.training.building import Training, build, named_arrays
from trainwright.training.fit import fit

# Where this fails a recipe, data and seed give other numbers than they did: raise SEMANTICS in store.py, so
# that no store mixes the old with the new, and write here what comes out now.
GOLDEN = {"fingerprint": "00d03be7", "mask": "959b4c6b", "order": "61dd2b35", "weights": "7b11266e"}
MLP, CONVNET = Mlp((8,)), Convnet(((4, 3, 2),), (8,))
BOUNDED = "dropout(0.5, input_rate=0.2), momentum(0.9, nesterov=True), max_norm(1.0), l2(0.01)"
MIXED = "activation('maxout'), initialization('he_normal'), l1(0.001), mixup, noise(0.2), polyak_averaging"
PICTURED = "batch_norm, adam, mirror, shift(1), rotation, photometric"
# The losses, training and validation, after six steps.
TRAINED = [
    (MLP, BOUNDED, (2.280726, 2.266688)),
    (MLP, MIXED, (2.424278, 2.424359)),
    (CONVNET, PICTURED, (2.344851, 2.272999)),
]


def test_numbers_change_with_the_semantics_only() -> None:
    data = small.digits()
    weights = named_arrays(build(Training(small.recipe(), data, 0))[1])
    found = {
        "fingerprint": np.frombuffer(data.fingerprint.encode(), np.uint8),
        "mask": np.asarray(keys.bits(keys.step_key(0), (8,), "dropout", "hidden1")),
        "order": order(0, "order", data.splits.train, 4, 0, 12),
        "weights": weights["hidden1/kernel"],
    }
    sums = {name: files.sha256(np.ascontiguousarray(array).tobytes())[:8] for name, array in found.items()}
    assert (store.SEMANTICS, sums) == (5, GOLDEN)


@pytest.mark.parametrize(("network", "strategies", "losses"), TRAINED)
def test_trainings_change_with_the_semantics_only(network, strategies, losses) -> None:
    run = fit(small.recipe(*read(strategies)).replace(network=network), small.digits(), 0)
    found = tuple(run.history[f"{name}_loss"][-1] for name in ("train", "validation"))
    # Processors differ in the last bits, a few steps later in the sixth digit.
    assert (store.SEMANTICS, found) == (5, pytest.approx(losses, rel=1e-4))
