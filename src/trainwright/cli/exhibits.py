"""`trainwright exhibits` and `trainwright exhibit`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from trainwright.base.errors import SettingError
from trainwright.cli.options import Json, Markdown, Quiet, budget_of, command, names_in, option

BudgetName = Annotated[str, option("quick (about half a minute each) or full (the lecture's size).")]
Store = Annotated[Path | None, option("The folder for the exhibits' training runs. Default: in the cache.")]


def run_all(
    all_: Annotated[bool, option("Build every exhibit, and one page that shows them all.", "--all")] = False,
    out: Annotated[Path | None, option("The folder for the page and its pictures.")] = None,
    budget: BudgetName = "quick",
    store: Store = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """List the lecture's exhibits, or build a gallery of all of them."""
    from trainwright import exhibits
    from trainwright.cli.terminal import console, exhibit_table

    if all_ != (out is not None):
        raise SettingError("exhibits: give --all together with --out FOLDER, or neither to list the exhibits")
    if out is None:
        titles = {name: exhibits.find(name).title for name in exhibits.names()}
        print(json.dumps(titles, indent=1)) if as_json else console().print(exhibit_table(titles))
        return
    from trainwright import gallery
    from trainwright.base.environment import keep_compiled

    keep_compiled()
    made = gallery.write(
        out,
        budget_of(budget),
        store or gallery.default_store(),
        command(),
        lambda line: None if quiet else print(line, file=sys.stderr, flush=True),
    )
    if as_json:
        print(json.dumps([gallery.as_json(exhibit) for exhibit in made], indent=1))
    elif not quiet:
        print(f"{out / 'index.html'}")
    sys.exit(gallery.exit_code(made))


def run_one(
    name: Annotated[
        str,
        typer.Argument(
            help="The exhibit; `trainwright exhibits` lists them.", autocompletion=names_in("exhibits")
        ),
    ],
    out: Annotated[Path, option("The folder for NAME.svg and NAME.png.")] = Path("exhibits"),
    budget: BudgetName = "quick",
    store: Store = None,
    markdown: Markdown = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Reproduce one of the lecture's figures.

    Computes and draws it, and checks it against what the lecture says.
    """
    from trainwright import gallery
    from trainwright.base.environment import keep_compiled
    from trainwright.cli.terminal import console, exhibit_page

    exhibit = gallery.read(name)
    gallery.prepare(out)
    keep_compiled()
    shown = gallery.show(exhibit, budget_of(budget), store or gallery.default_store())
    paths = gallery.write_pictures(shown, out)
    if as_json:
        print(json.dumps(gallery.as_json(shown) | {"pictures": list(map(str, paths))}, indent=1))
    elif markdown:
        print(gallery.markdown(shown, paths[0].name))
    elif not quiet:
        console().print(exhibit_page(shown))
        print(f"\nPictures: {'   '.join(map(str, paths))}")
