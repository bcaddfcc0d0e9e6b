"""Mixup: the paper's formula, and its weights' distribution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from small import digits, recipe
from trainwright.strategies import Mixup
from trainwright.strategy import NothingToActOn
from trainwright.task import Classification
from trainwright.training.fit import fit

X = jnp.asarray(digits().inputs[:12])
Y = Classification(10).encode(jnp.asarray(digits().targets[:12]))


def shares(alpha: float, count: int = 2000) -> np.ndarray:
    """The first example's own share in so many batches: of x = 1 and 0 it is what the mixture is."""
    x, y = jnp.array([[1.0], [0.0]]), jnp.zeros((2, 3))
    keys = jax.random.split(jax.random.key(0), count)
    mix = jax.jit(jax.vmap(lambda key: Mixup(alpha).mix(x, y, key)[0][0, 0]))
    return np.asarray(mix(keys))


def test_inputs_and_targets_are_mixed_alike():
    x, y = Mixup(1.0).mix(X, Y, jax.random.key(3))
    share = float((y[0] * Y[0]).sum())
    assert 0 < share < 1
    partner = np.roll(np.arange(12), -1)
    np.testing.assert_allclose(x, share * X + (1 - share) * X[partner], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(y, share * Y + (1 - share) * Y[partner], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(y.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_have_the_mean_and_the_variance_of_beta(alpha):
    drawn = shares(alpha)
    variance = 1 / (4 * (2 * alpha + 1))
    assert drawn.mean() == pytest.approx(0.5, abs=4 * (variance / len(drawn)) ** 0.5)
    assert drawn.var() == pytest.approx(variance, rel=0.1)


def test_a_batch_of_one_is_refused():
    with pytest.raises(NothingToActOn, match="give a larger batch_size"):
        fit(recipe(Mixup(), batch_size=1), digits())
