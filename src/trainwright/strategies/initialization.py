"""Initialization: how weights and biases start.

Source: Goodfellow, Bengio & Courville 2016, section 8.4: for m inputs and n outputs U(-1/sqrt(m), 1/sqrt(m)),
and the normalised rule of Glorot & Bengio 2010, U(-sqrt(6/(m+n)), sqrt(6/(m+n))); orthogonal with gain (Saxe
et al. 2013, arXiv 1312.6120); output biases that solve softmax(b) = c for the marginals c; 0.1 for the biases
of rectified linear units. He et al. 2015 (arXiv 1502.01852), equation 10, for he_normal.

`lecture` is Glorot's rule as the lecture prints it, 6/sqrt(m+n) without the root over the 6: wrong, and
included to show what it does. For the marginals, a class without training examples counts half of the rarest
one.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from trainwright.base.config import config
from trainwright.network import he_normal
from trainwright.site import Kernel, Site
from trainwright.strategy import NothingToActOn, Strategy


@config
class Initialization(Strategy):
    """Draw the initial weights by this rule, and set the initial biases.

    >>> Initialization("orthogonal", gain=1.4, hidden_bias=0.1).rule
    'orthogonal'
    """

    rule: Literal[
        "fan_in_uniform", "glorot_uniform", "lecture", "he_normal", "orthogonal", "normal", "uniform", "zeros"
    ] = "glorot_uniform"
    """he_normal is what a recipe without this strategy uses; zeros shows that equal units stay equal."""
    gain: Annotated[float, Field(gt=0)] = 1.0
    """orthogonal: the factor on the orthogonal matrix; sqrt(2) keeps the scale through ReLU layers."""
    std: Annotated[float, Field(gt=0)] = 0.01
    """normal, uniform: the weights' standard deviation; uniform's bound is sqrt(3) times that."""
    hidden_bias: float = 0.0
    """Every hidden unit's initial bias; with 0.1 most rectified linear units start active."""
    output_bias: Literal["zeros", "marginals"] = "zeros"
    """marginals: log of each class's frequency in the training split, which the first outputs predict."""

    example: ClassVar = {"rule": "orthogonal", "output_bias": "marginals", "hidden_bias": 0.1}

    def initial_kernel(self, site: Site, rng: np.random.Generator) -> Kernel:
        shape, m, n = site.kernel_shape, site.fan_in, site.fan_out
        if self.rule == "orthogonal":
            return self.gain * orthogonal(rng, m, site.units).reshape(shape)
        if self.rule == "zeros":
            return np.zeros(shape, np.float32)
        if self.rule == "normal":
            return self.std * rng.standard_normal(shape, np.float32)
        if self.rule == "he_normal":
            return he_normal(rng, site)
        bound = {
            "fan_in_uniform": 1 / m**0.5,
            "glorot_uniform": (6 / (m + n)) ** 0.5,
            "lecture": 6 / (m + n) ** 0.5,
            "uniform": 3**0.5 * self.std,
        }
        return rng.uniform(-bound[self.rule], bound[self.rule], shape).astype(np.float32)

    def initial_bias(self, site: Site, rng: np.random.Generator) -> Kernel:
        units = site.units
        if site.stage != "output":
            return np.full(units, self.hidden_bias, np.float32)
        if self.output_bias == "zeros":
            return np.zeros(units, np.float32)
        if site.marginals is None:
            reason = "a regression has no classes; leave output_bias = 'marginals' out"
            raise NothingToActOn("initialization", reason)
        c = site.marginals
        return np.log(np.where(c > 0, c, c[c > 0].min() / 2)).astype(np.float32)


def orthogonal(rng: np.random.Generator, fan_in: int, units: int) -> Kernel:
    """Weights (fan_in, units) with orthonormal columns (rows, where these are fewer), evenly drawn."""
    q, r = np.linalg.qr(rng.standard_normal((max(fan_in, units), min(fan_in, units))))
    q *= np.sign(np.diag(r))  # QR alone would favour one half of each axis
    return (q if fan_in >= units else q.T).astype(np.float32)
