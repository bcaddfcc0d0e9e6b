"""The gallery: exhibits made, and shown as pictures, as Markdown and as one offline page.

All exhibits are drawn in one style, on white paper: they also go into slides and print.
"""

from __future__ import annotations

import io
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from cycler import cycler
from markupsafe import Markup

from trainwright import exhibits
from trainwright.base import files
from trainwright.base.cache import cache_folder
from trainwright.base.errors import SettingError, TrainwrightError
from trainwright.exhibit import Claim, Exhibit, ExhibitResult, flat, sign, spelled
from trainwright.exhibit.panels import PALETTE
from trainwright.report import html
from trainwright.report.canvas import unique_ids
from trainwright.report.catalogue import paragraphs
from trainwright.report.markdown_text import prose, row_of
from trainwright.report.quantities import typeset
from trainwright.studies.defaults import Budget

STYLE: dict[Any, Any] = {
    "figure.figsize": (7.6, 4.2),  # inches; a page is 760 CSS pixels wide
    "figure.dpi": 100,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.w_pad": 0.08,
    "figure.constrained_layout.h_pad": 0.08,
    "figure.facecolor": "white",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 9.5,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.framealpha": 0.85,
    "legend.edgecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=PALETTE),
    "axes.axisbelow": True,
    "grid.alpha": 0.25,
    "svg.hashsalt": "trainwright",  # the same drawing gives the same file
}


@dataclass(frozen=True)
class Failed:
    """An exhibit that could not be made."""

    name: str
    title: str
    reason: str
    exit_code: int


def default_store() -> Path:
    """Where the exhibits' trainings are kept unless said otherwise."""
    return cache_folder() / "exhibits"


def show(exhibit: Exhibit, budget: Budget, store: Path) -> ExhibitResult:
    """Make an exhibit, in the gallery's style over Matplotlib's defaults (not the user's)."""
    with style():
        return exhibit.make(budget, store)


@contextmanager
def style() -> Iterator[None]:
    """The gallery's style, for the drawing of a figure and for its saving: some of it acts only then."""
    with matplotlib.rc_context():
        matplotlib.rcParams.update(matplotlib.rcParamsDefault)
        matplotlib.rcParams.update(STYLE)
        yield


def read(name: str) -> Exhibit:
    """The exhibit as written on the command line; `SettingError` unless it is one that exists."""
    found = exhibits.read(name)
    if len(found) != 1:
        raise SettingError(f"exhibit {name!r}: name one of {', '.join(exhibits.names())}")
    return found[0]


def picture(shown: ExhibitResult, kind: str) -> bytes:
    """The figure as a file's content, `svg` or `png` (1,140 pixels wide for a page's width)."""
    file = io.BytesIO()
    with style():
        metadata = dict.fromkeys(("Date", "Creator")) if kind == "svg" else {"Software": None}
        shown.figure.savefig(file, format=kind, dpi=150, metadata=metadata)
    return file.getvalue()


def prepare(folder: Path) -> None:
    """Make a folder, before the work for it is done. Raises `StoreError` where that cannot be."""
    with files.explained(folder):
        files.probe(folder)


def write_pictures(shown: ExhibitResult, folder: Path) -> list[Path]:
    """Write NAME.svg and NAME.png into a folder. Raises `StoreError` where that cannot be."""
    paths = [folder / f"{shown.name}.{kind}" for kind in ("svg", "png")]
    with files.explained(folder):
        for path in paths:
            files.replace_file(path, picture(shown, path.suffix[1:]), folder)
    return paths


def write(
    folder: Path, budget: Budget, store: Path, command: str, watch: Callable[[str], None] = lambda line: None
) -> list[ExhibitResult | Failed]:
    """Make every exhibit; write its pictures, and after each one the page of those made so far.

    An exhibit that fails is shown as failed, and the others go on. Raises `StoreError` if the folder cannot
    be written.
    """
    made: list[ExhibitResult | Failed] = []
    write_page(made, folder, command)
    for name in exhibits.names():
        watch(f"{name} ...")
        one = _attempt(name, budget, store)
        made.append(one)
        if isinstance(one, ExhibitResult):
            write_pictures(one, folder)
        write_page(made, folder, command)
    return made


def write_page(made: list[ExhibitResult | Failed], folder: Path, command: str) -> None:
    """Write `index.html`, whole or not at all. Raises `StoreError` if the folder cannot be written."""
    with files.explained(folder):
        files.replace_file(folder / "index.html", page(made, command).encode(), folder)


def page(made: list[ExhibitResult | Failed], command: str) -> str:
    """All exhibits on one page that needs no other file."""
    text = resources.files(__package__).joinpath("gallery.html.j2").read_text("utf-8")
    shown = [one for one in made if isinstance(one, ExhibitResult)]
    return html.template(text).render(
        made=[(one, _drawing(one), about(one.name), _tables(one.tables)) for one in shown],
        failed=[one for one in made if isinstance(one, Failed)],
        claims=sum(len(one.claims) for one in shown),
        held=[sum(claim.holds is holds for one in shown for claim in one.claims) for holds in (True, None)],
        sign=sign,
        command=command,
        typeset=typeset,
    )


def markdown(shown: ExhibitResult, pictured: str = "") -> str:
    """An exhibit as Markdown: title, picture (its address), what it shows, claims, tables and notes."""
    parts = [f"# {prose(shown.title)}"]
    if pictured:
        parts.append(f"![{prose(shown.title)}]({pictured})")
    parts += [*map(prose, about(shown.name)), findings(shown.claims, shown.notes, shown.tables)]
    return "\n\n".join(parts) + "\n"


def findings(claims: Sequence[Claim], notes: Sequence[str], tables: dict[str, pd.DataFrame]) -> str:
    """Claims, notes and tables as Markdown."""
    parts = ["## Findings"]
    parts += [
        f"{sign(claim)} **{prose(claim.says)}** ({prose(claim.source)})  \n{prose(typeset(claim.seen))}"
        for claim in claims
    ]
    if notes:
        parts += ["## Caveats", "\n".join(f"- {prose(typeset(note))}" for note in notes)]
    if tables:
        parts.append("## The numbers")
    for caption, heads, rows in _tables(tables):
        lines = [row_of(list(map(prose, heads))), row_of(["---"] * len(heads))]
        parts += [f"**{prose(caption)}**", "\n".join(lines + [row_of(list(map(prose, row))) for row in rows])]
    return "\n\n".join(parts)


def as_json(shown: ExhibitResult | Failed) -> dict[str, Any]:
    """An exhibit's claims and numbers as plain values; what is not finite is None."""
    if isinstance(shown, Failed):
        return vars(shown)
    return {
        "name": shown.name,
        "title": shown.title,
        "claims": [vars(claim) for claim in shown.claims],
        "notes": list(shown.notes),
        "tables": {
            caption: [
                {str(head): _plain(value) for head, value in row.items()}
                for row in flat(table).to_dict(orient="records")
            ]
            for caption, table in shown.tables.items()
        },
    }


def about(name: str) -> list[str]:
    """The paragraphs of an exhibit's file, which say what it shows and where that comes from."""
    return paragraphs(sys.modules[exhibits.find(name).__module__].__doc__)


def _attempt(name: str, budget: Budget, store: Path) -> ExhibitResult | Failed:
    try:
        return show(exhibits.find(name)(), budget, store)
    except TrainwrightError as error:
        reason, code = str(error), error.exit_code
    except Exception as error:  # a bug in one exhibit must not take the gallery with it
        traceback.print_exc()
        reason, code = f"{type(error).__name__}: {error}", 1
    return Failed(name, _title(name), reason, code)


def _title(name: str) -> str:
    try:
        return exhibits.find(name).title
    except Exception:
        return name  # its file cannot even be imported


def _drawing(shown: ExhibitResult) -> Markup:
    """The picture as `<svg>` that scales with the page and says its title to a screen reader."""
    text = picture(shown, "svg").decode()
    body = text[text.index("<svg") :]
    opening, drawing = body[: body.index(">")], body[body.index(">") :]
    label = Markup(' role="img" aria-label="{}"').format(shown.title)
    return Markup(opening + str(label) + unique_ids(drawing, shown.name))


def _tables(tables: dict[str, pd.DataFrame]) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    for caption, table in tables.items():
        yield (typeset(caption), *spelled(table))


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not abs(value) < float("inf") else value


def exit_code(made: Iterable[ExhibitResult | Failed]) -> int:
    """The exit code: 0, or that of the first exhibit that failed."""
    return next((one.exit_code for one in made if isinstance(one, Failed)), 0)
