"""Random numbers named by purpose: the same for the same names, unrelated for others, and fair."""

from __future__ import annotations

import jax
import numpy as np

from trainwright.base import keys

KEY = keys.step_key(3)


def test_the_names_and_the_key_decide_the_bits() -> None:
    drawn = keys.bits(KEY, (5, 7), "dropout", "hidden1")
    assert drawn.shape == (5, 7)
    assert np.array_equal(drawn, keys.bits(KEY, (5, 7), "dropout", "hidden1"))
    others = [
        keys.bits(KEY, (5, 7), "dropout", "hidden2"),
        keys.bits(keys.step_key(4), (5, 7), "dropout", "hidden1"),
        keys.bits(jax.random.fold_in(KEY, 1), (5, 7), "dropout", "hidden1"),
    ]
    assert all((drawn == other).mean() < 0.2 for other in others)


def test_every_bit_is_fair_and_values_do_not_repeat() -> None:
    """100,000 fair coins have a mean within 5 deviations, 0.008, of a half; so have any two's parity."""
    drawn = np.asarray(keys.bits(KEY, (100_000,), "dropout", "hidden1"))
    coins = (drawn[:, None] >> np.arange(16, dtype=np.uint16)) & 1
    assert np.abs(coins.mean(axis=0) - 0.5).max() < 0.008
    for apart in (1, 2, 3, 4):
        assert np.abs((coins[apart:] ^ coins[:-apart]).mean(axis=0) - 0.5).max() < 0.008


def test_one_program_for_many_keys_gives_each_its_own_bits() -> None:
    many = jax.vmap(lambda key: keys.bits(key, (6,), "x"))(jax.random.split(KEY, 3))
    each = [keys.bits(key, (6,), "x") for key in jax.random.split(KEY, 3)]
    assert np.array_equal(many, np.stack(each))
