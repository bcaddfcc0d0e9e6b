"""Adversarial training: the fast gradient sign method against a softmax regression's own formulas."""

import jax
import jax.numpy as jnp
import numpy as np

from small import digits, recipe
from trainwright.networks.mlp import Mlp
from trainwright.strategies import AdversarialTraining
from trainwright.task import task_of
from trainwright.training import step
from trainwright.training.building import Training, build, named_arrays
from trainwright.training.cohort import numbers
from trainwright.training.step import Program

DATA = digits()
X, Y = DATA.inputs[:12].reshape(12, -1), np.eye(10, dtype=np.float32)[DATA.targets[:12]]


def test_the_gradient_is_that_of_both_losses_at_inputs_moved_by_epsilon():
    strategy = AdversarialTraining(epsilon=0.2, alpha=0.3)
    linear = recipe(strategy).replace(network=Mlp(()))
    graphdef, state = build(Training(linear, DATA, 0))
    program = Program(graphdef, task_of(DATA), cohort=False, chunk=64)
    batch = jnp.asarray(DATA.inputs[:12]), jnp.asarray(Y)
    gradients, cost, _ = step.gradient(program, numbers(linear), state, *batch)
    weights = named_arrays(state)

    def errors(x: np.ndarray) -> np.ndarray:
        """Softmax less target, and with it the gradient of the loss with respect to outputs."""
        z = x @ weights["output/kernel"] + weights["output/bias"]
        p = np.exp(z - z.max(axis=1, keepdims=True))
        return p / p.sum(axis=1, keepdims=True) - Y

    moved = X + np.float32(0.2) * np.sign(errors(X) @ weights["output/kernel"].T)
    expected = 0.3 * X.T @ errors(X) / 12 + 0.7 * moved.T @ errors(moved) / 12
    got = {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(gradients)}
    [kernel] = [leaf for name, leaf in got.items() if "kernel" in name]
    np.testing.assert_allclose(kernel, expected, rtol=1e-4, atol=1e-6)
    clean = -np.log((errors(X) + Y)[Y == 1]).mean()
    np.testing.assert_allclose(cost, clean, rtol=1e-5)
