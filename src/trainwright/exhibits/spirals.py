"""Three spirals: sigmoid units and rectified linear ones learn to tell them apart, layer by layer.

Three hundred points lie on three arms that wind around each other. A network of two hidden layers of 50
units has to say on which arm a point lies. While it learns, the sizes of its layers' gradients are noted: how
much of the gradient gets back to the first layer, and how far the networks get in the same steps.

Source: the notebook on vanishing gradients of Stanford's course CS224d (2016): weights N(0, 0.1²), biases
zero, all points in each batch, learning rate 0.1, penalty 0.001, 50,000 steps; one run of each network.

As there, a layer's gradient is the sum of its sizes over the sum of its rows and columns (52 in the first
layer, 100 in the second), without the penalty's part. That is not their mean, so it compares only the same
layer of two networks; so does the ratio of the layers, which the notebook does not form. The points come from
the same recipe, not from the same draws.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trainwright.base.config import config
from trainwright.data import Dataset
from trainwright.data.dataset import Splits
from trainwright.diagnosis.instruments import measure_layers
from trainwright.exhibit import Claim, Exhibit, ExhibitResult, Measured, intervals_cover
from trainwright.exhibit.panels import BLUE, ORANGE, PALETTE, PINK, curves, framed
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.strategies import L2, Activation, Initialization
from trainwright.studies.defaults import Budget
from trainwright.training.fit import fit
from trainwright.training.progress import Progress

NOTEBOOK = "CS224d 2016, notebook on vanishing gradients"
SCALES: dict[Budget, tuple[int, int]] = {"quick": (10_000, 6), "full": (50_000, 10)}  # steps, seeds
UNITS = {"sigmoid": "sigmoid", "ReLU": "relu"}
SIDE = 80  # decision regions are drawn from so many points a side
REACH = 1.1  # of the plane that is drawn, to each side
ARMS = (BLUE, ORANGE, PINK)


class Learned(NamedTuple):
    """What one training left."""

    sizes: pd.DataFrame
    """The gradient's size in "layer 1" and "layer 2" along the steps."""
    classes: NDArray[np.int64]
    """The arm that the network sees at each point of the plane, (SIDE, SIDE)."""
    accuracy: float
    """On the 300 points, in %."""

    @property
    def share(self) -> float:
        """The first layer's gradient over the second's: the median of the training."""
        return float((self.sizes["layer 1"] / self.sizes["layer 2"]).median())


Trained = dict[str, list[Learned]]  # by units, seed by seed


@config
class Spirals(Exhibit):
    """Gradient sizes and decision regions on three spirals, sigmoid and ReLU."""

    title = "Three spirals, learned by sigmoid units and by rectified linear ones"

    def make(self, budget: Budget, store: Path) -> ExhibitResult:
        steps, seeds = SCALES[budget]
        trained = {name: [learn(unit, steps, seed) for seed in range(seeds)] for name, unit in UNITS.items()}
        note = f"{steps:,} steps (the notebook: 50,000), {seeds} seeds; the picture shows the first."
        claims = (more_gets_back(trained), gets_further(trained))
        return self.result(
            draw(trained), {"Each seed at the end": table(trained)}, claims, (note, intervals_cover())
        )


def spiral() -> Dataset:
    """The notebook's 300 points on three arms; as test split, a grid of points of the plane."""
    rng = np.random.default_rng(0)
    r = np.linspace(0, 1, 100)
    turns = [np.linspace(4 * j, 4 * (j + 1), 100) + 0.2 * rng.standard_normal(100) for j in range(3)]
    points = np.concatenate([np.stack([r * np.sin(t), r * np.cos(t)], axis=1) for t in turns])
    side = np.linspace(-REACH, REACH, SIDE)
    plane = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    inputs = np.concatenate([points, plane]).astype(np.float32)
    labels = np.concatenate([np.repeat([0, 1, 2], 100), np.zeros(len(plane))]).astype(np.int32)
    rows = np.arange(300)
    splits = Splits(rows, rows, np.arange(300, len(inputs)))
    return Dataset("spiral", "classification", inputs, labels, splits, classes=("0", "1", "2"))


def learn(unit: str, steps: int, seed: int) -> Learned:
    """Train a network of such units and note its gradients' sizes at each fiftieth of the steps."""
    data, sizes = spiral(), {}
    strategies = (Activation(unit), Initialization("normal", std=0.1))
    plain = Recipe(Mlp((50, 50)), strategies, batch_size=300, steps=steps, evaluate_every=steps // 50)

    def watch(progress: Progress) -> None:
        gradients = measure_layers(plain, data, seed, weights=progress.weights()).gradients
        first, second = gradients["hidden1"], gradients["hidden2"]
        sizes[progress.step] = [np.abs(layer).sum() / sum(layer.shape) for layer in (first, second)]

    run = fit(plain.adding(L2(1e-3)), data, seed, watch=watch)
    classes = run.predictions["test"].argmax(axis=1).reshape(SIDE, SIDE)
    accuracy = 100 * (1 - float(run.history["validation_error"][-1]))
    by_step = pd.DataFrame.from_dict(sizes, orient="index", columns=["layer 1", "layer 2"])
    return Learned(by_step, classes, accuracy)


def table(trained: Trained) -> pd.DataFrame:
    """Every training's two numbers."""
    rows = [
        (units, seed, run.share, run.accuracy)
        for units, runs in trained.items()
        for seed, run in enumerate(runs)
    ]
    share = "first layer's gradient over the second's, median"
    return pd.DataFrame(rows, columns=["units", "seed", share, "training accuracy (%)"])


def more_gets_back(trained: Trained) -> Claim:
    """The difference's whole interval lies above zero."""
    sigmoid, relu = (np.array([run.share for run in trained[units]]) for units in UNITS)
    return Claim(
        "With sigmoid units, less of the gradient gets back to the first layer than with rectified ones.",
        f"{NOTEBOOK}, which plots the sizes; the ratio is ours",
        f"the first layer's gradient over the second's: {sigmoid.mean():.2f} with sigmoid and "
        f"{relu.mean():.2f} with ReLU, {Measured.of(relu - sigmoid)}.",
        Measured.of(relu - sigmoid).positive,
    )


def gets_further(trained: Trained) -> Claim:
    """The difference's whole interval lies above zero."""
    sigmoid, relu = (np.array([run.accuracy for run in trained[units]]) for units in UNITS)
    return Claim(
        "Sigmoid units get less far in the same steps than rectified linear ones.",
        NOTEBOOK,
        f"training accuracy {sigmoid.mean():.1f} % with sigmoid and {relu.mean():.1f} % with ReLU: "
        f"{Measured.of(relu - sigmoid, 'points')}.",
        Measured.of(relu - sigmoid).positive,
    )


def draw(trained: Trained) -> Figure:
    """The first seed's gradients along the steps, and both networks' regions."""
    figure = Figure(figsize=(7.6, 3.6))
    sizes, *regions = figure.subplots(1, 3, width_ratios=(1.4, 1, 1))
    for axes, color, (units, (first, *_)) in zip(regions, PALETTE, trained.items(), strict=False):
        looks = {f"{units}, layer 1": {"color": color}, f"{units}, layer 2": {"color": color, "ls": ":"}}
        curves(sizes, first.sizes.set_axis(list(looks), axis=1), looks=looks)
        draw_regions(axes, f"{units}: {first.accuracy:.0f} % right", first.classes)
    framed(sizes, title="Gradient sizes", xlabel="steps", ylabel="Σ|∂C/∂W| / (rows + columns)", log="y")
    sizes.locator_params(axis="x", nbins=4)  # ten thousands need room
    sizes.set_ylim(top=10 * sizes.get_ylim()[1])  # for the legend
    return figure


def draw_regions(axes: Axes, title: str, classes: NDArray[np.int64]) -> None:
    """Where the network sees which arm, under the points."""
    data, plane = spiral(), (-REACH, REACH, -REACH, REACH)
    axes.imshow(classes, ListedColormap(ARMS), origin="lower", extent=plane, alpha=0.45, vmin=0, vmax=2)
    for number, (color, marker) in enumerate(zip(ARMS, "os^", strict=True)):
        x, y = data.inputs[:300][data.targets[:300] == number].T
        axes.plot(x, y, marker, ms=2.6, color=color, mec="black", mew=0.3)
    axes.set(title=title, xticks=(-1, 0, 1), yticks=(-1, 0, 1), xlabel="x₁")
