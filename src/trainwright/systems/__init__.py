"""The published systems, a file or folder for each table: `dropout_table` holds the table `dropout`.

>>> find("dropout-3x1024").published
1.25
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Iterable

from trainwright.base.errors import SettingError
from trainwright.system import System, Table


def tables() -> dict[str, Table]:
    """All tables, by name."""
    modules = [importlib.import_module(f"{__name__}.{file.name}") for file in pkgutil.iter_modules(__path__)]
    return {module.TABLE.name: module.TABLE for module in modules}


def table(name: str) -> Table:
    """The table of this name; `SettingError` with the nearest names if there is none."""
    known = tables()
    if name not in known:
        raise SettingError(f"there is no table {name!r}; {_hint(name, known)}")
    return known[name]


def find(name: str) -> System:
    """The system of this name; `SettingError` with the nearest names if there is none."""
    known = {row.name: row for table in tables().values() for row in table.systems}
    if name not in known:
        raise SettingError(f"there is no system {name!r}; {_hint(name, known)}")
    return known[name]


def _hint(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3)
    return f"did you mean {' or '.join(near)}?" if near else f"choose from: {', '.join(known)}"
