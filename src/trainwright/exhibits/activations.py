"""The nonlinearities of hidden units: their shapes, their slopes, and what they are worth in training.

Each function is drawn with its derivative, as automatic differentiation finds it. At a kink no derivative
exists: the slopes between the left side's and the right side's are the generalised gradient (Clarke's); the
one in use is marked. A rectified linear unit is silent for about half of the inputs: how sparse its layer is
is measured before and after training, and what radial basis units respond. Then all are compared in training,
from the same initial weights and on the same batches, each at its best learning rate.

Source: Goodfellow, Bengio & Courville 2016, section 6.3; Glorot, Bordes & Bengio 2011 for the sparsity of
rectified linear units; Goodfellow et al. 2013 for maxout.

All start from He's initial weights, made for rectified linear units, so that only the function differs;
radial basis units start at examples of what their layer receives. The maxout unit drawn has three pieces,
max(-z - 2, 0, z - 1); the one trained has two, with twice the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from flax import nnx

from trainwright import exhibit as ex
from trainwright.diagnosis.symptoms import diagnose
from trainwright.layers.convolution import Maxout
from trainwright.network import NetworkBuilder
from trainwright.strategies import Activation
from trainwright.strategies.activation import RadialBasis

BOOK = "Goodfellow, Bengio & Courville 2016, section 6.3"
GLOROT = "Glorot, Bordes & Bengio 2011, section 3"
UNITS = {
    "sigmoid": Activation("sigmoid"),
    "tanh": Activation("tanh"),
    "ReLU": Activation("relu"),
    "leaky ReLU": Activation("leaky_relu", slope=0.1),
    "radial basis": Activation("rbf"),
    "softplus": Activation("softplus"),
    "hard tanh": Activation("hard_tanh"),
    "maxout": Activation("maxout"),
}
KINKS = {"ReLU": (0.0,), "leaky ReLU": (0.0,), "hard tanh": (-1.0, 1.0), "maxout": (-2.0, 1.0)}
PIECES = jnp.array([[-1.0, 0.0, 1.0]]), jnp.array([-2.0, 0.0, -1.0])  # of the maxout unit drawn
ABOUT = 5.0  # points: within that of 50 % is about a half
RATES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
SCALES = ex.scales(data=("digits", "mnist"), batch=(32, 128), epochs=(10, 20), seeds=(10, 10))


def study(s: ex.Scale) -> ex.Study:
    """All functions in the same network, over the same seeds and learning rates."""
    recipe = ex.network(64, 64, batch_size=s.batch, epochs=s.epochs)
    arms = {name: recipe.adding(unit) for name, unit in UNITS.items()}
    return ex.Study(ex.DataSpec(s.data), arms, s.seeds, RATES)


@ex.config
class Activations(ex.Exhibit):
    """Each activation function with its slope, sparsity, and a paired comparison in training."""

    title = "Activation functions: shapes, slopes, sparsity, and what they are worth"

    def make(self, budget: ex.Budget, store: Path) -> ex.ExhibitResult:
        trained, kinks = study(SCALES[budget]), measure_kinks()
        comparison = trained.compare(store)
        relu, radial = (look_into(trained, comparison, name, store) for name in ("ReLU", "radial basis"))
        active = ex.series(relu, "active", "layer", by="moment")
        responses = radial.groupby(["moment", "layer"], sort=False)[["p15", "p50", "p85"]].mean()
        tanh = "Tanh units do better than sigmoid units."
        rectified = "Rectified linear units do better than sigmoid units."
        return self.result(
            draw(kinks, active, comparison),
            {
                "Slopes at the kinks": kinks,
                "Active rectified linear units (%)": ex.tabulated("layer", active),
                "Percentiles of radial basis units' responses, mean of the seeds": responses.reset_index(),
                f"In training on {SCALES[budget].data}": ex.overview(comparison, "function"),
            },
            (
                one_sided(kinks),
                half_silent(relu),
                ex.Claim.judged(tanh, f"{BOOK}.2: typically", comparison, "tanh"),
                ex.Claim.judged(rectified, f"{BOOK}.1: an excellent default", comparison, "ReLU"),
                hard_to_optimise(comparison, radial),
            ),
            (f"Two hidden layers of 64 units; {ex.described(trained)}", *ex.cautions(comparison)),
        )


def response_of(name: str) -> Callable[[jax.Array], jax.Array]:
    """A hidden unit's response to a number z, made of the package's own parts."""
    if name == "radial basis":
        layer: Any = RadialBasis(np.zeros((1, 1), np.float32), 1.0)
    elif name == "maxout":
        layer = Maxout(nnx.Linear(1, 3, rngs=nnx.Rngs(0)), 3)
        layer.kernel[...], layer.bias[...] = PIECES
    else:
        builder = NetworkBuilder((UNITS[name],), 0, inputs=lambda: np.zeros((1, 1), np.float32))
        layer = builder.hidden("hidden1", 1, 1, {})["hidden1/activation"]
    return lambda z: layer(z.reshape(1, 1))[0, 0]


def measure_shape(name: str) -> pd.DataFrame:
    """Values and slopes from -4 to 4."""
    z = np.linspace(-4, 4, 401, dtype=np.float32)
    values, slopes = jax.vmap(jax.value_and_grad(response_of(name)))(jnp.asarray(z))
    return pd.DataFrame({"z": z, "value": np.asarray(values), "slope": np.asarray(slopes)})


def measure_kinks() -> pd.DataFrame:
    """At each kink the slopes to both sides, and the one that automatic differentiation takes."""
    rows, h = [], 0.25  # the functions are straight to both sides, so that a large step is exact
    for name, places in KINKS.items():
        response = response_of(name)
        for z in places:
            left, middle, right = (float(response(jnp.float32(z + move))) for move in (-h, 0, h))
            taken = float(jax.grad(response)(jnp.float32(z)))
            rows.append((name, z, (middle - left) / h, taken, (right - middle) / h))
    return pd.DataFrame(rows, columns=["function", "kink at", "slope left", "taken", "slope right"])


def look_into(trained: ex.Study, comparison: ex.Comparison, arm: str, store: Path) -> pd.DataFrame:
    """`LayerStats.layers` of an arm's hidden layers at its chosen rate; active in %, by moment and seed."""
    frames = []
    for run in ex.runs_of(trained, arm, store, learning_rate=comparison.arm(arm).learning_rate):
        seen = diagnose(run, trained.dataset(run.seed))
        for moment, stats in (("before training", seen.start), ("after training", seen.end)):
            hidden = stats.layers.drop("output")
            frames.append(hidden.assign(active=100 * hidden["active"], moment=moment, seed=run.seed))
    return pd.concat(frames).reset_index()


@ex.claim("At a kink, software returns one of the two one-sided derivatives.", f"{BOOK}: usually")
def one_sided(kinks: pd.DataFrame) -> ex.Judged:
    """At all kinks that are here."""
    sides = kinks[["slope left", "slope right"]].eq(kinks["taken"], axis=0).any(axis=1)
    between = ex.enumerated(kinks["function"][~sides].unique())
    seen = f"of {len(kinks)} kinks {sides.sum()} take a side's slope; {(~sides).sum()}, of {between}, one"
    return f"{seen} between them.", sides.all()


@ex.claim("About half of the rectified linear units are silent before training.", GLOROT)
def half_silent(relu: pd.DataFrame) -> ex.Judged:
    """Within ABOUT points of a half, by the whole interval."""
    by_seed = relu.groupby(["moment", "seed"], sort=False)["active"].mean().reset_index()
    shares = ex.Measurements.grouped(by_seed["active"], by_seed["moment"], "%")
    before, after = shares["before training"], shares["after training"].mean
    seen = f"active are {before}; after training {after:.1f} %. About: within {ABOUT:g} points of a half."
    return seen, ex.every(before.above(50 - ABOUT), before.below(50 + ABOUT))


def hard_to_optimise(comparison: ex.Comparison, radial: pd.DataFrame) -> ex.Claim:
    """By the comparison's verdict: worse than the sigmoid, each at its best rate."""
    says = "Radial basis units can be difficult to optimise, because they are zero for most inputs."
    start = radial[radial["moment"] == "before training"].groupby("layer", sort=False)["p50"].mean()
    medians = ex.enumerated(f"{p50:.2f}" for p50 in start)
    more = f"Before training, half of their responses are above {medians} layer by layer, of at most 1."
    return ex.Claim.judged(says, f"{BOOK}.3", comparison, "radial basis", expected="hurts", more=more)


def draw(kinks: pd.DataFrame, active: ex.Along, comparison: ex.Comparison) -> ex.Figure:
    """Every function with its slope; gains over sigmoid; active rectified linear units."""
    figure, (top, bottom) = ex.strips(8.4, 5, 3.4)
    shapes = top.subplots(2, 4, sharex=True, sharey=True)
    for axes, name in zip(shapes.flat, UNITS, strict=True):
        draw_shape(axes, name, kinks[kinks["function"] == name])
    top.legend(*shapes[0, 2].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    left, right = bottom.subplots(1, 2, width_ratios=(1.4, 1))
    ex.along(left, {"gain": comparison.gains}, "What each takes off sigmoid's test error", ylabel="points")
    ex.level(left, 0, ls="-")
    ex.along(right, active, "Active ReLU units", ylabel="of all responses (%)", ylim=(0, 100))
    return figure


def draw_shape(axes: ex.Axes, name: str, kinks: pd.DataFrame) -> None:
    """A function and its slope, without a line across a jump."""
    shape = measure_shape(name)
    axes.plot(shape["z"], shape["value"], color=ex.BLUE, lw=2, label="function")
    slopes = shape["slope"].where(~shape["z"].isin(kinks["kink at"]))
    axes.plot(shape["z"], slopes, "--", color=ex.VERMILLION, lw=1.5, label="slope")
    axes.vlines(kinks["kink at"], kinks["slope left"], kinks["slope right"], color=ex.VERMILLION, alpha=0.5)
    axes.plot(kinks["kink at"], kinks["taken"], "o", color=ex.VERMILLION, ms=4, label="slope taken at a kink")
    axes.set(title=name, ylim=(-1.6, 3.2), xlim=(-4, 4), xticks=(-3, 0, 3))
    axes.grid(visible=True)
