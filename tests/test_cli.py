"""The command line, as its users meet it: what is printed, what is written, how it ends."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console

from trainwright import strategies
from trainwright.base.errors import Interrupted, StoreError
from trainwright.cli import main, progress
from trainwright.cli.terminal import Numbers, diagnosis_page
from trainwright.data import load
from trainwright.diagnosis.instruments import LayerStats
from trainwright.diagnosis.symptoms import Diagnosis, Symptom
from trainwright.model import Model
from trainwright.recipe import Recipe
from trainwright.studies import defaults
from trainwright.studies.arms import read_arms
from trainwright.studies.progress import StudyProgress
from trainwright.training import checkpoints
from trainwright.training.progress import Progress

SHORT = ["--epochs", "2", "--network", "mlp((8,))"]


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    """The exit code of `trainwright ARGUMENTS`, run in this process."""
    monkeypatch.setattr(sys, "argv", ["trainwright", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.fixture
def customers(tmp_path: Path) -> Path:
    """A table with numbers, a category, gaps, and a column that cannot be used."""
    rng = np.random.default_rng(0)
    age = rng.integers(18, 80, 120).astype(float)
    plan = rng.choice(["basic", "plus", "<script>alert(1)</script>"], 120)
    churned = np.where((age > 45) ^ (rng.random(120) < 0.1), "yes", "no")
    age[::17] = np.nan
    table = pd.DataFrame({"age": age, "plan": plan, "country": "NL", "churned": churned})
    path = tmp_path / "customers.csv"
    table.to_csv(path, index=False)
    return path


def test_fit_goes_on_where_it_was_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fit(name: str) -> int:
        return run(monkeypatch, "fit", "digits", "--out", tmp_path / name, "--epochs", "4", *SHORT[2:])

    assert fit("whole") == 0
    monkeypatch.setattr(checkpoints, "CHECKPOINT_SECONDS", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(progress, "training_progress", lambda task, quiet: nullcontext(watch(interrupt_at(68))))
        assert fit("model") == 130
    assert "rerun the same command to resume from" in capsys.readouterr().err
    assert not (tmp_path / "model").exists()
    seen: list[int] = []
    with monkeypatch.context() as patch:
        noted = watch(lambda one: seen.append(one.step))
        patch.setattr(progress, "training_progress", lambda task, quiet: nullcontext(noted))
        assert fit("model") == 0
    assert min(seen) > 34
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "model")]
    assert weights[0] == weights[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "whole"]


def test_a_study_that_is_not_finished_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "study.json").write_text("{}")
    for words in ((), ("--metric", "log_loss")):  # nor does another metric finish it
        assert run(monkeypatch, "report", tmp_path, *words) == 4
        assert f"resume it with trainwright study {tmp_path}" in " ".join(capsys.readouterr().err.split())


def test_the_package_is_a_command_too() -> None:
    words = [sys.executable, "-m", "trainwright", "--version"]
    assert version("trainwright") in subprocess.run(words, capture_output=True, text=True, check=True).stdout


def test_facts_have_the_names_of_the_user_s_columns(
    customers: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pd.read_csv(customers).rename(columns={"age": "age_in_years"})
    table.to_csv(customers, index=False)
    assert run(monkeypatch, "data", customers, "--target", "churned") == 0
    said = capsys.readouterr().out
    assert "age_in_years" in said
    assert "seed" not in said


def test_no_number_is_broken_however_narrow_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    heads = ["layer", "a head of words", "low (a head of words)", "high (a head of words)"]
    rows = [[str(row), *(f"{row}.{digit}23×10⁻⁷" for digit in (4, 5, 6))] for row in range(3)]
    Console(width=30).print(Numbers(heads, rows))
    said = capsys.readouterr().out
    assert all(said.split().count(cell) == 1 for row in rows for cell in row[1:])
    assert max(map(len, said.splitlines())) <= 30
    assert said.count("layer") == 2, "in two parts, each with the first column"


def test_an_interruption_in_a_finaliser_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Finalised:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)  # whatever is raised here, Python drops

    def interrupted(now: Progress) -> None:
        Finalised()
        time.sleep(0.1)

    patient = nullcontext(watch(interrupted))
    monkeypatch.setattr(progress, "training_progress", lambda task, quiet: patient)
    assert run(monkeypatch, "fit", "digits", "--out", tmp_path / "model", *SHORT) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_fit_says_before_the_training_that_it_cannot_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert run(monkeypatch, "fit", "digits", "--out", tmp_path / "file" / "model") == 4
    said = capsys.readouterr().err
    assert "cannot write" in said
    assert "step" not in said


def test_the_time_left_of_what_is_resumed_goes_by_what_was_done_since(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter((0.0, 60.0, 100.0, 140.0))  # the start, and when it is told: compiling takes a minute
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with progress.study_progress(100, quiet=False) as watch:
        for done in (50, 54, 58):
            watch(StudyProgress("verdict", 100, done, 0, done / 100, ""))
    first, *later = capsys.readouterr().err.splitlines()
    assert "left" not in first
    assert [line.split("(")[1] for line in later] == [
        "100 s, about 460 s left)",  # four in forty seconds, and 46 to go
        "140 s, about 420 s left)",
    ]


def watch(training: Callable[[Progress], None]) -> progress.TrainingWatch:
    """What is called after each evaluation, in place of showing it."""
    return progress.TrainingWatch(training, lambda epoch: None)


def test_fit_shows_a_pretraining_s_epochs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    strategies = "activation('sigmoid'), rbm(epochs=2, batch_size=500)"
    out = tmp_path / "model"
    assert run(monkeypatch, "fit", "digits", "--out", out, "--epochs", "1", "--with", strategies) == 0
    said = capsys.readouterr().err
    assert re.search(r"pretraining rbm1, epoch 2 of 2: reconstruction error [\d.]+, free energy gap", said)
    assert said.index("pretraining") < said.index("step")


def interrupt_at(step: int) -> Callable[[Progress], None]:
    """Press Ctrl-C when a training has come so far."""

    def watch(slot: Progress) -> None:
        if slot.step >= step:
            raise Interrupted("interrupted")

    return watch


def test_fit_and_predict_a_table(
    customers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model, out = tmp_path / "model", tmp_path / "predictions.csv"
    fit = ["fit", customers, "--target", "churned", "--with", "momentum(0.9), l2", "--out", model, *SHORT]
    assert run(monkeypatch, *fit, "--json") == 0
    assert json.loads(capsys.readouterr().out)["parameters"] > 0
    assert run(monkeypatch, "predict", model, customers, "--out", out) == 0
    predictions = pd.read_csv(out)
    assert list(predictions) == ["prediction", "probability of no", "probability of yes"]
    assert np.allclose(predictions.iloc[:, 1:].sum(axis=1), 1, atol=1e-5)
    assert len(predictions) == 120
    said = capsys.readouterr().err
    assert "'churned' is the target, which is not used for predicting" in said
    assert "no inputs in training" not in said

    # The same columns, found by name and checked by name.
    shuffled = pd.read_csv(customers)[["plan", "churned", "age", "country"]]
    shuffled.to_csv(tmp_path / "shuffled.csv", index=False)
    assert run(monkeypatch, "predict", model, tmp_path / "shuffled.csv", "--out", tmp_path / "again.csv") == 0
    assert (tmp_path / "again.csv").read_bytes() == out.read_bytes()
    shuffled.drop(columns="age").to_csv(tmp_path / "without.csv", index=False)
    capsys.readouterr()
    assert run(monkeypatch, "predict", model, tmp_path / "without.csv") == 3
    assert "age" in capsys.readouterr().err

    # A link's file is replaced, not the link; a pipe is written to.
    (tmp_path / "link.csv").symlink_to(tmp_path / "again.csv")
    (tmp_path / "again.csv").unlink()
    assert run(monkeypatch, "predict", model, customers, "--out", tmp_path / "link.csv") == 0
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "again.csv").read_bytes() == out.read_bytes()
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor() as reader:
        received = reader.submit((tmp_path / "pipe").read_bytes)
        assert run(monkeypatch, "predict", model, customers, "--out", tmp_path / "pipe") == 0
        assert received.result() == out.read_bytes()

    # A model is never written over.
    capsys.readouterr()
    assert run(monkeypatch, *fit) == 4
    assert "already exists" in capsys.readouterr().err


def test_a_study_ends_in_tables_a_report_and_a_model(
    customers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["study", customers, "--target", "churned", "--arm", "dropout(0.5)", "--arm", "l2(0.1)"]
    words += ["--seeds", "2", "--rates", "0.1", "--no-baselines", "--workers", "1", "--out", out, *SHORT]
    assert run(monkeypatch, *words) == 0
    first = capsys.readouterr()
    assert "dropout(0.5)" in first.out
    assert re.search(r"verdict: (\d+) of \1 runs done", first.err)
    page = (out / "report.html").read_text("utf-8")
    assert "<script>alert" not in page
    assert "country" in page
    assert run(monkeypatch, "predict", out / "best-model", customers, "--out", tmp_path / "p.csv") == 0
    assert run(monkeypatch, "predict", out, customers) == 4
    assert f"give {out / 'best-model'}" in capsys.readouterr().err

    capsys.readouterr()
    assert run(monkeypatch, *words, "--markdown") == 0
    again = capsys.readouterr()
    assert "runs done" not in again.err  # nothing was trained
    (out / "report.html").unlink()
    assert run(monkeypatch, "report", out, "--markdown") == 0
    assert capsys.readouterr().out == again.out
    assert (out / "report.html").read_text("utf-8").startswith("<!doctype html>")
    assert run(monkeypatch, "report", out, "--json") == 0
    assert [arm["name"] for arm in json.loads(capsys.readouterr().out)["arms"]] == [
        "plain",
        "dropout(0.5)",
        "l2(0.1)",
    ]

    # Another metric is judged from what is stored, and does not replace the report.
    (out / "report.html").unlink()
    capsys.readouterr()
    assert run(monkeypatch, "report", out, "--metric", "log_loss", "--json") == 0
    judged = capsys.readouterr()
    assert json.loads(judged.out)["metric"] == "test log-loss"
    assert "runs done" not in judged.err
    assert "test log-loss" in (out / "report-log_loss.html").read_text("utf-8")
    assert not (out / "report.html").exists()
    assert run(monkeypatch, "report", out, "--metric", "rmse") == 2
    assert "log_loss" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["study", "digits", "--arm", "dropuot"], 2, "did you mean dropout"),
        (
            ["study", "digits", "--arm", "dropout(1.5)"],
            2,
            "hidden_rate = 1.5 is not allowed: give a number in [0, 1)",
        ),
        (["study", "digits", "--arm", "dropout(0.5"], 2, "cannot read"),
        (["study", "digits", "--arm", "__import__('os').system('true')"], 2, "cannot read"),
        (["study", "digits", "--rates", "fast"], 2, "--rates"),
        (["study", "digits", "--rates=-1"], 2, "give positive numbers"),
        (["study", "digits", "--budget", "huge"], 2, "--budget"),
        (["study", "digits", "--network", "mlp((0,))"], 2, "mlp: hidden"),
        (["study", "digits", "--arm", "l2", "--arm", "l2()"], 2, "the same recipe"),
        (["study", "nowhere.csv", "--target", "y"], 3, "nowhere.csv"),
        (["fit", "digits", "--out", "model", "--rate", "1e30"], 2, "diverged"),
        (["predict", "nowhere", "digits"], 4, "not a model"),
        (["report", "nowhere"], 4, "nowhere"),
        (["strategies", "batchnorm"], 2, "batch_norm"),
        (["data", "nowhere.npz"], 3, "nowhere.npz"),
    ],
)
def test_a_mistake_is_named_without_a_trace(
    words: list[str],
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, *words) == code
    shown = capsys.readouterr()
    assert message in shown.err
    assert "Traceback" not in shown.err
    assert shown.out == ""
    assert list(tmp_path.iterdir()) == []


def test_the_catalogue_and_the_doctor_speak(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "strategies") == 0
    assert "batch_norm" in capsys.readouterr().out
    assert run(monkeypatch, "strategies", "dropout") == 0
    page = capsys.readouterr().out
    assert all(word in page for word in ("hidden_rate", "[0, 1)", "Srivastava", "dropout(hidden_rate=0.5"))
    assert run(monkeypatch, "data", "digits", "--json") == 0
    assert json.loads(capsys.readouterr().out)["examples"]["train"] == 1079
    assert run(monkeypatch, "doctor", "--json") == 0
    assert json.loads(capsys.readouterr().out)["missing"] == "nothing"


def test_the_version_is_the_package_s(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"trainwright {version('trainwright')}\n"


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("stu", {"study"}),
        ("study --see", {"--seeds"}),
        ("strategies drop", {"dropout"}),
        ("exhibit mini", {"minibatch"}),
        ("strategies _", set()),
        ("system dbm", {"dbm", "dbm-dropout"}),
        ("fit mnist --system dbm-", {"dbm-dropout"}),
    ],
)
def test_the_shell_completes_commands_options_and_names(words: str, completed: set[str]) -> None:
    code = "import sys; sys.argv[0] = 'trainwright'; from trainwright.cli import main; main()"
    asked = {"_TRAINWRIGHT_COMPLETE": "complete_bash", "COMP_WORDS": f"trainwright {words}"}
    asked["COMP_CWORD"] = str(len(words.split()))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ | asked
    )
    assert set(done.stdout.split()) == completed, done.stderr


@pytest.mark.parametrize("command", ["", "study", "fit", "predict", "report", "strategies", "data", "doctor"])
def test_help_has_an_example(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *filter(None, [command]), "--help") == 0
    text = capsys.readouterr().out
    assert ("Exit codes" if not command else "Example" if command != "doctor" else "NPROC") in text


def test_ctrl_c_says_what_is_kept_and_how_to_go_on(tmp_path: Path) -> None:
    words = ["study", "digits", "--arm", "l2", "--epochs", "400", "--rates", "0.1,0.2", "--workers", "1"]
    command = [sys.executable, "-c", "from trainwright.cli import main; main()", *words]
    process = subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    end = time.monotonic() + 120
    while not list(tmp_path.glob("study-digits/store/claims/*.lock")):
        assert time.monotonic() < end
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    _, shown = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "finished runs are kept in study-digits/store. Rerun the same command to resume" in shown
    assert "Traceback" not in shown


def test_a_model_is_replaced_whole_or_not_at_all(
    customers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "model"
    assert run(monkeypatch, "fit", customers, "--target", "churned", "--out", out, *SHORT) == 0
    model, before = Model.load(out), (out / "model.json").read_bytes()
    with monkeypatch.context() as patch:

        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match="disk is full"):
            model.save(out, replace=True)
    assert (out / "model.json").read_bytes() == before
    changed = replace(model, origin={})
    changed.save(out, replace=True)
    assert Model.load(out).origin == {}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["customers.csv", "model"]
    with pytest.raises(StoreError, match="already exists"):
        model.save(out)
    (out / "notes.txt").write_text("the user's own")
    with pytest.raises(StoreError, match="already exists: move away what you need of it"):
        model.save(out, replace=True)
    assert (out / "notes.txt").exists()


@pytest.mark.parametrize("command", ["fit", "study", "best", "pretraining"])
def test_results_are_kept_apart_from_a_folder_of_data(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else they would be taken for classes; and nobody is told to delete the data."""
    photos = tmp_path / "photos"
    for number in range(40):
        place = photos / f"class{number % 2}" / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 6 * number).save(place)
    before = sorted(photos.rglob("*"))
    for out in (photos, photos / "model"):
        assert run(monkeypatch, command, photos, "--out", out) == 2
        said = " ".join(capsys.readouterr().err.split())
        assert "is in the data's folder" in said
        assert "delete it" not in said
    assert sorted(photos.rglob("*")) == before


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="there is no /dev/full here")
def test_a_full_disk_behind_the_output_is_said(customers: Path) -> None:
    code = "from trainwright.cli import main; main()"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code, "data", str(customers), "--target", "churned"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 4, done.stderr
    assert done.stderr.strip().endswith("cannot write to standard output: the disk is full")
    assert "Traceback" not in done.stderr


def test_no_rows_are_no_prediction(
    customers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, empty = tmp_path / "model", tmp_path / "empty.csv"
    assert run(monkeypatch, "fit", customers, "--target", "churned", "--out", out, *SHORT) == 0
    pd.read_csv(customers).head(0).to_csv(empty, index=False)
    assert run(monkeypatch, "predict", out, empty) == 3
    assert "no rows" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-c", "from trainwright.cli import main; main()", "strategies", "--json"]
    try:
        done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_help_s_example_of_a_base_needs_no_arms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, base = load("digits"), Recipe(strategies=strategies.read("momentum(0.9)"))
    assert not any("momentum" in arm for arm in defaults.arms(data, base))
    assert len(read_arms(base, defaults.arms(data, base))) == len(defaults.arms(data, base)) + 1
    assert any("momentum" in arm for arm in defaults.arms(data, Recipe()))


def test_symptoms_have_their_numbers_as_reports_do() -> None:
    heads = ["gradient", "update", "p15", "p50", "p85", "active", "dead", "saturated"]
    reading = LayerStats(2.3, 2.3, 2.3, pd.DataFrame(columns=heads), {})
    short = Symptom("short steps", "A step moves the weights by 1.0e-06 of their size.", "adam")
    console = Console(width=200)
    with console.capture() as shown:
        console.print(diagnosis_page(Diagnosis(reading, reading, (short,))))
    assert "by 1.0×10⁻⁶ of their size" in shown.get()
