"""The nonlinearities of hidden units: their shapes, their slopes, and what they are worth in training.

Each function is drawn with its derivative, as automatic differentiation finds it. Some have kinks, where
no derivative exists. The slopes between that of the left and that of the right side are then the generalised
gradient (Clarke's), at a convex kink the subgradients; the one in use is marked. Hard tanh's kink at 1 is
concave and has no subgradient. A rectified linear unit is silent for about half of the inputs, which makes
its layer's answer a sparse one: how sparse is measured before and after training. Then all the functions are
compared in training, from the same first weights and on the same batches, each at its best learning rate.

Source: Goodfellow, Bengio & Courville 2016, section 6.3; Glorot, Bordes & Bengio 2011 for the sparsity of
rectified linear units; Goodfellow et al. 2013 for maxout.

All start from He's first weights, made for rectified linear units, so that the function is all that
differs. The maxout unit drawn has three pieces, max(-z - 2, 0, z - 1), the one trained two: twice the
weights. The book gives no centres and widths for radial basis units; here the first centres are standard
normal and σ² is the number of inputs. What such units respond is measured as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from flax import nnx
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trainwright.base.config import config
from trainwright.comparison import paired
from trainwright.comparison.compare import Comparison, Verdict
from trainwright.data import DataSpec
from trainwright.diagnosis.instruments import EXAMPLES
from trainwright.diagnosis.symptoms import diagnose
from trainwright.exhibit import Claim, Exhibit, ExhibitResult, cautions
from trainwright.network import NetworkBuilder
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.runs.store import Store
from trainwright.strategies import Activation
from trainwright.strategies.activation import Maxout, RadialBasis
from trainwright.studies.defaults import Budget
from trainwright.studies.plan import Planned
from trainwright.studies.study import Study
from trainwright.training.building import build, named_arrays

Array = NDArray[np.float64]

LABELS = {
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "relu": "ReLU",
    "leaky_relu": "leaky ReLU, slope 0.1",
    "rbf": "radial basis",
    "softplus": "softplus",
    "hard_tanh": "hard tanh",
    "maxout": "maxout",
}
KINKS = {"relu": (0.0,), "leaky_relu": (0.0,), "hard_tanh": (-1.0, 1.0), "maxout": (-2.0, 1.0)}
PIECES = [[-1.0, 0.0, 1.0]], [-2.0, 0.0, -1.0]  # slopes and offsets of maxout's: max(-z - 2, 0, z - 1)
RATES = (0.1, 0.3, 1.0, 3.0, 10.0)
ABOUT = 0.05  # of all responses: within that of a half is about a half
REFERENCE = "sigmoid"
NEAR_ZERO = 0.01  # of a radial basis unit's largest response, 1
BOOK = "Goodfellow, Bengio & Courville 2016, section 6.3"


def strategy(function: Any) -> Activation:
    """The strategy for a function; a leaky one leaks visibly."""
    return Activation(function, slope=0.1)


def unit(function: str) -> Callable[[jax.Array], jax.Array]:
    """A hidden unit's response to a number z, made of the package's own parts."""
    if function == "rbf":
        radial = RadialBasis(np.zeros((1, 1), np.float32), 1.0)
        return lambda z: radial(z.reshape(1, 1))[0, 0]
    if function == "maxout":
        linear: Any = nnx.Linear(1, 3, rngs=nnx.Rngs(0))
        linear.kernel[...], linear.bias[...] = map(jnp.float32, PIECES)
        maxout = Maxout(linear, 3)
        return lambda z: maxout(z.reshape(1, 1))[0, 0]
    builder = NetworkBuilder((strategy(function),), 0, inputs=lambda: np.zeros((1, 1), np.float32))
    response: Any = builder.hidden("hidden1", 1, 1, {})["hidden1/activation"]
    return lambda z: response(z)


def measure_shape(function: str) -> pd.DataFrame:
    """Values and slopes from -4 to 4."""
    z = np.linspace(-4, 4, 401, dtype=np.float32)
    values, slopes = jax.vmap(jax.value_and_grad(unit(function)))(jnp.asarray(z))
    return pd.DataFrame({"z": z, "value": np.asarray(values), "slope": np.asarray(slopes)})


def measure_kinks() -> pd.DataFrame:
    """At each kink the slopes to both sides, and the one that automatic differentiation takes."""
    rows, h = [], 0.25  # the functions are straight to both sides, so that a large step is exact
    for function, places in KINKS.items():
        response = unit(function)
        for z in places:
            left, middle, right = (float(response(jnp.float32(z + move))) for move in (-h, 0, h))
            taken = float(jax.grad(response)(jnp.float32(z)))
            rows.append((LABELS[function], z, (middle - left) / h, taken, (right - middle) / h))
    return pd.DataFrame(rows, columns=["function", "kink at", "slope left", "taken", "slope right"])


def plan(
    seeds: int,
    epochs: int,
    source: str,
    functions: tuple[str, ...] = tuple(LABELS),
    rates: tuple[float, ...] = RATES,
) -> Study:
    """All functions in the same network, over the same seeds and learning rates."""
    recipe = Recipe(Mlp((64, 64)), batch_size=32 if source == "digits" else 128, epochs=epochs)
    arms = {LABELS[name]: recipe.replace(strategies=(strategy(name),)) for name in functions}
    return Study(DataSpec(source), arms, seeds, rates, reference=LABELS[REFERENCE], folds=False)


def measure_sparsity(study: Study, comparison: Comparison, store: Path) -> pd.DataFrame:
    """How much of each layer of rectified linear units is active, before and after training."""
    rows = []
    for one in _chosen(study, comparison, "ReLU"):
        found = diagnose(Store(store).read(one.digest, weights=True), one.training.data)
        for moment, reading in (("before training", found.start), ("after training", found.end)):
            for layer, active in reading.layers["active"].iloc[:-1].items():
                rows.append((moment, str(layer), one.training.seed, float(active)))
    return pd.DataFrame(rows, columns=["moment", "layer", "seed", "active"])


def measure_radial(study: Study, comparison: Comparison, store: Path) -> pd.DataFrame:
    """What each layer of radial basis units responds, before and after training.

    mean; near zero: the share of responses; spread: a unit's standard deviation over the examples, relative
    to its mean, averaged over the units.
    """
    rows = []
    for one in _chosen(study, comparison, "radial basis"):
        data = one.training.data
        x = data.inputs[data.splits.train[:EXAMPLES]].reshape(-1, np.prod(data.shape))
        start, end = build(one.training)[1], Store(store).read(one.digest, weights=True).weights
        for moment, weights in (("before training", named_arrays(start)), ("after training", end)):
            for layer, given in enumerate(responses(weights, x), 1):
                spread = (given.std(axis=0) / given.mean(axis=0)).mean()
                near = (given < NEAR_ZERO).mean()
                rows.append((moment, f"hidden{layer}", one.training.seed, given.mean(), near, spread))
    return pd.DataFrame(rows, columns=["moment", "layer", "seed", "mean", "near zero", "spread"])


def responses(weights: Mapping[str, NDArray[Any]], x: NDArray[Any]) -> Iterator[Array]:
    """For each layer of radial basis units, by its weights' names: (examples, units)."""
    given = jnp.asarray(x)
    for name in sorted(weights):
        if "centres" in name:
            given = RadialBasis(weights[name], float(weights[name.replace("centres", "sigma")]))(given)
            yield np.asarray(given, np.float64)


def _chosen(study: Study, comparison: Comparison, arm: str) -> list[Planned]:
    """An arm's trainings at the learning rate chosen for it."""
    rate = next(one.learning_rate for one in comparison.arms if one.name == arm)
    return [one for one in study.plan if one.arm == arm and one.training.recipe.learning_rate == rate]


@config
class Activations(Exhibit):
    """Each activation function with its slope, sparsity, and a paired comparison in training."""

    title: ClassVar[str] = "Activation functions: shapes, slopes, sparsity, and what they are worth"

    def make(self, budget: Budget, store: Path) -> ExhibitResult:
        quick = budget == "quick"
        seeds, epochs, source = (8, 10, "digits") if quick else (10, 20, "mnist")
        study = plan(seeds, epochs, source)
        comparison, kinks = study.compare(store), measure_kinks()
        sparsity = measure_sparsity(study, comparison, store)
        radial = measure_radial(study, comparison, store)
        return ExhibitResult(
            self.name,
            self.title,
            _draw({name: measure_shape(name) for name in LABELS}, kinks, sparsity, comparison),
            {
                "Slopes at the kinks": kinks,
                "Active rectified linear units, mean of the seeds, %": _shares(sparsity),
                "What radial basis units respond, mean of the seeds": _responses(radial),
                f"In training on {source}: test error": _errors(comparison),
            },
            _claims(kinks, sparsity, radial, comparison),
            (
                f"Trained on {source}: two hidden layers of 64 units, {epochs} epochs, {seeds} seeds,"
                f" learning rates {', '.join(f'{rate:g}' for rate in RATES)}.",
                *cautions(comparison),
            ),
        )


def _shares(sparsity: pd.DataFrame) -> pd.DataFrame:
    table = sparsity.pivot_table(index="layer", columns="moment", values="active", sort=False)
    shares: pd.DataFrame = 100 * table
    return shares.reset_index().rename_axis(columns=None)


def _responses(radial: pd.DataFrame) -> pd.DataFrame:
    table = radial.groupby(["moment", "layer"], sort=False)[["mean", "near zero", "spread"]].mean()
    table[["near zero", "spread"]] *= 100
    return table.reset_index().rename(
        columns={"near zero": f"below {NEAR_ZERO:g}, %", "spread": "a unit's spread over its mean, %"}
    )


def _errors(comparison: Comparison) -> pd.DataFrame:
    rows = [
        {
            "function": arm.name,
            "learning rate": arm.learning_rate,
            "test error, %": 100 * arm.error.mean,
            f"less {REFERENCE}'s, points": 100 * arm.difference.interval.mean if arm.difference else 0.0,
            "verdict": arm.difference.verdict if arm.difference else "reference",
        }
        for arm in comparison.arms
    ]
    return pd.DataFrame(rows)


def _claims(
    kinks: pd.DataFrame, sparsity: pd.DataFrame, radial: pd.DataFrame, comparison: Comparison
) -> tuple[Claim, ...]:
    start = sparsity[sparsity["moment"] == "before training"].groupby("seed")["active"].mean()
    active = paired.estimate(start.to_numpy())
    low, high = active.interval(0.95)
    return (
        _kinks_claim(kinks),
        Claim(
            "About half of the rectified linear units are silent before training.",
            "Glorot, Bordes & Bengio 2011, section 3",
            f"{active.mean:.1%} are active (95 % interval {low:.1%} to {high:.1%}, n = {active.count} seeds);"
            f" after training {sparsity[sparsity['moment'] == 'after training']['active'].mean():.1%}. About:"
            f" within {ABOUT:.0%} of a half.",
            low > 0.5 - ABOUT and high < 0.5 + ABOUT,
        ),
        *(
            _trained(comparison, name, f"Networks of {name} units do better than ones of sigmoid units.")
            for name in ("tanh", "ReLU")
        ),
        _trained(
            comparison, "radial basis", "Radial basis units are hard to optimise.", "hurts", _flat(radial)
        ),
    )


def _kinks_claim(kinks: pd.DataFrame) -> Claim:
    sides = kinks[["slope left", "slope right"]]
    one_sided = sides.eq(kinks["taken"], axis=0).any(axis=1)
    between = (sides.min(axis=1) < kinks["taken"]) & (kinks["taken"] < sides.max(axis=1))
    return Claim(
        "At a kink the slope in use is one of the two sides', or one between them.",
        f"{BOOK}, for the first half",
        f"Of {len(kinks)} kinks {one_sided.sum()} take a side's slope and {between.sum()} one between.",
        bool((one_sided | between).all()),
    )


def _flat(radial: pd.DataFrame) -> str:
    """The book's reason, as measured."""
    start = radial[radial["moment"] == "before training"]
    spreads = " and ".join(f"{100 * one:.2g} %" for one in start.groupby("layer")["spread"].mean())
    return (
        f" The book's reason is that they are zero for most inputs; here {start['near zero'].mean():.1%} of"
        f" the responses are below {NEAR_ZERO:g} before training, and over the examples a unit's response"
        f" varies by {spreads} of its mean, layer by layer (centres and widths are ours)."
    )


def _trained(
    comparison: Comparison, name: str, says: str, expected: Verdict = "helps", more: str = ""
) -> Claim:
    arm = next(arm for arm in comparison.arms if arm.name == name)
    assert arm.difference is not None
    interval = arm.difference.interval
    return Claim(
        says,
        f"{BOOK}; the lecture",
        f"Test error {100 * arm.error.mean:.2f} %, {100 * interval.mean:+.2f} points against sigmoid (95 %"
        f" interval {100 * interval.low:+.2f} to {100 * interval.high:+.2f}, n = {len(arm.seeds)} seeds,"
        f" paired); p = {arm.difference.p_holm:.2g} after Holm's correction: {arm.difference.verdict}.{more}",
        arm.difference.verdict == expected,
    )


def _draw(
    shapes: dict[str, pd.DataFrame], kinks: pd.DataFrame, sparsity: pd.DataFrame, comparison: Comparison
) -> Figure:
    figure = Figure(figsize=(7.6, 8.4), layout="constrained")
    rows: Any = figure.subfigures(2, 1, height_ratios=(5, 3.4))
    panels = rows[0].subplots(2, 4, sharex=True, sharey=True)
    for axes, (name, shape) in zip(panels.flat, shapes.items(), strict=True):
        _draw_shape(axes, name, shape, kinks[kinks["function"] == LABELS[name]])
    for axes in panels[1]:
        axes.set_xlabel("z")
    handles, labels = panels[0, 2].get_legend_handles_labels()
    rows[0].legend(handles, labels, loc="outside lower center", ncols=3)
    left, right = rows[1].subplots(1, 2, width_ratios=(1.2, 1))
    _draw_differences(left, comparison)
    _draw_sparsity(right, sparsity)
    return figure


def _draw_shape(axes: Axes, name: str, shape: pd.DataFrame, kinks: pd.DataFrame) -> None:
    axes.plot(shape["z"], shape["value"], color="C0", lw=2, label="function")
    slopes = shape["slope"].where(~shape["z"].isin(kinks["kink at"]))  # no line across a jump
    axes.plot(shape["z"], slopes, "--", color="C1", lw=1.5, label="slope")
    axes.vlines(kinks["kink at"], kinks["slope left"], kinks["slope right"], color="C1", lw=1, alpha=0.5)
    axes.plot(kinks["kink at"], kinks["taken"], "o", color="C1", ms=4, label="slope taken at a kink")
    axes.set(title=LABELS[name].split(",")[0], ylim=(-1.6, 3.2), xlim=(-4, 4), xticks=(-3, 0, 3))
    axes.grid(visible=True)


def _draw_differences(axes: Axes, comparison: Comparison) -> None:
    judged = [(arm.name, arm.difference.interval) for arm in comparison.arms if arm.difference]
    reach = 3 * float(np.median([abs(100 * interval.mean) for _, interval in judged]))
    for place, (_, interval) in enumerate(judged):
        low, mean, high = (100 * end for end in (interval.low, interval.mean, interval.high))
        if abs(mean) < reach:
            axes.plot([low, high], [place, place], color="C0", lw=2)
            axes.plot(mean, place, "o", color="C0")
        else:  # far off: it would squeeze the others to a point
            right = axes.get_yaxis_transform()
            axes.text(1, place, f"{mean:+.0f} →", transform=right, ha="right", va="center", color="C0")
    axes.axvline(0, color="black", lw=1)
    axes.set_yticks(range(len(judged)), [name.split(",")[0] for name, _ in judged])
    axes.invert_yaxis()
    axes.margins(x=0.25)
    axes.set(title="Test error against sigmoid's", xlabel="difference, percentage points (95 %)")
    axes.grid(visible=True, axis="x")


def _draw_sparsity(axes: Axes, sparsity: pd.DataFrame) -> None:
    shares, layers = _shares(sparsity), sparsity["layer"].unique()
    for number, moment in enumerate(("before training", "after training")):
        places = np.arange(len(layers)) + 0.38 * (number - 0.5)
        axes.bar(places, shares[moment], width=0.36, color=f"C{number}", label=moment)
    axes.set_xticks(range(len(layers)), [layer.replace("hidden", "layer ") for layer in layers])
    axes.set(title="Active ReLU units", ylabel="of all responses, %", ylim=(0, 100))
    axes.legend(loc="upper left")
