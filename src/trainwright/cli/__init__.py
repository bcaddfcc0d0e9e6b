"""The command line, a file for each command.

A command imports what it needs when it runs, so that `--help` is quick.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
import threading
from typing import Annotated

import typer

from trainwright import __version__
from trainwright.base.errors import Interrupted, TrainwrightError
from trainwright.cli import (
    best,
    compare,
    data,
    doctor,
    exhibits,
    fit,
    predict,
    pretraining,
    report,
    strategies,
    study,
    system,
    systems,
)
from trainwright.cli.options import option

EXIT_CODES = (
    "Exit codes: 0 success; 1 a bug, or a worker process that died; 2 an invalid setting, option or name; "
    "3 missing or malformed data; 4 a store, model or report that cannot be read or written; "
    "130 interrupted by Ctrl-C."
)

app = typer.Typer(
    name="trainwright",
    help="Which training strategies help on your data, by how much, and how sure can you be?",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help comes twice as fast
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"trainwright {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, option("Print the version and exit.", "--version", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    pass


for name, run, example in (
    ("study", study.run, "study mnist --arm 'dropout(0.5)' --arm batch_norm --seeds 3"),
    ("best", best.run, "best customers.csv --target churned --minutes 10"),
    ("fit", fit.run, "fit digits --with 'dropout(hidden_rate=0.5), momentum(0.9)' --out model"),
    ("pretraining", pretraining.run, "pretraining mnist --system dbn --out dbn"),
    ("predict", predict.run, "predict model customers.csv --out predictions.csv"),
    ("compare", compare.run, "compare scores.csv --reference plain --higher-is-better"),
    ("report", report.run, "report study-digits --markdown"),
    ("strategies", strategies.run, "strategies dropout"),
    ("exhibits", exhibits.run_all, "exhibits --all --out gallery"),
    ("exhibit", exhibits.run_one, "exhibit momentum --out pictures"),
    ("systems", systems.run, "systems --table dropout"),
    ("system", system.run, "system dropout-3x1024 --budget quick"),
    ("data", data.run, "data customers.csv --target churned"),
    ("doctor", doctor.run, "doctor"),
):
    app.command(name, epilog=f"Example: trainwright {example}")(run)


def main() -> None:
    """Run the command line; a user's mistake ends in its message and exit code, without a stack trace."""
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("trainwright").setLevel(logging.INFO)  # such as where data is downloaded from
    before, hook = signal.signal(signal.SIGINT, _interrupt), sys.unraisablehook
    sys.unraisablehook = lambda lost: _again() if issubclass(lost.exc_type, Interrupted) else hook(lost)
    try:
        app(standalone_mode=True)
    except (TrainwrightError, Interrupted) as error:
        print(f"trainwright: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as problem:
        if problem.errno != errno.ENOSPC or problem.filename:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left unwritten is lost
        print("trainwright: cannot write to standard output: the disk is full", file=sys.stderr)
        sys.exit(4)
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # whoever read it, like `head`, has gone
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)
        raise
    finally:
        signal.signal(signal.SIGINT, before)
        sys.unraisablehook = hook


def _interrupt(*_: object) -> None:
    raise Interrupted("interrupted")


def _again() -> None:
    """Python drops what is raised in a finaliser or in a callback of the garbage collector, where Ctrl-C may
    happen to arrive: interrupt once more, a moment later."""
    threading.Timer(0.01, signal.raise_signal, (signal.SIGINT,)).start()
