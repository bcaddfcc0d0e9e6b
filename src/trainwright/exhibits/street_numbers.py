"""Street numbers: a deeper network reads more numbers right, and more parameters alone do not make up for it.

Goodfellow, Bengio & Courville 2016, section 6.4.1, after Goodfellow et al. 2014 (arXiv 1312.6082): on the
Street View House Numbers the share of whole numbers that are read right grows with depth, from 3 layers to 11
(figure 6.6). That is not because the model is larger (figure 6.7): making the convolutional or the fully
connected layers of a shallow network larger is not nearly as effective. All networks have the same budget:
the same pictures, steps and batches.

The numbers are drawn by the package (`exhibit/house_numbers.py`), smaller and easier than photographs. Who
has the real ones (`trainwright data svhn_numbers` says where they go) reads those, resized to squares:
`trainwright exhibit "street_numbers('svhn_numbers')" --budget full`.

Deviations: batch norm joins the paper's subtractive normalisation, since the quick version has few steps; no
dropout; Adam in place of the paper's gradient descent. The book gives curves without numbers, so what is
compared is their shape. Its legend's "fully connected" is the layers that were made larger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from trainwright import exhibit as ex
from trainwright.data import sequences
from trainwright.exhibit.house_numbers import house_numbers
from trainwright.networks.street_numbers import StreetNumbers as Reader

BOOK = "Goodfellow et al. 2016, "
LOOKS = {
    "shallow, larger convolutions": {"color": ex.BLUE, "marker": "s"},
    "shallow, larger dense layers": {"color": ex.GREEN, "marker": "D"},
    "deep, larger convolutions": {"color": ex.VERMILLION, "marker": "o"},
}
SCALES = ex.scales(
    shape=((12, 24), (32, 64)),  # height and width of a picture
    numbers=((8000, 1000), (30_000, 5000)),  # training (with validation) and test pictures
    lengths=((0.5, 0.5), (0.15, 0.4, 0.25, 0.15, 0.05)),  # probabilities of 1 digit, 2, ...
    depths=((3, 4, 5), (3, 5, 7, 9, 11)),
    width=(12, 25),  # of the convolutions, and below of the dense layers, in % of the published ones
    dense=(3, 10),
    larger=((4,), (2, 4, 8)),  # by how much the shallow network's layers are enlarged
    larger_deep=((2,), (2, 4)),
    steps=(1000, 6000),
    batch=(32, 64),
    seeds=(3, 4),
)


class Networks(NamedTuple):
    """Names of the networks that are compared."""

    by_depth: list[str]
    """From the shallowest to the deepest, at one width."""
    convolutions: list[str]
    """The shallowest, its convolutions ever larger."""
    dense: list[str]
    """The shallowest, its fully connected layers ever larger."""
    deep: list[str]
    """The deepest, its convolutions ever larger."""

    @property
    def ends(self) -> tuple[str, str]:
        """The shallowest and the deepest, no larger than the others."""
        return self.by_depth[0], self.by_depth[-1]

    @property
    def largest(self) -> tuple[str, str]:
        """The shallow networks with the largest convolutions, and with the largest dense layers."""
        return self.convolutions[-1], self.dense[-1]


def name(depth: int, convolutions: int, dense: int) -> str:
    """Such as `3 layers, dense ×4`: a network's depth, and by how much its layers are enlarged."""
    sizes = {"convolutions": convolutions, "dense": dense}
    return f"{depth} layers" + "".join(f", {layers} ×{more}" for layers, more in sizes.items() if more > 1)


def plan(s: ex.Scale, data: ex.DataSpec) -> tuple[ex.Study, Networks]:
    """Growing depth at one width, and growing layers at the least and at the greatest depth."""
    groups = [
        [(depth, 1, 1) for depth in s.depths],
        [(s.depths[0], more, 1) for more in (1, *s.larger)],
        [(s.depths[0], 1, more) for more in (1, *s.larger)],
        [(s.depths[-1], more, 1) for more in (1, *s.larger_deep)],
    ]
    base = ex.network(
        strategies="adam, rate_schedule, batch_norm(statistics='running')",
        learning_rate=0.005, batch_size=s.batch, steps=s.steps, evaluate_every=s.steps // 2,
    )  # fmt: skip
    arms = {
        name(depth, more, denser): base.replace(network=Reader(depth, more * s.width, denser * s.dense))
        for group in groups
        for depth, more, denser in group
    }
    networks = Networks(*([name(*sizes) for sizes in group] for group in groups))
    return ex.Study(data, arms, s.seeds, folds=False), networks


def drawn(s: ex.Scale) -> ex.DataSpec:
    """Numbers drawn for training, and others for testing."""
    arrays = [
        array
        for seed, count in enumerate(s.numbers)
        for array in house_numbers(count, seed, shape=s.shape, lengths=s.lengths)
    ]
    return ex.DataSpec(tuple(arrays), task="sequence")


@ex.config
class StreetNumbers(ex.Exhibit):
    """Whole numbers read right, along depth and along the number of parameters."""

    data: Literal["drawn", "svhn_numbers"] = "drawn"
    """Numbers that the package draws, or photographs of house numbers, which have to be in place."""

    title = "Street numbers: depth against the number of parameters"

    def make(self, budget: ex.Budget, store: Path) -> ex.ExhibitResult:
        s = SCALES[budget]
        data = drawn(s) if self.data == "drawn" else ex.DataSpec("svhn_numbers", size=s.shape[0])
        study, networks = plan(s, data)
        over, loaded = ex.over_each(study.run(store)), study.dataset()
        whole, (height, width, _) = over[networks.by_depth[0]], loaded.shape
        rows = loaded.splits.test[:6]
        samples = zip(sequences.to_texts(loaded.targets[rows].astype(int)), loaded.inputs[rows], strict=True)
        return self.result(
            draw(whole, networks, dict(samples)),
            {"Networks": ex.overview(whole, "network")},
            (judged(over, networks) for judged in (deeper, deepest_best, not_size, ineffective, deep_gains)),
            (
                f"{len(loaded.splits.test):,} test numbers of {height}×{width} pixels; {ex.described(study)} "
                f"Convolutions of {s.width} % and dense layers of {s.dense} % of the published widths, "
                "unless enlarged.",
                "One learning rate for all networks: it was not tuned for any of them.",
                *ex.cautions(whole),
            ),
        )


@ex.claim("Every step in depth reads more numbers right.", BOOK + "figure 6.6 (3 to 11 layers)")
def deeper(over: ex.Over, networks: Networks) -> ex.Judged:
    """Each network over the next shallower one."""
    return ex.all_gain(over, [(more, less) for less, more in pairwise(networks.by_depth)])


@ex.claim("The deepest network reads more numbers right than the shallowest.", BOOK + "figure 6.6")
def deepest_best(over: ex.Over, networks: Networks) -> ex.Judged:
    """By the whole interval."""
    shallow, deepest = networks.ends
    return ex.all_gain(over, [(deepest, shallow)])


@ex.claim(
    "It is depth and not size: the deep network reads more than a shallow one with as many parameters or "
    "more, whichever layers these are in.",
    BOOK + "figure 6.7",
)
def not_size(over: ex.Over, networks: Networks) -> ex.Judged:
    """The deepest over the largest shallow networks, by the whole interval; these must be larger."""
    shallow, deepest = networks.ends
    size = {name: over[shallow].arm(name).parameters for name in (deepest, *networks.largest)}
    seen, gains = ex.all_gain(over, [(deepest, rival) for rival in networks.largest])
    listed = ", ".join(f"{name}: {count:,}" for name, count in size.items())
    return f"{seen} Parameters of {listed}.", ex.every(gains, min(size.values()) == size[deepest])


@ex.claim(
    "More parameters without more depth are not nearly as effective as depth (at most half as much).",
    BOOK + "figure 6.7",
)
def ineffective(over: ex.Over, networks: Networks) -> ex.Judged:
    """Of each way to enlarge the shallow network, the gain of the largest: half of depth's gain less that is
    positive by its whole interval, over seeds; and depth's own gain is."""
    shallow, deepest = networks.ends
    errors = {arm.name: np.array(arm.errors) for arm in over[shallow].arms}
    gained = {name: errors[shallow] - errors[name] for name in (deepest, *networks.largest)}
    left = ex.Measurements(
        {name: ex.Measured.percent(gained[deepest] / 2 - gained[name]) for name in networks.largest}
    )
    by_depth = over[shallow].gain(deepest)
    by_size = ex.gains_over(over, [(larger, shallow) for larger in networks.largest])
    seen = f"depth gains {by_depth}; size: {by_size}; half of the first less the second: {left}."
    return seen, ex.every(left.all_positive, by_depth.positive)


@ex.claim("A deep network gains from more parameters.", BOOK + "figure 6.7 (11 layers)")
def deep_gains(over: ex.Over, networks: Networks) -> ex.Judged:
    """The deepest with the largest convolutions over itself, by the whole interval."""
    return ex.all_gain(over, [(networks.deep[-1], networks.deep[0])])


def accuracy(comparison: ex.Comparison, name: str) -> ex.Measured:
    """The share of whole numbers that are read right, in %."""
    error = comparison.error_of(name)
    return replace(error, mean=100 - error.mean, low=100 - error.high, high=100 - error.low)


def draw(
    comparison: ex.Comparison, networks: Networks, samples: Mapping[str, np.ndarray[tuple[int, ...]]]
) -> ex.Figure:
    """Some numbers; accuracy along depth (figure 6.6), and along the number of parameters (figure 6.7)."""
    figure, (strip, panels) = ex.strips(4.8, 1, 4.6)
    ex.pictures(strip, samples)
    depth, size = panels.subplots(1, 2, sharey=True)
    by_depth = {int(name.split()[0]): accuracy(comparison, name) for name in networks.by_depth}
    title, label = "Along depth", "whole numbers read right (%)"
    colour = {"": {"color": ex.VERMILLION}}
    ex.along(depth, {"": by_depth}, title, "hidden layers", label, looks=colour)
    depth.set_xticks(list(by_depth))
    series = {
        label: {comparison.arm(name).parameters: accuracy(comparison, name) for name in names}
        for label, names in zip(LOOKS, (networks.convolutions, networks.dense, networks.deep), strict=True)
    }
    ex.along(size, series, "Along the number of parameters", "parameters", looks=LOOKS, log="x")
    return figure
