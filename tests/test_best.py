"""`trainwright best`: from a table to a recipe that is confirmed, explained and delivered."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trainwright.base.errors import SettingError, StoreError
from trainwright.cli import main, progress
from trainwright.comparison.caution import Caution
from trainwright.comparison.recommendation import Recommendation
from trainwright.data import DataSpec, load
from trainwright.ensemble import Ensemble
from trainwright.ensemble import load as load_model
from trainwright.model import Model
from trainwright.recipe import Recipe
from trainwright.report import cautions
from trainwright.report.recommendation import headline
from trainwright.search import confirmation
from trainwright.search.best import best
from trainwright.search.budget import FEWEST
from trainwright.search.found import Found
from trainwright.search.progress import SearchProgress

SMALL = {"arms": ("l2(0.01)", "batch_norm"), "network": "mlp((4,))", "workers": 1}


def frame(rows: int = 100, noise: bool = False) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 3))
    y = x[:, 0] * x[:, 1] > 0
    labels = rng.permutation(y) if noise else y
    return pd.DataFrame(x, columns=["a", "b", "c"]).assign(
        who=np.arange(rows) // 2, y=np.where(labels, "yes", "no")
    )


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Found, Path]:
    folder = tmp_path_factory.mktemp("best")
    return best(DataSpec(frame(), target="y", group="who"), trainings=90, folder=folder, **SMALL), folder


def numbers(found: Found) -> str:
    """All of a result but what it took."""
    plain = json.loads(found.recommendation.to_json())
    for comparison in (plain["comparison"], plain["against"]):
        for arm in comparison["arms"]:
            for name in ("seconds", "milliseconds_per_step"):
                del arm[name]
    del plain["seconds"]
    return json.dumps(plain)


def test_a_search_is_confirmed_on_examples_that_it_never_saw(searched: tuple[Found, Path]) -> None:
    found, _ = searched
    result, data = found.recommendation, load(frame(), target="y", group="who")
    comparison = found.comparison
    assert comparison.reference == "plain"
    assert comparison.design == "test set"
    aside = data.set_aside(0).splits.test
    assert comparison.examples == len(aside)
    assert comparison.groups == len(np.unique(data.groups[aside]))
    assert {baseline.name for baseline in comparison.baselines} == {"guess", "linear", "boosting"}
    assert result.trainings <= 90 + 1
    assert result.recipes > 3
    assert result.optimism == pytest.approx(result.winner.error.mean - result.seen)
    assert Recommendation.from_json(result.to_json()) == result
    assert Recipe.from_json(result.recipe) == found.recipe


def test_the_model_is_one_network_of_the_recipe_for_new_rows(searched: tuple[Found, Path]) -> None:
    found, _ = searched
    assert found.model is not None
    assert found.model.recipe == found.recipe
    predicted = found.model.predict(frame().drop(columns="y"))
    assert predicted.shape == (100, 2)
    assert found.model.origin["data"]["examples"]["train"] == 100


def test_killed_anywhere_and_repeated_it_comes_to_the_same(
    searched: tuple[Found, Path], tmp_path: Path
) -> None:
    spec = DataSpec(frame(), target="y", group="who")

    class Killed(BaseException):
        pass

    for after in (20, 60):  # in the search, and while it is being confirmed

        def watch(progress: SearchProgress, after: int = after) -> None:
            if progress.trainings >= after:
                raise Killed

        with pytest.raises(Killed):
            best(spec, trainings=90, folder=tmp_path, watch=watch, **SMALL)
    assert numbers(best(spec, trainings=90, folder=tmp_path, **SMALL)) == numbers(searched[0])


def test_repeating_it_trains_nothing_and_more_trainings_go_on(searched: tuple[Found, Path]) -> None:
    found, folder = searched
    spec = DataSpec(frame(), target="y", group="who")
    before = set((folder / "store" / "runs").iterdir())
    assert numbers(best(spec, trainings=90, folder=folder, **SMALL)) == numbers(found)
    assert set((folder / "store" / "runs").iterdir()) == before
    longer = best(spec, trainings=110, folder=folder, **SMALL)
    assert longer.recommendation.trainings > found.recommendation.trainings
    assert before < set((folder / "store" / "runs").iterdir())


def test_on_noise_nothing_is_shown_to_beat_guessing() -> None:
    found = best(DataSpec(frame(150, noise=True), target="y"), trainings=60, ensemble=True, **SMALL)
    assert "Nothing is shown to beat guessing" in headline(found.recommendation)
    assert found.recommendation.delivered == "plain"
    assert [strategy.name for strategy in found.recipe.strategies] == ["adam", "initialization"]  # plain's
    assert found.recommendation.ensemble is not None


def test_a_budget_too_small_to_screen_says_so_and_the_time_is_remembered(tmp_path: Path) -> None:
    spec = DataSpec(frame(), target="y")
    found = best(spec, minutes=0.02, network="mlp((4,))", folder=tmp_path, workers=1)
    assert any("the budget ended" in caution for caution in cautions(found.comparison, found.recommendation))
    assert found.comparison.baselines
    stored = json.loads((tmp_path / "search.json").read_text())
    assert stored["spent"] > 0
    assert len(stored["looks"]) == 1
    (tmp_path / "search.json").write_text("{")
    with pytest.raises(StoreError, match=r"search\.json is damaged"):
        best(spec, minutes=0.02, network="mlp((4,))", folder=tmp_path, workers=1)


def test_a_folder_remembers_every_look_and_keeps_to_its_data(
    searched: tuple[Found, Path], tmp_path: Path
) -> None:
    shutil.copytree(searched[1], tmp_path / "kept")
    folder, read_before = tmp_path / "kept", "these unseen examples were read"
    spec = DataSpec(frame(), target="y", group="who")
    small = {"network": "mlp((4,))", "workers": 1, "folder": folder, "trainings": FEWEST}
    (before,) = json.loads((folder / "search.json").read_text())["looks"].values()
    other = best(spec, metric="log_loss", **small)
    read = other.comparison.arm(other.recommendation.best).recipe not in before
    said = any(read_before in caution for caution in cautions(other.comparison, other.recommendation))
    assert said == read, "another question about the same examples is another look"
    looks = json.loads((folder / "search.json").read_text())["looks"]
    assert sum(map(len, looks.values())) == len(before) + read
    with pytest.raises(StoreError, match="a search of other data"):
        best(DataSpec(frame(150), target="y"), **small)
    assert json.loads((folder / "search.json").read_text())["looks"] == looks


def test_a_baseline_that_the_time_is_too_short_for_is_left_out_and_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(confirmation, "QUICK", 0.0)  # too long is what takes any time at all
    spec = DataSpec(frame(), target="y", group="who")
    found = best(spec, minutes=0.02, network="mlp((4,))", workers=1, seed=1)
    assert min(found.recommendation.winner.seeds) == 10  # each search confirms with seeds of its own
    assert not found.comparison.baselines
    for name in ("guess", "linear", "boosting"):
        assert Caution("baseline left out", {"baseline": name}) in found.recommendation.cautions


def test_options_at_odds_are_refused_before_any_training() -> None:
    spec = DataSpec(frame(), target="y")
    for given, message in (
        ({"keep": "dropout(0.5)", "without": ["dropout"]}, "both kept and left out"),
        ({"minutes": 0}, "minutes = 0 is not allowed"),
        ({"trainings": 3}, "too few to search and to confirm"),
        ({"network": "mlp, mlp"}, "give one network"),
        ({"metric": "rmse"}, "does not suit classification"),
        ({"keep": "dropuot"}, "did you mean dropout"),
        ({"level": 2.0}, "level=2.0"),
    ):
        with pytest.raises(SettingError, match=message):
            best(spec, **given)


# The command


def run(monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["trainwright", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_the_command_delivers_recipe_model_and_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table, out = tmp_path / "people.csv", tmp_path / "out"
    frame().to_csv(table, index=False)
    words = ["best", table, "--target", "y", "--group", "who", "--trainings", "60", "--arm", "batch_norm"]
    more = ["--network", "mlp((4,))", "--workers", "1", "--ensemble", "--out", out]
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)  # a fast machine is done before the first
    assert run(monkeypatch, *words, *more) == 0
    shown = capsys.readouterr()
    assert "negative is better than it" in shown.out
    assert "trainwright fit" in shown.out
    assert "trainings" in shown.err
    page = (out / "report.html").read_text("utf-8")
    assert "What was tried" in page
    assert "Against everything else" in page
    recipe = Recipe.from_json(json.loads((out / "recipe.json").read_text()))
    assert Model.load(out / "model").recipe == recipe
    ensemble = load_model(out / "ensemble")
    assert isinstance(ensemble, Ensemble)
    assert run(monkeypatch, "predict", out / "ensemble", table) == 0
    predicted = capsys.readouterr().out.splitlines()
    assert len(predicted) == 101
    members = [member.predict(frame()) for member in ensemble.members]
    assert np.allclose(ensemble.predict(frame()), np.mean(members, axis=0))

    command = json.loads((out / "found.json").read_text())["fit"]
    assert "--group who" in command
    fitted = tmp_path / "fitted"
    words = [fitted if word == "model" else word for word in shlex.split(command)[1:]]
    assert run(monkeypatch, *words, "--quiet") == 0
    assert Model.load(fitted).recipe == recipe


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--keep", "l2", "--without", "l2"], 2, "both kept and left out"),
        (["--minutes", "0"], 2, "give a positive number"),
        (["--trainings", "5"], 2, "too few to search"),
    ],
)
def test_bad_options_end_with_their_message(
    words: list[str], code: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    frame().to_csv(tmp_path / "t.csv", index=False)
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "best", "t.csv", "--target", "y", *words) == code
    assert message in capsys.readouterr().err
    assert not (tmp_path / "best-t").exists()


def test_too_few_rows_end_with_their_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    frame(20).to_csv(tmp_path / "t.csv", index=False)
    assert run(monkeypatch, "best", tmp_path / "t.csv", "--target", "y") == 3
    assert "20 examples are too few to set a fifth aside" in capsys.readouterr().err
