"""`trainwright pretraining`: its pictures show what was learned, and its features are a data set."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainwright.cli import main
from trainwright.cli.progress import training_progress
from trainwright.data import load
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.report import machines
from trainwright.runs.run import arrays_of
from trainwright.strategies import Activation, Dbn
from trainwright.training.building import Training
from trainwright.training.pretraining import PretrainingProgress, pretrain

DBN = Dbn(epochs=2, batch_size=500)
WILD = "rbm(epochs=2, batch_size=100, learning_rate=1e30)"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    """The exit code of `trainwright pretraining ARGUMENTS`, run in this process."""
    monkeypatch.setattr(sys, "argv", ["trainwright", "pretraining", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def read(content: bytes) -> np.ndarray:
    """A picture's grey levels or colours in [0, 1], of every third pixel."""
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), float)[1::3, 1::3] / 255


def test_it_writes_pictures_a_curve_and_features_that_load_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, store = tmp_path / "out", tmp_path / "store"
    strategies = "activation('sigmoid'), dbn(epochs=2, batch_size=500)"
    given = ["--with", strategies, "--network", "mlp((12, 8))", "--store", store]
    few = ["--samples", "7", "--sweeps", "3"]
    assert run(monkeypatch, "digits", "--out", out, *given, *few, "--json") == 0
    said = capsys.readouterr()
    assert said.err == ""
    facts = json.loads(said.out)
    assert list(facts["pretraining"]) == ["rbm1", "rbm2"]
    data = load("digits")
    recipe = Recipe(Mlp((12, 8)), (Activation("sigmoid"), DBN))
    arrays = arrays_of(pretrain(Training(recipe, data, 0)))

    features = load(out / "features.npz")
    assert features.inputs.shape == (len(data.inputs), 8)
    with np.load(out / "features.npz") as archive:
        written = archive["x"]
    np.testing.assert_allclose(written, DBN.transform(arrays, data.inputs), atol=1e-5)
    np.testing.assert_array_equal(features.targets, data.targets)
    filters = (out / "filters.png").read_bytes()
    assert filters == machines.filters(DBN.filters(arrays), data.shape)
    assert read(filters).shape == (2 * 9 - 1, 10 * 9 - 1, 3)
    assert (out / "samples.png").read_bytes() == machines.samples(
        DBN.samples(arrays, 7, sweeps=3), data.shape
    )
    rows = list(csv.reader((out / "history.csv").read_text().splitlines()))
    assert [row[:2] for row in rows] == [
        ["part", "epoch"], ["rbm1", "1"], ["rbm1", "2"], ["rbm2", "1"], ["rbm2", "2"],
    ]  # fmt: skip
    assert float(rows[2][3]) == facts["pretraining"]["rbm1"]["free_energy_gap"]
    with Image.open(out / "curve.png") as curve:
        assert curve.format == "PNG"

    def refuse(*_: object) -> None:
        raise AssertionError("pretrained again")

    monkeypatch.setattr("trainwright.training.pretraining.order", refuse)
    again = tmp_path / "again"
    assert run(monkeypatch, "digits", "--out", again, *given, *few, "--quiet") == 0
    for path in out.iterdir():
        if path.name != "features.npz":  # an archive has the time in it
            assert (again / path.name).read_bytes() == path.read_bytes() or path.name == "manifest.json"


def test_a_test_set_of_its_own_stays_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    images, labels = rng.random((80, 4, 4), np.float32), np.arange(80) % 2
    source = tmp_path / "images.npz"
    np.savez(source, x_train=images[:60], y_train=labels[:60], x_test=images[60:], y_test=labels[60:])
    assert run(monkeypatch, source, "--out", tmp_path / "out", "--sweeps", "1", "--quiet",
               "--store", tmp_path / "store") == 0  # fmt: skip
    features = load(tmp_path / "out" / "features.npz")
    assert features.own_test
    assert len(features.splits.test) == 20


def test_bad_input_gets_an_answer_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").mkdir()
    table = tmp_path / "table.csv"
    table.write_text("a,b\n" + "".join(f"{n},{n % 2}\n" for n in range(60)))
    cases: list[tuple[list[str | Path], int, str]] = [
        (
            ["digits", "--out", tmp_path / "out", "--with", "dropout(0.5)"],
            2,
            "no strategy of the recipe pretrains",
        ),
        (["digits", "--out", tmp_path / "out", "--with", "rbm"], 2, "add activation('sigmoid')"),
        (["digits", "--out", tmp_path / "taken"], 4, "already exists"),
        ([table, "--target", "b", "--out", tmp_path / "out"], 3, "needs inputs in [0, 1]"),
        (
            ["digits", "--out", tmp_path / "out", "--with", f"activation('sigmoid'), {WILD}"],
            2,
            "rbm1's pretraining diverged in epoch 1",
        ),
    ]
    for arguments, code, said in cases:
        assert run(monkeypatch, *arguments, "--store", tmp_path / "store") == code, arguments
        assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_model_whose_pretraining_diverged_is_refused_with_the_right_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--with", f"activation('sigmoid'), {WILD}", "--epochs", "1", "--quiet"]
    monkeypatch.setattr(sys, "argv", ["trainwright", "fit", "digits", "--out", str(tmp_path / "m"), *given])
    with pytest.raises(SystemExit):
        main()
    assert "rbm1's pretraining diverged in epoch 1" in (said := capsys.readouterr().err)
    assert "--rate" not in said, "the rate of what comes after is not to blame"


def test_filters_are_grey_at_zero_and_each_to_its_own_scale() -> None:
    weights = np.zeros((3, 4), np.float32)
    weights[0, 0], weights[1, 3] = 5.0, -0.1
    page = read(machines.filters(weights, (2, 2)))
    assert page.shape == (2, 3 * 3 - 1, 3)
    grey = pytest.approx(0.5, abs=0.01)
    assert (page[0, 0, 0], page[1, 1, 0], page[1, 4, 0], page[0, 3, 0]) == (1, grey, 0, grey)
    assert (page[:, 6:8] == page[1, 1]).all(), "a unit without weights is grey"
    assert (page[:, [2, 5]] == 1).all(), "white between tiles"


def test_samples_of_colour_images_keep_their_colours_and_those_of_tables_are_rows() -> None:
    red = np.tile(np.float32([1, 0, 0]), (2, 4))
    page = read(machines.samples(red, (2, 2, 3)))
    assert (page[:, :2] == [1, 0, 0]).all()
    rows = read(machines.samples(np.float32([[0, 1, 0.5], [1, 0, 0]]), (3,)))
    assert rows.shape == (2, 3, 3)
    assert rows[0, :, 0] == pytest.approx([0, 1, 0.5], abs=0.01)


def test_the_gap_says_where_validation_examples_are_trained_on_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with training_progress("classification", quiet=False, validation="validation (trained on)") as watch:
        watch.pretraining(PretrainingProgress("rbm1", 1, 1, 4.5, 0.01))
    assert "free energy gap to validation (trained on) 0.01 nats" in capsys.readouterr().err


def test_watching_a_pretraining_sees_every_epoch() -> None:
    seen: list[PretrainingProgress] = []
    recipe = Recipe(Mlp((12, 8)), (Activation("sigmoid"), DBN))
    done = pretrain(Training(recipe, load("digits"), 0), watch=seen.append)
    assert [(now.part, now.epoch, now.epochs) for now in seen] == [
        ("rbm1", 1, 2), ("rbm1", 2, 2), ("rbm2", 1, 2), ("rbm2", 2, 2),
    ]  # fmt: skip
    assert seen[1].free_energy_gap == done[0].history["free_energy_gap"][-1]
