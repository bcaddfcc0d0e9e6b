"""Write docs/exhibits: a page and a picture for each exhibit, made anew from what it computes; and
docs/systems.md, the tables of published systems, from the records in results/systems.

Nothing in that folder is written by hand. With --full the exhibits are made in full, which takes from a
minute to a night each; what came of it is kept in results/exhibits, and their pages show it from then on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from trainwright import exhibits, gallery, systems
from trainwright.base import files
from trainwright.base.environment import environment, keep_compiled
from trainwright.exhibit import Claim
from trainwright.report.sentences import counted
from trainwright.runs.store import SEMANTICS
from trainwright.studies.defaults import Budget
from trainwright.system.table import markdown

FOLDER = Path(__file__).parent / "exhibits"
RESULTS = Path(__file__).parents[1] / "results" / "exhibits"
OLDER = (
    "\n\nMade by an earlier version of the package, which worded and judged some claims in another way: it "
    "marked with ✗ what was open, too."
)


def record(name: str, budget: Budget = "full") -> None:
    """Make an exhibit; keep its picture and, with how it was made, its claims and numbers."""
    started, clock = datetime.now(UTC), time.monotonic()
    shown = gallery.show(gallery.read(name), budget, gallery.default_store())
    made = {
        "command": f"trainwright exhibit {name} --budget {budget}",
        "date": f"{started:%Y-%m-%d}",
        "seconds": round(time.monotonic() - clock),
        "semantics": SEMANTICS,
        "environment": environment(),
    }
    text = json.dumps(gallery.as_json(shown) | {"made": made}, indent=1, ensure_ascii=False, allow_nan=False)
    _write(RESULTS / f"{name}.svg", gallery.picture(shown, "svg"))
    _write(RESULTS / f"{name}.json", (text + "\n").encode())


def build(name: str) -> None:
    """The exhibit's page: what its quick version shows, and the record of its full one if there is one."""
    shown = gallery.show(gallery.read(name), "quick", gallery.default_store())
    _write(FOLDER / f"{name}.svg", gallery.picture(shown, "svg"))
    _write(FOLDER / f"{name}.md", (gallery.markdown(shown, f"{name}.svg") + recorded(name)).encode())


def recorded(name: str) -> str:
    """The full version's part of the page."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return f"\nThe full version is made by `trainwright exhibit {name} --budget full`.\n"
    kept = json.loads(path.read_text("utf-8"))
    tables = {caption: pd.DataFrame(rows) for caption, rows in kept["tables"].items()}
    claims = tuple(Claim(**claim) for claim in kept["claims"])
    return "\n\n".join(
        [
            "\n# The full version" + ("" if kept["made"].get("semantics") == SEMANTICS else OLDER),
            f"![{kept['title']}, full version](../../results/exhibits/{name}.svg)",
            gallery.findings(claims, kept["notes"], tables),
            how(kept["made"]),
        ]
    )


def how(made: dict[str, Any]) -> str:
    """Command, date, time and environment."""
    on = made["environment"]
    versions = ", ".join(f"{one} {on[one]}" for one in ("python", "jax", "flax", "numpy"))
    return (
        f"`{made['command']}`, {made['date']}, {made['seconds']:,} s (trainings that were in the store "
        f"already not counted); {counted(on['cores'], 'core')}, {on['device']}, {versions}.\n"
    )


def published() -> str:
    """The page of the published systems: what is in the records, and nothing else."""
    folder = RESULTS.parent / "systems"
    return "\n".join(markdown(table, folder) for table in systems.tables().values())


def contents() -> None:
    """The list of all pages."""
    listed = [f"- [{exhibits.find(name).title}]({name}.md)" for name in exhibits.names()]
    head = [
        "# The lecture's figures, reproduced",
        "",
        "Each page is made by `make docs` from its exhibit. Statements of the lecture and its sources are",
        "marked ✓ if the numbers bear them out, ✗ if they speak against them, and ? if they leave that open:",
        "an interval goes both ways, or a verdict is inconclusive.",
        "",
    ]
    _write(FOLDER / "README.md", "\n".join([*head, *listed, ""]).encode())


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    files.replace_file(path, content, path.parent)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(exhibits.names()))
    parser.add_argument(
        "--full", action="store_true", help="make exhibits in full, and keep what comes of it"
    )
    given = parser.parse_args()
    if unknown := set(given.names) - set(exhibits.names()):
        parser.error(f"no exhibit is called {unknown.pop()}; there are: {', '.join(exhibits.names())}")
    keep_compiled()
    for name in given.names or exhibits.names():
        print(f"{name} ...", file=sys.stderr, flush=True)
        record(name) if given.full else build(name)
    _write(FOLDER.parent / "systems.md", published().encode())
    contents()
