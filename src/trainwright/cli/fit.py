"""`trainwright fit`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Annotated, Any

from trainwright.base.errors import Interrupted, SettingError, StoreError
from trainwright.cli.options import (
    BatchSize,
    Epochs,
    Group,
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
    say_notes,
    start,
)


def run(
    source: Source,
    out: Annotated[Path, option("The folder for the model.")],
    target: Target = None,
    task: Task = None,
    size: Size = None,
    group: Group = None,
    with_: Annotated[str, option("Strategies, such as 'dropout(0.5), momentum(0.9)'.", "--with")] = "",
    system: System = None,
    network: Network = None,
    rate: Annotated[float | None, option("The learning rate.")] = None,
    batch_size: BatchSize = None,
    epochs: Epochs = None,
    seed: Annotated[int, option("Random seed for weights, batch order and dropout masks.", min=0)] = 0,
    diagnose: Annotated[
        bool, option("Report symptoms layer by layer, and which strategy treats them.", "--diagnose")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train one network and save it as a model.

    If interrupted, rerun the same command to resume: progress is saved in OUT.partial every half minute.
    """
    from trainwright import diagnose as diagnosed
    from trainwright import strategies
    from trainwright.base import files
    from trainwright.base.environment import keep_compiled
    from trainwright.cli.progress import training_progress
    from trainwright.cli.terminal import console, diagnosis_page, facts_table
    from trainwright.data import load
    from trainwright.model import Model
    from trainwright.report.caution_sentences import worded
    from trainwright.report.quantities import single
    from trainwright.runs.score import score
    from trainwright.runs.store import Store
    from trainwright.studies import defaults
    from trainwright.training.checkpoints import StoredCheckpoints
    from trainwright.training.fit import fit as train
    from trainwright.training.pretraining import divergence

    apart(out, source)
    if out.exists():
        raise StoreError(f"{out} already exists: delete it, or choose another folder with --out")
    data = load(source, target=target, task=task, size=size, group=group)
    say_notes(data.notes, quiet or as_json)
    recipe = changed(start(system, lambda: defaults.recipe(data)), network, batch_size, epochs, rate)
    recipe = recipe.adding(*strategies.read(with_))
    say_notes(map(worded, defaults.advice(data, recipe)), quiet or as_json)
    keep_compiled()
    partial = out.with_name(f"{out.name}.partial")
    with files.explained(out.parent):
        files.probe(out.parent)
    try:
        with training_progress(data.task, quiet or as_json) as watch:
            run = train(
                recipe,
                data,
                seed,
                watch=watch.training,
                watch_pretraining=watch.pretraining,
                checkpoints=StoredCheckpoints(Store(partial)),
            )
    except Interrupted:
        if partial.exists():
            raise Interrupted(f"interrupted: rerun the same command to resume from {partial}") from None
        raise Interrupted("interrupted before any progress was saved") from None
    diagnosis = diagnosed(run, data) if diagnose else None
    if diagnosis and not as_json and not quiet:
        console().print(diagnosis_page(diagnosis))
    if run.status == "diverged":
        shutil.rmtree(partial, ignore_errors=True)
        before = divergence({facts["part"]: facts["history"] for facts in run.pretraining})
        raise SettingError(
            before
            or f"the training diverged at step {run.steps}: the loss is no longer finite;"
            f" try a --rate below {recipe.learning_rate:g}"
        )
    Model.of(run, data).save(out)
    shutil.rmtree(partial, ignore_errors=True)
    result: dict[str, Any] = {
        "model": str(out),
        "steps": run.steps,
        "best_step": run.best_step,
        "parameters": run.parameters,
        "validation_error": score(run, "validation").error,
        "test_error": score(run, "test").error,
    }
    if as_json:
        result |= {"pretraining": run.pretraining} if run.pretraining else {}
        print(json.dumps(result | ({"diagnosis": diagnosis.to_json()} if diagnosis else {})))
    elif not quiet:
        errors = {name: single(error, data.task) for name, error in result.items() if "error" in name}
        gaps = {
            f"{facts['part']}: free energy gap": f"{facts['history']['free_energy_gap'][-1]:.2f} nats"
            for facts in run.pretraining
        }
        console().print(facts_table(result | errors | gaps))
