"""A folder of photographs from the command line: study, fit, predict; in memory and streamed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from trainwright.cli import main
from trainwright.data.readers import memory
from trainwright.model import Model

RNG = np.random.default_rng(0)
STUDY = ("--size", "6", "--arm", "batch_norm", "--arm", "mirror, l2", "--seeds", "5", "--rates", "0.1")
SHORT = ("--network", "mlp((4,))", "--epochs", "2", "--no-baselines")


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """The exit code of `trainwright WORDS`, run in this process."""
    monkeypatch.setattr(sys, "argv", ["trainwright", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def fill(folder: Path, count: int = 20) -> Path:
    """Photographs of two classes, each brighter in a colour of its own; sizes and formats vary."""
    for number, name in enumerate(("cat", "dog")):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            size = (8 + i % 3, 8 + i % 2)
            pixels = RNG.integers(120, size=(*size, 3), dtype=np.uint8)
            pixels[..., number] += 100
            image = Image.fromarray(pixels)
            (image.convert("L") if i == 7 else image).save(folder / name / f"{i}.{('png', 'jpg')[i % 2]}")
    return folder


def arms(folder: Path) -> list[Any]:
    """What a study's comparison says of its arms, but for times."""
    compared = json.loads((folder / "comparison.json").read_text())
    timed = ("seconds", "milliseconds_per_step")
    return [{key: value for key, value in arm.items() if key not in timed} for arm in compared["arms"]]


def test_from_a_folder_to_a_table_killed_and_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    photos, whole, killed = fill(tmp_path / "photos"), tmp_path / "whole", tmp_path / "killed"
    assert run(monkeypatch, "study", photos, *STUDY, *SHORT, "--out", whole, "--workers", 1) == 0
    assert {"plain", "batch_norm", "mirror, l2"} == {arm["name"] for arm in arms(whole)}
    said = capsys.readouterr()
    assert "mirror, l2" in said.out
    assert "note: grey images (2 of 40) are read as colour, with three equal channels\n" in said.err
    assert "note: images of 8×8 ... 9×10 pixels: the shorter side is scaled to 6" in said.err
    assert "does not know which pixels are neighbours" in said.err

    words = ["study", str(photos), *STUDY, *SHORT, "--out", str(killed), "--workers", "1", "--quiet"]
    started = subprocess.Popen(
        [sys.executable, "-c", "from trainwright.cli import main; main()", *words], start_new_session=True
    )
    while started.poll() is None and len(list(killed.glob("store/runs/*/manifest.json"))) < 3:
        time.sleep(0.05)
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()
    kept = len(list(killed.glob("store/runs/*/manifest.json")))
    assert not (killed / "comparison.json").exists()
    assert 3 <= kept < 15 + 3 * 18
    assert run(monkeypatch, *words) == 0
    assert arms(killed) == arms(whole)

    model, out = killed / "best-model", tmp_path / "predictions.csv"
    assert run(monkeypatch, "predict", model, photos, "--out", out) == 0
    table = pd.read_csv(out)
    assert list(table) == ["image", "prediction", "probability of cat", "probability of dog"]
    assert set(table["image"]) == {str(path.relative_to(photos)) for path in photos.rglob("*.*")}
    np.testing.assert_allclose(table.iloc[:, 2:].sum(axis=1), 1, atol=1e-5)
    table[["image"]].iloc[::-1].to_csv(photos / "list.csv", index=False)
    assert run(monkeypatch, "predict", model, photos / "list.csv", "--out", out) == 0
    pd.testing.assert_frame_equal(pd.read_csv(out), table.iloc[::-1].reset_index(drop=True))
    assert Model.load(model).shape == (6, 6, 3)


def test_a_folder_larger_than_the_limit_is_streamed_to_the_same_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = fill(tmp_path / "photos")
    fit = ("fit", photos, "--size", 6, "--with", "batch_norm", "--network", "mlp((4,))", "--epochs", 3)
    assert run(monkeypatch, *fit, "--out", tmp_path / "whole", "--quiet") == 0
    monkeypatch.setenv("TRAINWRIGHT_MEMORY", str(1000 / memory.GIGABYTE))
    assert run(monkeypatch, *fit, "--out", tmp_path / "streamed", "--quiet") == 0
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "streamed")]
    assert weights[0] == weights[1]
    assert run(monkeypatch, "predict", tmp_path / "streamed", photos) == 0
    assert len(capsys.readouterr().out.splitlines()) == 41
    assert run(monkeypatch, "data", photos, "--size", 6) == 0
    assert "they are read from their files in each epoch" in " ".join(capsys.readouterr().out.split())

    out = tmp_path / "study"
    words = ("--arm", "batch_norm", "--rates", "0.1", "--seeds", 5, "--epochs", 1, "--network", "mlp((4,))")
    assert (
        run(monkeypatch, "study", photos, "--size", 6, *words, "--out", out, "--workers", 1, "--quiet") == 0
    )
    assert len(arms(out)) == 2


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / "cat/2.png").write_bytes((f / "cat/2.png").read_bytes()[:-30]), "cat/2.png: "),
        (lambda f: (f / "dog/0.png").write_text("no image"), "dog/0.png: not an image in a known format"),
        (lambda f: (f / "bird").mkdir(), "bird: a class folder without images"),
    ],
)
def test_what_is_wrong_in_a_folder_is_named_by_its_path(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    spoil: Any,
    message: str,
) -> None:
    photos = fill(tmp_path / "photos", count=8)
    spoil(photos)
    assert run(monkeypatch, "fit", photos, "--out", tmp_path / "model") == 3
    assert f"{photos}/{message}" in "".join(capsys.readouterr().err.splitlines())
    assert not (tmp_path / "model").exists()


def test_what_is_not_streamed_imports_no_grain(tmp_path: Path) -> None:
    photos = fill(tmp_path / "photos", count=8)
    code = (
        "import sys; from trainwright import Recipe; from trainwright.data import load; "
        "from trainwright.training.fit import fit; "
        f"fit(Recipe(epochs=1), load({str(photos)!r}, size=4)); sys.exit('grain' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
