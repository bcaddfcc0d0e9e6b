"""Three spirals: sigmoid units and rectified linear ones learn to tell them apart, layer by layer.

Three hundred points lie on three arms that wind around each other. A network of two hidden layers of 50
units has to say on which arm a point lies. While it learns, the sizes of the gradients of its first and
second layer are noted: how much of the gradient gets back to the first layer with sigmoid units and with
rectified linear ones, and how far the networks get in the same steps.

Source: the notebook on vanishing gradients of Stanford's course CS224d (2016): weights N(0, 0.1²), biases
zero, all points in each batch, learning rate 0.1, penalty 0.001, 50,000 steps.

As there, the sizes of a layer's gradients are added up and divided by the sum of its rows and columns, and
the penalty's part is left out. That divisor (52 for the first layer, 100 for the second) is not the number of
weights (100 and 2,500), so two layers of a network cannot be compared by it, only the same layer of two
networks. The first layer's size over the second's is such a comparison too, since the divisors' share in it
is the same in both; the notebook does not form it. The points come from the same recipe, not from the same
draws; the notebook has one run of each, here are several.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trainwright.base.config import config
from trainwright.comparison import paired
from trainwright.data import Dataset
from trainwright.data.dataset import Splits
from trainwright.diagnosis.instruments import measure_layers
from trainwright.exhibit import Claim, Exhibit, ExhibitResult, cautions
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.strategies import L2, Activation, Initialization
from trainwright.studies.defaults import Budget
from trainwright.training.fit import fit
from trainwright.training.progress import Progress

Array = NDArray[np.float64]
Learned = tuple[pd.DataFrame, Array, float]

SIDE = 80  # decision regions are drawn from so many points a side
COLOURS = ("#0072B2", "#E69F00", "#CC79A7")


def spiral() -> Dataset:
    """The notebook's 300 points on three arms; as test split, a grid of points of the plane."""
    rng = np.random.default_rng(0)
    r = np.linspace(0, 1, 100)
    turns = [np.linspace(4 * j, 4 * (j + 1), 100) + 0.2 * rng.standard_normal(100) for j in range(3)]
    points = np.concatenate([np.stack([r * np.sin(t), r * np.cos(t)], axis=1) for t in turns])
    side = np.linspace(-1.1, 1.1, SIDE)
    plane = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    inputs = np.concatenate([points, plane]).astype(np.float32)
    labels = np.concatenate([np.repeat([0, 1, 2], 100), np.zeros(len(plane))]).astype(np.int32)
    rows = np.arange(300)
    splits = Splits(rows, rows, np.arange(300, len(inputs)))
    return Dataset("spiral", "classification", inputs, labels, splits, classes=("0", "1", "2"))


def measure_spiral(function: str, steps: int, seed: int) -> Learned:
    """Sizes of the first two layers' gradients along training, the grid's classes, and the accuracy."""
    data, rows = spiral(), {}
    plain = Recipe(
        Mlp((50, 50)),
        (Activation(function), Initialization("normal", std=0.1)),
        batch_size=300,
        steps=steps,
        evaluate_every=steps // 50,
    )

    def watch(slot: Progress) -> None:
        gradients = measure_layers(plain, data, seed, weights=slot.weights()).gradients
        rows[slot.step] = [
            np.abs(gradients[f"hidden{n}"]).sum() / sum(gradients[f"hidden{n}"].shape) for n in (1, 2)
        ]

    run = fit(plain.replace(strategies=(*plain.strategies, L2(1e-3))), data, seed, watch=watch)
    sizes = pd.DataFrame.from_dict(rows, orient="index", columns=["layer 1", "layer 2"]).rename_axis("step")
    classes = np.argmax(run.predictions["test"], axis=1).reshape(SIDE, SIDE)
    return sizes, classes, 1 - float(run.history["validation_error"][-1])


@config
class Spirals(Exhibit):
    """Gradient sizes and decision regions on three spirals, sigmoid and ReLU."""

    title: ClassVar[str] = "Three spirals, learned by sigmoid units and by rectified linear ones"

    def make(self, budget: Budget, store: Path) -> ExhibitResult:
        seeds, steps = (6, 10_000) if budget == "quick" else (10, 50_000)
        spirals = {
            name: [measure_spiral(function, steps, seed) for seed in range(seeds)]
            for name, function in (("sigmoid", "sigmoid"), ("ReLU", "relu"))
        }
        return ExhibitResult(
            self.name,
            self.title,
            _draw(spirals),
            {"Each seed at the end": _table(spirals)},
            (_share_claim(spirals), _accuracy_claim(spirals)),
            (
                f"{steps:,} steps (the notebook: 50,000), {seeds} seeds; the picture shows the first.",
                *cautions(),
            ),
        )


def _table(spirals: dict[str, list[Learned]]) -> pd.DataFrame:
    rows = [
        {
            "units": name,
            "seed": seed,
            "first layer's gradient over the second's, median": _share(sizes),
            "training accuracy, %": 100 * accuracy,
        }
        for name, runs in spirals.items()
        for seed, (sizes, _, accuracy) in enumerate(runs)
    ]
    return pd.DataFrame(rows)


def _share(sizes: pd.DataFrame) -> float:
    """The first layer's gradient over the second's: the median of the training."""
    return float((sizes["layer 1"] / sizes["layer 2"]).median())


def _share_claim(spirals: dict[str, list[Learned]]) -> Claim:
    share = {name: np.array([_share(sizes) for sizes, _, _ in runs]) for name, runs in spirals.items()}
    more = paired.estimate(share["ReLU"] - share["sigmoid"])
    low, high = more.interval(0.95)
    return Claim(
        "On the spirals, less of the gradient gets back to the first layer with sigmoid units than with"
        " rectified linear ones.",
        "CS224d 2016, notebook on vanishing gradients, which plots the sizes; the ratio is ours",
        f"First layer's gradient over the second's: {share['sigmoid'].mean():.2f} with sigmoid and"
        f" {share['ReLU'].mean():.2f} with ReLU, {more.mean:+.2f} ({low:+.2f} to {high:+.2f}, 95 % interval,"
        f" n = {more.count} seeds).",
        low > 0,
    )


def _accuracy_claim(spirals: dict[str, list[Learned]]) -> Claim:
    accuracy = {name: np.array([run[2] for run in runs]) for name, runs in spirals.items()}
    gain = paired.estimate(100 * (accuracy["ReLU"] - accuracy["sigmoid"]))
    low, high = gain.interval(0.95)
    return Claim(
        "On the spirals, sigmoid units get less far in the same steps than rectified linear ones.",
        "CS224d 2016, notebook on vanishing gradients",
        f"Training accuracy {accuracy['sigmoid'].mean():.1%} with sigmoid and {accuracy['ReLU'].mean():.1%}"
        f" with ReLU: {gain.mean:+.1f} points ({low:+.1f} to {high:+.1f}, 95 % interval, n = {gain.count}"
        " seeds).",
        low > 0,
    )


def _draw(spirals: dict[str, list[Learned]]) -> Figure:
    figure = Figure(figsize=(7.6, 3.6), layout="constrained")
    curves, *regions = figure.subplots(1, 3, width_ratios=(1.4, 1, 1))
    for number, (name, runs) in enumerate(spirals.items()):
        sizes, classes, accuracy = runs[0]
        for layer, style in (("layer 1", "-"), ("layer 2", ":")):
            curves.semilogy(sizes.index, sizes[layer], style, color=f"C{number}", label=f"{name}, {layer}")
        _draw_regions(regions[number], f"{name}: {accuracy:.0%} right", classes)
    curves.set(title="Gradient sizes", xlabel="steps", ylabel="Σ|∂C/∂W| / (rows + columns)")
    curves.locator_params(axis="x", nbins=4)  # ten thousands need room
    curves.set_ylim(top=10 * curves.get_ylim()[1])
    curves.legend(loc="upper right")
    return figure


def _draw_regions(axes: Axes, title: str, classes: Array) -> None:
    data = spiral()
    axes.imshow(
        classes,
        origin="lower",
        extent=(-1.1, 1.1, -1.1, 1.1),
        cmap=ListedColormap(COLOURS),
        alpha=0.45,
        vmin=0,
        vmax=2,
    )
    points, labels = data.inputs[:300], data.targets[:300]
    for number, (colour, marker) in enumerate(zip(COLOURS, "os^", strict=True)):
        x, y = points[labels == number].T
        axes.plot(x, y, marker, ms=2.6, color=colour, mec="black", mew=0.3)
    axes.set(title=title, xticks=(-1, 0, 1), yticks=(-1, 0, 1), xlabel="x₁")
