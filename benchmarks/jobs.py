"""The jobs: what every contestant trains. NumPy alone, so that all environments read the same arrays."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Job:
    """A multilayer perceptron with ReLU units, trained by plain SGD on the cross-entropy of ten classes."""

    name: str
    sizes: tuple[int, ...]
    """Units of each layer, inputs and outputs included."""
    batch: int
    input_rate: float
    hidden_rate: float
    """Dropout rates."""
    examples: int
    held_out: int
    """Training and validation examples: random values in the shape of MNIST or of digits."""
    epochs: int
    """Passes over the training examples in one turn, each with an evaluation."""
    networks: int
    """Networks that one worker of a study trains in one turn."""
    max_norm: float | None = None
    """The largest norm of a unit's incoming weights, projected after each step."""

    @property
    def steps(self) -> int:
        """Weight updates of one network in one turn."""
        return self.epochs * -(-self.examples // self.batch)

    @property
    def step_flops(self) -> int:
        """Floating-point operations of the matrix products of one step: two per multiply-add, for the
        outputs, for the weights' gradients, and for the inputs' gradients except the first layer's."""
        products = [self.batch * one * two for one, two in pairwise(self.sizes)]
        return 2 * (3 * sum(products) - products[0])

    def arrays(self) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Inputs (examples + 2 held_out, features) in [0, 1) and classes, the training examples first."""
        rng = np.random.default_rng(0)
        rows = self.examples + 2 * self.held_out
        return rng.random((rows, self.sizes[0]), np.float32), rng.integers(0, 10, rows).astype(np.int32)


JOBS = {
    job.name: job
    for job in (
        Job("S", (784, 100, 100, 10), 100, 0, 0, examples=60_000, held_out=10_000, epochs=5, networks=4),
        Job("M", (784, 1024, 1024, 1024, 10), 128, 0.2, 0.5, 12_800, 640, epochs=2, networks=1),
        Job("L", (784, 4096, 4096, 10), 128, 0.2, 0.5, 6_400, 640, epochs=1, networks=1, max_norm=1.0),
        Job("digits", (64, 64, 64, 10), 32, 0, 0.5, examples=1_078, held_out=359, epochs=40, networks=32),
    )
}
