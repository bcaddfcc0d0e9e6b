"""The layout is the flow: imports run one way, and `--help` imports neither JAX nor pandas."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import trainwright

PACKAGE = Path(trainwright.__file__).parent

# From the bottom to the top: a module may import what stands above it in this list, and its own room.
ORDER = [
    ["base"],
    ["data"],
    ["task"],
    ["strategy"],
    ["network"],
    ["strategies"],
    ["networks"],
    ["recipe"],
    ["runs"],
    ["training"],
    ["model"],
    ["comparison"],
    ["report"],
    ["studies"],
    ["diagnosis"],
    ["exhibit"],
    ["exhibits"],
    ["gallery"],
    ["testing"],
    ["cli"],
]
LEVEL = {name: level for level, names in enumerate(ORDER) for name in names}
WITHOUT_JAX = (
    "comparison.compare",
    "comparison.paired",
    "runs.store",
    "report",
    "base.files",
    "base.strict_json",
)


def room(path: Path) -> str:
    """The top-level module or folder that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """The modules of the package that a file imports, by name from the package on: `data.dataset`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    ours = {name.removeprefix("trainwright.") for name in found if name.startswith("trainwright.")}
    return {name for name in ours if name in MODULES}


def module(path: Path) -> str:
    """A file's name as a module, from the package on: `data.dataset`, or `data` for a folder's own."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


FILES = [
    path for path in sorted(PACKAGE.rglob("*.py")) if path.parent != PACKAGE or path.name != "__init__.py"
]
MODULES = {module(path): path for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=module)
def test_imports_run_one_way(path: Path) -> None:
    here = room(path)
    assert here in LEVEL, f"{here} has no place in the order: give it one here"
    for name in imports(path):
        there = name.split(".")[0]
        assert LEVEL[there] <= LEVEL[here], f"{here} imports {there}, which stands above it"


def test_no_modules_import_each_other() -> None:
    # A folder's own file gathers what is in it: what it imports is not held against the files beside it.
    needs = {name: imports(path) - {name, name.rpartition(".")[0]} for name, path in MODULES.items()}
    try:
        tuple(TopologicalSorter(needs).static_order())
    except CycleError as circle:
        pytest.fail(" -> ".join(circle.args[1]))


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
