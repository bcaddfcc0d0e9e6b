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

from trainwright.base.config import config
from trainwright.data import Dataset, load
from trainwright.data.loading import read
from trainwright.diagnosis.instruments import measure_layers
from trainwright.exhibit import (
    Claim,
    Exhibit,
    ExhibitResult,
    Measured,
    Measurements,
    intervals_cover,
    tabulated,
    whole,
)
from trainwright.exhibit.panels import curves
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.strategies import L2, Activation, BatchNorm, Initialization
from trainwright.strategy import Kernel, Site, Strategy
from trainwright.studies.defaults import Budget
from trainwright.training.fit import fit
from trainwright.training.progress import Progress

NIELSEN = "Nielsen 2015, chapter 5"
CHAIN = 10  # units, one behind the other
GLOROT = Initialization("glorot_uniform")
UNITS: dict[str, tuple[Strategy, ...]] = {
    "sigmoid": (Activation("sigmoid"), GLOROT),
    "tanh": (Activation("tanh"), GLOROT),
    "ReLU": (Activation("relu"), Initialization("he_normal")),
    "sigmoid, batch norm": (Activation("sigmoid"), GLOROT, BatchNorm()),
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
SCALES: dict[Budget, tuple[tuple[int, ...], int]] = {  # hidden layers, seeds
    "quick": ((2, 5, 10), 6),
    "full": ((1, 2, 3, 5, 7, 10, 14, 20), 20),
}


@config
class NielsenStart(Strategy):
    """Weights of variance one over the fan-in and biases of variance one, both normal."""

    def initial_kernel(self, site: Site, rng: np.random.Generator) -> Kernel:
        drawn = rng.standard_normal(site.kernel_shape, np.float32)
        return drawn / np.float32(np.sqrt(site.fan_in))

    def initial_bias(self, site: Site, rng: np.random.Generator) -> Kernel:
        return rng.standard_normal(site.units, np.float32)


@config
class VanishingGradient(Exhibit):
    """The first layers of a deep network of sigmoid units hardly learn."""

    title = "The vanishing gradient: early layers of sigmoid units hardly learn"

    def make(self, budget: Budget, store: Path) -> ExhibitResult:
        depths, seeds = SCALES[budget]
        chain, data = measure_chain(0), first_thousand()
        norms = {depth: measure_norms(depth, seeds) for depth in depths}
        drawn, speeds = measure_ratios(data, DRAWS), measure_speeds(data)
        deepest = norms[depths[-1]]
        return self.result(
            draw(chain, norms, speeds),
            {
                "A chain of single sigmoid units: |∂C/∂b|": chain,
                "Gradient norm of a layer's weights before training": tabulated("layer", by_layer(deepest)),
                "Nielsen's networks before training: a layer's speed over another's": tabulated(
                    "layers", {"ratio": drawn}
                ),
            },
            (product(chain), shrinks(deepest["sigmoid"]), stays_alive(deepest), as_published(drawn)),
            (
                f"Depths: digits, 30 units a layer, {seeds} seeds, geometric means; Glorot's initial weights "
                "for sigmoid and tanh, He's for ReLU.",
                f"Speeds: MNIST's first 1,000 training images, 3 hidden layers of 30, {EPOCHS} full batches.",
                intervals_cover(),
            ),
        )


def measure_chain(seed: int) -> pd.DataFrame:
    """|∂C/∂b| for each unit of a chain: by the product formula, and by automatic differentiation."""
    w, b = np.random.default_rng(seed).normal(size=(2, CHAIN + 1)).astype(np.float32)
    x, y = 0.5, 0.0
    data = whole(np.array([[x]], np.float32), np.array([y], np.float32))
    layers = [f"hidden{unit}" for unit in range(1, CHAIN + 1)] + ["output"]
    weights = {f"{layer}/kernel": w[[[place]]] for place, layer in enumerate(layers)}
    weights |= {f"{layer}/bias": b[[place]] for place, layer in enumerate(layers)}
    automatic = speeds_of(Recipe(Mlp((1,) * CHAIN), (Activation("sigmoid"),)), data, 0, weights)
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
    data, norms = load("digits"), {}
    for units, strategies in UNITS.items():
        recipe = Recipe(Mlp((width,) * depth), strategies)
        stats = [measure_layers(recipe, data, seed).layers for seed in range(seeds)]
        norms[units] = np.array([layers["gradient"].to_numpy()[:-1] for layers in stats])
    return norms


def by_layer(norms: Norms) -> dict[str, Measurements]:
    """The gradient in each layer, by units."""
    return {units: means(dict(enumerate(table.T, 1))) for units, table in norms.items()}


def means(norms: dict[int, Floats]) -> Measurements:
    """The geometric mean over the seeds at each place."""
    return Measurements(
        {place: Measured.ratio(values, np.ones(len(values))) for place, values in norms.items()}
    )


def speeds_of(recipe: Recipe, data: Dataset, seed: int, weights: Any = None) -> Floats:
    """The norm of each hidden layer's bias gradient, (layers,), with the initial or with these weights."""
    return measure_layers(recipe, data, seed, weights=weights).layers["bias_gradient"].to_numpy()[:-1]


def first_thousand() -> Dataset:
    """The first 1,000 training images of MNIST, pixels in [0, 1]."""
    raw = read("mnist")
    return whole(
        np.asarray(raw.inputs[:1000], np.float32) / np.float32(255), np.asarray(raw.targets[:1000], int)
    )


def nielsens(hidden: int) -> Recipe:
    """His network with so many hidden layers; his λ = 5 is over 1,000 images."""
    strategies = (Activation("sigmoid"), NielsenStart(), L2(0.005))
    recipe = Recipe(Mlp((30,) * hidden), strategies, batch_size=1000)
    return recipe.replace(steps=EPOCHS, evaluate_every=EPOCHS // 50)


def measure_ratios(data: Dataset, seeds: int) -> Measurements:
    """The ratios of `PUBLISHED`: geometric means over the seeds, and bounds between which one more draw lies
    with a probability of 95 %, for all ratios together (Bonferroni's correction)."""
    found = Measurements()
    for hidden in (2, 3, 4):
        speeds = np.log([speeds_of(nielsens(hidden), data, seed) for seed in range(seeds)])
        for layer, logs in enumerate(np.diff(speeds).T, 2):
            mean = Measured.of(logs, level=1 - 0.05 / len(PUBLISHED), signed=False)
            reach = (mean.high - mean.mean) * np.sqrt(seeds + 1)  # of one draw, not of the mean
            middle, low, high = np.exp([mean.mean, mean.mean - reach, mean.mean + reach]).tolist()
            ratio = replace(mean, mean=middle, low=low, high=high, level=0.95)
            found[f"{layer} over {layer - 1} of {hidden}"] = ratio
    return found


def measure_speeds(data: Dataset, hidden: int = 3) -> pd.DataFrame:
    """The layers' speeds along training: a row for each fiftieth of it."""
    recipe = nielsens(hidden)
    rows = {0: speeds_of(recipe, data, 0)}

    def watch(progress: Progress) -> None:
        rows[progress.step] = speeds_of(recipe, data, 0, progress.weights())

    fit(recipe, data, watch=watch)
    names = [f"hidden layer {layer}" for layer in range(1, hidden + 1)]
    return pd.DataFrame.from_dict(rows, orient="index", columns=names)


def product(chain: pd.DataFrame) -> Claim:
    """Eleven factors in single precision round to within 1e-5."""
    off = float(np.abs(chain["product"] / chain["automatic"] - 1).max())
    return Claim(
        "The gradient in a chain of single units is the product of weights and slopes along it.",
        NIELSEN,
        f"product and automatic differentiation differ by {off:.0e} of their size at most, over {CHAIN} "
        f"units and {chain['automatic'].max() / chain['automatic'].min():.0e} in size.",
        off < 1e-5,
    )


def shrinks(norms: Floats) -> Claim:
    """Every layer's gradient is above that of the layer before it, by the whole interval."""
    logs, unit = np.log10(norms), "orders of magnitude"
    steps = Measurements({n: Measured.of(step, unit) for n, step in enumerate(np.diff(logs).T, 2)})
    least, most = steps.smallest, steps.largest
    return Claim(
        "With sigmoid units the gradient shrinks from layer to layer on its way back.",
        f"{NIELSEN}; the lecture",
        f"a layer's gradient is above that of the layer before by {steps[least].short} (layer {least}) to "
        f"{steps[most].short} (layer {most}), the last above the first by "
        f"{Measured.of(logs[:, -1] - logs[:, 0], unit)}.",
        steps.all_positive,
    )


def stays_alive(norms: Norms) -> Claim:
    """Less than an order of magnitude from the first to the last layer, by the whole interval."""
    alive = {
        units: np.log10(table[:, -1] / table[:, 0]) for units, table in norms.items() if units != "sigmoid"
    }
    changes = Measurements({units: Measured.of(logs, "orders of magnitude") for units, logs in alive.items()})
    return Claim(
        "Tanh, rectified linear units and batch normalisation keep the gradient alive: from the last layer "
        "back to the first it changes less than tenfold.",
        "Goodfellow et al. 2016, sections 6.3 and 8.7.1; Ioffe & Szegedy 2015; the bound is ours",
        f"the last layer above the first: {changes}.",
        all(change.within(1) for change in changes.values()),
    )


def as_published(drawn: Measurements) -> Claim:
    """Each published ratio is one that these draws might have given, and none of theirs is likely below 1."""
    return Claim(
        "In Nielsen's networks each layer starts faster than the one before it, by the published ratios.",
        f"{NIELSEN}, and the norms published beside it",
        f"published: {', '.join(f'{ratio:.1f}' for ratio in PUBLISHED.values())}; here, on average and with "
        f"the range where all further draws together should lie, {drawn}.",
        all(drawn[pair].low <= ratio <= drawn[pair].high for pair, ratio in PUBLISHED.items())
        and all(ratio.low > 1 for ratio in drawn.values()),
    )


def draw(chain: pd.DataFrame, norms: dict[int, Norms], speeds: pd.DataFrame) -> Figure:
    """The chain; the gradient in each layer, and in the first along the depth; speeds along training."""
    figure = Figure(figsize=(7.6, 7.0))
    (left, right), (first, along) = figure.subplots(2, 2)
    circles, dots = {"ls": "", "marker": "o", "ms": 9, "mfc": "none"}, {"ls": "", "marker": "."}
    curves(
        left, chain.set_index("unit"), looks={"product": circles, "automatic": dots}, log="y",
        title=f"A chain of {CHAIN} sigmoid units", xlabel="unit, from the input on", ylabel="|∂C/∂b|",
    )  # fmt: skip
    deepest, norm = max(norms), "norm of ∂C/∂W"
    markers = {units: {"marker": marker, "ms": 4} for units, marker in zip(UNITS, "os^D", strict=True)}
    in_first = {units: means({depth: norms[depth][units][:, 0] for depth in norms}) for units in UNITS}
    curves(
        right, by_layer(norms[deepest]), looks=markers, log="y", legend=None,
        title=f"Gradient in each of {deepest} layers", xlabel="hidden layer", ylabel=norm,
    )  # fmt: skip
    curves(
        first, in_first, looks=markers, log="y", legend="lower left",
        title="Gradient in the first layer", xlabel="hidden layers", ylabel=norm,
    )  # fmt: skip
    dashes = {name: {"ls": ls} for name, ls in zip(speeds.columns, ("-", "--", ":"), strict=True)}
    curves(
        along, speeds, looks=dashes, log="y", legend="upper right",
        title="Learning speeds, MNIST, sigmoid", xlabel="epochs", ylabel="norm of ∂C/∂b",
    )  # fmt: skip
    return figure
