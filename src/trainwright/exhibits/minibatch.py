"""Minibatches: a hundred times the examples make the gradient only ten times as exact.

A gradient averaged over n examples is off by σ/√n. So many cheap, noisy steps beat few exact ones, and what
sets the size of a batch is something else: the machine, which is idle on tiny batches and runs out of memory
on huge ones; the order of the data, which must be random; the method, as the curvature that second-order ones
estimate needs larger batches; and the noise itself, which can regularise.

Top: the error of the gradient of n examples, beside √(trace of the single gradients' covariance / n), fitted
to nothing; time and memory of one gradient here. Middle: the same networks fed with batches in three orders;
training loss after equal numbers of updates by descent and by L-BFGS. Below: test error by batch size.

Source: Goodfellow, Bengio & Courville 2016, section 8.1.3; Wilson & Martinez 2003 for the regularisation.
The book gives no experiment: networks, data, orders and methods are chosen here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
from flax import nnx
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trainwright.base import keys
from trainwright.base.config import config
from trainwright.comparison.results import Comparison
from trainwright.data import Dataset, DataSpec, load
from trainwright.exhibit import (
    Claim,
    Exhibit,
    ExhibitResult,
    Measured,
    Measurements,
    cautions,
    change,
    enumerated,
    named,
    series,
    tabulated,
)
from trainwright.exhibit.panels import BLACK, along, curves, points
from trainwright.model import Model
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.studies.defaults import Budget
from trainwright.studies.study import Study
from trainwright.task import task_of
from trainwright.training.building import Training, build
from trainwright.training.fit import fit
from trainwright.training.predict import CHUNK
from trainwright.training.resident import fold_of, resident
from trainwright.training.step import Program, evaluate, train_interval

Loss = Callable[[Any, jax.Array, jax.Array], jax.Array]
BOOK = "Goodfellow, Bengio & Courville 2016, section 8.1.3"
BATCHES = (1, 4, 16, 64, 100, 256, 1024, 4096, 10_000)
# At 4 bytes a number: an example must take its picture, its label and the values of the 64 hidden units;
# enough is, for each hidden unit and output, its input, its value and the gradient.
LEAST_BYTES, ENOUGH_BYTES = 4 * (784 + 1 + 64), 4 * (784 + 1 + 3 * (64 + 10))
EACH_PASS, ONCE, SORTED = ORDERS = ("shuffled in each pass", "shuffled once", "sorted by class")
METHODS: dict[str, Callable[[Any], Any]] = {
    "gradient descent": optax.sgd,
    "L-BFGS": lambda rate: optax.lbfgs(rate, linesearch=None),
}
RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)  # each method at its best for each batch size


class Scale(NamedTuple):
    """How large everything is."""

    repeats: int
    """Gradients drawn of each size."""
    orders: tuple[int, int]
    """Seeds and passes of the three orders, on digits."""
    methods: tuple[str, tuple[int, ...], int, int]
    """Data, batch sizes, updates and seeds of descent and L-BFGS."""
    study: Study
    """Batch sizes beside the largest, at equal numbers of updates."""


def by_batch(data: str, hidden: int, steps: int, sizes: tuple[int, ...], seeds: int, *rates: float) -> Study:
    """Batch sizes at equal numbers of updates, each at its best rate of the same."""
    base = Recipe(Mlp((hidden,)), steps=steps, evaluate_every=steps // 3)
    return Study(
        DataSpec(data), {str(b): base.replace(batch_size=b) for b in sizes}, seeds, rates, folds=False
    )


SCALES: dict[Budget, Callable[[], Scale]] = {
    "quick": lambda: Scale(
        40, (40, 15), ("digits", (8, 32, 128, 512), 150, 8),
        by_batch("digits", 32, 1500, (256, 16), 16, 0.2, 0.5, 1.0, 2.0),
    ),
    "full": lambda: Scale(
        400, (100, 40), ("mnist", (10, 100, 1000, 10_000), 300, 8),
        by_batch("mnist", 128, 10_000, (1024, 256, 64, 16), 10, 0.03, 0.1, 0.3, 1.0, 3.0),
    ),
}  # fmt: skip


class Seen(NamedTuple):
    """What was measured."""

    noise: pd.DataFrame
    machine: pd.DataFrame
    orders: pd.DataFrame
    methods: pd.DataFrame
    study: Comparison


@config
class Minibatch(Exhibit):
    """Noise, time, memory, order, method and regularisation against the batch size."""

    title = "Minibatches: the error of a gradient falls as 1/√n, its computation grows as n"

    def make(self, budget: Budget, store: Path) -> ExhibitResult:
        s, data = SCALES[budget](), load("mnist")
        params, loss = half_trained(data)
        seen = Seen(
            measure_noise(params, jax.grad(loss), data, (1, 10, 100, 1000, 10_000), s.repeats),
            measure_machine(params, jax.grad(loss), data, BATCHES),
            measure_orders(*s.orders),
            measure_methods(*s.methods),
            s.study.compare(store),
        )
        rates = [arm.learning_rate for arm in seen.study.arms]
        return self.result(
            draw(seen),
            {
                "Distance of the gradient of n examples from that of all (root mean square)": seen.noise,
                "One gradient on this machine": seen.machine,
                "Validation error (%) after each pass, by order": tabulated("pass", by_pass(seen.orders)),
                "Training loss (nats) after equal numbers of updates": tabulated("n", by_size(seen.methods)),
                "Test error (%) by batch size, at equal numbers of updates": tabulated(
                    "batch size", {"test error": seen.study.errors, "gain": seen.study.gains}
                ).assign(**{"learning rate": rates}),
            },
            (
                root_n(seen.noise),
                work(seen.noise, seen.machine),
                cores(seen.machine),
                memory(seen.machine),
                random_order(seen.orders),
                shuffled_once(seen.orders),
                second_order(seen.methods),
                regularises(seen.study),
            ),
            (
                "Noise, time and memory: 64 hidden units on MNIST, half-trained, 50,000 examples drawn "
                "with replacement. Time and memory are of the gradient alone, on this machine at this "
                "moment: the shortest time of nine repeats, as what else runs can only lengthen it, the "
                "cores at work over all; the memory is that of the batch and of what is kept to go back "
                "through the network. It is judged from batch size 4 on: a single example's gradient is an "
                "outer product and is written twice.",
                f"Orders: digits, {s.orders[0]} seeds. Methods: {s.methods[0]}, {s.methods[2]} updates "
                f"from the same weights with the same batches, {s.methods[3]} seeds; for each batch size "
                f"the best of the rates {enumerated(f'{rate:g}' for rate in RATES)}, L-BFGS without line "
                "search.",
                *cautions(seen.study),
            ),
        )  # fmt: skip


def half_trained(data: Dataset) -> tuple[Any, Loss]:
    """Parameters after 200 steps, and the mean loss as a function of these, inputs and classes."""
    run = fit(Recipe(Mlp((64,)), steps=200, evaluate_every=200, batch_size=64), data)
    return loss_of(Model.of(run, data).network())


def loss_of(network: nnx.Module) -> tuple[Any, Loss]:
    """A network's parameters, and its mean loss as a function of them, inputs and classes."""
    graphdef, params = nnx.split(network, nnx.Param)

    def loss(params: Any, x: jax.Array, y: jax.Array) -> jax.Array:
        outputs = nnx.merge(graphdef, params)(x)
        mean: jax.Array = optax.softmax_cross_entropy_with_integer_labels(outputs, y).mean()
        return mean

    return params, loss


def measure_noise(
    params: Any, gradient: Loss, data: Dataset, sizes: tuple[int, ...], repeats: int
) -> pd.DataFrame:
    """The error of gradients of n examples drawn with replacement, by repeats and by σ/√n.

    `se` is the standard error of the logarithm of the root mean square.
    """
    rows = data.splits.train
    x, y = jnp.asarray(data.inputs[rows]), jnp.asarray(data.targets[rows])
    exact = jax.jit(gradient)(params, x, y)

    def squared(i: jax.Array) -> Any:
        return optax.tree.norm(optax.tree.sub(gradient(params, x[i], y[i]), exact), squared=True)

    squared_errors = jax.jit(partial(jax.lax.map, squared))  # (repeats, n) -> (repeats,)
    # The mean over single examples is the trace of their covariance: σ².
    single = keys.generator(0, "single").choice(len(rows), min(4000, len(rows)), replace=False)
    variance, table = float(squared_errors(jnp.asarray(single[:, None])).mean()), []
    for size in sizes:
        count = repeats if size >= 1000 else 10 * repeats  # small ones are cheap, and scatter more
        draws = keys.generator(0, "noise", size).integers(len(rows), size=(count, size))
        squares = np.asarray(squared_errors(jnp.asarray(draws)), np.float64)
        relative = squares.std(ddof=1) / squares.mean() / np.sqrt(count)
        table.append((size, np.sqrt(squares.mean()), np.sqrt(variance / size), relative / 2))
    return pd.DataFrame(table, columns=["n", "error", "σ/√n", "se"])


def measure_machine(params: Any, gradient: Loss, data: Dataset, sizes: tuple[int, ...]) -> pd.DataFrame:
    """The operations, the time, the cores at work and the memory of one gradient, by batch size."""
    table = []
    for size in sizes:
        x, y = jnp.asarray(data.inputs[:size]), jnp.asarray(data.targets[:size])
        compiled = jax.jit(gradient).lower(params, x, y).compile()
        calls, passed, worked = np.array([timed(compiled, params, x, y) for _ in range(9)]).T
        counted: Any = compiled.cost_analysis()
        kept: Any = compiled.memory_analysis()
        table.append(
            {
                "batch size": size,
                "operations, million": counted["flops"] / 1e6,
                "µs per example": 1e6 * (passed / calls).min() / size,
                "cores at work": worked.sum() / passed.sum(),
                "memory, MB": (x.nbytes + y.nbytes + kept.temp_size_in_bytes) / 1e6,
            }
        )
    return pd.DataFrame(table)


def timed(function: Callable[..., Any], *arguments: Any) -> tuple[int, float, float]:
    """Calls, and the seconds that they took by the clock and by the processor, all cores together."""
    calls, start, worked = 0, time.perf_counter(), time.process_time()
    while calls < 3 or time.perf_counter() - start < 0.01:
        jax.block_until_ready(function(*arguments))  # type: ignore[no-untyped-call]
        calls += 1
    return calls, time.perf_counter() - start, time.process_time() - worked


def measure_orders(seeds: int, passes: int) -> pd.DataFrame:
    """Validation error (%) on digits after each pass, for each order of the batches and each seed."""
    data = load("digits")
    recipe = Recipe(Mlp((32,)), learning_rate=0.1, batch_size=32, epochs=passes)
    arrays, fold, none = resident(data), fold_of(data), jnp.zeros((0, 0), jnp.int32)
    numbers, table = jax.tree.map(jnp.float32, recipe), []
    for seed in range(seeds):
        for name in ORDERS:
            # The trainer shuffles, always. So this one exhibit feeds the compiled steps itself.
            graphdef, state = build(Training(recipe, data, seed))
            program = Program(graphdef, task_of(data), cohort=False, chunk=CHUNK)
            for number in range(passes):
                batches = jnp.asarray(ordered(data, name, seed, number, recipe.batch_size))
                state, _ = train_interval(program, numbers, state, batches, arrays, fold)
                state, scores = evaluate(program, numbers, state, none, arrays, fold)
                table.append((seed, name, number + 1, 100 * float(scores.error)))
    return pd.DataFrame(table, columns=["seed", "arm", "pass", "error"])


def ordered(data: Dataset, name: str, seed: int, number: int, size: int) -> NDArray[np.int32]:
    """The batches of a pass, (steps, size), in one of the three orders."""
    rows = data.splits.train[: len(data.splits.train) // size * size]
    if name == SORTED:
        rows = rows[np.argsort(data.targets[rows], kind="stable")]
    else:
        rows = keys.generator(seed, "order", number if name == EACH_PASS else 0).permutation(rows)
    return rows.reshape(-1, size).astype(np.int32)


def measure_methods(name: str, sizes: tuple[int, ...], steps: int, seeds: int) -> pd.DataFrame:
    """The training loss (nats) that each method comes to with batches of each size, at its best rate."""
    data, table = load(name), []
    networks = [nnx.merge(graph, state.params) for graph, state in
                (build(Training(Recipe(Mlp((32,))), data, seed)) for seed in range(seeds))]  # fmt: skip
    starts, (loss, *_) = zip(*map(loss_of, networks), strict=True)
    x, y = map(jnp.asarray, data.standardized(data.splits.train))

    def trained(method: str, rate: jax.Array, params: Any, batches: jax.Array) -> jax.Array:
        update = METHODS[method](rate)

        def step(carry: Any, rows: jax.Array) -> tuple[Any, None]:
            params, state = carry
            moves, state = update.update(jax.grad(loss)(params, x[rows], y[rows]), state, params)
            return (optax.apply_updates(params, moves), state), None

        (params, _), _ = jax.lax.scan(step, (params, update.init(params)), batches)
        return jnp.nan_to_num(loss(params, x, y), nan=jnp.inf)

    over_all = jax.jit(
        jax.vmap(jax.vmap(trained, (None, None, 0, 0)), (None, 0, None, None)), static_argnums=0
    )
    first = jax.tree.map(lambda *arrays: jnp.stack(arrays), *starts)
    for size in sizes:
        rows = [keys.generator(s, "batches", size).integers(len(x), size=(steps, size)) for s in range(seeds)]
        for method in METHODS:
            losses = np.asarray(over_all(method, jnp.array(RATES), first, jnp.array(rows)), np.float64)
            best = losses[losses.mean(axis=1).argmin()]
            table += [(method, size, seed, reached) for seed, reached in enumerate(best.tolist())]
    return pd.DataFrame(table, columns=["arm", "n", "seed", "loss"])


# The book's statements beside the numbers.


def root_n(noise: pd.DataFrame) -> Claim:
    """The slope of log(error) against log(n) is −½ within its 99 % interval."""
    logs, weights = np.log(noise[["n", "error"]].to_numpy()), 1 / noise["se"].to_numpy()
    fitted, covariance = np.polyfit(logs[:, 0], logs[:, 1], 1, w=weights, cov="unscaled")
    slope, half = fitted[0], 2.58 * np.sqrt(covariance[0, 0])
    off = np.abs(np.log(noise["error"] / noise["σ/√n"])).max()
    return Claim(
        "The standard error of a mean of n samples is σ/√n.",
        BOOK,
        f"log(error) falls with log(n) at a slope of {slope:.3f} ± {half:.3f} (99 %); no error differs by "
        f"more than {np.expm1(off):.0%} from σ/√n, with σ from single examples.",
        bool(abs(slope + 0.5) <= half),
    )


def work(noise: pd.DataFrame, machine: pd.DataFrame) -> Claim:
    """A hundred times the operations, and a tenth of the error within its 99 % interval."""
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


def cores(machine: pd.DataFrame) -> Claim:
    """Underused: with one example at most three quarters of the cores at work that there are with more."""
    alone, most = machine["cores at work"].iloc[0], machine["cores at work"].max()
    first, best = machine["µs per example"].iloc[0], machine["µs per example"].min()
    return Claim(
        "Multicore architectures are usually underused by extremely small batches.",
        BOOK,
        f"Cores at work: {alone:.2f} with one example, up to {most:.2f} with more. An example takes "
        f"{first:.0f} µs alone and {best:.2g} µs in the best batch: alone, {1 - best / first:.0%} of the "
        "time is the fixed cost of a call.",
        bool(alone <= 0.75 * most),
    )


def memory(machine: pd.DataFrame) -> Claim:
    """At every size between what an example must take and what is enough for it."""
    several = machine[machine["batch size"] >= 4]
    each = 1e6 * several["memory, MB"] / several["batch size"]
    return Claim(
        "The memory that a batch takes grows in proportion to its size.",
        BOOK,
        f"From batch size {several['batch size'].iloc[0]} to {several['batch size'].iloc[-1]:,} it is "
        f"{each.min():,.0f} to {each.max():,.0f} bytes for each example, "
        f"{several['memory, MB'].iloc[-1]:.1f} MB at the largest. Picture, label and hidden values alone "
        f"are {LEAST_BYTES:,}; with the input and the gradient of every unit it would be {ENOUGH_BYTES:,}.",
        bool((each >= LEAST_BYTES).all() and (each <= ENOUGH_BYTES).all()),
    )


def random_order(orders: pd.DataFrame) -> Claim:
    """Sorted by class the error is higher after the last pass, paired by seed."""
    last = orders[orders["pass"] == orders["pass"].max()]
    more = change(last, "error", SORTED, EACH_PASS, "points")
    seen = f"Sorted by class, the validation error after the last pass is higher by {more}."
    return Claim("It is crucial that minibatches are selected randomly.", BOOK, seen, more.positive)


def shuffled_once(orders: pd.DataFrame) -> Claim:
    """No harm that matters: the interval lies below a tenth of the error."""
    last = orders[orders["pass"] == orders["pass"].max()]
    more = change(last, "error", ONCE, EACH_PASS, "points")
    error = last.loc[last["arm"] == EACH_PASS, "error"].mean()
    return Claim(
        "Shuffling once is enough in practice: the same order in each pass does no significant harm.",
        BOOK,
        f"Shuffled once, the error differs from {error:.2f} % by {more}; harm that matters is a tenth of "
        "the error.",
        bool(more.high < error / 10),
    )


def second_order(methods: pd.DataFrame) -> Claim:
    """What a small batch costs, its loss over that of the largest: more for L-BFGS, at each smaller size."""
    by_seed = methods.pivot(index="seed", columns=["arm", "n"], values="loss")
    *smaller, largest = sorted(methods["n"].unique())
    descent, newton = (by_seed[arm].div(by_seed[arm][largest], axis=0) for arm in METHODS)
    ratios = Measurements({n: Measured.ratio(newton[n], descent[n]) for n in smaller})
    return Claim(
        "Second-order methods need larger batches than first-order ones.",
        BOOK,
        f"The loss with small batches over that with {named(int(largest))} examples is so many times as "
        f"much for L-BFGS as for gradient descent: {ratios}.",
        all(ratio.low > 1 for ratio in ratios.values()),
    )


def regularises(comparison: Comparison) -> Claim:
    """By the comparison's verdict for any smaller size."""
    helps = [arm.name for arm in comparison.arms if arm.difference and arm.difference.verdict == "helps"]
    return Claim(
        "Small batches can offer a regularising effect.",
        f"{BOOK}; Wilson & Martinez 2003",
        f"Gain in test error over batch size {comparison.reference}: {comparison.gains}; it helps at"
        f" {enumerated(helps)}.",
        bool(helps),
    )


# The numbers and the figure.


def by_pass(orders: pd.DataFrame) -> dict[str, Measurements]:
    """The error after each pass, for each order."""
    return series(orders, "error", "pass")


def by_size(methods: pd.DataFrame) -> dict[str, Measurements]:
    """The losses by batch size, for each method: geometric means, as they span powers of ten."""
    losses = {arm: methods[methods["arm"] == arm].groupby("n")["loss"] for arm in METHODS}
    return {
        arm: Measurements({n: Measured.ratio(loss, 1) for n, loss in groups})
        for arm, groups in losses.items()
    }


def draw(seen: Seen) -> Figure:
    """Noise, machine, orders, methods, and the test errors by batch size."""
    figure = Figure(figsize=(7.6, 9.2))
    panels = figure.subplot_mosaic([["noise", "machine"], ["orders", "methods"], ["study", "study"]])
    theory = seen.noise.set_index("n")[["σ/√n"]]
    rows = zip(seen.noise["n"], seen.noise["error"], np.exp(2.58 * seen.noise["se"]), strict=True)
    measured = {n: Measured(error, error / factor, error * factor, n=0) for n, error, factor in rows}
    curves(panels["noise"], theory, looks={"σ/√n": {"color": BLACK}})
    along(
        panels["noise"], {"measured, 99 %": measured}, looks={"measured, 99 %": {"ls": ""}},
        title="Gradient noise", xlabel="examples n", ylabel="distance from the exact one", log="xy",
    )  # fmt: skip
    curves(
        panels["machine"], seen.machine.set_index("batch size")[["µs per example", "memory, MB"]],
        title="One gradient on this machine", xlabel="batch size", log="xy",
    )  # fmt: skip
    curves(
        panels["orders"], by_pass(seen.orders),
        title="Order of the batches", xlabel="passes over the data", ylabel="validation error (%)", log="y",
    )  # fmt: skip
    along(
        panels["methods"], by_size(seen.methods),
        title="Descent and L-BFGS", xlabel="batch size", ylabel="training loss (nats)", log="xy",
    )  # fmt: skip
    points(
        panels["study"], {"": {arm.name: 100 * np.array(arm.errors) for arm in seen.study.arms}},
        title="Equal updates (○ a seed, – mean)", xlabel="batch size", ylabel="test error (%)",
    )  # fmt: skip
    return figure
