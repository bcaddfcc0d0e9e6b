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

import numpy as np
import pandas as pd
from matplotlib.colors import ListedColormap

from trainwright import exhibit as ex
from trainwright.data.dataset import Splits

NOTEBOOK = "CS224d 2016, notebook on vanishing gradients"
SCALES = ex.scales(steps=(10_000, 50_000), seeds=(6, 10))
UNITS = ("sigmoid", "ReLU")
SHARE, ACCURACY = "first layer's gradient over the second's, median", "training accuracy (%)"
SIDE = 80  # decision regions are drawn from so many points a side
REACH = 1.1  # of the plane that is drawn, to each side
ARMS = (ex.BLUE, ex.ORANGE, ex.PINK)
Trained = tuple[ex.Run, pd.DataFrame]  # with the gradient's size in "layer 1" and "layer 2" along the steps


@ex.config
class Spirals(ex.Exhibit):
    """Gradient sizes and decision regions on three spirals, sigmoid and ReLU."""

    title = "Three spirals, learned by sigmoid units and by rectified linear ones"

    def make(self, budget: ex.Budget, store: Path) -> ex.ExhibitResult:
        s = SCALES[budget]
        trained = {(units, seed): learn(units, s.steps, seed) for units in UNITS for seed in range(s.seeds)}
        rows = ex.grid(lambda *place: measured(*trained[place]), units=UNITS, seed=range(s.seeds))
        return self.result(
            draw({units: trained[units, 0] for units in UNITS}),
            {"Each seed at the end": rows},
            (more_gets_back(rows), gets_further(rows)),
            (
                f"{s.steps:,} steps (the notebook: 50,000), {s.seeds} seeds; the picture shows the first.",
                ex.intervals_cover(),
            ),
        )


def spiral() -> ex.Dataset:
    """The notebook's 300 points on three arms; as test split, a grid of points of the plane."""
    rng = np.random.default_rng(0)
    r = np.linspace(0, 1, 100)
    turns = [np.linspace(4 * j, 4 * (j + 1), 100) + 0.2 * rng.standard_normal(100) for j in range(3)]
    points = np.concatenate([np.stack([r * np.sin(t), r * np.cos(t)], axis=1) for t in turns])
    side = np.linspace(-REACH, REACH, SIDE)
    plane = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    inputs = np.concatenate([points, plane]).astype(np.float32)
    labels = np.concatenate([np.repeat([0, 1, 2], 100), np.zeros(len(plane))]).astype(np.int32)
    splits = Splits(np.arange(300), np.arange(300), np.arange(300, len(inputs)))
    return ex.Dataset("spiral", "classification", inputs, labels, splits, classes=("0", "1", "2"))


def learn(units: str, steps: int, seed: int) -> Trained:
    """Train a network of such units and note its gradients' sizes at each fiftieth of the steps."""
    data, strategies = spiral(), f"activation('{units.lower()}'), initialization('normal', std=0.1)"
    plain = ex.network(50, 50, strategies=strategies, batch_size=300, steps=steps, evaluate_every=steps // 50)

    def sizes(weights: ex.Weights) -> list[float]:
        gradients = ex.measure_layers(plain, data, seed, weights=weights).gradients
        return [np.abs(gradients[name]).sum() / sum(gradients[name].shape) for name in ("hidden1", "hidden2")]

    run, seen = ex.watched(ex.adding(plain, "l2(1e-3)"), data, seed, sizes)
    return run, pd.DataFrame.from_dict(seen, orient="index", columns=["layer 1", "layer 2"])


def measured(run: ex.Run, sizes: pd.DataFrame) -> dict[str, float]:
    """How much of the gradient gets back, and how much of the 300 points is right at the end."""
    share = (sizes["layer 1"] / sizes["layer 2"]).median()
    return {SHARE: float(share), ACCURACY: 100 * (1 - float(run.history["validation_error"][-1]))}


@ex.claim(
    "With sigmoid units, less of the gradient gets back to the first layer than with rectified ones.",
    f"{NOTEBOOK}, which plots the sizes; the ratio is ours",
)
def more_gets_back(rows: pd.DataFrame) -> ex.Judged:
    """By the difference's whole interval."""
    mean = rows.groupby("units")[SHARE].mean()
    more = ex.change(rows, SHARE, "ReLU", "sigmoid", "", by="units")
    seen = f"{mean['sigmoid']:.2f} with sigmoid and {mean['ReLU']:.2f} with ReLU, {more}."
    return f"the first layer's gradient over the second's: {seen}", more.positive


@ex.claim("Sigmoid units get less far in the same steps than rectified linear ones.", NOTEBOOK)
def gets_further(rows: pd.DataFrame) -> ex.Judged:
    """By the difference's whole interval."""
    mean = rows.groupby("units")[ACCURACY].mean()
    more = ex.change(rows, ACCURACY, "ReLU", "sigmoid", "points", by="units")
    seen = f"{mean['sigmoid']:.1f} % with sigmoid and {mean['ReLU']:.1f} % with ReLU: {more}."
    return f"training accuracy {seen}", more.positive


def draw(trained: dict[str, Trained]) -> ex.Figure:
    """Gradients along the steps, and where each network sees which arm."""
    figure, panels = ex.sheet(3.6, "sizes sigmoid ReLU", width_ratios=(1.4, 1, 1))
    axes = panels["sizes"]
    for color, (units, (run, sizes)) in zip(ex.PALETTE, trained.items(), strict=False):
        looks = {f"{units}, layer 1": {"color": color}, f"{units}, layer 2": {"color": color, "ls": ":"}}
        ex.curves(axes, sizes.set_axis(list(looks), axis=1), looks=looks)
        draw_regions(panels[units], f"{units}: {measured(run, sizes)[ACCURACY]:.0f} % right", run)
    ex.framed(axes, "Gradient sizes", "steps", "Σ|∂C/∂W| / (rows + columns)", log="y")
    axes.locator_params(axis="x", nbins=4)  # ten thousands need room
    axes.set_ylim(top=10 * axes.get_ylim()[1])  # for the legend
    return figure


def draw_regions(axes: ex.Axes, title: str, run: ex.Run) -> None:
    """Where the network sees which arm, under the points."""
    data, plane = spiral(), (-REACH, REACH, -REACH, REACH)
    classes = run.predictions["test"].argmax(axis=1).reshape(SIDE, SIDE)
    axes.imshow(classes, ListedColormap(ARMS), origin="lower", extent=plane, alpha=0.45, vmin=0, vmax=2)
    for number, (color, marker) in enumerate(zip(ARMS, "os^", strict=True)):
        x, y = data.inputs[:300][data.targets[:300] == number].T
        axes.plot(x, y, marker, ms=2.6, color=color, mec="black", mew=0.3)
    axes.set(title=title, xticks=(-1, 0, 1), yticks=(-1, 0, 1), xlabel="x₁")
