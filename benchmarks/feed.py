"""How much memory a training takes that streams its images, beside one that keeps them, and how long it waits
for images: a record as Markdown.

    python benchmarks/feed.py > results/feed.md

Images of noise are made in a temporary folder, and the same small network is trained on N and on 2N of them,
in a process of its own each time. What counts is how the peak grows with the number of images. Then a
convolutional network is trained, and what its epochs wait for blocks of images is measured.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from trainwright.base.environment import environment

SIDE, CLASSES = 128, 4
COUNTS = (8000, 16000)
SMALL = 64  # pixels to which the convolutional network's images are resized
FEW = 4000  # images that it is trained on
LIMIT = 0.04  # gigabytes that images may take


def make(folder: Path, count: int) -> None:
    """So many JPEGs of smooth noise, in a folder for each class."""
    rng = np.random.default_rng(0)
    for number in range(count):
        coarse = Image.fromarray(rng.integers(256, size=(8, 8, 3), dtype=np.uint8))
        path = folder / f"class{number % CLASSES}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(path)


def train(folder: str) -> None:
    """Train on a folder, in this process, and print its peak of memory, in megabytes, and the weights'
    digest."""
    import hashlib

    from trainwright import Recipe
    from trainwright.data import load
    from trainwright.networks.mlp import Mlp
    from trainwright.training.fit import fit

    run = fit(Recipe(Mlp((16,)), learning_rate=1e-4, batch_size=32, epochs=2), load(folder))
    digest = hashlib.sha256(b"".join(array.tobytes() for array in run.weights.values())).hexdigest()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e3 if sys.platform == "linux" else 1e6)
    print(f"{peak:.0f} {digest[:16]}")


def wait(folder: str) -> None:
    """Train a convolutional network on a folder, in this process, and print the seconds that its epochs after
    the first took, and those in which the training waited for images."""
    from trainwright import Recipe
    from trainwright.data import load
    from trainwright.networks.convnet import Convnet
    from trainwright.training import feed
    from trainwright.training.fit import fit

    waits, moments = [0.0], []
    blocks = feed.blocks

    def timed(*arguments: Any) -> Iterator[Any]:
        read = blocks(*arguments)
        while True:
            start = time.perf_counter()
            block = next(read, None)
            waits[0] += time.perf_counter() - start
            if block is None:
                return
            yield block

    feed.blocks = timed
    recipe = Recipe(Convnet(((20, 5, 2), (50, 5, 2)), (500,)), learning_rate=1e-3, batch_size=128, epochs=3)
    fit(recipe, load(folder, size=SMALL), watch=lambda _: moments.append((time.perf_counter(), waits[0])))
    (first, before), *_, (last, after) = moments
    print(f"{last - first:.1f} {after - before:.2f}")


def measured(folder: Path, limit: float) -> tuple[int, str]:
    """The peak in megabytes and the weights' digest of a training with this limit."""
    peak, digest = in_a_process("train", folder, limit)
    return int(peak), digest


def in_a_process(what: str, folder: Path, limit: float) -> list[str]:
    """The words that `train` or `wait` prints with this limit."""
    done = subprocess.run(
        [sys.executable, __file__, what, str(folder)],
        env=os.environ | {"TRAINWRIGHT_MEMORY": str(limit)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def main() -> None:
    """Measure, and print the record."""
    print("# Memory of a training that streams its images\n")
    print(
        f"`python benchmarks/feed.py`: images of {SIDE}×{SIDE}×3 bytes, a layer of 16 units, batches of 32, "
        f"two epochs.\nStreamed: images may take {LIMIT:g} GB. The peak is that of the whole process, JAX "
        "included.\n"
    )
    print("| images | their bytes, MB | peak in memory, MB | peak streamed, MB | same weights |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as made:
        for count in COUNTS:
            folder = Path(made) / str(count)
            make(folder, count)
            (kept, first), (streamed, second) = measured(folder, 8.0), measured(folder, LIMIT)
            size = count * SIDE * SIDE * 3 / 1e6
            print(f"| {count:,} | {size:.0f} | {kept} | {streamed} | {'yes' if first == second else 'no'} |")
        make(folder := Path(made) / "few", FEW)
        seconds, waited = map(float, in_a_process("wait", folder, LIMIT))
    print(
        f"\nA convolutional network (20 and 50 of 5×5, 500 units, batches of 128) on {FEW:,} images at\n"
        f"{SMALL}×{SMALL}, streamed: two epochs and their evaluations took {seconds:.1f} s, of which it\n"
        f"waited {waited:.1f} s ({100 * waited / seconds:.0f} %) for images."
    )
    on = environment()
    versions = ", ".join(f"{package} {on[package]}" for package in ("python", "jax", "flax", "numpy"))
    print(f"\n{datetime.now(UTC):%Y-%m-%d}; {on['cores']} cores, {on['device']}, {versions}.")


if __name__ == "__main__":
    {"train": train, "wait": wait}[sys.argv[1]](sys.argv[2]) if len(sys.argv) > 1 else main()
