"""What compiling the training step of an image system takes: processor seconds of tracing, lowering and XLA.

    NPROC=1 python benchmarks/compiling.py googlenet bn-x30 inception

Budget quick, on images of noise of the stand-in's size. Processor time, so that a busy machine matters
little. Beside it, into how many kernels XLA cuts the program: each is compiled by itself.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from trainwright import systems
from trainwright.data import Dataset, Splits
from trainwright.training import step
from trainwright.training.building import Training
from trainwright.training.cohort import Cohort
from trainwright.training.resident import resident

SIDE, CLASSES, EXAMPLES = 32, 10, 40
STEPS = 5  # in an interval; the program is the same for more


def noise() -> Dataset:
    """A few images of the size of CIFAR-10's."""
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(EXAMPLES, SIDE, SIDE, 3), dtype=np.uint8).astype(np.float32) / 255
    targets = np.arange(EXAMPLES, dtype=np.int32) % CLASSES
    train, rest = np.arange(EXAMPLES - 8), np.arange(EXAMPLES - 8, EXAMPLES)
    splits = Splits(train, rest[:4], rest[4:])
    return Dataset("noise", "classification", images, targets, splits, tuple(map(str, range(CLASSES))))


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """What a function gives, and the processor seconds that it takes."""
    start = time.process_time()
    result = function()
    return result, time.process_time() - start


def measure(name: str) -> str:
    """A row of the table."""
    training = Training(systems.find(name).recipe("quick"), noise(), 0)
    (cohort, _), building = timed(lambda: _begun(training))
    order = cohort._batches("order", lambda progress: (0, STEPS))
    arguments = (
        cohort.program,
        cohort.recipe,
        cohort.state,
        order,
        resident(training.data),
        cohort.fold,
    )
    traced, tracing = timed(lambda: step.train_interval.trace(*arguments))
    lowered, lowering = timed(traced.lower)
    compiled, compiling = timed(lowered.compile)
    kernels = compiled.as_text().count(" fusion(")
    seconds = " | ".join(f"{each:.1f}" for each in (building, tracing, lowering, compiling))
    return f"| `{name}` | {seconds} | {kernels:,} |"


def _begun(training: Training) -> tuple[Cohort, Any]:
    cohort = Cohort(training, width=1)
    return cohort, cohort.place(training)


if __name__ == "__main__":
    print("| system | building, s | tracing, s | lowering, s | XLA, s | kernels |")
    print("|---|---:|---:|---:|---:|---:|")
    for name in sys.argv[1:] or ["googlenet", "inception", "bn-x30"]:
        print(measure(name), flush=True)
