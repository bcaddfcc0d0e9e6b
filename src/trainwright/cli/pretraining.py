"""`trainwright pretraining`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from trainwright.base.errors import SettingError, StoreError
from trainwright.cli.options import (
    Json,
    Network,
    Quiet,
    Size,
    Source,
    System,
    Target,
    Task,
    apart,
    changed,
    option,
    start,
)

if TYPE_CHECKING:
    from trainwright.pretraining import Machines
    from trainwright.recipe import Recipe

PLAIN = "activation('sigmoid'), rbm"
FILTERS = 100  # drawn, of the first units


def run(
    source: Source,
    out: Annotated[Path, option("The folder for pictures and features.")],
    target: Target = None,
    task: Task = None,
    size: Size = None,
    with_: Annotated[
        str | None, option(f"Strategies. Default: {PLAIN!r}, or the system's own alone.", "--with")
    ] = None,
    system: System = None,
    network: Network = None,
    seed: Annotated[int, option("Random seed for first weights, batches and samples.", min=0)] = 0,
    samples: Annotated[int, option("How many samples to draw.", min=1)] = 100,
    sweeps: Annotated[int, option("Sweeps of Gibbs sampling from a random start, for each.", min=1)] = 1000,
    store: Annotated[
        Path | None, option("The folder where pretrainings are kept. Default: in the cache.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Pretrain on inputs alone, and show what was learned.

    Writes filters.png (the first layer's weights), samples.png (inputs that it makes up), curve.png and
    history.csv (reconstruction error and free energy, epoch by epoch), and features.npz: the top layer's
    features with their targets, which `trainwright study` reads. A test set of the data's own stays apart;
    without one, features were learned from some of the examples that a study tests on, though never from
    their targets. Rerun the same command to resume.
    """
    from trainwright import strategies
    from trainwright.base import files
    from trainwright.base.cache import cache_folder
    from trainwright.base.environment import keep_compiled
    from trainwright.cli.progress import training_progress
    from trainwright.cli.terminal import console, facts_table
    from trainwright.data import load
    from trainwright.report import machines
    from trainwright.runs.run import arrays_of
    from trainwright.runs.store import Store
    from trainwright.studies import defaults
    from trainwright.training.building import Training
    from trainwright.training.checkpoints import StoredCheckpoints
    from trainwright.training.pretraining import divergence, pretrain

    apart(out, source)
    if out.exists():
        raise StoreError(f"{out} already exists: delete it, or choose another folder with --out")
    data = load(source, target=target, task=task, size=size)
    recipe = changed(start(system, lambda: defaults.recipe(data)), network, None, None, None)
    given = with_ if with_ is not None else "" if system else PLAIN
    recipe = recipe.adding(*strategies.read(given))
    machine = _machines(recipe)
    keep_compiled()
    with files.explained(out.parent):
        files.probe(out.parent)
    checkpoints = StoredCheckpoints(Store(store or cache_folder() / "systems"))
    with training_progress(data.task, quiet or as_json) as watch:
        pretrained = pretrain(Training(recipe, data, seed), checkpoints, watch.pretraining)
    histories = {trained.part: trained.history for trained in pretrained}
    if diverged := divergence(histories):
        raise SettingError(diverged)
    arrays = arrays_of(pretrained)
    made_up = machine.samples(arrays, samples, sweeps, seed)
    contents = {
        "filters.png": machines.filters(machine.filters(arrays)[:FILTERS], data.shape),
        "samples.png": machines.samples(made_up, data.shape),
        "curve.png": machines.curve(histories),
        "history.csv": machines.table(histories),
        "features.npz": _features(machine, arrays, data),
    }
    with files.explained(out.parent):
        if not files.write(out, contents, out.parent):
            raise StoreError(f"{out} already exists: delete it, or choose another folder with --out")
    facts = {
        trained.part: {
            "epochs": len(trained.history["step"]),
            "reconstruction_error": float(trained.history["reconstruction_error"][-1]),
            "free_energy_gap": float(trained.history["free_energy_gap"][-1]),
            "seconds": trained.seconds,
        }
        for trained in pretrained
    }
    if as_json:
        print(json.dumps({"folder": str(out), "files": sorted(contents), "pretraining": facts}))
    elif not quiet:
        shown = {part: {name: f"{fact:.4g}" for name, fact in rest.items()} for part, rest in facts.items()}
        console().print(facts_table(shown | {"folder": out, "files": sorted(contents)}))


def _machines(recipe: Recipe) -> Machines:
    """The strategy that pretrains; `SettingError` where there is none, or none that shows what it learned."""
    from trainwright.pretraining import Machines
    from trainwright.strategy import users

    for strategy in users(recipe.strategies, "pretraining"):
        if isinstance(strategy, Machines):
            return strategy
    raise SettingError(
        f"pretraining: no strategy of the recipe pretrains: give one, as in --with {PLAIN!r} or --system dbn"
    )


def _features(machine: Machines, arrays: Any, data: Any) -> bytes:
    """The features of all examples with their targets, as a data set of arrays; its test set stays apart."""
    import io

    import numpy as np

    def part(rows: Any) -> tuple[Any, Any]:
        chunks = np.array_split(rows, -(-len(rows) // 4096))
        features = [machine.transform(arrays, data.standardized(chunk)[0]) for chunk in chunks]
        labels = data.labels(rows)
        named = np.asarray(data.classes)[labels] if data.task == "classification" else labels
        return np.concatenate(features), named

    everything = np.arange(len(data.targets))
    file = io.BytesIO()
    if data.own_test:
        (x_train, y_train), (x_test, y_test) = map(
            part, (np.setdiff1d(everything, data.splits.test), data.splits.test)
        )
        np.savez(file, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    else:
        x, y = part(everything)
        np.savez(file, x=x, y=y)
    return file.getvalue()
