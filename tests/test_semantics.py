"""The same recipe, data and seed give the same numbers as before, or the store is told."""

from __future__ import annotations

import numpy as np

import small
from trainwright.base import files, keys
from trainwright.runs import store
from trainwright.training.batches import order
from trainwright.training.building import Training, build, named_arrays

# Where this fails a recipe, data and seed give other numbers than they did: raise SEMANTICS in store.py, so
# that no store mixes the old with the new, and write here what comes out now.
GOLDEN = {"fingerprint": "00d03be7", "mask": "959b4c6b", "order": "61dd2b35", "weights": "7b11266e"}


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
