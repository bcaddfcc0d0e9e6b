"""How much memory a training takes that streams its images, beside one that keeps them: a record as Markdown.

    python benchmarks/feed.py > results/feed.md

Images of noise are made in a temporary folder, and the same small network is trained on N and on 2N of them,
in a process of its own each time. What counts is how the peak grows with the number of images.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image

from trainwright.base.environment import environment

SIDE, CLASSES = 128, 4
COUNTS = (8000, 16000)
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


def measured(folder: Path, limit: float) -> tuple[int, str]:
    """The peak in megabytes and the weights' digest of a training with this limit."""
    done = subprocess.run(
        [sys.executable, __file__, str(folder)],
        env=os.environ | {"TRAINWRIGHT_MEMORY": str(limit)},
        capture_output=True,
        text=True,
        check=True,
    )
    peak, digest = done.stdout.split()
    return int(peak), digest


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
    on = environment()
    versions = ", ".join(f"{package} {on[package]}" for package in ("python", "jax", "flax", "numpy"))
    print(f"\n{datetime.now(UTC):%Y-%m-%d}; {on['cores']} cores, {on['device']}, {versions}.")


if __name__ == "__main__":
    train(sys.argv[1]) if len(sys.argv) > 1 else main()
