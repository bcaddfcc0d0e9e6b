"""The jobs: what every contestant trains. NumPy alone, so that all environments read the same arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Job:
    """A network with ReLU units, trained by plain SGD on the cross-entropy of ten classes."""

    name: str
    sizes: tuple[int, ...]
    """Units of each fully connected layer, after the inputs' values and with the outputs."""
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
    convolutions: tuple[tuple[int, int, int], ...] = ()
    """Channels, side of the window and side of the max-pooling of each convolutional layer before them. With
    any, the inputs are square images of one channel."""

    @property
    def steps(self) -> int:
        """Weight updates of one network in one turn."""
        return self.epochs * -(-self.examples // self.batch)

    @property
    def step_flops(self) -> int:
        """Floating-point operations of the matrix products of one step: two per multiply-add, for the
        outputs, for the weights' gradients, and for the inputs' gradients except the first layer's."""
        convolved, flattened = self._convolved()
        products = [*convolved, *(one * two for one, two in pairwise([flattened, *self.sizes[1:]]))]
        return 2 * self.batch * (3 * sum(products) - products[0])

    @property
    def side(self) -> int:
        """The side of the images, where they are images."""
        return math.isqrt(self.sizes[0])

    @property
    def flattened(self) -> int:
        """How many values the first fully connected layer sees."""
        return self._convolved()[1]

    def _convolved(self) -> tuple[list[int], int]:
        """Multiply-adds of each convolution for one example, and how many values come out of the last."""
        side, depth, products = self.side, 1, []
        for channels, window, pool in self.convolutions:
            side += 1 - window
            products.append(side**2 * window**2 * depth * channels)
            side, depth = side // pool, channels
        return products, side**2 * depth if self.convolutions else self.sizes[0]

    def arrays(self) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Inputs (examples + 2 held_out, features), or images (..., side, side), in [0, 1) and classes, the
        training examples first."""
        rng = np.random.default_rng(0)
        rows = self.examples + 2 * self.held_out
        shape = (self.side, self.side) if self.convolutions else (self.sizes[0],)
        return rng.random((rows, *shape), np.float32), rng.integers(0, 10, rows).astype(np.int32)


JOBS = {
    job.name: job
    for job in (
        Job("S", (784, 100, 100, 10), 100, 0, 0, examples=60_000, held_out=10_000, epochs=5, networks=4),
        Job("M", (784, 1024, 1024, 1024, 10), 128, 0.2, 0.5, 12_800, 640, epochs=2, networks=1),
        Job("L", (784, 4096, 4096, 10), 128, 0.2, 0.5, 6_400, 640, epochs=1, networks=1, max_norm=1.0),
        Job(
            "C",
            (784, 500, 10),
            128,
            0,
            0,
            examples=6_400,
            held_out=640,
            epochs=2,
            networks=1,
            convolutions=((20, 5, 2), (50, 5, 2)),
        ),
        Job("digits", (64, 64, 64, 10), 32, 0, 0.5, examples=1_078, held_out=359, epochs=40, networks=32),
    )
}
