"""Write docs/exhibits: a page and a picture for each exhibit, made anew from what it computes.

Usage: python docs/build.py [--full] [NAME ...]. Nothing in that folder is written by hand.
"""

from __future__ import annotations

import sys
from pathlib import Path

from trainwright import exhibits, gallery, sealed
from trainwright.environment import keep_compiled

FOLDER = Path(__file__).parent / "exhibits"


def build(names: list[str], *, full: bool) -> None:
    """Make these exhibits; write NAME.md and NAME.svg for each, and the list of all."""
    keep_compiled()
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        shown = gallery.show(gallery.read(name), "full" if full else "quick", gallery.default_store())
        _write(f"{name}.svg", gallery.picture(shown, "svg"))
        _write(f"{name}.md", gallery.markdown(shown, f"{name}.svg").encode())
    listed = [f"- [{exhibits.find(name).title}]({name}.md)" for name in exhibits.names()]
    head = "# The lecture, re-made\n\nEach page is made by `make docs` from what its exhibit computes.\n\n"
    _write("README.md", (head + "\n".join(listed) + "\n").encode())


def _write(name: str, content: bytes) -> None:
    sealed.replace_file(FOLDER / name, content, FOLDER)


if __name__ == "__main__":
    chosen = [argument for argument in sys.argv[1:] if argument != "--full"]
    build(chosen or exhibits.names(), full="--full" in sys.argv)
