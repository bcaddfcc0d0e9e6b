"""The layout is the flow: imports run one way, and `--help` imports neither JAX nor pandas."""

from __future__ import annotations

import ast
import pkgutil
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

import trainwright

PACKAGE = Path(trainwright.__file__).parent

# From the bottom to the top: a module may import what stands above it in this list, and its own room.
ORDER = [
    ["base"],
    ["pretraining"],
    ["energy"],
    ["data"],
    ["task"],
    ["layers"],
    ["objective"],
    ["site"],
    ["strategy"],
    ["images"],
    ["chain"],
    ["network"],
    ["flow"],
    ["strategies"],
    ["networks"],
    ["recipe"],
    ["runs"],
    ["training"],
    ["baseline"],
    ["baselines"],
    ["model"],
    ["ensemble"],
    ["comparison"],
    ["report"],
    ["studies"],
    ["search"],
    ["diagnosis"],
    ["exhibit"],
    ["exhibits"],
    ["system"],
    ["systems"],
    ["gallery"],
    ["testing"],
    ["cli"],
    ["__main__"],
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


def test_no_module_hides_behind_a_function_of_its_name() -> None:
    for info in pkgutil.walk_packages(trainwright.__path__, "trainwright."):
        folder, _, name = info.name.rpartition(".")
        if name != "__main__":  # which would run
            imported = import_module(info.name)
            assert getattr(sys.modules[folder], name) is imported, f"what {folder} exports hides {info.name}"
            assert name not in getattr(sys.modules[folder], "__all__", ()), f"{info.name} hides an export"


def test_every_module_can_be_read_in_one_sitting() -> None:
    long = {str(path.relative_to(PACKAGE)): len(path.read_text("utf-8").splitlines()) for path in FILES}
    assert not {name: lines for name, lines in long.items() if lines >= 300}


def test_no_result_names_a_place_on_the_machine_that_made_it() -> None:
    root = Path(__file__).parents[1]
    texts = [
        path
        for folder in ("results", "docs", "benchmarks")
        for path in (root / folder).rglob("*")
        if path.is_file()
    ]
    assert texts
    for path in texts:
        if path.suffix in (".md", ".json", ".svg", ".csv", ".html", ".txt"):
            text = path.read_text("utf-8")
            place = re.search(
                r"(?<![\w.:/])(/(home|root|tmp|work|Users|mnt|private)/|[A-Z]:\\\\)[^\s\"'<]*", text
            )
            assert not place, f"{path.relative_to(root)} names {place and place[0]}"


def test_no_test_reaches_for_private_names() -> None:
    for path in sorted(Path(__file__).parent.glob("*.py")):
        assert not private_names(path), f"{path.name} uses {', '.join(sorted(private_names(path)))}"


PRIVATE = "_(?!_|fields$|replace$|asdict$|make$)"  # a named tuple's own methods are public


def private_names(path: Path) -> set[str]:
    """What a file takes from the package although its name begins with an underscore."""
    tree = ast.parse(path.read_text("utf-8"))
    ours = {"trainwright"}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("trainwright"):
            ours |= {alias.asname or alias.name for alias in node.names}
            found |= {alias.name for alias in node.names if alias.name.startswith("_")}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and re.match(PRIVATE, node.attr):
            root = node.value
            while isinstance(root, ast.Attribute):
                root = root.value
            if isinstance(root, ast.Name) and root.id in ours:
                found.add(ast.unparse(node))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".setattr"):
            where = ".".join(
                str(part.value) if isinstance(part, ast.Constant) else ast.unparse(part)
                for part in node.args[:-1]  # an object and a name, or both in one text
            )
            if re.match(PRIVATE, where.rpartition(".")[2]):
                found.add(where)
    return found


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


def test_all_public_names_can_be_imported_at_once() -> None:
    names: dict[str, object] = {}
    exec("from trainwright import *", names)
    assert {"Recipe", "Study", "best", "compare_scores", "fit", "load"} <= set(names)
    assert set(trainwright.__all__) <= set(names)
