"""Minibatches: a hundred times the examples make the gradient only ten times as exact.

A gradient averaged over n examples is off by σ/√n. So many cheap, noisy steps beat few exact ones, and what
sets the size of a batch is something else: the machine, which is idle on tiny batches and runs out of memory
on huge ones; the order of the data, which must be random; the method, as the curvature that second-order ones
estimate needs larger batches; and the noise itself, which can regularise.

Beside the errors of gradients stands √(trace of the single gradients' covariance / n), fitted to nothing.
The networks of the three orders begin alike; methods and batch sizes are compared after equal updates.

Source: Goodfellow, Bengio & Courville 2016, section 8.1.3; Wilson & Martinez 2003 for the regularisation.
The book gives no experiment: networks, data, orders and methods are chosen here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
from flax import nnx
from numpy.typing import NDArray

from trainwright import exhibit as ex
from trainwright.base import keys
from trainwright.diagnosis.gradients import gradient_cost, gradient_noise, mean_loss
from trainwright.task import task_of
from trainwright.training.building import Training, build
from trainwright.training.predict import CHUNK
from trainwright.training.resident import fold_of, resident
from trainwright.training.step import Program, evaluate, train_interval

BOOK = "Goodfellow, Bengio & Courville 2016, section 8.1.3"
# At 4 bytes a number: an example must take its picture, its label and the values of the 64 hidden units;
# enough is, for each hidden unit and output, its input, its value and the gradient.
LEAST_BYTES, ENOUGH_BYTES = 4 * (784 + 1 + 64), 4 * (784 + 1 + 3 * (64 + 10))
EACH_PASS, ONCE, SORTED = ORDERS = ("shuffled in each pass", "shuffled once", "sorted by class")
METHODS = {"gradient descent": optax.sgd, "L-BFGS": partial(optax.lbfgs, linesearch=None)}
RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)  # each method at its best for each batch size
SCALES = ex.scales(
    repeats=(40, 400),  # gradients drawn of each size
    orders=((40, 15), (100, 40)),  # seeds and passes, on digits
    data=("digits", "mnist"),
    methods=(((8, 32, 128, 512), 150, 8), ((10, 100, 1000, 10_000), 300, 8)),  # batch sizes, updates, seeds
    hidden=(32, 128),  # units, and below them: updates, batch sizes, seeds and rates at equal updates
    steps=(1500, 10_000),
    sizes=((256, 16), (512, 128, 32, 8)),
    seeds=(15, 10),
    rates=((0.2, 0.5, 1.0, 2.0), (0.03, 0.1, 0.3, 1.0, 3.0)),
)


def study(s: ex.Scale) -> ex.Study:
    """Batch sizes beside the largest at equal numbers of updates, each at its best rate of the same."""
    base = ex.network(s.hidden, steps=s.steps, evaluate_every=s.steps // 3)
    arms = {str(size): base.replace(batch_size=size) for size in s.sizes}
    return ex.Study(ex.DataSpec(s.data), arms, s.seeds, s.rates)


@ex.config
class Minibatch(ex.Exhibit):
    """Noise, time, memory, order, method and regularisation against the batch size."""

    title = "Minibatches: the error of a gradient falls as 1/√n, its computation grows as n"

    def make(self, budget: ex.Budget, store: Path) -> ex.ExhibitResult:
        s, data = SCALES[budget], ex.load("mnist")
        # Half-trained: where the noise of the gradient is neither that of the start nor that of the end.
        run = ex.fit(ex.network(64, steps=200, evaluate_every=200, batch_size=64), data)
        noise = gradient_noise(run, data, (1, 10, 100, 1000, 10_000), s.repeats).set_index("n")
        sizes = (1, 4, 16, 64, 100, 256, 1024, 4096, 10_000)
        machine = gradient_cost(run, data, sizes).set_index("batch size")
        orders, methods = measure_orders(*s.orders), measure_methods(s.data, *s.methods)
        errors, losses = ex.series(orders, "error", "pass"), ex.series(methods, "loss", "n", geometric=True)
        compared = study(s).compare(store)
        reached = ex.tabulated("batch size", {"test error": compared.errors, "gain": compared.gains})
        reached["learning rate"] = [arm.learning_rate for arm in compared.arms]
        by_method = "Training loss (nats) after equal numbers of updates, geometric means over seeds"
        last = orders[orders["pass"] == orders["pass"].max()]
        return self.result(
            draw(noise, machine, errors, losses, compared),
            {
                "Distance of the gradient of n examples from that of all (root mean square)": noise,
                "One gradient on this machine": machine,
                "Validation error (%) after each pass, by order": ex.tabulated("pass", errors),
                by_method: ex.tabulated("n", losses),
                "Test error (%) by batch size, at equal numbers of updates": reached,
            },
            (
                *(root_n(noise), work(noise, machine), cores(machine), memory(machine)),
                *(random_order(last), shuffled_once(last), second_order(methods), regularises(compared)),
            ),
            (
                "Noise, time and memory: 64 hidden units on MNIST, half-trained, 50,000 examples drawn with "
                "replacement. Time and memory are of the gradient alone, on this machine at this moment: the "
                "shortest of nine times, as what else runs can only lengthen it, the cores at work over all; "
                "the memory of the batch and of what is kept to go back through the network, judged from "
                "batch size 4 on, as a single example's gradient, an outer product, is written twice.",
                f"Orders: digits, {s.orders[0]} seeds. Methods: {s.data}, {s.methods[1]} updates from the "
                f"same weights with the same batches, {s.methods[2]} seeds; for each batch size the best of "
                f"the rates {ex.enumerated(f'{rate:g}' for rate in RATES)}, L-BFGS without line search.",
                *ex.cautions(compared),
            ),
        )


def measure_orders(seeds: int, passes: int) -> pd.DataFrame:
    """Validation error (%) on digits after each pass, for each order of the batches and each seed."""
    data, none = ex.load("digits"), jnp.zeros((0, 0), jnp.int32)
    recipe = ex.network(32, learning_rate=0.1, batch_size=32, epochs=passes)
    arrays, fold, numbers = resident(data), fold_of(data), jax.tree.map(jnp.float32, recipe)

    def errors(seed: int, order: str) -> pd.DataFrame:
        # The trainer shuffles, always. So this one exhibit feeds the compiled steps itself.
        graphdef, state = build(Training(recipe, data, seed))
        program, errors = Program(graphdef, task_of(data), cohort=False, chunk=CHUNK), []
        for number in range(passes):
            batches = jnp.asarray(ordered(data, order, seed, number, recipe.batch_size))
            state, _ = train_interval(program, numbers, state, batches, arrays, fold)
            state, scores = evaluate(program, numbers, state, none, arrays, fold)
            errors.append(100 * float(scores.error))
        return pd.DataFrame({"pass": range(1, passes + 1), "error": errors})

    return ex.grid(errors, seed=range(seeds), arm=ORDERS)


def ordered(data: ex.Dataset, name: str, seed: int, number: int, size: int) -> NDArray[np.int32]:
    """The batches of a pass, (steps, size), in one of the three orders."""
    rows = data.splits.train[: len(data.splits.train) // size * size]
    if name == SORTED:
        rows = rows[np.argsort(data.targets[rows], kind="stable")]
    else:
        rows = keys.generator(seed, "order", number if name == EACH_PASS else 0).permutation(rows)
    return rows.reshape(-1, size).astype(np.int32)


def measure_methods(name: str, sizes: Sequence[int], steps: int, seeds: int) -> pd.DataFrame:
    """The training loss (nats) that each method comes to with batches of each size, at its best rate."""
    data = ex.load(name)
    built = [build(Training(ex.network(32), data, seed)) for seed in range(seeds)]
    merged = [mean_loss(nnx.merge(graph, state.params)) for graph, state in built]
    starts, (loss, *_) = zip(*merged, strict=True)
    first = jax.tree.map(lambda *arrays: jnp.stack(arrays), *starts)
    x, y = map(jnp.asarray, data.standardized(data.splits.train))

    def reached(size: int, method: str) -> pd.DataFrame:
        rows = [keys.generator(s, "batches", size).integers(len(x), size=(steps, size)) for s in range(seeds)]

        def trained(rate: jax.Array, params: Any, batches: jax.Array) -> jax.Array:
            update = METHODS[method](rate)

            def step(carry: Any, rows: jax.Array) -> tuple[Any, None]:
                params, state = carry
                moves, state = update.update(jax.grad(loss)(params, x[rows], y[rows]), state, params)
                return (optax.apply_updates(params, moves), state), None

            (params, _), _ = jax.lax.scan(step, (params, update.init(params)), batches)
            return jnp.nan_to_num(loss(params, x, y), nan=jnp.inf)

        at_rates = jax.jit(jax.vmap(jax.vmap(trained, (None, 0, 0)), (0, None, None)))
        losses = np.asarray(at_rates(jnp.array(RATES), first, jnp.array(rows)), np.float64)
        return pd.DataFrame({"seed": range(seeds), "loss": losses[losses.mean(axis=1).argmin()]})

    return ex.grid(reached, n=sizes, arm=METHODS)


@ex.claim("The standard error of a mean of n samples is σ/√n.", BOOK)
def root_n(noise: pd.DataFrame) -> ex.Judged:
    """The slope of log(error) against log(n) is −½ within its 99 % interval."""
    n, error = np.log(noise.index.to_numpy()), np.log(noise["error"])
    (slope, _), covariance = np.polyfit(n, error, 1, w=1 / noise["se"], cov="unscaled")
    half = 2.58 * np.sqrt(covariance[0, 0])
    off = np.abs(np.log(noise["error"] / noise["σ/√n"])).max()
    seen = (
        f"log(error) falls with log(n) at a slope of {slope:.3f} ± {half:.3f} (99 %); no error differs by "
        f"more than {np.expm1(off):.0%} from σ/√n, with σ from single examples."
    )
    return seen, abs(slope + 0.5) <= half


@ex.claim(
    "10,000 examples take 100 times the computation of 100, and reduce the error by a factor of 10.", BOOK
)
def work(noise: pd.DataFrame, machine: pd.DataFrame) -> ex.Judged:
    """A hundred times the operations, and a tenth of the error within its 99 % interval."""
    few, many, times = noise.loc[100], noise.loc[10_000], machine.loc[10_000] / machine.loc[100]
    ratio, operations = few["error"] / many["error"], times["operations, million"]
    low, high = ratio * np.exp(np.array([-2.58, 2.58]) * np.hypot(few["se"], many["se"]))
    seen = (
        f"The error of 100 is {ratio:.1f} times that of 10,000 (99 % interval {low:.1f} to {high:.1f}). The"
        f" compiler counts {operations:.1f} times the operations, and they take "
        f"{100 * times['µs per example']:.0f} times as long."
    )
    return seen, low <= 10 <= high and abs(operations - 100) < 1


@ex.claim("Multicore architectures are usually underused by extremely small batches.", BOOK)
def cores(machine: pd.DataFrame) -> ex.Judged:
    """Underused: with one example at most three quarters of the cores at work that there are with more."""
    working, taken = machine["cores at work"], machine["µs per example"]
    alone, most, first, best = working.iloc[0], working.max(), taken.iloc[0], taken.min()
    seen = (
        f"Cores at work: {alone:.2f} with one example, up to {most:.2f} with more. An example takes "
        f"{first:.0f} µs alone and {best:.2g} µs in the best batch: alone, {1 - best / first:.0%} of the "
        "time is the fixed cost of a call."
    )
    return seen, alone <= 0.75 * most


@ex.claim("The memory that a batch takes grows in proportion to its size.", BOOK)
def memory(machine: pd.DataFrame) -> ex.Judged:
    """At every size between what an example must take and what is enough for it."""
    several = machine["memory, MB"][machine.index >= 4]
    each = 1e6 * several / several.index
    seen = (
        f"From batch size {several.index[0]} to {several.index[-1]:,} it is {each.min():,.0f} to "
        f"{each.max():,.0f} bytes for each example, {several.iloc[-1]:.1f} MB at the largest. Picture, label "
        f"and hidden values alone are {LEAST_BYTES:,}; with the input and the gradient of every unit it "
        f"would be {ENOUGH_BYTES:,}."
    )
    return seen, each.between(LEAST_BYTES, ENOUGH_BYTES).all()


@ex.claim("It is crucial that minibatches are selected randomly.", BOOK)
def random_order(last: pd.DataFrame) -> ex.Judged:
    """`last`: the errors after the last pass, higher when sorted by class, paired by seed."""
    more = ex.change(last, "error", SORTED, EACH_PASS, "points")
    return f"Sorted by class, the validation error after the last pass is higher by {more}.", more.positive


@ex.claim("Shuffling once is enough in practice: the same order in each pass does no significant harm.", BOOK)
def shuffled_once(last: pd.DataFrame) -> ex.Judged:
    """No harm that matters: the interval lies below a tenth of the error."""
    more = ex.change(last, "error", ONCE, EACH_PASS, "points")
    error = last.groupby("arm")["error"].mean()[EACH_PASS]
    seen = f"Shuffled once, the error of {error:.2f} % changes by {more}; what matters is a tenth of it."
    return seen, more.below(error / 10)


@ex.claim("Second-order methods need larger batches than first-order ones.", BOOK)
def second_order(methods: pd.DataFrame) -> ex.Judged:
    """What a small batch costs, its loss over that of the largest: more for L-BFGS, at each smaller size."""
    by_seed = methods.pivot(index="seed", columns=["arm", "n"], values="loss")
    *smaller, largest = map(int, sorted(methods["n"].unique()))
    descent, newton = (by_seed[arm].div(by_seed[arm][largest], axis=0) for arm in METHODS)
    ratios = ex.Measurements({n: ex.Measured.ratio(newton[n], descent[n]) for n in smaller})
    seen = (
        f"The loss with small batches over that with {ex.named(largest)} examples is so many times as "
        f"much for L-BFGS as for gradient descent: {ratios}."
    )
    return seen, ex.every(*(ratio.above(1) for ratio in ratios.values()))


@ex.claim("Small batches can offer a regularising effect.", f"{BOOK}; Wilson & Martinez 2003")
def regularises(comparison: ex.Comparison) -> ex.Judged:
    """By the comparison's verdict for any smaller size."""
    gains, reference = comparison.gains, comparison.reference
    verdicts = {arm: comparison.verdict(arm) for arm in gains}
    helps = ex.enumerated(arm for arm, verdict in verdicts.items() if verdict == "helps")
    seen = f"Gain over batch size {reference}'s test error: {gains}; it helps at {helps}."
    return seen, ex.some(*map(ex.agrees, verdicts.values()))


def draw(
    noise: pd.DataFrame, machine: pd.DataFrame, orders: ex.Along, methods: ex.Along, study: ex.Comparison
) -> ex.Figure:
    """Noise, machine, orders, methods, and the test errors by batch size."""
    figure, panels = ex.sheet(9.2, "noise machine", "orders methods", "study study")
    rows = zip(noise.index, noise["error"], np.exp(2.58 * noise["se"]), strict=True)
    name, label = "measured, 99 %", "distance from the exact one"
    measured = {name: {n: ex.Measured(error, error / by, error * by, n=0) for n, error, by in rows}}
    ex.curves(panels["noise"], noise[["σ/√n"]], looks={"σ/√n": {"color": ex.BLACK}})
    dots = {name: {"ls": ""}}
    ex.along(panels["noise"], measured, "Gradient noise", "examples n", label, looks=dots, log="xy")
    cost, title = machine[["µs per example", "memory, MB"]], "One gradient on this machine"
    ex.curves(panels["machine"], cost, title, "batch size", log="xy")
    label = "validation error (%)"
    ex.curves(panels["orders"], orders, "Order of the batches", "passes over the data", label, log="y")
    label = "training loss (nats)"
    ex.along(panels["methods"], methods, "Descent and L-BFGS", "batch size", label, log="xy")
    errors = 100 * pd.DataFrame({arm.name: arm.errors for arm in study.arms})
    title = "Equal updates (○ a seed, – mean)"
    ex.points(panels["study"], {"": dict(errors.items())}, title, "batch size", "test error (%)")
    return figure
