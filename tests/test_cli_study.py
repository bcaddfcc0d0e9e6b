"""`trainwright study`: from a table to a verdict, and from a study's folder to more of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trainwright.cli import main


def run(monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> int:
    """The exit code of `trainwright study WORDS`, run in this process."""
    monkeypatch.setattr(sys, "argv", ["trainwright", "study", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def table(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 2))
    frame = pd.DataFrame(x, columns=["a", "b"]).assign(
        patient=np.arange(80) // 4, ill=np.where(x.sum(axis=1) + rng.normal(size=80) > 0, "yes", "no")
    )
    frame.to_csv(folder / "patients.csv", index=False)
    return folder / "patients.csv"


SHORT = ("--network", "mlp((4,))", "--epochs", "2", "--workers", "1")
ONE_RATE = ("--rates", "0.1")  # a short tuning


def test_a_study_is_extended_from_its_folder_and_its_looks_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = (
        table(tmp_path),
        "--target",
        "ill",
        "--group",
        "patient",
        "--arm",
        "dropout(hidden_rate=0.2|0.5)",
        "--baseline",
        "linear(penalty=0.5)",
    )
    assert run(monkeypatch, *words, "--seeds", "3", "--out", out, *SHORT, *ONE_RATE) == 0
    shown = capsys.readouterr()
    assert "5 seeds instead of 3" in shown.err
    first = json.loads((out / "study.json").read_text())
    assert first["looks"] == [5]
    assert first["data"]["group"] == "patient"
    assert len(first["arms"]["dropout"]) == 2
    assert set(first["baselines"]) == {"guess", "linear", "boosting"}
    assert first["baselines"]["linear"] == [{"name": "linear", "penalty": 0.5}], "the user's, not the default"

    before = set((out / "store" / "runs").iterdir())
    assert run(monkeypatch, out, "--seeds", "10", "--json") == 0
    comparison = json.loads(capsys.readouterr().out)
    assert comparison["looks"] == [5]
    assert [len(arm["seeds"]) for arm in comparison["arms"]] == [10, 10]
    assert {baseline["name"] for baseline in comparison["baselines"]} == {"guess", "linear", "boosting"}
    assert json.loads((out / "study.json").read_text())["looks"] == [5, 10]
    new = set((out / "store" / "runs").iterdir()) - before
    assert len(new) == 2 * 5 + 3 * 5  # only the verdict's, on five more folds

    assert run(monkeypatch, out, "--quiet") == 0  # nothing new: the same look
    assert json.loads((out / "study.json").read_text())["looks"] == [5, 10]
    assert run(monkeypatch, out, "--arm", "l2") == 2
    assert "--arm cannot be changed" in capsys.readouterr().err
    kept = (out / "comparison.json").read_bytes()
    assert run(monkeypatch, out, "--seeds", "5") == 2
    assert "compared with 10 seeds" in " ".join(capsys.readouterr().err.split())
    assert run(monkeypatch, out, "--delta", "-1") == 2
    assert (out / "comparison.json").read_bytes() == kept, "a report is not replaced by one of fewer seeds"
    assert json.loads((out / "study.json").read_text())["delta"] is None, "nor a plan by one that is refused"

    (tmp_path / "others").mkdir()
    words = (table(tmp_path / "others"), *words[1:])
    assert run(monkeypatch, *words, "--seeds", "3", "--out", out, *SHORT, *ONE_RATE) == 4
    assert "a study of other data" in " ".join(capsys.readouterr().err.split())
    assert json.loads((out / "study.json").read_text())["looks"] == [5, 10], "nothing is lost"


def test_looks_are_paid_for_though_other_arms_were_studied_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, data = tmp_path / "out", table(tmp_path)
    for arm, seeds, looks in (("l2", "5", []), ("max_norm", "5", []), ("l2", "10", [5])):
        words = ("--target", "ill", "--arm", arm, "--seeds", seeds, "--no-baselines", "--json")
        assert run(monkeypatch, data, *words, "--out", out, *SHORT, *ONE_RATE) == 0
        told = capsys.readouterr()
        comparison = json.loads(told.out)
        assert comparison["looks"] == looks
        assert comparison["repeated"] == (seeds == "10")


def test_another_metric_says_by_which_one_candidates_were_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--target", "ill", "--arm", "l2", "--seeds", "5", "--no-baselines", *SHORT, *ONE_RATE)
    assert run(monkeypatch, table(tmp_path), *words, "--out", tmp_path / "out") == 0
    assert "chosen by" not in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["trainwright", "report", str(tmp_path / "out"), "--metric", "log_loss"])
    with pytest.raises(SystemExit):
        main()
    assert "were chosen by the validation error" in " ".join(capsys.readouterr().out.split())
    page = (tmp_path / "out" / "report-log_loss.html").read_text("utf-8")
    assert "validation error" in page
    assert "validation log-loss" not in page


def test_a_delta_holds_for_metrics_of_its_unit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--target", "ill", "--arm", "l2", "--seeds", "5", "--no-baselines", *SHORT, *ONE_RATE)
    assert run(monkeypatch, table(tmp_path), *words, "--delta", "0.2", "--out", tmp_path / "out", "-q") == 0
    for metric, holds in (("balanced_error", True), ("log_loss", False)):
        report = ["trainwright", "report", str(tmp_path / "out"), "--metric", metric, "--json"]
        monkeypatch.setattr(sys, "argv", report)
        with pytest.raises(SystemExit):
            main()
        assert (json.loads(capsys.readouterr().out)["delta"] == 0.2) == holds


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--arm", "l1|l2"), "alternatives as plain values"),
        (("--arm", "dropout(hidden_rate=x|0.5)"), "alternatives as plain values"),
        (("--baseline", "forest"), "no baseline 'forest'"),
        (("--metric", "rmse"), "metric='rmse' does not suit classification"),
        (("--rates", "a"), "give positive numbers with commas between"),
        (("--group", "nobody"), "nobody"),
        (("--budget", "huge"), "choose quick or full"),
    ],
)
def test_bad_options_are_refused_before_the_work(
    words: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    assert run(monkeypatch, table(tmp_path), "--target", "ill", "--out", out, *SHORT, *words) in (2, 3)
    assert message in capsys.readouterr().err
    assert not (out / "store").exists()


def test_a_factorial_study_has_main_effects_and_interactions_and_keeps_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = (table(tmp_path), "--target", "ill", "--arm", "l2(0.01)", "--arm", "dropout(0.2)", "--factorial")
    short = (*SHORT, *ONE_RATE, "--no-baselines")
    assert run(monkeypatch, *words, "--seeds", "5", "--out", out, *short) == 0
    assert "l2(0.01) × dropout(0.2)" in capsys.readouterr().out
    assert "Main effects and interactions" in (out / "report.html").read_text("utf-8")
    assert run(monkeypatch, out, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["arms"]) == 4
    effects = [effect["factors"] for effect in found["factorial"]["effects"]]
    assert effects == [["l2(0.01)"], ["dropout(0.2)"], ["l2(0.01)", "dropout(0.2)"]]
    means = {arm["name"]: arm["error"]["mean"] for arm in found["arms"]}
    main = found["factorial"]["effects"][0]["interval"]["mean"]
    alone, beside = means["l2(0.01)"], means["l2(0.01) + dropout(0.2)"]
    assert main == pytest.approx((alone + beside - means["plain"] - means["dropout(0.2)"]) / 2)


def test_a_factorial_without_arms_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, table(tmp_path), "--target", "ill", "--factorial") == 2
    assert "give --arm two to eight times" in capsys.readouterr().err
