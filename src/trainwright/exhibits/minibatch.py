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

from functools import partial
from pathlib import Path

import numpy as np
import optax
import pandas as pd

from trainwright import exhibit as ex
from trainwright.diagnosis.batches import ORDERS, method_losses, order_errors
from trainwright.diagnosis.gradients import gradient_cost, gradient_noise

BOOK = "Goodfellow, Bengio & Courville 2016, section 8.1.3"
# At 4 bytes a number: an example must take its picture, its label and the values of the 64 hidden units;
# enough is, for each hidden unit and output, its input, its value and the gradient.
LEAST_BYTES, ENOUGH_BYTES = 4 * (784 + 1 + 64), 4 * (784 + 1 + 3 * (64 + 10))
EACH_PASS, ONCE, SORTED = ORDERS
METHODS = {"gradient descent": optax.sgd, "L-BFGS": partial(optax.lbfgs, linesearch=None)}
RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)  # each method at its best for each batch size
SCALES = ex.scales(
    repeats=(40, 400),  # gradients drawn of each size
    order_seeds=(40, 100),  # on digits
    passes=(15, 40),
    data=("digits", "mnist"),
    method_sizes=((8, 32, 128, 512), (10, 100, 1000, 10_000)),
    updates=(150, 300),  # of each method
    hidden=(32, 128),  # units, and below them: updates, batch sizes, seeds and rates at equal updates
    steps=(1500, 10_000),
    sizes=((256, 16), (512, 128, 32, 8)),
    seeds=(15, 10),
    rates=((0.2, 0.5, 1.0, 2.0), (0.03, 0.1, 0.3, 1.0, 3.0)),
)


@ex.config
class Minibatch(ex.Exhibit):
    """Noise, time, memory, order, method and regularisation against the batch size."""

    title = "Minibatches: the error of a gradient falls as 1/√n, its computation grows as n"

    def make(self, budget: ex.Budget, store: Path) -> ex.ExhibitResult:
        s, mnist = SCALES[budget], ex.load("mnist")
        # Half-trained: where the noise of the gradient is neither that of the start nor that of the end.
        run = ex.fit(ex.network(64, steps=200, evaluate_every=200, batch_size=64), mnist)
        noise = gradient_noise(run, mnist, (1, 10, 100, 1000, 10_000), s.repeats).set_index("n")
        sizes = (1, 4, 16, 64, 100, 256, 1024, 4096, 10_000)
        machine = gradient_cost(run, mnist, sizes).set_index("batch size")
        small = ex.network(32)
        orders = order_errors(small, ex.load("digits"), passes=s.passes, seeds=s.order_seeds)
        methods = method_losses(
            small, ex.load(s.data), METHODS, s.method_sizes, rates=RATES, steps=s.updates, seeds=8
        )
        compared = study(s).compare(store)
        errors, losses = ex.series(orders, "error", "pass"), ex.series(methods, "loss", "n", geometric=True)
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
                f"Orders: digits, {s.order_seeds} seeds. Methods: {s.data}, {s.updates} updates from the "
                "same weights with the same batches, 8 seeds; for each batch size the best of the rates "
                f"{ex.enumerated(f'{rate:g}' for rate in RATES)}, L-BFGS without line search.",
                *ex.cautions(compared),
            ),
        )


def study(s: ex.Scale) -> ex.Study:
    """Batch sizes beside the largest at equal numbers of updates, each at its best rate of the same."""
    base = ex.network(s.hidden, steps=s.steps, evaluate_every=s.steps // 3)
    arms = {str(size): base.replace(batch_size=size) for size in s.sizes}
    return ex.Study(ex.DataSpec(s.data), arms, s.seeds, s.rates)


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
    verdicts = {arm: comparison.verdict(arm) for arm in comparison.gains}
    helps = ex.enumerated(arm for arm, verdict in verdicts.items() if verdict == "helps")
    gain = f"Gain over batch size {comparison.reference}'s test error: {comparison.gains}"
    return f"{gain}; it helps at {helps}.", ex.some(*map(ex.agrees, verdicts.values()))


def draw(
    noise: pd.DataFrame, machine: pd.DataFrame, orders: ex.Along, methods: ex.Along, study: ex.Comparison
) -> ex.Figure:
    """Noise, machine, orders, methods, and the test errors by batch size."""
    figure, panels = ex.sheet(9.2, "noise machine", "orders methods", "study study")
    ex.curves(panels["noise"], noise[["σ/√n"]], looks={"σ/√n": {"color": ex.BLACK}})
    rows = zip(noise.index, noise["error"], np.exp(2.58 * noise["se"]), strict=True)
    measured = {"measured, 99 %": {n: ex.Measured(mean, mean / by, mean * by, n=0) for n, mean, by in rows}}
    label, dots = "distance from the exact one", {"measured, 99 %": {"ls": ""}}
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
