"""The deeper a network of sigmoid units, the less its first layers learn.

By the chain rule, the gradient of an early layer is a product with one factor for each layer behind it: in a
chain of single units, C' σ'(z₁) w₂ σ'(z₂) w₃ ... The sigmoid's slope is a quarter at most, so the product
shrinks with every layer unless the weights are large, and then the slopes are small. The same is seen in
wide networks, before their first step and while they learn. The exhibit `spirals` shows another case.

Source: Nielsen 2015, Neural Networks and Deep Learning, chapter 5, with the norms published beside it;
Ioffe & Szegedy 2015 for batch normalisation.

A layer's speed is the norm of its biases' gradient, as in Nielsen's figures. His networks have ten sigmoid
outputs, these a softmax: speeds are comparable between the layers of a network, not between his and these.
Initial weights come from the same distributions, not from the same draws.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from trainwright import exhibit as ex
from trainwright.data.loading import read
from trainwright.site import Kernel, Site
from trainwright.strategy import Strategy

NIELSEN = "Nielsen 2015, chapter 5"
CHAIN = 10  # units, one behind the other
UNITS = {
    "sigmoid": "activation('sigmoid'), initialization('glorot_uniform')",
    "tanh": "activation('tanh'), initialization('glorot_uniform')",
    "ReLU": "activation('relu'), initialization('he_normal')",
    "sigmoid, batch norm": "activation('sigmoid'), initialization('glorot_uniform'), batch_norm",
}
DRAWS = 40  # of Nielsen's initial weights
EPOCHS = 500  # of his network with three hidden layers
PUBLISHED = {  # a layer's speed over that of the layer before, one draw of each network before training
    "2 over 1 of 2": 0.3092 / 0.0657,
    "2 over 1 of 3": 0.05997 / 0.01184,
    "3 over 2 of 3": 0.28314 / 0.05997,
    "2 over 1 of 4": 0.01708 / 0.00298,
    "3 over 2 of 4": 0.06954 / 0.01708,
    "4 over 3 of 4": 0.28514 / 0.06954,
}
SCALES = ex.scales(depths=((2, 5, 10), (1, 2, 3, 5, 7, 10, 14, 20)), seeds=(6, 20))


@ex.config
class NielsenStart(Strategy):
    """Weights of variance one over the fan-in and biases of variance one, both normal."""

    def initial_kernel(self, site: Site, rng: np.random.Generator) -> Kernel:
        return rng.standard_normal(site.kernel_shape, np.float32) / np.float32(np.sqrt(site.fan_in))

    def initial_bias(self, site: Site, rng: np.random.Generator) -> Kernel:
        return rng.standard_normal(site.units, np.float32)


@ex.config
class VanishingGradient(ex.Exhibit):
    """The first layers of a deep network of sigmoid units hardly learn."""

    title = "The vanishing gradient: early layers of sigmoid units hardly learn"

    def make(self, budget: ex.Budget, store: Path) -> ex.ExhibitResult:
        s, data, chain = SCALES[budget], first_thousand(), measure_chain(0)
        norms, drawn = measure_norms(s.depths, s.seeds), measure_ratios(data, DRAWS)
        deepest = norms[norms["depth"] == s.depths[-1]]
        by_layer = ex.series(deepest, "norm", "layer", by="units", geometric=True)
        ratios = ex.tabulated("layers", {"ratio": drawn})
        return self.result(
            draw(chain, norms, by_layer, measure_speeds(data)),
            {
                "A chain of single sigmoid units: |∂C/∂b|": chain,
                "Gradient norm of a layer's weights before training": ex.tabulated("layer", by_layer),
                "Nielsen's networks before training: a layer's speed over another's": ratios,
            },
            (product(chain), shrinks(deepest), stays_alive(deepest), as_published(drawn)),
            (
                f"Depths: digits, 30 units a layer, {s.seeds} seeds, geometric means; Glorot's initial "
                "weights for sigmoid and tanh, He's for ReLU.",
                f"Speeds: MNIST's first 1,000 training images, 3 hidden layers of 30, {EPOCHS} full batches.",
                ex.intervals_cover(),
            ),
        )


def measure_chain(seed: int) -> pd.DataFrame:
    """|∂C/∂b| for each unit of a chain: by the product formula, and by automatic differentiation."""
    w, b = np.random.default_rng(seed).normal(size=(2, CHAIN + 1)).astype(np.float32)
    x, y = 0.5, 0.0
    data = ex.whole(np.array([[x]], np.float32), np.array([y], np.float32))
    layers = [*(f"hidden{unit}" for unit in range(1, CHAIN + 1)), "output"]
    weights = {f"{layer}/kernel": w[[[place]]] for place, layer in enumerate(layers)}
    weights |= {f"{layer}/bias": b[[place]] for place, layer in enumerate(layers)}
    automatic = speeds_of(ex.network(*[1] * CHAIN, strategies="activation('sigmoid')"), data, 0, weights)
    formula = np.abs(product_formula(w.astype(np.float64), b.astype(np.float64), x, y))
    units = pd.RangeIndex(1, CHAIN + 1, name="unit")
    return pd.DataFrame({"product": formula, "automatic": automatic}, units)


def product_formula(w: ex.Floats, b: ex.Floats, x: float, y: float) -> ex.Floats:
    """∂C/∂b of each hidden unit for the cost (a - y)²/2 of a linear output; `w` and `b`: (units + 1,)."""
    a, slopes = x, []
    for weight, bias in zip(w[:-1], b[:-1], strict=True):
        a = float(1 / (1 + np.exp(-(weight * a + bias))))
        slopes.append(a * (1 - a))
    factors = np.array(slopes) * w[1:]  # σ'(z₁) w₂, σ'(z₂) w₃, ...
    return np.asarray((w[-1] * a + b[-1] - y) * np.cumprod(factors[::-1])[::-1])


def measure_norms(depths: Iterable[int], seeds: int, width: int = 30) -> pd.DataFrame:
    """The norm of each hidden layer's gradient before the first step, on digits, and its order: log₁₀."""
    data = ex.load("digits")

    def norms(depth: int, units: str, seed: int) -> pd.DataFrame:
        recipe = ex.network(*[width] * depth, strategies=UNITS[units])
        norm = ex.measure_layers(recipe, data, seed).layers["gradient"].drop("output").to_numpy()
        return pd.DataFrame({"layer": range(1, depth + 1), "norm": norm, "order": np.log10(norm)})

    return ex.grid(norms, depth=depths, units=UNITS, seed=range(seeds))


def speeds_of(recipe: ex.Recipe, data: ex.Dataset, seed: int, weights: Any = None) -> ex.Floats:
    """The norm of each hidden layer's bias gradient, (layers,), with the initial or with these weights."""
    layers = ex.measure_layers(recipe, data, seed, weights=weights).layers.drop("output")
    return layers["bias_gradient"].to_numpy()


def first_thousand() -> ex.Dataset:
    """The first 1,000 training images of MNIST, pixels in [0, 1]."""
    raw = read("mnist")
    pixels = np.asarray(raw.inputs[:1000], np.float32) / np.float32(255)
    return ex.whole(pixels, np.asarray(raw.targets[:1000], int))


def nielsens(hidden: int) -> ex.Recipe:
    """His network with so many hidden layers; his λ = 5 is over 1,000 images."""
    strategies = "activation('sigmoid'), nielsen_start, l2(0.005)"
    length = {"batch_size": 1000, "steps": EPOCHS, "evaluate_every": EPOCHS // 50}
    return ex.network(*[30] * hidden, strategies=strategies, **length)


def measure_ratios(data: ex.Dataset, seeds: int) -> ex.Measurements:
    """The ratios of `PUBLISHED`: geometric means over the seeds, and bounds between which one more draw lies
    with a probability of 95 %, for all ratios together (Bonferroni's correction)."""
    ratios = ex.Measurements()
    for hidden in (2, 3, 4):
        speeds = np.array([speeds_of(nielsens(hidden), data, seed) for seed in range(seeds)])
        for layer, (before, after) in enumerate(pairwise(speeds.T), 2):
            ratio = ex.Measured.ratio(after, before, level=1 - 0.05 / len(PUBLISHED))
            reach = (ratio.high / ratio.mean) ** sqrt(seeds + 1)  # of one draw, not of the mean
            ratios[f"{layer} over {layer - 1} of {hidden}"] = replace(
                ratio, low=ratio.mean / reach, high=ratio.mean * reach, level=0.95
            )
    return ratios


def measure_speeds(data: ex.Dataset, hidden: int = 3) -> pd.DataFrame:
    """The layers' speeds along training: a row for each fiftieth of it."""
    recipe = nielsens(hidden)
    _, later = ex.watched(recipe, data, 0, lambda weights: speeds_of(recipe, data, 0, weights))
    names = [f"hidden layer {layer}" for layer in range(1, hidden + 1)]
    return pd.DataFrame.from_dict({0: speeds_of(recipe, data, 0)} | later, orient="index", columns=names)


@ex.claim("The gradient in a chain of single units is the product of weights and slopes along it.", NIELSEN)
def product(chain: pd.DataFrame) -> ex.Judged:
    """Eleven factors in single precision round to within 1e-5."""
    off, sizes = (chain["product"] / chain["automatic"] - 1).abs().max(), chain["automatic"]
    seen = (
        f"product and automatic differentiation differ by {off:.0e} of their size at most, over {CHAIN} "
        f"units and {sizes.max() / sizes.min():.0e} in size."
    )
    return seen, off < 1e-5


@ex.claim(
    "With sigmoid units the gradient shrinks from layer to layer on its way back.", f"{NIELSEN}; the lecture"
)
def shrinks(deepest: pd.DataFrame) -> ex.Judged:
    """Every layer's gradient is above that of the layer before it, by the whole interval."""
    sigmoid, last = deepest[deepest["units"] == "sigmoid"], deepest["layer"].max()
    steps = ex.Measurements({layer: rise(sigmoid, layer - 1, layer) for layer in range(2, last + 1)})
    least, most = steps.smallest, steps.largest
    seen = (
        f"a layer's gradient is above that of the layer before by {steps[least].short} (layer {least}) to "
        f"{steps[most].short} (layer {most}), the last above the first by {rise(sigmoid, 1, last)}."
    )
    return seen, steps.all_positive


@ex.claim(
    "Tanh, rectified linear units and batch normalisation keep the gradient alive: from the last layer "
    "back to the first it changes less than tenfold.",
    "Goodfellow et al. 2016, sections 6.3 and 8.7.1; Ioffe & Szegedy 2015; the bound is ours",
)
def stays_alive(deepest: pd.DataFrame) -> ex.Judged:
    """Less than an order of magnitude from the first to the last layer, by the whole interval."""
    groups, last = deepest[deepest["units"] != "sigmoid"].groupby("units", sort=False), deepest["layer"].max()
    changes = ex.Measurements({units: rise(rows, 1, last) for units, rows in groups})
    return f"the last layer above the first: {changes}.", ex.every(*(c.within(1) for c in changes.values()))


def rise(rows: pd.DataFrame, before: int, layer: int) -> ex.Measured:
    """By how much a layer's gradient is above that of one before it."""
    return ex.change(rows, "order", layer, before, "orders of magnitude", by="layer")


@ex.claim(
    "In Nielsen's networks each layer starts faster than the one before it, by the published ratios.",
    f"{NIELSEN}, and the norms published beside it",
)
def as_published(drawn: ex.Measurements) -> ex.Judged:
    """Each published ratio is one that these draws might have given, and none of theirs is likely below 1."""
    seen = (
        f"published: {', '.join(f'{ratio:.1f}' for ratio in PUBLISHED.values())}; here, on average and with "
        f"the range where all further draws together should lie, {drawn}."
    )
    likely = all(drawn[pair].low <= ratio <= drawn[pair].high for pair, ratio in PUBLISHED.items())
    return seen, ex.every(likely, *(ratio.above(1) for ratio in drawn.values()))


def draw(chain: pd.DataFrame, norms: pd.DataFrame, by_layer: ex.Along, speeds: pd.DataFrame) -> ex.Figure:
    """The chain; the gradient in each layer, and in the first along the depth; speeds along training."""
    figure, panels = ex.sheet(7.0, "chain layers", "first speeds")
    title, unit, norm = f"A chain of {CHAIN} sigmoid units", "unit, from the input on", "norm of ∂C/∂W"
    looks = {"product": {"ls": "", "marker": "o", "mfc": "none"}, "automatic": {"ls": "", "marker": "."}}
    ex.curves(panels["chain"], chain, title, unit, "|∂C/∂b|", looks=looks, log="y")
    title = f"Gradient in each of {norms['depth'].max()} layers"
    ex.along(panels["layers"], by_layer, title, "hidden layer", norm, log="y", legend=None)
    in_first = ex.series(norms[norms["layer"] == 1], "norm", "depth", by="units", geometric=True)
    ex.along(panels["first"], in_first, "Gradient in the first layer", "hidden layers", norm, log="y")
    title = "Learning speeds, MNIST, sigmoid"
    ex.curves(panels["speeds"], speeds, title, "epochs", "norm of ∂C/∂b", log="y")
    return figure
