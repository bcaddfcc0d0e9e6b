"""The layout is the flow: imports run one way, and `--help` imports neither JAX nor pandas."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import trainwright

PACKAGE = Path(trainwright.__file__).parent

# From the bottom to the top: a module may import what stands above it in this list, and its own room.
ORDER = [
    ["errors"],
    ["plainjson", "value", "keys", "run"],
    ["sealed", "registry", "environment", "data"],
    ["strategy"],
    ["strategies"],
    ["sites"],
    ["network"],
    ["networks"],
    ["recipe"],
    ["predict"],
    ["step"],
    ["training"],
    ["cohort"],
    ["fit"],
    ["score", "paired"],
    ["comparison"],
    ["compare"],
    ["store", "report", "model", "workers"],
    ["checkpoints"],
    ["study"],
    ["catalogue", "defaults", "exhibit", "instruments", "diagnose"],
    ["exhibits", "systems"],
    ["terminal", "gallery"],
    ["cli"],
]
LEVEL = {name: level for level, names in enumerate(ORDER) for name in names}
WITHOUT_JAX = ("comparison", "compare", "paired", "score", "store", "report", "sealed", "plainjson")


def room(path: Path) -> str:
    """The top-level module or folder that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path, *, at_start: bool = False) -> set[str]:
    """The `trainwright.X` that a file names in imports; only those run when it is imported, if asked."""
    tree = ast.parse(path.read_text("utf-8"))
    nodes = tree.body if at_start else list(ast.walk(tree))
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names if node.module == "trainwright" else {str(node.module)}
    return found


FILES = [
    path for path in sorted(PACKAGE.rglob("*.py")) if path.parent != PACKAGE or path.name != "__init__.py"
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path) -> None:
    here = room(path)
    assert here in LEVEL, f"{here} has no place in the order: give it one here"
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "trainwright":
            assert len(parts) > 1, f"{path}: import a module, not the package"
            assert LEVEL[parts[1]] <= LEVEL[here], f"{here} imports {parts[1]}, which stands above it"


@pytest.mark.parametrize("name", WITHOUT_JAX)
def test_what_reads_stored_runs_needs_no_jax(name: str) -> None:
    code = f"import sys, trainwright.{name}; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, trainwright.cli; heavy = {'jax', 'flax', 'pandas', 'numpy', 'scipy', 'matplotlib'}; "
        "sys.exit(' '.join(heavy & set(sys.modules)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
