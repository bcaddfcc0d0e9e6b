"""The command line. Commands import what they need when they run, so that `--help` is quick."""

from __future__ import annotations

import json
import logging
import os
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from trainwright.errors import DataError, Interrupted, SettingError, StoreError, TrainwrightError

if TYPE_CHECKING:
    from trainwright.compare import Comparison
    from trainwright.defaults import Budget
    from trainwright.study import Study

EXIT_CODES = (
    "Exit codes: 0 done; 1 a bug, or a worker process died; 2 a wrong setting, option or name; "
    "3 data that is missing or malformed; 4 a store, model or report that cannot be read or written; "
    "130 interrupted by Ctrl-C."
)

app = typer.Typer(
    name="trainwright",
    help="Which training strategies help on your data, by how much, and how sure can you be?",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help comes twice as fast
)


def _option(help_: str, *names: str, **limits: Any) -> Any:
    return typer.Option(*names, help=help_, **limits)


Source = Annotated[
    str,
    typer.Argument(metavar="DATA", help="digits, mnist, fashion_mnist, or a CSV, Parquet, NPZ or IDX file."),
]
Target = Annotated[str | None, _option("The column to predict, in a table.")]
Task = Annotated[str | None, _option("classification or regression; if not given, guessed from the target.")]
Network = Annotated[str | None, _option("The architecture, such as 'mlp((256, 256))'.")]
BatchSize = Annotated[int | None, _option("Examples per step.")]
Epochs = Annotated[int | None, _option("Passes over the training split.")]
Quiet = Annotated[bool, _option("Print errors only.", "--quiet", "-q")]
Json = Annotated[bool, _option("Print the result as JSON.", "--json")]
ExhibitBudget = Annotated[str, _option("quick (half a minute each) or full (the lecture's size).")]
ExhibitStore = Annotated[
    Path | None, _option("The folder where the exhibits' trainings are kept. Default: in the cache.")
]
Markdown = Annotated[bool, _option("Print the result as Markdown.", "--markdown")]


@app.command(epilog="Example: trainwright study mnist --arm 'dropout(0.5)' --arm batch_norm --seeds 3")
def study(
    source: Source,
    target: Target = None,
    task: Task = None,
    arm: Annotated[
        list[str] | None,
        _option(
            "Strategies to compare with the plain recipe, such as 'dropout(0.5), l2'. May be repeated."
            " If it is not: the lecture's, one at a time."
        ),
    ] = None,
    base: Annotated[str, _option("Strategies that every arm has, such as 'momentum(0.9)'.")] = "",
    seeds: Annotated[int, _option("Trainings per arm and learning rate.", min=1)] = 10,
    rates: Annotated[
        str | None, _option("Learning rates, '0.01, 0.1': each arm gets the one best on validation.")
    ] = None,
    network: Network = None,
    batch_size: BatchSize = None,
    epochs: Epochs = None,
    budget: Annotated[str, _option("quick or full: the length and the rates where not given.")] = "quick",
    resample: Annotated[bool, _option("Draw a new split for each seed.", "--resample")] = False,
    delta: Annotated[
        float | None,
        _option(
            "A difference in test error too small to matter, 0.002 for 0.2 points; else a tenth of plain's."
        ),
    ] = None,
    level: Annotated[float, _option("The level of confidence.", min=0.5, max=0.999)] = 0.95,
    out: Annotated[Path | None, _option("The folder for report and model. Default: study-DATA.")] = None,
    store: Annotated[Path | None, _option("The folder where runs are kept. Default: OUT/store.")] = None,
    workers: Annotated[int | None, _option("Processes. Default: one per core.", min=1)] = None,
    markdown: Markdown = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare training strategies on a data set.

    The result says which helps, by how much, and how sure that is.

    Every run is kept: a study repeated goes on, and extended trains what is new.
    """
    from trainwright import defaults, strategies
    from trainwright.data import DataSpec
    from trainwright.study import Study

    spec = DataSpec(source, target, task)
    data = spec.load()
    recipe = _recipe(defaults.recipe(data, _budget(budget)), network, batch_size, epochs, None)
    recipe = recipe.replace(strategies=strategies.read(base))
    planned = Study(
        spec,
        defaults.read_arms(recipe, arm or defaults.arms(data)),
        seeds=seeds,
        rates=_rates(rates) if rates else defaults.RATES[_budget(budget)],
        resample=resample,
    )
    folder = out or Path(f"study-{data.name}")
    comparison = _run_study(planned, store or folder / "store", delta, level, workers, quiet)
    _write_study(planned, comparison, store or folder / "store", folder)
    _show(comparison, markdown, as_json, quiet)
    if not quiet and not as_json and not markdown:
        print(f"Report: {folder / 'report.html'}   best model: {folder / 'best-model'}")


@app.command(
    epilog="Example: trainwright fit digits --with 'dropout(hidden_rate=0.5), momentum(0.9)' --out model"
)
def fit(
    source: Source,
    out: Annotated[Path, _option("The folder for the model.")],
    target: Target = None,
    task: Task = None,
    with_: Annotated[str, _option("Strategies, such as 'dropout(0.5), momentum(0.9)'.", "--with")] = "",
    network: Network = None,
    rate: Annotated[float | None, _option("The learning rate.")] = None,
    batch_size: BatchSize = None,
    epochs: Epochs = None,
    seed: Annotated[int, _option("Decides weights, batches and masks.", min=0)] = 0,
    diagnose: Annotated[
        bool, _option("Look into the layers: what ails the training, and what treats it.", "--diagnose")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train one network and keep it as a model."""
    from trainwright import defaults, strategies
    from trainwright import diagnose as diagnosed
    from trainwright.data import load
    from trainwright.environment import keep_compiled
    from trainwright.fit import fit as train
    from trainwright.model import Model
    from trainwright.score import score
    from trainwright.terminal import console, diagnosis_page, facts_table, training_progress

    if out.exists():
        raise StoreError(f"{out} is there already: delete it, or name another folder with --out")
    data = load(source, target=target, task=task)
    recipe = _recipe(defaults.recipe(data), network, batch_size, epochs, rate)
    recipe = recipe.replace(strategies=strategies.read(with_))
    keep_compiled()
    with training_progress(quiet or as_json) as watch:
        run = train(recipe, data, seed, watch=watch)
    found = diagnosed(run, data) if diagnose else None
    if found and not as_json and not quiet:
        console().print(diagnosis_page(found))
    if run.status == "diverged":
        raise SettingError(
            f"the training diverged at step {run.steps}: the loss is no longer finite;"
            f" try a --rate below {recipe.learning_rate:g}"
        )
    Model.of(run, data).save(out)
    result: dict[str, Any] = {
        "model": str(out),
        "updates": run.steps,
        "kept weights of update": run.best_step,
        "parameters": run.parameters,
        "validation error": score(run, "validation").error,
        "test error": score(run, "test").error,
    }
    if as_json:
        print(json.dumps(result | ({"diagnosis": found.to_json()} if found else {})))
    elif not quiet:
        console().print(facts_table(result))


@app.command(epilog="Example: trainwright predict model customers.csv --out predictions.csv")
def predict(
    model: Annotated[Path, typer.Argument(help="A model's folder, made by fit or study.")],
    source: Annotated[
        str, typer.Argument(metavar="DATA", help="A CSV, Parquet, NPZ or IDX file with the same columns.")
    ],
    out: Annotated[Path | None, _option("The CSV file to write; if not given, standard output.")] = None,
    unseen: Annotated[
        str, _option("What to do with a category that training had not: error or zeros.")
    ] = "error",
    quiet: Quiet = False,
) -> None:
    """Predict with a trained model.

    Writes a CSV with a row per example: the prediction, and each class's probability.
    """
    from trainwright.data import read_inputs
    from trainwright.model import Model

    if unseen not in ("error", "zeros"):
        raise SettingError(f"--unseen {unseen}: give error or zeros")
    loaded = Model.load(model)
    raw = read_inputs(source)
    try:
        table = loaded.table(raw, unseen=unseen)
        notes = loaded.preparation.notes(raw)
    except DataError as error:
        raise DataError(f"{source}: {error}") from None
    if not quiet:
        for note in notes:
            print(f"note: {note}", file=sys.stderr)
    if out is None:
        table.to_csv(sys.stdout, index=False)
    else:
        from trainwright import sealed

        with sealed.explained(out.parent):
            sealed.replace_file(out, table.to_csv(index=False).encode(), out.parent)


@app.command(epilog="Example: trainwright report study-digits --markdown")
def report(
    folder: Annotated[Path, typer.Argument(help="A study's folder, as study --out made it.")],
    out: Annotated[Path | None, _option("The HTML file to write. Default: FOLDER/report.html.")] = None,
    markdown: Markdown = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Draw a study's report again and print its tables."""
    from trainwright.comparison import Comparison
    from trainwright.report import write

    stored = folder / "comparison.json"
    try:
        comparison = Comparison.from_json(stored.read_text("utf-8"))
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise StoreError(f"{stored}: {reason}; name the --out folder of a study") from None
    except (StoreError, UnicodeDecodeError):
        raise StoreError(f"{stored} is damaged: repeat the study, its runs are kept") from None
    write(comparison, out or folder / "report.html")
    _show(comparison, markdown, as_json, quiet)


@app.command(name="strategies", epilog="Example: trainwright strategies dropout")
def list_strategies(
    name: Annotated[
        str | None, typer.Argument(help="The strategy to explain; if not given, all are listed.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the strategies, or explain one.

    The explanation: what it changes, its settings, its source, an example.
    """
    from dataclasses import asdict

    from trainwright import catalogue
    from trainwright.terminal import card_page, card_table, console

    cards = [catalogue.card(name)] if name else catalogue.cards()
    if as_json:
        print(json.dumps([asdict(card) for card in cards], indent=1))
    else:
        console().print(card_page(cards[0]) if name else card_table(cards))


@app.command(name="exhibits", epilog="Example: trainwright exhibits --all --out gallery")
def list_exhibits(
    all_: Annotated[bool, _option("Make every exhibit, and one page of them all.", "--all")] = False,
    out: Annotated[Path | None, _option("The folder for the page and its pictures.")] = None,
    budget: ExhibitBudget = "quick",
    store: ExhibitStore = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """List the lecture's figures, or make a gallery of them all."""
    from trainwright import exhibits
    from trainwright.terminal import console, exhibit_table

    if all_ != (out is not None):
        raise SettingError("exhibits: give --all and --out FOLDER together, or neither to list them")
    if out is None:
        titles = {name: exhibits.find(name).title for name in exhibits.names()}
        print(json.dumps(titles, indent=1)) if as_json else console().print(exhibit_table(titles))
        return
    from trainwright import gallery
    from trainwright.environment import keep_compiled

    keep_compiled()
    made = gallery.write(
        out,
        _budget(budget),
        store or gallery.default_store(),
        _command(),
        lambda line: None if quiet else print(line, file=sys.stderr, flush=True),
    )
    if as_json:
        print(json.dumps([gallery.as_json(one) for one in made], indent=1))
    elif not quiet:
        print(f"{out / 'index.html'}")
    sys.exit(gallery.worst(made))


@app.command(name="exhibit", epilog="Example: trainwright exhibit momentum --out pictures")
def make_exhibit(
    name: Annotated[str, typer.Argument(help="The exhibit; `trainwright exhibits` lists them.")],
    out: Annotated[Path, _option("The folder for NAME.svg and NAME.png.")] = Path("exhibits"),
    budget: ExhibitBudget = "quick",
    store: ExhibitStore = None,
    markdown: Markdown = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make one of the lecture's figures anew.

    It is computed and drawn, and held against what the lecture says.
    """
    from trainwright import gallery
    from trainwright.environment import keep_compiled
    from trainwright.terminal import console, exhibit_page

    exhibit = gallery.read(name)
    gallery.prepare(out)
    keep_compiled()
    shown = gallery.show(exhibit, _budget(budget), store or gallery.default_store())
    paths = gallery.write_pictures(shown, out)
    if as_json:
        print(json.dumps(gallery.as_json(shown) | {"pictures": list(map(str, paths))}, indent=1))
    elif markdown:
        print(gallery.markdown(shown, paths[0].name))
    elif not quiet:
        console().print(exhibit_page(shown))
        print(f"\nPictures: {'   '.join(map(str, paths))}")


@app.command(epilog="Example: trainwright data customers.csv --target churned")
def data(source: Source, target: Target = None, task: Task = None, as_json: Json = False) -> None:
    """Say what is in a data set, and what is done to each column.

    A data set known by name is fetched if need be.
    """
    from trainwright.data import facts, load
    from trainwright.terminal import console, facts_table

    found = facts(load(source, target=target, task=task))
    if as_json:
        print(json.dumps(found, indent=1))
    else:
        console().print(facts_table(found))


@app.command()
def doctor(as_json: Json = False) -> None:
    """Say what Trainwright runs on here.

    Versions, device, NPROC, cores, cache, and what is missing.
    """
    from trainwright.data import NAMED, cache_folder
    from trainwright.environment import environment, missing
    from trainwright.terminal import console, facts_table

    found = environment() | {
        "cache": str(cache_folder()),
        "fetched": [name for name in NAMED if (cache_folder() / name).is_dir()] or "nothing yet",
        "missing": missing() or "nothing",
    }
    if as_json:
        print(json.dumps(found, indent=1))
    else:
        console().print(facts_table(found))


def main() -> None:
    """Run the command line; a user's mistake ends in its message and exit code, without a stack trace."""
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("trainwright").setLevel(logging.INFO)  # such as where data is fetched from
    before = signal.signal(signal.SIGINT, _interrupt)
    try:
        app(standalone_mode=True)
    except TrainwrightError as error:
        print(f"trainwright: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupt(*_: object) -> None:
    raise Interrupted("interrupted")


def _run_study(
    planned: Study, store: Path, delta: float | None, level: float, workers: int | None, quiet: bool
) -> Comparison:
    from trainwright.terminal import study_progress

    try:
        with study_progress(len(planned.plan), quiet) as watch:
            return planned.compare(
                store, delta=delta, level=level, command=_command(), workers=workers, watch=watch
            )
    except Interrupted:
        from trainwright.store import Store

        kept = sum(one.digest in Store(store) for one in planned.plan)
        raise Interrupted(
            f"interrupted: {kept} of {len(planned.plan)} runs are kept in {store}; "
            f"the same command goes on from there:\n  {_command()}"
        ) from None


def _write_study(planned: Study, comparison: Comparison, store: Path, folder: Path) -> None:
    from trainwright import sealed
    from trainwright.report import write

    write(comparison, folder / "report.html")
    with sealed.explained(folder):
        content = comparison.to_json().encode() + b"\n"
        sealed.replace_file(folder / "comparison.json", content, folder)
    planned.best_model(store, comparison).save(folder / "best-model", replace=True)


def _show(comparison: Comparison, markdown: bool, as_json: bool, quiet: bool) -> None:
    from trainwright import report
    from trainwright.terminal import console

    if as_json:
        print(comparison.to_json())
    elif markdown:
        print(report.markdown(comparison))
    elif not quiet:
        for part in (report.table, report.cost_table, report.findings):
            console().print(part(comparison), "")


def _recipe(
    recipe: Any, network: str | None, batch_size: int | None, epochs: int | None, rate: float | None
) -> Any:
    from trainwright import networks

    given = {"batch_size": batch_size, "epochs": epochs, "learning_rate": rate}
    changes: dict[str, Any] = {name: number for name, number in given.items() if number is not None}
    if network is not None:
        read = networks.read(network)
        if len(read) != 1:
            raise SettingError(f"--network {network!r}: name one network, such as 'mlp((64, 64))'")
        changes["network"] = read[0]
    return recipe.replace(**changes)


def _rates(text: str) -> tuple[float, ...]:
    try:
        rates = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise SettingError(
            f"--rates {text!r}: give numbers with commas between, such as '0.01, 0.1'"
        ) from None
    return tuple(dict.fromkeys(rates))


def _budget(text: str) -> Budget:
    from trainwright.defaults import Budget

    if text not in get_args(Budget):
        raise SettingError(f"--budget {text!r}: give one of {', '.join(get_args(Budget))}")
    return text  # type: ignore[return-value]


def _command() -> str:
    return shlex.join(["trainwright", *sys.argv[1:]])
