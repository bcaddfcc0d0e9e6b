"""Options that more than one command has, and how what is given is read."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from trainwright.base.errors import SettingError

if TYPE_CHECKING:
    from trainwright.studies.defaults import Budget


def option(help_: str, *names: str, **limits: Any) -> Any:
    """An option with its help."""
    return typer.Option(*names, help=help_, **limits)


Source = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="digits, mnist, fashion_mnist, svhn, svhn_numbers, cifar10, imagenet;"
        " a CSV, Parquet, NPZ or IDX file; or a folder of images.",
    ),
]
Target = Annotated[str | None, option("The column to predict, in a table.")]
Task = Annotated[str | None, option("classification or regression; if not given, guessed from the target.")]
Size = Annotated[int | None, option("The side in pixels that images in files are read in.", min=1)]
Network = Annotated[str | None, option("The architecture, such as 'mlp((256, 256))'.")]
BatchSize = Annotated[int | None, option("Examples per step.")]
Epochs = Annotated[int | None, option("Passes over the training split.")]
Quiet = Annotated[bool, option("Print errors only.", "--quiet", "-q")]
Json = Annotated[bool, option("Print the result as JSON.", "--json")]
Markdown = Annotated[bool, option("Print the result as Markdown.", "--markdown")]


def changed(
    recipe: Any, network: str | None, batch_size: int | None, epochs: int | None, rate: float | None
) -> Any:
    """A recipe with what was given on the command line in place of its own.

    Raises `SettingError` unless `network` names one network.
    """
    from trainwright import networks

    given = {"batch_size": batch_size, "epochs": epochs, "learning_rate": rate}
    changes: dict[str, Any] = {name: number for name, number in given.items() if number is not None}
    if network is not None:
        read = networks.read(network)
        if len(read) != 1:
            raise SettingError(f"--network {network!r}: name one network, such as 'mlp((64, 64))'")
        changes["network"] = read[0]
    return recipe.replace(**changes)


def budget_of(text: str) -> Budget:
    """The budget that was given; raises `SettingError` for another word."""
    from trainwright.studies.defaults import Budget

    if text not in get_args(Budget):
        raise SettingError(f"--budget {text!r}: give one of {', '.join(get_args(Budget))}")
    return text  # type: ignore[return-value]


def command() -> str:
    """What was typed, to be kept with a result and said when it can be repeated."""
    return shlex.join(["trainwright", *sys.argv[1:]])
