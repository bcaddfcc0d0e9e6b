"""Search the schedule of the systems' budget `standard`, and what to add to one, on validation; no test
example is looked at.

Usage: python benchmarks/schedule.py [--system NAME] [--epochs 60] [--store FOLDER] [SCHEDULE ...]

Trains one system on 50,000 of MNIST's training images under each schedule below (or those named), one after
the other, and writes the errors on the other 10,000 to results/systems/schedule-SYSTEM-EPOCHS.json after
each. Rerun it to resume. Search short first (60 epochs, six minutes each on two cores), then give the best
few the length that they are meant for (`--epochs 300 fast base`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainwright.base import files
from trainwright.base.cache import cache_folder
from trainwright.base.environment import environment, keep_compiled
from trainwright.cli.progress import training_progress
from trainwright.data import load
from trainwright.recipe import Recipe
from trainwright.runs.run import Run
from trainwright.runs.store import Store, digest
from trainwright.strategies import (
    L2,
    LabelSmoothing,
    Mixup,
    Momentum,
    PolyakAveraging,
    RateSchedule,
    VirtualAdversarialTraining,
)
from trainwright.systems import find
from trainwright.training.building import Training
from trainwright.training.checkpoints import StoredCheckpoints
from trainwright.training.fit import fit

RESULTS = Path(__file__).parents[1] / "results" / "systems"

SCHEDULES: dict[str, Callable[[Recipe], Recipe]] = {
    "base": lambda recipe: recipe,
    "slow": lambda recipe: recipe.replace(learning_rate=0.05),
    "slower": lambda recipe: recipe.replace(learning_rate=0.02),
    "slowest": lambda recipe: recipe.replace(learning_rate=0.01),
    "slow-l2": lambda recipe: recipe.replace(learning_rate=0.05).adding(L2(1e-5)),
    "slow-l2-more": lambda recipe: recipe.replace(learning_rate=0.05).adding(L2(1e-4)),
    "fast": lambda recipe: recipe.replace(learning_rate=0.2),
    "heavy": lambda recipe: recipe.replace(learning_rate=0.05).adding(Momentum(0.95, nesterov=True)),
    "heavier": lambda recipe: recipe.replace(learning_rate=0.02).adding(Momentum(0.98, nesterov=True)),
    "linear": lambda recipe: recipe.adding(RateSchedule("linear")),
    "exponential": lambda recipe: recipe.adding(RateSchedule("exponential")),
    "warm": lambda recipe: recipe.replace(learning_rate=0.2).adding(RateSchedule("cosine", warmup=0.1)),
    "small-batch": lambda recipe: recipe.replace(batch_size=64, learning_rate=0.05),
    "smaller-batch": lambda recipe: recipe.replace(batch_size=32, learning_rate=0.05),
    "smallest-batch": lambda recipe: recipe.replace(batch_size=16, learning_rate=0.05),
    "large-batch": lambda recipe: recipe.replace(batch_size=256, learning_rate=0.15),
    "averaged": lambda recipe: recipe.adding(PolyakAveraging(decay=0.999)),
    "mixed": lambda recipe: recipe.adding(Mixup(0.2)),
    "smoothed": lambda recipe: recipe.adding(LabelSmoothing(0.1)),
    "virtual": lambda recipe: recipe.adding(VirtualAdversarialTraining(2.1)),
}
"""By name, what is changed of the system's own recipe."""


def main() -> None:
    given = arguments()
    keep_compiled()
    base = find(given.system).recipe("standard").replace(epochs=given.epochs)
    store, trained = Store(given.store), []
    for name in given.names or SCHEDULES:
        print(f"{name} ...", file=sys.stderr, flush=True)
        trained.append(summary(name, train(SCHEDULES[name](base), store)))
        write(given.system, given.epochs, trained)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Search the schedule of the budget standard, on validation.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SCHEDULES)}")
    parser.add_argument("--system", default="dropout-3x1024-max-norm")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--store", type=Path, default=cache_folder() / "systems")
    given = parser.parse_args()
    if unknown := set(given.names) - set(SCHEDULES):
        parser.error(f"no schedule {', '.join(unknown)}: choose from {', '.join(SCHEDULES)}")
    return given


def train(recipe: Recipe, store: Store) -> Run:
    """The run of seed 0, from the store or trained now."""
    data = load("mnist")
    name = digest(recipe.to_json(), data.fingerprint, 0)
    if name not in store:
        checkpoints = StoredCheckpoints(store)
        with training_progress(data.task, False) as watch:
            store.write(fit(recipe, data, 0, watch=watch.training, checkpoints=checkpoints))
        checkpoints.drop(Training(recipe, data, 0))
    return store.read(name)


def summary(name: str, run: Run) -> dict[str, Any]:
    """What is compared: the last five evaluations' mean, for one evaluation is 0.1 points off either way."""
    errors = 100 * run.history["validation_error"]
    return {
        "schedule": name,
        "recipe": run.recipe,
        "status": run.status,
        "steps": run.steps,
        "seconds": round(run.seconds),
        "validation_error_percent": round(float(errors[-5:].mean()), 3),
        "curve": [round(float(error), 2) for error in errors],
    }


def write(system: str, epochs: int, trained: list[dict[str, Any]]) -> None:
    """Write what is there so far, best first, and show it."""
    ranked = sorted(trained, key=lambda one: one["validation_error_percent"])
    content = {"system": system, "epochs": epochs, "schedules": ranked, "environment": environment()}
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=1) + "\n"
    files.replace_file(RESULTS / f"schedule-{system}-{epochs}.json", text.encode(), RESULTS)
    for one in ranked:
        print(f"{one['validation_error_percent']:.3f} %  {one['schedule']}  ({one['seconds']} s)")


if __name__ == "__main__":
    main()
