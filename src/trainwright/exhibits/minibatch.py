"""Minibatches: a hundred times the examples make the gradient only ten times as exact.

A gradient averaged over n examples is off by σ/√n. So many cheap, noisy steps beat few exact ones, and what
sets the size of a batch is something else: the machine, which is idle on tiny batches and runs out of memory
on huge ones; the order of the data, which must be random; and the noise itself, which can regularise.

Upper left: how far the gradient of n examples, drawn at random, is from that of all, on a half-trained
network; the line is √(trace of the single gradients' covariance / n), from the examples one by one, fitted to
nothing. Upper right: time and memory of one gradient on this machine. Lower left: the same networks from the
same seeds, fed with batches shuffled anew in each pass, shuffled once, and in the order of the classes. Lower
right: test error at equal numbers of updates, each batch size at its best learning rate of the same grid.

Source: Goodfellow, Bengio & Courville 2016, section 8.1.3; Wilson & Martinez 2003 for the regularisation.

The book names no network: here one hidden layer of 64 units on MNIST (gradient, time, memory) and small ones
on digits (order, regularising; the full version regularises on MNIST). Examples are drawn with replacement,
from 50,000. Time and memory are of the gradient alone; the memory is that of the batch and of what is kept to
go back through the network, without the weights. It is judged from batch size 4 on: a single example's
gradient of the first layer is an outer product, and the compiled program writes it twice, so that one example
takes the memory of a whole layer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
from flax import nnx
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from trainwright.base import keys
from trainwright.base.config import config
from trainwright.comparison import paired
from trainwright.comparison.results import Comparison
from trainwright.data import Dataset, DataSpec, load
from trainwright.exhibit import Claim, Exhibit, ExhibitResult, cautions
from trainwright.model import Model
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.report.sentences import sentence
from trainwright.studies.defaults import Budget
from trainwright.studies.study import Study
from trainwright.task import task_of
from trainwright.training.building import Training, build
from trainwright.training.fit import fit
from trainwright.training.predict import CHUNK
from trainwright.training.resident import fold_of, resident
from trainwright.training.step import Program, evaluate, train_interval

Floats = NDArray[np.float64]
Gradient = Callable[[Any, jax.Array, jax.Array], Any]
BOOK = "Goodfellow, Bengio & Courville 2016, section 8.1.3"
BATCHES = (1, 4, 16, 64, 100, 256, 1024, 4096, 10_000)
# At 4 bytes a number: an example must take its picture, its label and the values of the 64 hidden units;
# enough is, for each hidden unit and output, its input, its value and the gradient.
LEAST_BYTES, ENOUGH_BYTES = 4 * (784 + 1 + 64), 4 * (784 + 1 + 3 * (64 + 10))
ORDERS = ("shuffled in each pass", "shuffled once", "sorted by class")


@config
class Minibatch(Exhibit):
    """Noise, time, memory, order and regularisation against the batch size."""

    title: ClassVar[str] = "Minibatches: the error of a gradient falls as 1/√n, its computation grows as n"

    def make(self, budget: Budget, store: Path) -> ExhibitResult:
        full = budget == "full"
        data = load("mnist")
        params, gradient = half_trained(data)
        noise = measure_noise(params, gradient, data, (1, 10, 100, 1000, 10_000), 400 if full else 40)
        machine = measure_machine(params, gradient, data, BATCHES)
        orders = measure_orders(seeds=100 if full else 40, passes=40 if full else 15)
        comparison = _study(full).compare(store)
        return ExhibitResult(
            name=self.name,
            title=self.title,
            figure=_draw(noise, machine, orders, comparison),
            tables={
                "Distance of the gradient of n examples from that of all (root mean square)": noise,
                "One gradient on this machine": machine,
                "Validation error in % after each pass, mean over seeds": orders.groupby(["pass", "order"])[
                    "error, %"
                ]
                .mean()
                .unstack()[list(ORDERS)],
                "Test error by batch size, at equal numbers of updates": _study_table(comparison),
            },
            claims=(
                noise_claim(noise),
                work_claim(noise, machine),
                *machine_claims(machine),
                *order_claims(orders),
                regularising_claim(comparison),
            ),
            notes=(
                "Time and memory are this machine's, at the moment of the measurement: the shortest time of"
                " nine repeats, since what else runs can only lengthen it, and the cores at work over all of"
                " them.",
                "The book gives no experiment for the order and the regularising effect: chosen here.",
                "An interval around zero neither shows nor excludes the regularising effect: on easy data it"
                " is small beside the scatter over seeds.",
                *cautions(comparison),
            ),
        )


def half_trained(data: Dataset) -> tuple[Any, Gradient]:
    """A network's parameters after 200 steps, and the gradient of its mean loss on inputs and classes."""
    run = fit(Recipe(Mlp((64,)), steps=200, evaluate_every=200, batch_size=64), data)
    graphdef, params, rest = nnx.split(Model.of(run, data).network(), nnx.Param, ...)  # type: ignore[misc]

    def loss(params: Any, x: jax.Array, y: jax.Array) -> jax.Array:
        outputs = nnx.merge(graphdef, params, rest)(x)
        mean: jax.Array = optax.softmax_cross_entropy_with_integer_labels(outputs, y).mean()
        return mean

    return params, jax.grad(loss)


def measure_noise(
    params: Any, gradient: Gradient, data: Dataset, sizes: tuple[int, ...], repeats: int
) -> pd.DataFrame:
    """The error of gradients of n examples drawn with replacement, by repeats and by σ/√n.

    `se` is the standard error of the logarithm of the root mean square.
    """
    rows = data.splits.train
    x, y = jnp.asarray(data.inputs[rows]), jnp.asarray(data.targets[rows])
    exact = jax.jit(gradient)(params, x, y)

    @jax.jit
    def squared_errors(draws: jax.Array) -> jax.Array:  # (repeats, n) -> (repeats,)
        squares: jax.Array = jax.lax.map(
            lambda i: _squared_distance(gradient(params, x[i], y[i]), exact), draws
        )
        return squares

    # The mean over single examples is the trace of their covariance: σ².
    some = keys.generator(0, "single").choice(len(rows), min(4000, len(rows)), replace=False)
    variance = float(squared_errors(jnp.asarray(some[:, None])).mean())
    table = []
    for size in sizes:
        count = repeats if size >= 1000 else 10 * repeats  # small ones are cheap, and scatter more
        draws = keys.generator(0, "noise", size).integers(len(rows), size=(count, size))
        squares = np.asarray(squared_errors(jnp.asarray(draws)), np.float64)
        relative = squares.std(ddof=1) / squares.mean() / np.sqrt(count)
        table.append((size, np.sqrt(squares.mean()), np.sqrt(variance / size), relative / 2))
    return pd.DataFrame(table, columns=["n", "error", "σ/√n", "se"])


def measure_machine(params: Any, gradient: Gradient, data: Dataset, sizes: tuple[int, ...]) -> pd.DataFrame:
    """The operations, the time, the cores at work and the memory of one gradient, by batch size."""
    table = []
    for size in sizes:
        x, y = jnp.asarray(data.inputs[:size]), jnp.asarray(data.targets[:size])
        compiled = jax.jit(gradient).lower(params, x, y).compile()
        timed = np.array([_timed(compiled, params, x, y) for _ in range(9)])
        calls, passed, worked = timed.T
        fastest, cores = (passed / calls).min(), worked.sum() / passed.sum()
        counted: Any = compiled.cost_analysis()
        kept: Any = compiled.memory_analysis()
        memory = (x.nbytes + y.nbytes + kept.temp_size_in_bytes) / 1e6
        table.append((size, counted["flops"] / 1e6, 1e6 * fastest / size, cores, memory))
    heads = ["batch size", "operations, million", "µs per example", "cores at work", "memory, MB"]
    return pd.DataFrame(table, columns=heads)


def measure_orders(seeds: int, passes: int) -> pd.DataFrame:
    """Validation error on digits after each pass, for each order of the batches and each seed."""
    data = load("digits")
    recipe = Recipe(Mlp((32,)), learning_rate=0.1, batch_size=32, epochs=passes)
    arrays, fold, none = resident(data), fold_of(data), jnp.zeros((0, 0), jnp.int32)
    numbers = jax.tree.map(jnp.float32, recipe)
    table = []
    for seed in range(seeds):
        for name in ORDERS:
            # The trainer shuffles, always. So this one exhibit feeds the compiled steps itself.
            graphdef, state = build(Training(recipe, data, seed))
            program = Program(graphdef, task_of(data), cohort=False, chunk=CHUNK)
            for number in range(passes):
                batches = jnp.asarray(_batches(data, name, seed, number, recipe.batch_size))
                state, _ = train_interval(program, numbers, state, batches, arrays, fold)
                state, scores = evaluate(program, numbers, state, none, arrays, fold)
                table.append((seed, name, number + 1, 100 * float(scores.error)))
    return pd.DataFrame(table, columns=["seed", "order", "pass", "error, %"])


def noise_claim(noise: pd.DataFrame) -> Claim:
    """The error falls as 1/√n."""
    logs, weights = np.log(noise[["n", "error"]].to_numpy()), 1 / noise["se"].to_numpy()
    fitted, covariance = np.polyfit(logs[:, 0], logs[:, 1], 1, w=weights, cov="unscaled")
    slope, half = fitted[0], 2.58 * np.sqrt(covariance[0, 0])
    off = np.abs(np.log(noise["error"] / noise["σ/√n"])).max()
    return Claim(
        "The standard error of a mean of n samples is σ/√n.",
        BOOK,
        f"log(error) falls with log(n) at a slope of {slope:.3f} ± {half:.3f} (99 %); no error differs by"
        f" more than {np.expm1(off):.0%} from σ/√n, with σ from single examples.",
        bool(abs(slope + 0.5) <= half),
    )


def work_claim(noise: pd.DataFrame, machine: pd.DataFrame) -> Claim:
    """A hundred times the examples: the error, the operations and the time."""
    few, many = (noise[noise["n"] == n].iloc[0] for n in (100, 10_000))
    ratio = few["error"] / many["error"]
    low, high = ratio * np.exp(np.array([-2.58, 2.58]) * np.hypot(few["se"], many["se"]))
    small, large = (machine[machine["batch size"] == n].iloc[0] for n in (100, 10_000))
    operations = large["operations, million"] / small["operations, million"]
    longer = 100 * large["µs per example"] / small["µs per example"]
    return Claim(
        "10,000 examples take 100 times the computation of 100, and reduce the error by a factor of 10.",
        BOOK,
        f"The error of 100 is {ratio:.1f} times that of 10,000 (99 % interval {low:.1f} to {high:.1f}). The"
        f" compiler counts {operations:.1f} times the operations, and they take {longer:.0f} times as long.",
        bool(low <= 10 <= high and abs(operations - 100) < 1),
    )


def order_claims(orders: pd.DataFrame) -> tuple[Claim, ...]:
    """Random batches are crucial, and shuffling once is enough: paired over seeds, after the last pass."""
    last = orders[orders["pass"] == orders["pass"].max()].pivot(
        index="seed", columns="order", values="error, %"
    )
    said, intervals = {}, {}
    for name in ORDERS[1:]:
        one = paired.estimate((last[name] - last[ORDERS[0]]).to_numpy())
        intervals[name] = one.interval(0.95)
        low, high = intervals[name]
        said[name] = f"{one.mean:+.2f} points [{low:+.2f}, {high:+.2f}] (95 %, n = {one.count} seeds)"
    mean = last[ORDERS[0]].mean()
    return (
        Claim(
            "It is crucial that minibatches are selected randomly.",
            BOOK,
            f"Sorted by class, the validation error after the last pass is {said[ORDERS[2]]} from the"
            f" {mean:.2f} % of batches shuffled in each pass.",
            intervals[ORDERS[2]][0] > 0,
        ),
        Claim(
            "Shuffling once is enough in practice: the same order in each pass does no significant harm.",
            BOOK,
            f"Shuffled once, the error differs by {said[ORDERS[1]]}; harm that matters is taken to be a tenth"
            f" of the error, {mean / 10:.2f} points.",
            intervals[ORDERS[1]][1] < mean / 10,
        ),
    )


def machine_claims(machine: pd.DataFrame) -> tuple[Claim, ...]:
    """Tiny batches are idle, and memory is in proportion to the batch."""
    first, best = machine.iloc[0], machine.iloc[machine["µs per example"].to_numpy().argmin()]
    # An example's own work is at most what it takes at the best size: the rest is the call's.
    fixed = 1 - best["µs per example"] / first["µs per example"]
    several = machine[machine["batch size"] >= 4]
    each = 1e6 * several["memory, MB"] / several["batch size"]
    sizes = f"batch sizes {several['batch size'].iloc[0]} to {several['batch size'].iloc[-1]:,}"
    return (
        Claim(
            "Very small batches leave a machine underused: most of their time is the fixed cost of a call.",
            f"{BOOK}, which speaks of machines with several cores",
            f"An example takes {first['µs per example']:.0f} µs alone, and {best['µs per example']:.2g} µs at"
            f" batch size {best['batch size']:,.0f}: alone, {fixed:.0%} of the time is not its own. Cores at"
            f" work: {first['cores at work']:.2f} with one example, up to"
            f" {machine['cores at work'].max():.2f} with more.",
            bool(fixed > 0.5),
        ),
        Claim(
            "The memory that a batch takes grows in proportion to its size.",
            BOOK,
            f"At {sizes} it is {each.min():,.0f} to {each.max():,.0f} bytes for each example,"
            f" {several['memory, MB'].iloc[-1]:.1f} MB at the largest. Picture, label and hidden values alone"
            f" are {LEAST_BYTES:,}; with the input and the gradient of every unit it would be"
            f" {ENOUGH_BYTES:,}.",
            bool((each >= LEAST_BYTES).all() and (each <= ENOUGH_BYTES).all()),
        ),
    )


def _study(full: bool) -> Study:
    if full:
        base = Recipe(Mlp((128,)), steps=10_000, evaluate_every=1000)
        arms = {f"batch size {b}": base.replace(batch_size=b) for b in (1024, 256, 64, 16)}
        return Study(DataSpec("mnist"), arms, seeds=10, rates=(0.03, 0.1, 0.3, 1.0, 3.0))
    base = Recipe(Mlp((32,)), steps=1500, evaluate_every=500)
    arms = {f"batch size {b}": base.replace(batch_size=b) for b in (256, 16)}
    return Study(DataSpec("digits"), arms, seeds=16, rates=(0.2, 0.5, 1.0, 2.0), folds=False)


def _study_table(comparison: Comparison) -> pd.DataFrame:
    rows = []
    for arm in comparison.arms:
        seen = arm.difference.interval if arm.difference else None
        paired_seen = (100 * seen.mean, 100 * seen.low, 100 * seen.high) if seen else (np.nan,) * 3
        rows.append((arm.name, arm.learning_rate, 100 * arm.error.mean, *paired_seen))
    heads = ["arm", "learning rate", "test error, %", "difference, points", "low", "high"]
    return pd.DataFrame(rows, columns=heads)


def regularising_claim(comparison: Comparison) -> Claim:
    arms = [arm for arm in comparison.arms if arm.difference]
    return Claim(
        "Small batches can offer a regularising effect.",
        f"{BOOK}; Wilson & Martinez 2003",
        " ".join(sentence(arm, comparison) for arm in arms),
        any(arm.difference.verdict == "helps" for arm in arms if arm.difference),
    )


def _batches(data: Dataset, name: str, seed: int, number: int, size: int) -> NDArray[np.int32]:
    rows = data.splits.train[: len(data.splits.train) // size * size]
    if name == "sorted by class":
        rows = rows[np.argsort(data.targets[rows], kind="stable")]
    else:
        rows = keys.generator(seed, "order", number if name == ORDERS[0] else 0).permutation(rows)
    return rows.reshape(-1, size).astype(np.int32)


def _squared_distance(one: Any, other: Any) -> jax.Array:
    parts = jax.tree.map(lambda a, b: jnp.square(a - b).sum(), one, other)
    total: jax.Array = optax.tree.sum(parts)
    return total


def _timed(function: Callable[..., Any], *arguments: Any) -> tuple[int, float, float]:
    """Calls, and the seconds that they took by the clock and by the processor, all cores together."""
    calls, start, worked = 0, time.perf_counter(), time.process_time()
    while calls < 3 or time.perf_counter() - start < 0.01:
        jax.block_until_ready(function(*arguments))  # type: ignore[no-untyped-call]
        calls += 1
    return calls, time.perf_counter() - start, time.process_time() - worked


def _draw(noise: pd.DataFrame, machine: pd.DataFrame, orders: pd.DataFrame, comparison: Comparison) -> Figure:
    figure = Figure(figsize=(7.6, 6.2))
    (left, right), (lower, last) = figure.subplots(2, 2)
    left.plot(noise["n"], noise["σ/√n"], color="black", lw=1.2, label="σ/√n")
    errors = 2.58 * noise["se"] * noise["error"]
    left.errorbar(noise["n"], noise["error"], errors, fmt="o", color="C0", label="seen, 99 % interval")
    left.set(xscale="log", yscale="log", xlabel="examples n", ylabel="distance from the exact gradient")
    left.set_title("Gradient noise")
    left.legend()
    _draw_machine(right, machine)
    for name, colour, line in zip(ORDERS, ("C0", "C2", "C1"), ("-", "--", "-."), strict=True):
        passes = orders[orders["order"] == name].groupby("pass")["error, %"]
        lower.plot(passes.mean(), line, color=colour, label=name)
        lower.fill_between(passes.mean().index, passes.min(), passes.max(), color=colour, alpha=0.2, lw=0)
    lower.xaxis.set_major_locator(MaxNLocator(integer=True))
    lower.set(yscale="log", xlabel="passes over the data", ylabel="validation error, %")
    lower.yaxis.set_major_formatter("{x:g}")
    lower.set_title("Order of the batches (band: all seeds)")
    lower.legend()
    for place, arm in enumerate(comparison.arms):
        last.plot([place] * len(arm.errors), 100 * np.array(arm.errors), "o", ms=4, mfc="none", color="C0")
        last.plot(place, 100 * arm.error.mean, "_", ms=26, mew=2.5, color="C1")
    last.set_xticks(range(len(comparison.arms)), [arm.name.split()[-1] for arm in comparison.arms])
    last.set(xlabel="batch size", ylabel="test error, %", xlim=(-0.6, len(comparison.arms) - 0.4))
    last.set_title("Equal updates (○ a seed, – mean)")
    return figure


def _draw_machine(axes: Axes, machine: pd.DataFrame) -> None:
    axes.plot(machine["batch size"], machine["µs per example"], "o-", color="C0")
    axes.set(xscale="log", yscale="log", xlabel="batch size")
    axes.set_ylabel("time per example, µs (●)", color="C0")
    axes.set_title("One gradient on this machine")
    beside = axes.twinx()
    beside.plot(machine["batch size"], machine["memory, MB"], "s--", color="C1")
    beside.set(yscale="log")
    beside.set_ylabel("memory, MB (■)", color="C1")
    beside.spines["right"].set_visible(True)
