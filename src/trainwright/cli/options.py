"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from trainwright.base.errors import SettingError

if TYPE_CHECKING:
    from trainwright.studies.defaults import Budget


def option(help_: str, *names: str, **limits: Any) -> Any:
    """An option with its help."""
    return typer.Option(*names, help=help_, **limits)


def names_in(folder: str) -> Callable[[str], list[str]]:
    """The completion of a name that is a file's in a folder of the package, without importing any."""

    def complete(incomplete: str) -> list[str]:
        files = (Path(__file__).parents[1] / folder).glob("[!_]*.py")
        return sorted(file.stem for file in files if file.stem.startswith(incomplete))

    return complete


def systems_named(incomplete: str) -> list[str]:
    """The completion of a published system's name."""
    from trainwright import systems

    rows = [row for table in systems.tables().values() for row in table.systems]
    return sorted(row.name for row in rows if row.name.startswith(incomplete))


Source = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="A known data set (digits, mnist, fashion_mnist, svhn, svhn_numbers, cifar10, imagenet);"
        " a CSV, Parquet, NPZ or IDX file; or a folder of images.",
    ),
]
Target = Annotated[str | None, option("The column to predict, for a table.")]
Task = Annotated[
    str | None,
    option(
        "classification, regression or sequence (numbers, digit by digit). Default: as the target suggests."
    ),
]
Size = Annotated[int | None, option("The side, in pixels, to which image files are resized.", min=1)]
Group = Annotated[
    str | None,
    option("A table's column, such as the patient: rows with the same value stay on one side of each split."),
]
Network = Annotated[str | None, option("The network, such as 'mlp((256, 256))', or for images convnet.")]
BatchSize = Annotated[int | None, option("Examples per step.")]
Epochs = Annotated[int | None, option("Passes over the training data.")]
System = Annotated[
    str | None,
    option(
        "Start from a published system's recipe, such as 'dropout-3x1024'; `trainwright systems` lists them.",
        autocompletion=systems_named,
    ),
]
Quiet = Annotated[bool, option("Print errors only.", "--quiet", "-q")]
Json = Annotated[bool, option("Print the result as JSON.", "--json")]
Markdown = Annotated[bool, option("Print the result as Markdown.", "--markdown")]


def start(system: str | None, default: Callable[[], Any]) -> Any:
    """The recipe of the published system named on the command line, or else the default one."""
    from trainwright import systems

    return default() if system is None else systems.find(system).recipe()


def changed(
    recipe: Any, network: str | None, batch_size: int | None, epochs: int | None, rate: float | None
) -> Any:
    """A recipe with the settings given on the command line in place of its own.

    Raises `SettingError` unless `network` names one network.
    """
    from trainwright import networks

    given = {"batch_size": batch_size, "epochs": epochs, "learning_rate": rate}
    changes: dict[str, Any] = {name: number for name, number in given.items() if number is not None}
    if network is not None:
        read = networks.read(network)
        if len(read) != 1:
            raise SettingError(f"--network {network!r}: give one network, such as 'mlp((64, 64))'")
        changes["network"] = read[0]
    return recipe.replace(**changes)


def budget_of(text: str) -> Budget:
    """The budget of that name; raises `SettingError` for any other word."""
    from trainwright.studies.defaults import Budget

    if text not in get_args(Budget):
        raise SettingError(f"--budget {text!r}: choose {' or '.join(get_args(Budget))}")
    return text  # type: ignore[return-value]


def apart(out: Path, source: str) -> None:
    """Raises `SettingError` for results that would lie among the data, and would be taken for classes."""
    data, place = Path(source).resolve(), out.resolve()
    if data.is_dir() and data in (place, *place.parents):
        raise SettingError(f"--out {out} is in the data's folder, {source}: choose another one")


def say_notes(notes: Iterable[str], quiet: bool) -> None:
    """What was done to the data and is worth saying, a line each, on standard error."""
    if not quiet:
        for note in notes:
            print(f"note: {note}", file=sys.stderr)


def command(*, without: tuple[str, ...] = ()) -> str:
    """The command line as typed: kept with a result, and shown when it can be run again.

    `without`: options, each with a value, to leave out.
    """
    words = iter(sys.argv[1:])
    kept = []
    for word in words:
        if word in without:
            next(words, None)
        elif word.partition("=")[0] not in without:
            kept.append(word)
    return shlex.join(["trainwright", *kept])
