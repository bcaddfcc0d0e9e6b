"""The deeper a network of sigmoid units, the less its first layers learn.

By the chain rule, the gradient of an early layer is a product with one factor for each layer behind it: in a
chain of single units, C' σ'(z₁) w₂ σ'(z₂) w₃ ... The sigmoid's slope is a quarter at most, so the product
shrinks with every layer unless the weights are large, and then the slopes are small. Shown are that product
beside what automatic differentiation gives; the gradient in each layer of wide networks before their first
step; and the learning speeds of a network on 1,000 images of MNIST. The exhibit `spirals` shows another case.

Source: Nielsen 2015, Neural Networks and Deep Learning, chapter 5, with the norms published beside it;
Ioffe & Szegedy 2015 for batch normalisation.

A layer's speed is the norm of its biases' gradient, as in Nielsen's figures. His networks have ten sigmoid
outputs, these a softmax: speeds are comparable between the layers of a network, not between his and these.
Initial weights come from the same distributions, not from the same draws.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

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
Floats = NDArray[np.float64]
Norms = dict[str, Floats]  # by units: (seeds, layers)
SCALES = ex.scales(depths=((2, 5, 10), (1, 2, 3, 5, 7, 10, 14, 20)), seeds=(6, 20))


@ex.config
class NielsenStart(Strategy):
    """Weights of variance one over the fan-in and biases of variance one, both normal."""

    def initial_kernel(self, site: Site, rng: np.random.Generator) -> Kernel:
        drawn = rng.standard_normal(site.kernel_shape, np.float32)
        return drawn / np.float32(np.sqrt(site.fan_in))

    def initial_bias(self, site: Site, rng: np.random.Generator) -> Kernel:
        return rng.standard_normal(site.units, np.float32)


@ex.config
class VanishingGradient(ex.Exhibit):
    """The first layers of a deep network of sigmoid units hardly learn."""

    title = "The vanishing gradient: early layers of sigmoid units hardly learn"

    def make(self, budget: ex.Budget, store: Path) -> ex.ExhibitResult:
        s, data = SCALES[budget], first_thousand()
        chain, norms = measure_chain(0), {depth: measure_norms(depth, s.seeds) for depth in s.depths}
        drawn, deepest = measure_ratios(data, DRAWS), norms[s.depths[-1]]
        ratios, layers = ex.tabulated("layers", {"ratio": drawn}), ex.tabulated("layer", by_layer(deepest))
        return self.result(
            draw(chain, norms, measure_speeds(data)),
            {
                "A chain of single sigmoid units: |∂C/∂b|": chain,
                "Gradient norm of a layer's weights before training": layers,
                "Nielsen's networks before training: a layer's speed over another's": ratios,
            },
            (product(chain), shrinks(deepest["sigmoid"]), stays_alive(deepest), as_published(drawn)),
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
    weights: dict[str, NDArray[np.float32]] = {}
    for place, layer in enumerate([*(f"hidden{unit}" for unit in range(1, CHAIN + 1)), "output"]):
        weights |= {f"{layer}/kernel": w[[[place]]], f"{layer}/bias": b[[place]]}
    automatic = speeds_of(ex.network(*[1] * CHAIN, strategies="activation('sigmoid')"), data, 0, weights)
    formula = np.abs(product_formula(w.astype(np.float64), b.astype(np.float64), x, y))
    return pd.DataFrame({"unit": range(1, CHAIN + 1), "product": formula, "automatic": automatic})


def product_formula(w: Floats, b: Floats, x: float, y: float) -> Floats:
    """∂C/∂b of each hidden unit for the cost (a - y)²/2 of a linear output; `w` and `b`: (units + 1,)."""
    a, slopes = x, []
    for weight, bias in zip(w[:-1], b[:-1], strict=True):
        a = float(1 / (1 + np.exp(-(weight * a + bias))))
        slopes.append(a * (1 - a))
    factors = np.array(slopes) * w[1:]  # σ'(z₁) w₂, σ'(z₂) w₃, ...
    products: Floats = (w[-1] * a + b[-1] - y) * np.cumprod(factors[::-1])[::-1]
    return products


def measure_norms(depth: int, seeds: int, width: int = 30) -> Norms:
    """The norm of each hidden layer's gradient before the first step, on digits."""
    data, norms = ex.load("digits"), {}
    for units, strategies in UNITS.items():
        recipe = ex.network(*[width] * depth, strategies=strategies)
        stats = [ex.measure_layers(recipe, data, seed).layers for seed in range(seeds)]
        norms[units] = np.array([layers["gradient"].to_numpy()[:-1] for layers in stats])
    return norms


def by_layer(norms: Norms) -> dict[str, ex.Measurements]:
    """The gradient in each layer, by units."""
    return {units: means(dict(enumerate(table.T, 1))) for units, table in norms.items()}


def means(norms: dict[int, Floats]) -> ex.Measurements:
    """The geometric mean over the seeds at each place."""
    return ex.Measurements({place: ex.Measured.ratio(values, values**0) for place, values in norms.items()})


def speeds_of(recipe: ex.Recipe, data: ex.Dataset, seed: int, weights: Any = None) -> Floats:
    """The norm of each hidden layer's bias gradient, (layers,), with the initial or with these weights."""
    return ex.measure_layers(recipe, data, seed, weights=weights).layers["bias_gradient"].to_numpy()[:-1]


def first_thousand() -> ex.Dataset:
    """The first 1,000 training images of MNIST, pixels in [0, 1]."""
    raw = read("mnist")
    pixels = np.asarray(raw.inputs[:1000], np.float32) / np.float32(255)
    return ex.whole(pixels, np.asarray(raw.targets[:1000], int))


def nielsens(hidden: int) -> ex.Recipe:
    """His network with so many hidden layers; his λ = 5 is over 1,000 images."""
    return ex.network(
        *[30] * hidden, strategies="activation('sigmoid'), nielsen_start, l2(0.005)",
        batch_size=1000, steps=EPOCHS, evaluate_every=EPOCHS // 50,
    )  # fmt: skip


def measure_ratios(data: ex.Dataset, seeds: int) -> ex.Measurements:
    """The ratios of `PUBLISHED`: geometric means over the seeds, and bounds between which one more draw lies
    with a probability of 95 %, for all ratios together (Bonferroni's correction)."""
    ratios = ex.Measurements()
    for hidden in (2, 3, 4):
        speeds = np.log([speeds_of(nielsens(hidden), data, seed) for seed in range(seeds)])
        for layer, logs in enumerate(np.diff(speeds).T, 2):
            mean = ex.Measured.of(logs, level=1 - 0.05 / len(PUBLISHED), signed=False)
            reach = (mean.high - mean.mean) * np.sqrt(seeds + 1)  # of one draw, not of the mean
            middle, low, high = np.exp([mean.mean, mean.mean - reach, mean.mean + reach]).tolist()
            ratio = replace(mean, mean=middle, low=low, high=high, level=0.95)
            ratios[f"{layer} over {layer - 1} of {hidden}"] = ratio
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
    off = float(np.abs(chain["product"] / chain["automatic"] - 1).max())
    seen = (
        f"product and automatic differentiation differ by {off:.0e} of their size at most, over {CHAIN} "
        f"units and {chain['automatic'].max() / chain['automatic'].min():.0e} in size."
    )
    return seen, off < 1e-5


@ex.claim(
    "With sigmoid units the gradient shrinks from layer to layer on its way back.", f"{NIELSEN}; the lecture"
)
def shrinks(norms: Floats) -> ex.Judged:
    """Every layer's gradient is above that of the layer before it, by the whole interval."""
    logs, unit = np.log10(norms), "orders of magnitude"
    steps = ex.Measurements({n: ex.Measured.of(step, unit) for n, step in enumerate(np.diff(logs).T, 2)})
    least, most = steps.smallest, steps.largest
    seen = (
        f"a layer's gradient is above that of the layer before by {steps[least].short} (layer {least}) to "
        f"{steps[most].short} (layer {most}), the last above the first by "
        f"{ex.Measured.of(logs[:, -1] - logs[:, 0], unit)}."
    )
    return seen, steps.all_positive


@ex.claim(
    "Tanh, rectified linear units and batch normalisation keep the gradient alive: from the last layer "
    "back to the first it changes less than tenfold.",
    "Goodfellow et al. 2016, sections 6.3 and 8.7.1; Ioffe & Szegedy 2015; the bound is ours",
)
def stays_alive(norms: Norms) -> ex.Judged:
    """Less than an order of magnitude from the first to the last layer, by the whole interval."""
    alive = {
        units: np.log10(table[:, -1] / table[:, 0]) for units, table in norms.items() if units != "sigmoid"
    }
    unit = "orders of magnitude"
    changes = ex.Measurements({units: ex.Measured.of(logs, unit) for units, logs in alive.items()})
    return f"the last layer above the first: {changes}.", all(c.within(1) for c in changes.values())


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
    return seen, likely and all(ratio.low > 1 for ratio in drawn.values())


def draw(chain: pd.DataFrame, norms: dict[int, Norms], speeds: pd.DataFrame) -> Figure:
    """The chain; the gradient in each layer, and in the first along the depth; speeds along training."""
    figure, panels = ex.sheet(7.0, "chain layers", "first speeds")
    ex.curves(
        panels["chain"], chain.set_index("unit"),
        f"A chain of {CHAIN} sigmoid units", "unit, from the input on", "|∂C/∂b|", log="y",
        looks={"product": {"ls": "", "marker": "o", "ms": 9, "mfc": "none"},
               "automatic": {"ls": "", "marker": "."}},
    )  # fmt: skip
    deepest, norm = max(norms), "norm of ∂C/∂W"
    markers = {units: {"marker": marker, "ms": 4} for units, marker in zip(UNITS, "os^D", strict=True)}
    in_first = {units: means({depth: norms[depth][units][:, 0] for depth in norms}) for units in UNITS}
    ex.curves(
        panels["layers"], by_layer(norms[deepest]),
        f"Gradient in each of {deepest} layers", "hidden layer", norm, looks=markers, log="y", legend=None,
    )  # fmt: skip
    ex.curves(
        panels["first"], in_first,
        "Gradient in the first layer", "hidden layers", norm, looks=markers, log="y", legend="lower left",
    )  # fmt: skip
    dashes = {name: {"ls": ls} for name, ls in zip(speeds.columns, ("-", "--", ":"), strict=True)}
    ex.curves(
        panels["speeds"], speeds, "Learning speeds, MNIST, sigmoid", "epochs", "norm of ∂C/∂b",
        looks=dashes, log="y", legend="upper right",
    )  # fmt: skip
    return figure
