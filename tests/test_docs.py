"""What README and CONTRIBUTING show does what they say."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from trainwright import exhibits
from trainwright.cli import app
from trainwright.comparison.scores import compare_scores
from trainwright.data.tables import read_csv
from trainwright.testing import CHECKS

ROOT = Path(__file__).parent.parent


def code(page: str) -> list[str]:
    """The Python blocks of a page."""
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)


def test_the_readme_s_python_runs(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    text = code("README.md")[0]
    script.write_text(text.replace("epochs=40", "epochs=1").replace("seeds=10", "seeds=2"))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert "batch_norm" in done.stdout


def test_the_readme_s_scores_are_what_compare_reads(tmp_path: Path) -> None:
    script = code("README.md")[1]
    compile(script, "train.py", "exec")
    assert 'print("arm,seed,example,score")' in script
    rows = [f"{arm},{seed},{example},{(seed + example) % 3 == 0:d}" for arm in ("plain", "dropout")
            for seed in range(3) for example in range(50)]  # fmt: skip
    (tmp_path / "scores.csv").write_text("\n".join(["arm,seed,example,score", *rows]))
    found = compare_scores(read_csv(tmp_path / "scores.csv"), reference="plain")
    assert [arm.name for arm in found.arms] == ["plain", "dropout"]
    assert found.examples == 50


def test_contributing_s_strategy_works(tmp_path: Path) -> None:
    file = tmp_path / "shrink.py"
    file.write_text(code("CONTRIBUTING.md")[0])
    use = (
        "from shrink import Shrink\n"
        "from trainwright import Mlp, Recipe, fit, load\n"
        "both = ((), (Shrink(0.9),))\n"
        "runs = [fit(Recipe(Mlp((4,)), chosen, epochs=1), load('digits')) for chosen in both]\n"
        "one, other = (sum(abs(w).sum() for w in run.weights.values()) for run in runs)\n"
        "assert other < one\n"
        "from trainwright import strategies\n"
        "assert str(strategies.read('shrink(0.5)')[0]) == 'shrink(factor=0.5)'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", use], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr


def test_contributing_s_battery_checks_its_strategy(tmp_path: Path) -> None:
    strategy, battery = code("CONTRIBUTING.md")
    (tmp_path / "shrink.py").write_text(strategy)
    (tmp_path / "test_shrink.py").write_text(battery)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_shrink.py"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert f"{len(CHECKS)} passed" in done.stdout, done.stdout + done.stderr


def test_the_readme_s_commands_and_options_exist() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    page = (ROOT / "README.md").read_text("utf-8")
    for line in re.findall(r"^trainwright (.*)$", page, re.MULTILINE):
        name, *words = line.split()
        known = {option for parameter in commands[name].params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line
    for name in commands:
        assert f"`trainwright {name}" in page, f"README does not list {name}"


BUILD = runpy.run_path(str(ROOT / "docs" / "build.py"), run_name="build")


@pytest.mark.parametrize("name", exhibits.names())
def test_every_exhibit_has_its_page_with_its_picture_and_its_full_version(name: str) -> None:
    page = (ROOT / "docs" / "exhibits" / f"{name}.md").read_text("utf-8")
    assert page.startswith(f"# {exhibits.find(name).title}")
    assert f"]({name}.md)" in (ROOT / "docs" / "exhibits" / "README.md").read_text("utf-8")
    for picture in re.findall(r"!\[.*\]\((.*)\)", page):
        assert (ROOT / "docs" / "exhibits" / picture).exists(), picture
    assert page.endswith(BUILD["recorded"](name)), "the page is older than the record: build it again"


def test_the_systems_page_is_what_the_records_say() -> None:
    assert (ROOT / "docs" / "systems.md").read_text("utf-8") == BUILD["published"]()


def test_a_record_says_how_it_was_made_and_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = BUILD["recorded"].__globals__
    monkeypatch.setitem(build, "RESULTS", tmp_path)
    assert "--budget full" in BUILD["recorded"]("momentum")
    BUILD["record"]("momentum", "quick")
    kept = json.loads((tmp_path / "momentum.json").read_text("utf-8"))
    assert kept["made"]["command"] == "trainwright exhibit momentum --budget quick"
    shown = BUILD["recorded"]("momentum")
    assert all(claim["says"] in shown for claim in kept["claims"])
    assert kept["made"]["date"] in shown
    assert kept["made"]["environment"]["jax"] in shown
    assert "earlier version" not in shown
    monkeypatch.setitem(build, "SEMANTICS", -1)
    assert "earlier version" in BUILD["recorded"]("momentum")
