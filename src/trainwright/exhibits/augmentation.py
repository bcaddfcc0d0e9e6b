"""Augmentation: more examples for nothing, from transformations that keep the class.

Goodfellow, Bengio & Courville 2016, section 7.4: the best way to generalise better is to train on more data,
and a transformation that a classifier should not mind makes more of it. Mirrored left to right, a shirt is a
shirt; moved by a pixel, it still is one. But a transformation must not change the class: a mirrored 2 is no
digit. Section 7.5: noise added to the inputs is another such transformation.

All are tried along the number of training examples on Fashion-MNIST and on MNIST; and on Fashion-MNIST
without its shoes, nearly all of which point to the left, so that a mirrored one shows what never comes. Each
image is mirrored with probability 1/2, moved by up to a pixel, or given new noise, at every step.

No source gives numbers for this experiment: sizes, network and noise are our own. A fully connected network
has to learn a pattern and its mirror image separately, and pays for that with weights and steps. Digits stand
free in their frame; clothes fill it, and a shift moves them against its edge.
"""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainwright import exhibit as ex
from trainwright.comparison.verdict import Verdict
from trainwright.strategies.mirror import mirrored
from trainwright.strategies.noise import NoiseLayer
from trainwright.strategies.shift import Shift

BOOK = "Goodfellow et al. 2016, section 7."
STD = 0.1  # of the noise, where white is 1
WAYS = {"mirror": "mirror", "shift": "shift(1)", "noise": f"noise({STD})"}
LOOKS = ex.looks("plain", *WAYS)
NO_SHOES, CLOTHES, DIGITS = "clothes without shoes", "clothes and shoes", "digits"
SETS = {  # images, which of their classes are left out, and the ways tried on them
    NO_SHOES: ("fashion_mnist", (5, 7, 9), ("mirror",)),
    CLOTHES: ("fashion_mnist", (), tuple(WAYS)),
    DIGITS: ("mnist", (), tuple(WAYS)),
}
CLAIMS: tuple[tuple[str, str, str, Verdict, str], ...] = (  # says, section, way, outcome, data
    ("Mirror images of clothes (without shoes) help.", "4", "mirror", "helps", NO_SHOES),
    ("Mirror images of clothes and shoes help.", "4", "mirror", "helps", CLOTHES),
    ("Mirror images of digits hurt: they change the class.", "4", "mirror", "hurts", DIGITS),
    ("Shifts by a pixel help (clothes and shoes).", "4", "shift", "helps", CLOTHES),
    ("Shifts by a pixel help (digits).", "4", "shift", "helps", DIGITS),
    ("Noise on the inputs helps (clothes).", "5", "noise", "helps", CLOTHES),
    ("Noise on the inputs helps (digits).", "5", "noise", "helps", DIGITS),
)
Sweeps = dict[str, ex.Sweep]  # along the training examples, by data set
SCALES = ex.scales(
    images=({"pool": 4000, "test": 2500, "halved": True}, {}),
    hidden=((160,), (256, 256)),
    steps=(1500, 6000),
    sizes=((100, 500, 3000), (100, 300, 1000, 3000, 10_000, 30_000)),  # training examples
    seeds=(5, 5),
    note=(
        "Scaled down: 14×14 pixels, where a shift by one is one by two of the original's; 2,500 test images.",
        "",
    ),
)


def studies(s: ex.Scale) -> dict[tuple[str, int], ex.Study]:
    """A study for each data set and number of training examples, which are drawn anew for each seed."""
    plain = ex.network(*s.hidden, strategies="momentum(0.9), rate_schedule('cosine')", learning_rate=0.05)
    plain = plain.replace(batch_size=50, steps=s.steps, evaluate_every=s.steps // 2)
    arms = {"plain": plain} | {way: ex.adding(plain, strategy) for way, strategy in WAYS.items()}
    return {
        (title, size): ex.Study(
            ex.images(name, train=size, without=without, **s.images),
            {arm: arms[arm] for arm in ("plain", *ways)},
            s.seeds,
        )
        for title, (name, without, ways) in SETS.items()
        for size in s.sizes
    }


@ex.config
class Augmentation(ex.Exhibit):
    """Mirror images, shifts and noise on clothes and on digits, along the number of examples."""

    title = "Augmentation: what mirror images, shifts and noise are worth"

    def make(self, budget: ex.Budget, store: Path) -> ex.ExhibitResult:
        s = SCALES[budget]
        trained = studies(s)
        compared = ex.compare_all(trained, store)
        sweeps = {title: ex.Sweep({size: compared[title, size] for size in s.sizes}) for title in SETS}
        return self.result(
            draw(sweeps),
            {f"Errors (%) and gains on {title}": table(sweeps[title]) for title in SETS},
            (*(as_said(sweeps, *claim) for claim in CLAIMS), fades(sweeps)),
            (
                f"Hidden layers of {s.hidden}; {ex.described(trained[DIGITS, s.sizes[-1]])} "
                f"Noise of standard deviation {STD:g}, where white is 1.",
                s.note,
                *ex.cautions(*compared.values(), redrawn=True),
            ),
        )


def table(sweep: ex.Sweep) -> pd.DataFrame:
    """Every way's errors and gains, by number of examples."""

    def rows(way: str) -> pd.DataFrame:
        gains = sweep.gains(way) if way in WAYS else {}
        return ex.tabulated("examples", {"error": sweep.errors(way), "gain": gains})

    return ex.grid(rows, way=sweep.series)


def as_said(sweeps: Sweeps, says: str, section: str, way: str, expected: Verdict, data: str) -> ex.Claim:
    """By what it does along the whole range, after Holm's correction over the sizes."""
    seen = f"gain over plain by number of examples {ex.told(sweeps[data], way)}."
    return ex.Claim(says, BOOK + section, seen, ex.agrees(sweeps[data].outcome(way), expected))


@ex.claim(
    "Where augmentation helps, it adds the less, the more examples there are.", "our expectation; no source"
)
def fades(sweeps: Sweeps) -> ex.Judged:
    """The slope of everything that helps is negative, by its whole interval."""
    slopes = ex.Measurements()
    for title, sweep in sweeps.items():
        helping = [way for way in SETS[title][2] if sweep.outcome(way) == "helps"]
        slopes |= {f"{way}, {title}": sweep.slope(way) for way in helping}
    if not slopes:
        return "nothing helps.", None
    return f"change of the gain for ten times the examples: {slopes}.", slopes.all_negative


def samples() -> dict[str, NDArray[np.float32]]:
    """An ankle boot and a 2 as they are, mirrored, shifted and with noise."""
    shown, key = dict[str, NDArray[np.float32]](), jax.random.key(0)
    for name, number in (("fashion_mnist", 9), ("mnist", 2)):
        data = ex.load(name)
        image = jnp.asarray(data.standardized(np.flatnonzero(data.targets == number)[:1])[0])
        versions = {
            "as it is": image,
            "mirrored": mirrored(image),
            "shifted": Shift(1).augment(image, key),
            "noise": NoiseLayer(STD, "input")(image, key=key, training=True),
        }
        shown |= {f"{data.classes[number]},\n{how}": np.asarray(x)[0] for how, x in versions.items()}
    return shown


def draw(sweeps: Sweeps) -> ex.Figure:
    """Samples on top; below, for each data set, errors and gains along the number of examples."""
    figure, (strip, panels) = ex.strips(7.6, 1, 4.6)
    ex.pictures(strip, samples())
    grid = panels.subplots(2, len(sweeps), sharex=True, sharey="row")
    for (errors, gains), (title, sweep) in zip(grid.T, sweeps.items(), strict=True):
        ex.along(errors, sweep.series, title, looks=LOOKS, log="xy")
        ways = {way: sweep.gains(way) for way in SETS[title][2]}
        ex.along(gains, ways, xlabel="training examples", looks=LOOKS, log="x", legend=None)
        ex.level(gains, 0, ls="-")
    grid[0, 0].set_ylabel("test error (%)")
    grid[1, 0].set_ylabel("gain over plain (points)")
    return figure
