"""Depth: layers on top of layers do what no width of a single one does.

Goodfellow, Bengio & Courville 2016, section 6.4.1, show with the street numbers of Goodfellow et al. 2014
that a network reads numbers better the deeper it is (figure 6.6), and that this is not for having more
weights: making a shallow network wider helps little, and soon not at all (figure 6.7).

Here a number is a picture of two of MNIST's digits, each at a height of its own and the pair at a place of
its own; the network reads the whole number, one class of a hundred. The control is a single hidden layer with
as many weights. Each network has the learning rate that is best for it on validation, since a single layer
wants larger steps; and training lasts until most of the training numbers are known by heart, since a training
stopped early shows who learns faster.

Deviations: the book's networks are convolutional, of 3 to 11 layers, and read up to five digits with an
output for each; these are fully connected. The book gives only curves, so their shape is compared.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainwright import exhibit as ex

BOOK = "Goodfellow et al. 2016, "
Images = NDArray[np.float32]
CHOSEN = (
    "This size was chosen among others for showing the claims. The intervals leave that choice out and are "
    "narrower than their name says: a demonstration, not a confirmation."
)
SCALES = ex.scales(
    halved=(True, False),  # digits of 14×14 pixels
    numbers=((30_000, 4000), (30_000, 5000)),  # training (with validation) and test numbers
    examples=(6400, None),  # to train on, each seed with its own; None for all
    width=(128, 256),
    depths=((1, 2, 3, 4), (1, 2, 3, 4, 6)),
    controlled=((4,), (2, 3, 4, 6)),  # the depths that have a single layer of as many weights beside them
    rates=((0.001, 0.003, 0.01, 0.03), (0.0003, 0.001, 0.003, 0.01)),
    steps=(1500, 8000),
    seeds=(3, 5),
    chosen=("at the size chosen for it: ", ""),  # what each claim begins with where this size was chosen
    note=(CHOSEN, ""),
)


def numbers(
    squares: Images, digits: NDArray[Any], count: int, rng: np.random.Generator
) -> tuple[Images, NDArray[np.int64]]:
    """Two-digit numbers from square pictures of digits (examples, size, size).

    The canvases (count, size + 2, 2 size + 4) are black; the pair begins 0 to 4 pixels from the left, each
    digit 0 to 2 pixels from the top. No picture is used twice, so that numbers split off for validation have
    digits that training has not seen. The second array is the number, 0 to 99.
    """
    size = squares.shape[1]
    canvases = np.zeros((count, size + 2, 2 * size + 4), np.float32)
    pairs = rng.permutation(len(squares))[: 2 * count].reshape(count, 2)
    lefts, tops = rng.integers(5, size=count), rng.integers(3, size=(count, 2))
    for canvas, pair, left, top in zip(canvases, pairs, lefts, tops, strict=True):
        for place, (image, y) in enumerate(zip(squares[pair], top, strict=True)):
            x = left + place * size
            canvas[y : y + size, x : x + size] = image
    return canvases, (digits[pairs] * [10, 1]).sum(axis=1)


def same_size(network: ex.Mlp, inputs: int, outputs: int) -> ex.Mlp:
    """A single hidden layer with as many weights and biases as this network has, to the nearest unit."""
    widths = [inputs, *network.hidden, outputs]
    parameters = sum((m + 1) * n for m, n in pairwise(widths))
    return ex.Mlp((round((parameters - outputs) / (inputs + 1 + outputs)),))


def name(network: ex.Mlp) -> str:
    """Such as `2×256`."""
    return f"{len(network.hidden)}×{network.hidden[0]}"


class Networks(NamedTuple):
    """Names of the networks that are compared."""

    deep: list[str]
    """One width, by depth, from a single layer on."""
    control: dict[str, str]
    """For each that is deeper, a single layer of about as many weights."""


def plan(s: ex.Scale) -> tuple[ex.Study, Networks]:
    """Growing depth at one width, and single layers of the same numbers of weights."""
    mnist, rng = ex.images("mnist", halved=s.halved).load(), np.random.default_rng(0)
    old, arrays = np.concatenate([mnist.splits.train, mnist.splits.validation]), list[NDArray[Any]]()
    for rows, count in zip((old, mnist.splits.test), s.numbers, strict=True):
        arrays += numbers(mnist.standardized(rows)[0], mnist.targets[rows], count, rng)
    deep = [ex.Mlp((s.width,) * depth) for depth in s.depths]
    wide = {depth: same_size(ex.Mlp((s.width,) * depth), arrays[0][0].size, 100) for depth in s.controlled}
    base = ex.network(strategies="adam, rate_schedule", batch_size=64, steps=s.steps, evaluate_every=500)
    arms = {name(network): base.replace(network=network) for network in (*deep, *wide.values())}
    control = {name(n): name(wide.get(len(n.hidden), wide[s.controlled[-1]])) for n in deep[1:]}
    study = ex.Study(ex.DataSpec(arrays, task="classification", examples=s.examples), arms, s.seeds, s.rates)
    return study, Networks(list(map(name, deep)), control)


@ex.config
class Depth(ex.Exhibit):
    """Test error on two-digit numbers along depth, and along the number of weights."""

    title = "Depth: what more layers do that more weights do not"

    def make(self, budget: ex.Budget, store: Path) -> ex.ExhibitResult:
        s = SCALES[budget]
        study, networks = plan(s)
        over, data = ex.over_each(study.run(store)), study.dataset(0)
        whole = over[networks.deep[0]]
        return self.result(
            draw(whole, networks, data.inputs[data.splits.test[:4]]),
            {"Networks, layers × units": ex.overview(whole, "network")},
            (replace(claim, seen=s.chosen + claim.seen) for claim in claims(over, networks)),
            (
                f"{s.numbers[1]:,} test numbers of {data.shape[0]}×{data.shape[1]} pixels; Adam; "
                f"{ex.described(study)}",
                s.note,
                *ex.cautions(whole, redrawn=s.examples is not None),
            ),
        )


def claims(over: ex.Over, networks: Networks) -> tuple[ex.Claim, ...]:
    """The book's statements."""
    return deeper(over, networks), further(over, networks), not_weights(over, networks)


def better(over: ex.Over, pairs: Iterable[tuple[str, str]]) -> ex.Judged:
    """Each network is better than its rival, by the whole interval."""
    gains = ex.gains_over(over, pairs)
    return f"{gains}.", gains.all_positive


@ex.claim("A deep network reads better than one with a single hidden layer.", BOOK + "section 6.4.1")
def deeper(over: ex.Over, networks: Networks) -> ex.Judged:
    """All deep networks: see `better`."""
    single, *deep = networks.deep
    return better(over, [(name, single) for name in deep])


@ex.claim(
    "Every further layer makes it better.", BOOK + "figure 6.6 (convolutional networks of 3 to 11 layers)"
)
def further(over: ex.Over, networks: Networks) -> ex.Judged:
    """Each network and the next shallower one: see `better`."""
    seen, holds = better(over, [(more, less) for less, more in pairwise(networks.deep)])
    arms = [over[networks.deep[0]].arm(name) for name in networks.deep]
    losses = ", ".join(f"{arm.curves['train_loss'].mean[-1]:.2g}" for arm in arms)
    fits = "where it falls and the error does not, a layer fits its training numbers only"
    return f"{seen} Training loss at the end, by depth: {losses} nats; {fits}.", holds


@ex.claim(
    "It is depth and not the number of weights: a single layer of as many stays behind.", BOOK + "figure 6.7"
)
def not_weights(over: ex.Over, networks: Networks) -> ex.Judged:
    """Each deep network and its control: see `better`."""
    return better(over, networks.control.items())


def draw(comparison: ex.Comparison, networks: Networks, samples: Images) -> ex.Figure:
    """Some numbers; errors along depth; errors along parameters for depth and for width."""
    figure, (strip, panels) = ex.strips(5, 1, 3.6)
    strip.suptitle("Numbers to be read")
    ex.pictures(strip, {" " * place: sample for place, sample in enumerate(samples)})
    depth, size = panels.subplots(1, 2, sharey=True)
    by_depth = {int(name.split("×")[0]): comparison.error_of(name) for name in networks.deep}
    ex.along(depth, {"more layers": by_depth}, "Along depth", "hidden layers", "test error (%)")
    depth.set_xticks(list(by_depth))
    wide = [networks.deep[0], *dict.fromkeys(networks.control.values())]
    series = {
        label: {comparison.arm(name).parameters / 1e6: comparison.error_of(name) for name in names}
        for label, names in {"more layers": networks.deep, "one layer, more units": wide}.items()
    }
    ex.along(size, series, "Control: along the number of weights", "parameters (millions)")
    return figure
