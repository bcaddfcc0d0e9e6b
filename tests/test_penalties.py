"""L1 and L2: their values and gradients, on weights alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from small import digits, recipe
from trainwright.strategies import L1, L2, BatchNorm
from trainwright.training.building import Training, build

PARAMS = build(Training(recipe(BatchNorm()), digits(), 0))[1].params
LEAVES = {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(PARAMS)}


@pytest.mark.parametrize(
    ("penalty", "value", "slope"),
    [
        (L1(0.3), lambda w: 0.3 * abs(w).sum(), lambda w: 0.3 * np.sign(w)),
        (L2(0.3), lambda w: 0.15 * (w**2).sum(), lambda w: 0.3 * w),
    ],
    ids=["l1", "l2"],
)
def test_it_is_its_formula(penalty, value, slope):
    weights = [np.asarray(leaf) for path, leaf in LEAVES.items() if "kernel" in path]
    assert len(weights) == 2
    assert penalty.penalty(PARAMS) == pytest.approx(sum(map(value, weights)), rel=1e-5)
    gradient = jax.tree_util.tree_leaves_with_path(jax.grad(penalty.penalty)(PARAMS))
    for path, g in gradient:
        name = jax.tree_util.keystr(path)
        if "kernel" in name:
            np.testing.assert_allclose(g, slope(np.asarray(LEAVES[name])), rtol=1e-5)
        else:
            assert not g.any(), f"{name} is no weight"


def test_l1_makes_most_weights_tiny_where_l2_does_not():
    """On a quadratic about w0, L1's optimum is the soft threshold; L2's shrinks all alike."""
    w0 = jnp.array([[0.05, -0.08, 1.0, -2.0]])
    found = {}
    for penalty in (L1(0.1), L2(0.1)):

        def step(_, params, penalty=penalty):
            pull = jax.grad(lambda p: jnp.sum((p["kernel"][...] - w0) ** 2) / 2 + penalty.penalty(p))
            return jax.tree.map(lambda w, g: w - 0.02 * g, params, pull(params))

        params = jax.lax.fori_loop(0, 500, step, nnx.State({"kernel": nnx.Param(w0)}))
        found[penalty.name] = np.asarray(params["kernel"][...])
    np.testing.assert_allclose(found["l1"], [[0, 0, 0.9, -1.9]], atol=3e-3)
    np.testing.assert_allclose(found["l2"], w0 / 1.1, atol=1e-3)
