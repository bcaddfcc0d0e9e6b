"""The deeper a network of sigmoid units, the less its first layers learn.

By the chain rule, the gradient of an early layer is a product with one factor for each layer behind it: in a
chain of single units, C' σ'(z₁) w₂ σ'(z₂) w₃ ... The slope of the sigmoid is a quarter at most, so the
product shrinks with every layer unless the weights are large, and then the slopes are small. The product is
compared with what automatic differentiation gives for the same chain. Then the gradient is measured per
layer in wide networks, before the first step: with sigmoid, tanh and rectified linear units, and with batch
normalisation. Last, a known demonstration is re-made: the learning speeds of the layers of a network on 1000
images of MNIST. The exhibit spirals shows another.

Source: Nielsen 2015, Neural Networks and Deep Learning, chapter 5, with the norms published beside it;
Ioffe & Szegedy 2015 for batch normalisation.

A layer's speed is the norm of its biases' gradient, as in Nielsen's figures. His networks have ten sigmoid
outputs, these a softmax: speeds are comparable between the layers of a network, not between his and these.
First weights come from the same distributions, not from the same draws.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trainwright.base.config import config
from trainwright.comparison import paired
from trainwright.data import Dataset, load
from trainwright.data.dataset import Splits
from trainwright.data.loading import read
from trainwright.diagnosis.instruments import measure_layers
from trainwright.exhibit import Claim, Exhibit, ExhibitResult, cautions
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.strategies import L2, Activation, BatchNorm, Initialization
from trainwright.strategy import Kernel, Site, Strategy
from trainwright.studies.defaults import Budget
from trainwright.training.fit import fit
from trainwright.training.progress import Progress

Array = NDArray[np.float64]

CHAIN = 10  # units, one behind the other
GLOROT = Initialization("glorot_uniform")
ARMS: dict[str, tuple[Strategy, ...]] = {
    "sigmoid": (Activation("sigmoid"), GLOROT),
    "tanh": (Activation("tanh"), GLOROT),
    "ReLU": (Activation("relu"), Initialization("he_normal")),
    "sigmoid, batch norm": (Activation("sigmoid"), GLOROT, BatchNorm()),
}
DRAWS = 40  # of Nielsen's first weights
PUBLISHED = {  # his speeds before training, one draw of each network
    2: (0.0657, 0.3092),
    3: (0.01184, 0.05997, 0.28314),
    4: (0.00298, 0.01708, 0.06954, 0.28514),
}


@config
class NielsenStart(Strategy):
    """Weights of variance one over the fan-in and biases of variance one, both normal."""

    def initial_kernel(self, site: Site, rng: np.random.Generator) -> Kernel:
        drawn = rng.standard_normal(site.kernel_shape, np.float32)
        return drawn / np.float32(np.sqrt(site.fan_in))

    def initial_bias(self, site: Site, rng: np.random.Generator) -> Kernel:
        return rng.standard_normal(site.units, np.float32)


def measure_chain(seed: int) -> pd.DataFrame:
    """∂C/∂b in size for each unit of a chain: by the product formula, and by automatic differentiation."""
    rng = np.random.default_rng(seed)
    w, b = rng.normal(size=(2, CHAIN + 1)).astype(np.float32)
    x, y = np.float32(0.5), np.float32(0)
    rows = np.array([0])
    data = Dataset("one", "regression", np.array([[x]]), np.array([y]), Splits(rows, rows, rows))
    recipe = Recipe(Mlp((1,) * CHAIN), (Activation("sigmoid"),))
    weights = {
        f"{f'hidden{layer + 1}' if layer < CHAIN else 'output'}/{name}": part
        for layer in range(CHAIN + 1)
        for name, part in (("kernel", w[layer].reshape(1, 1)), ("bias", b[layer].reshape(1)))
    }
    found = measure_layers(recipe, data, weights=weights).layers["bias_gradient"].to_numpy()[:-1]
    return pd.DataFrame(
        {
            "unit": np.arange(1, CHAIN + 1),
            "product": np.abs(_products(w, b, float(x), float(y))),
            "automatic": found,
        }
    )


def _products(w: Any, b: Any, x: float, y: float) -> Array:
    """The product formula for the chain's cost (a - y)²/2 with a linear output, in double precision."""
    w, b = w.astype(np.float64), b.astype(np.float64)
    a, slopes = float(x), []
    for weight, bias in zip(w[:-1], b[:-1], strict=True):
        a = float(1 / (1 + np.exp(-(weight * a + bias))))
        slopes.append(a * (1 - a))
    gradient = (w[-1] * a + b[-1] - y) * w[-1]
    products = []
    for layer in reversed(range(CHAIN)):
        gradient = gradient * slopes[layer]
        products.append(gradient)
        gradient = gradient * w[layer]
    return np.array(products[::-1])


def measure_depths(depths: tuple[int, ...], seeds: int, width: int = 30) -> pd.DataFrame:
    """The gradient's norm in each hidden layer before the first step, on digits."""
    data, rows = load("digits"), []
    for arm, strategies in ARMS.items():
        for depth in depths:
            recipe = Recipe(Mlp((width,) * depth), strategies)
            for seed in range(seeds):
                norms = measure_layers(recipe, data, seed).layers["gradient"].iloc[:-1]
                rows += [(arm, depth, seed, layer + 1, norm) for layer, norm in enumerate(norms)]
    return pd.DataFrame(rows, columns=["units", "hidden layers", "seed", "layer", "gradient"])


def last_over_first(depths: pd.DataFrame, arm: str) -> paired.Estimate:
    """log10 of the gradient in the last hidden layer over that in the first, at the largest depth."""
    deepest = depths[(depths["units"] == arm) & (depths["hidden layers"] == depths["hidden layers"].max())]
    table = np.log10(deepest.pivot(index="seed", columns="layer", values="gradient").to_numpy())
    return paired.estimate(table[:, -1] - table[:, 0])


def first_thousand() -> Dataset:
    """The first 1000 training images of MNIST, pixels in [0, 1]."""
    raw = read("mnist")
    rows = np.arange(1000)
    images = np.asarray(raw.inputs[:1000], np.float32) / np.float32(255)
    labels = np.asarray(raw.targets[:1000]).astype(np.int32)
    return Dataset(
        "mnist-1000", "classification", images, labels, Splits(rows, rows, rows), classes=tuple("0123456789")
    )


def _nielsen(hidden: int, epochs: int) -> Recipe:
    strategies = (Activation("sigmoid"), NielsenStart(), L2(0.005))  # his lambda = 5 over 1000 images
    return Recipe(Mlp((30,) * hidden), strategies, batch_size=1000, steps=epochs, evaluate_every=epochs // 50)


def measure_first_speeds(data: Dataset, seeds: int) -> pd.DataFrame:
    """Ratios of Nielsen's speeds before training, beside the published ones; geometric means of the seeds.

    low, high: between these one more draw lies with a probability of 95 %, for all ratios together.
    """
    rows, ratios_in_all = [], sum(PUBLISHED) - len(PUBLISHED)
    for hidden, published in PUBLISHED.items():
        speeds = np.array([_speeds(_nielsen(hidden, 50), data, seed) for seed in range(seeds)])
        ratios = np.log(speeds[:, 1:] / speeds[:, :-1])
        for layer in range(hidden - 1):
            one = paired.estimate(ratios[:, layer])
            # Where one more draw from the same distribution falls: Bonferroni's correction for all of them.
            reach = paired.critical(seeds, 1 - 0.05 / ratios_in_all) * one.spread * np.sqrt(1 + 1 / seeds)
            rows.append(
                {
                    "hidden layers": hidden,
                    "layers": f"{layer + 2} over {layer + 1}",
                    "published ratio": published[layer + 1] / published[layer],
                    "mean ratio": np.exp(one.mean),
                    "low": np.exp(one.mean - reach),
                    "high": np.exp(one.mean + reach),
                    "seeds": seeds,
                }
            )
    return pd.DataFrame(rows)


def _speeds(recipe: Recipe, data: Dataset, seed: int, weights: Any = None) -> Array:
    return measure_layers(recipe, data, seed, weights=weights).layers["bias_gradient"].to_numpy()[:-1]


def measure_speeds(data: Dataset, epochs: int, hidden: int = 3) -> pd.DataFrame:
    """The layers' speeds along training: a row for each fiftieth of it."""
    recipe, rows = _nielsen(hidden, epochs), {}

    def watch(slot: Progress) -> None:
        rows[slot.step] = _speeds(recipe, data, 0, slot.weights())

    rows[0] = _speeds(recipe, data, 0)
    fit(recipe, data, watch=watch)
    names = [f"hidden layer {layer + 1}" for layer in range(hidden)]
    return pd.DataFrame.from_dict(rows, orient="index", columns=names).rename_axis("epoch")


@config
class VanishingGradient(Exhibit):
    """The first layers of a deep network of sigmoid units hardly learn."""

    title: ClassVar[str] = "The vanishing gradient: early layers of sigmoid units hardly learn"

    def make(self, budget: Budget, store: Path) -> ExhibitResult:
        quick = budget == "quick"
        seeds, epochs = (3 if quick else 20), 500
        depths = measure_depths((2, 5, 10) if quick else (1, 2, 3, 5, 7, 10, 14, 20), seeds)
        chain, data = measure_chain(0), first_thousand()
        first, speeds = measure_first_speeds(data, DRAWS), measure_speeds(data, epochs)
        return ExhibitResult(
            self.name,
            self.title,
            _draw(chain, depths, speeds),
            {
                "A chain of single sigmoid units: |∂C/∂b|": chain,
                "Gradient norm of each layer's weights before the first step, median of seeds": _medians(
                    depths
                ),
                "Nielsen's networks before training: a layer's speed over that of the layer before": first,
            },
            (*_depth_claims(chain, depths), _speed_claim(first)),
            (
                f"Depths: digits, 30 units a layer, {seeds} seeds; first weights by Glorot's rule for sigmoid"
                " and tanh, by He's for ReLU.",
                f"Speeds: MNIST's first 1000 training images, 3 hidden layers of 30, {epochs} epochs of full"
                " batches.",
                *cautions(),
            ),
        )


def _medians(depths: pd.DataFrame) -> pd.DataFrame:
    deepest = depths[depths["hidden layers"] == depths["hidden layers"].max()]
    table: pd.DataFrame = deepest.pivot_table(
        index="layer", columns="units", values="gradient", aggfunc="median"
    )
    return table.reset_index().rename_axis(columns=None)


def _depth_claims(chain: pd.DataFrame, depths: pd.DataFrame) -> tuple[Claim, ...]:
    apart = float(np.abs(chain["product"] / chain["automatic"] - 1).max())
    deepest = int(depths["hidden layers"].max())
    found = {arm: last_over_first(depths, arm) for arm in ARMS}
    said = {arm: f"{10**one.mean:.2g} ({_range(one)})" for arm, one in found.items()}
    alive = list(ARMS)[1:]
    return (
        Claim(
            "The gradient in a chain of single units is the product of weights and slopes along it.",
            "Nielsen 2015, chapter 5",
            f"Product and automatic differentiation differ by {apart:.0e} of their size at most, over"
            f" {CHAIN} units and {chain['automatic'].max() / chain['automatic'].min():.0e} in size.",
            apart < 1e-5,
        ),
        Claim(
            "With sigmoid units the gradient shrinks from layer to layer on its way back.",
            "Nielsen 2015, chapter 5; the lecture",
            f"Of {deepest} hidden layers the last has {said['sigmoid']} times the gradient of the first"
            f" (95 % interval, n = {found['sigmoid'].count} seeds).",
            found["sigmoid"].interval(0.95)[0] > 0,
        ),
        Claim(
            "Tanh, rectified linear units and batch normalisation keep the gradient alive: from the last"
            " layer back to the first it changes less than tenfold.",
            "Goodfellow, Bengio & Courville 2016, sections 6.3 and 8.7.1; Ioffe & Szegedy 2015; the bound is"
            " ours",
            "The same ratio: "
            + ", ".join(f"{arm} {said[arm]}" for arm in alive)
            + f" (95 % intervals, n = {found['tanh'].count} seeds).",
            all(-1 < end < 1 for arm in alive for end in found[arm].interval(0.95)),
        ),
    )


def _range(one: paired.Estimate) -> str:
    low, high = one.interval(0.95)
    return f"{10**low:.2g} to {10**high:.2g}"


def _speed_claim(first: pd.DataFrame) -> Claim:
    inside = first["published ratio"].between(first["low"], first["high"])
    ratios = [
        f"{row['published ratio']:.1f} and {row['mean ratio']:.1f} ({row['low']:.1f} to {row['high']:.1f})"
        for _, row in first.iterrows()
    ]
    return Claim(
        "In Nielsen's networks each hidden layer starts faster than the one before it, by the published"
        " ratios.",
        "Nielsen 2015, chapter 5, and the norms published beside it",
        f"Published, and the mean of {first['seeds'].iloc[0]} draws here: {', '.join(ratios)}; in brackets"
        f" where a draw such as the published one should lie, all {len(first)} together with a probability of"
        " 95 %.",
        bool((inside & (first["low"] > 1)).all()),
    )


def _draw(
    chain: pd.DataFrame,
    depths: pd.DataFrame,
    speeds: pd.DataFrame,
) -> Figure:
    figure = Figure(figsize=(7.6, 7.0), layout="constrained")
    (left, right), (first, along) = figure.subplots(2, 2)
    left.semilogy(chain["unit"], chain["product"], "o", ms=9, mfc="none", color="C1", label="product formula")
    left.semilogy(chain["unit"], chain["automatic"], ".", color="C0", label="automatic differentiation")
    left.set(title="A chain of ten sigmoid units", xlabel="unit, from the input on", ylabel="|∂C/∂b|")
    left.legend()
    _draw_layers(right, depths)
    _draw_first(first, depths)
    for number, name in enumerate(speeds.columns):
        along.semilogy(speeds.index, speeds[name], ("-", "--", ":")[number % 3], label=name)
    along.set(title="Learning speeds, MNIST, sigmoid", xlabel="epochs", ylabel="norm of ∂C/∂b")
    along.legend(loc="upper right")
    return figure


def _draw_layers(axes: Axes, depths: pd.DataFrame) -> None:
    deepest = depths[depths["hidden layers"] == depths["hidden layers"].max()]
    for number, arm in enumerate(ARMS):
        table = deepest[deepest["units"] == arm].pivot(index="layer", columns="seed", values="gradient")
        low, high, colour = table.min(axis=1), table.max(axis=1), f"C{number}"
        axes.fill_between(table.index, low, high, color=colour, alpha=0.2, lw=0)
        axes.semilogy(table.index, table.median(axis=1), "os^D"[number] + "-", ms=4, color=colour)
    layers = depths["hidden layers"].max()
    axes.set(title=f"Gradient in each of {layers} layers", xlabel="hidden layer", ylabel="norm of ∂C/∂W")


def _draw_first(axes: Axes, depths: pd.DataFrame) -> None:
    first = depths[depths["layer"] == 1]
    for number, arm in enumerate(ARMS):
        table = first[first["units"] == arm].pivot(index="hidden layers", columns="seed", values="gradient")
        axes.semilogy(table.index, table.median(axis=1), "os^D"[number] + "-", ms=4, label=arm)
    axes.set(title="Gradient in the first layer", xlabel="hidden layers", ylabel="norm of ∂C/∂W")
    axes.legend(loc="lower left")
