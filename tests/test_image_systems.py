"""The image systems: their recipes, ensembles, stand-ins, and what a plan counts."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from flax import nnx

from trainwright import systems
from trainwright.base.errors import SettingError
from trainwright.cli import main
from trainwright.data import sequences
from trainwright.data.dataset import Dataset, Splits
from trainwright.network import NetworkBuilder
from trainwright.networks.convnet import Convnet
from trainwright.networks.deep_image import DeepImage
from trainwright.networks.googlenet import Googlenet
from trainwright.networks.inception_bn import InceptionBn
from trainwright.networks.mlp import Mlp
from trainwright.networks.street_numbers import StreetNumbers
from trainwright.recipe import Recipe
from trainwright.runs.run import Run
from trainwright.runs.store import Store, digest
from trainwright.strategies import Crops, EarlyStopping, Mirror
from trainwright.system import (
    Extent,
    Rerun,
    System,
    SystemBudget,
    Table,
    contract,
    cost,
    plan,
    record,
    steps,
    system,
    training,
)
from trainwright.system.memory import TooLarge
from trainwright.system.shared import as_stored, trained
from trainwright.system.table import markdown, rows
from trainwright.training.building import Training, dry_run

TABLES = ("imagenet", "inception", "street-numbers")
SYSTEMS = [row for name in TABLES for row in systems.tables()[name].systems]
NAMES = [row.name for row in SYSTEMS]


def kind(row: System) -> tuple[object, ...]:
    """What decides how a row's network is built: rows that differ in numbers only have it in common."""
    recipe = row.recipe("paper")
    names = [chosen.name for chosen in recipe.strategies]
    return type(recipe.network), getattr(recipe.network, "depth", None), *names


KINDS = {kind(row): row.name for row in SYSTEMS}.values()


def strategy(recipe: Recipe, name: str):
    """The recipe's strategy of this name."""
    return next(chosen for chosen in recipe.strategies if chosen.name == name)


def images(outputs: int, side: int = 32, examples: int = 8) -> Dataset:
    """A few images of noise, of numbers to be read where a network puts out so many values."""
    rng = np.random.default_rng(0)
    x = rng.random((examples, side, side, 3), np.float32)
    splits = Splits(np.arange(examples - 4), np.arange(2) + examples - 4, np.arange(2) + examples - 2)
    if outputs == sequences.OUTPUTS:
        return Dataset("noise", "sequence", x, sequences.from_texts(["17"] * examples), splits)
    classes = tuple(map(str, range(outputs)))
    return Dataset(
        "noise", "classification", x, np.arange(examples, dtype=np.int32) % outputs, splits, classes
    )


# The rows.


def test_published_numbers_are_those_of_the_papers() -> None:
    published = {row.name: row.published for row in SYSTEMS}
    assert [published[name] for name in NAMES if name.startswith("googlenet")] == [10.07, 9.15, 7.89, 6.67]
    assert [published[name] for name in NAMES if name.startswith("deep-image")] == [7.96, 7.42, 5.98]
    assert [published[name] for name in NAMES if name.startswith("bn-inception")] == [7.82, 5.82, 4.9]
    best = {"inception": 72.2, "bn-baseline": 72.7, "bn-x5": 73.0, "bn-x30": 74.8, "bn-x5-sigmoid": 69.8}
    for name, right in best.items():
        assert published[name] == pytest.approx(100 - right)
    assert published["street-numbers"] == pytest.approx(100 - 96.03)
    assert [name for name in NAMES if published[name] is None] == [
        f"street-numbers-{n}" for n in range(3, 11)
    ]
    for row in SYSTEMS:
        expected = {"imagenet": "top5_error", "inception": "error", "street-numbers": "number_error"}
        [table] = [name for name in TABLES if row in systems.tables()[name].systems]
        assert row.metric == expected[table]


@pytest.mark.parametrize("name", NAMES)
def test_every_budget_has_the_same_strategies(name: str) -> None:
    row = systems.find(name)
    quick, standard, paper = (
        [[type(strategy) for strategy in member.strategies] for member in row.members(budget)]
        for budget in get_args(SystemBudget)
    )
    assert quick == standard
    assert (quick == paper) != name.startswith("street-numbers")  # whose short budgets say that they differ


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_row_trains_on_small_images(name: str) -> None:
    """Host only: the network is built narrow, and the strategies, the same in all budgets, see its shapes."""
    row = systems.find(name)
    outputs = sequences.OUTPUTS if row.dataset == "svhn_numbers" else 6
    members = row.members("paper")
    for recipe in {members[0], members[-1]}:
        narrow = {"width": 3} | ({"hidden_width": 1} if isinstance(recipe.network, StreetNumbers) else {})
        small = recipe.replace(network=replace(recipe.network, **narrow), steps=4)
        dry_run(Training(small, images(outputs), 0))


def test_the_figure_s_rows_differ_as_the_paper_says() -> None:
    recipes = {row.name: row.recipe("paper") for row in systems.table("inception").systems}
    rates = {name: recipe.learning_rate for name, recipe in recipes.items()}
    assert rates == pytest.approx(
        {
            "inception": 0.0015,
            "bn-baseline": 0.0015,
            "bn-x5": 0.0075,
            "bn-x30": 0.045,
            "bn-x5-sigmoid": 0.0075,
        }
    )
    normed = {n for n, r in recipes.items() if any(s.name == "batch_norm" for s in r.strategies)}
    assert normed == set(recipes) - {"inception"}
    assert {n: r.network.dropout for n, r in recipes.items() if r.network.dropout} == {
        "inception": 0.4,
        "bn-baseline": 0.4,
    }
    plain, fast = recipes["inception"], recipes["bn-x30"]
    assert strategy(plain, "l2").coefficient == pytest.approx(5 * strategy(fast, "l2").coefficient)
    # The rate falls by 4 % in 8 passes of the one, and six times in 8 passes of the other.
    for recipe, falls in ((plain, 1), (fast, 6)):
        length, step = recipe.length(1_281_167), round(8 * 1_281_167 / 32)
        factor = strategy(recipe, "rate_schedule").rate(np.int32(step), np.int32(length))
        assert float(factor) == pytest.approx(0.96**falls, rel=1e-3)


def test_ensembles_have_the_papers_members() -> None:
    googlenets = systems.find("googlenet-ensemble").members("paper")
    assert [member.network.width for member in googlenets] == [100] * 6 + [110]
    inceptions = systems.find("bn-inception-ensemble").members("paper")
    assert len(set(inceptions)) == 6
    assert all(strategy(member, "crops") == Crops(144) for member in (*googlenets, *inceptions))
    assert systems.find("bn-inception").recipe("paper") == systems.find("bn-x30").recipe("paper")


def test_dropout_before_inception_s_output_is_off_unless_asked_for() -> None:
    def names(network: InceptionBn) -> set[str]:
        builder = NetworkBuilder((), 0, inputs=lambda: np.zeros((1, 32, 32, 3), np.float32))
        return set(network.build((32, 32, 3), 2, builder).order)

    assert names(InceptionBn(width=2, dropout=0.4)) - names(InceptionBn(width=2)) == {"average/drop"}


# The plan.


def test_multiply_adds_of_a_small_network_are_those_counted_by_hand() -> None:
    network = Convnet(((4, 3, 2), (5, 3, 1)), (7,))
    counted = plan.size(network, (10, 10, 3), 2)
    # 10 - 2 = 8 places a side, pooled to 4; 4 - 2 = 2.
    by_hand = 8 * 8 * 4 * (3 * 3 * 3) + 2 * 2 * 5 * (3 * 3 * 4) + (2 * 2 * 5) * 7 + 7 * 2
    assert counted.predicting == counted.training == by_hand
    assert counted.parameters == 4 * 28 + 5 * 37 + 7 * 21 + 2 * 8


def test_maxout_and_locally_connected_layers_are_counted_too() -> None:
    network = StreetNumbers(depth=11, width=1, hidden_width=1)
    counted = plan.size(network, (8, 8, 3), 57)
    # Channels 1 (of three pieces, 8×8), 1 1 2 2 2 2 2, each side halved after every other one: 4 4 2 2 1 1 1.
    by_hand = 64 * 25 * 3 * 3 + 16 * 25 + 16 * 25 + 4 * 25 * 2 + 4 * 25 * 2 * 2 + 3 * 25 * 4
    by_hand += 25 * 4 + 2 * 31 + 31 * 31 + 31 * 57
    assert counted.predicting == by_hand


def test_sizes_are_the_published_ones() -> None:
    googlenet = plan.size(Googlenet(), (224, 224, 3), 1000)
    assert googlenet.parameters == 13_378_280  # with its heads
    assert 1.5e9 < googlenet.predicting < 1.6e9
    heads = [16 * channels * 128 + 16 * 128 * 1024 + 1024 * 1000 for channels in (512, 528)]  # on 4a and 4d
    assert googlenet.training == googlenet.predicting + sum(heads)
    assert plan.size(Googlenet(heads=False), (224, 224, 3), 1000).parameters == 6_998_552
    assert plan.size(DeepImage(), (224, 224, 3), 1000).parameters == 212_761_384
    assert plan.size(InceptionBn(), (224, 224, 3), 1000).parameters == 11_275_208


def test_parameters_are_those_of_the_network_itself() -> None:
    network = Googlenet(width=5)
    builder = NetworkBuilder((), 0, inputs=lambda: np.zeros((1, 32, 32, 3), np.float32))
    state = nnx.state(network.build((32, 32, 3), 10, builder), nnx.Param)
    built = sum(leaf.size for leaf in nnx.to_pure_dict(state)["parts"].values() for leaf in leaf.values())
    assert plan.size(network, (32, 32, 3), 10).parameters == built


SMALL = Extent((8, 8, 3), 6, 1_000, 200)


def small(budget: SystemBudget) -> Recipe:
    """A small network.

    - It is not published.
    """
    return Recipe(
        Mlp((8,)), (Mirror(), Crops(10)), batch_size=10, steps=2_000 if budget == "paper" else 20, epochs=1
    )


SETTINGS = {"metric": "top5_error", "dataset": "imagenet", "stand_in": "cifar10", "size": 8, "extent": SMALL}
SINGLE = system(published=7.5, source="nowhere", **SETTINGS)(small)
PAIR = replace(SINGLE, name="pair", published=None, learner=lambda budget: (small(budget),) * 2)


def test_a_plan_is_operations_times_steps_over_a_rate(tmp_path: Path) -> None:
    single, pair = plan.of(SINGLE), plan.of(PAIR)
    multiply_adds = 8 * 8 * 3 * 8 + 8 * 6
    assert single.size.predicting == multiply_adds
    assert single.updates == 2_000
    assert single.training == 2 * 3 * multiply_adds * 10 * 2_000
    assert single.predicting == 2 * multiply_adds * 200 * 10  # ten crops
    assert single.seconds(2.0) == (single.training + single.predicting) / 2e12
    assert (pair.updates, pair.training) == (2 * single.updates, 2 * single.training)
    assert plan.of(systems.find("dropout-3x1024")) is None
    with pytest.raises(SettingError, match="--teraflops 0"):
        plan.TablePlan.of(Table("t", "T", "A.", (SINGLE,)), tmp_path, 0)


# A rerun on a stand-in.


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int | None]]:
    """Every source is a few images of noise; what was asked for."""
    asked: list[tuple[str, int | None]] = []

    def load(source: str, *, size: int | None = None) -> Dataset:
        asked.append((source, size))
        return replace(images(6, 8, 40), name=Path(source).stem)

    monkeypatch.setattr(contract, "load", load)
    contract.loaded.cache_clear()
    yield asked
    contract.loaded.cache_clear()


def test_each_budget_has_its_data_in_its_size(stand_in: list[tuple[str, int | None]]) -> None:
    for rerun in (
        Rerun(SINGLE, "quick"),
        Rerun(SINGLE, "standard", source="photos"),
        Rerun(SINGLE, "paper"),
        Rerun(replace(SINGLE, stand_in=None), "quick"),
    ):
        assert len(rerun.data.splits.train) == 38
    assert stand_in == [("cifar10", None), ("photos", 8), ("imagenet", 8)]  # the last two share theirs


def test_a_stand_in_where_there_is_none_and_too_few_classes_are_refused(
    stand_in: list[tuple[str, int | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingError, match="trainwright fit photos --system dropout-3x1024"):
        _ = Rerun(systems.find("dropout-3x1024"), "quick", source="photos").data
    with pytest.raises(SettingError, match="budget paper trains small on imagenet"):
        _ = Rerun(SINGLE, "paper", source="photos").data
    monkeypatch.setattr(contract, "load", lambda source, size: images(5, 8, 40))
    with pytest.raises(SettingError, match="5 classes"):
        _ = Rerun(SINGLE, "quick", source="few").data


def test_an_ensemble_is_the_mean_of_its_members(
    tmp_path: Path, stand_in: list[tuple[str, int | None]]
) -> None:
    rerun, store = Rerun(PAIR, "quick", source="photos"), Store(tmp_path / "store")
    assert training.missing(rerun, store, 2) == [0, 1]
    made = training.train(rerun, store, tmp_path, seeds=2)
    assert training.missing(rerun, store, 2) == []
    recipe = small("quick")
    runs = [store.read(digest(as_stored(recipe), rerun.data.fingerprint, seed)) for seed in range(4)]
    for outcome, members in zip(made.outcomes, (runs[:2], runs[2:]), strict=True):
        mean = np.mean([np.exp(run.predictions["test"]) for run in members], axis=0)
        order = np.argsort(-mean, axis=1)[:, :5]
        wrong = [y not in row for y, row in zip(members[0].predictions["test_targets"], order, strict=True)]
        assert outcome.error == pytest.approx(100 * np.mean(wrong))
        assert outcome.steps == sum(run.steps for run in members)
    assert made.length == rerun.length == 2 * Rerun(SINGLE, "quick", source="photos").length
    assert (made.metric, made.data, made.published) == ("top5_error", "photos", None)
    assert len(made.recipe["members"]) == 2
    assert record.read(tmp_path, "pair", "quick") == made
    table = Table("t", "T", "A.", (SINGLE, PAIR))
    missing, row = rows(table, tmp_path)
    assert missing[1:3] == ("7.50", "not run")
    assert (row[1], row[-2:]) == ("–", ("top-5 error", "photos (38 + 2)"))
    page = markdown(table, tmp_path)
    assert "on photos, not imagenet" in page
    assert "A plan, not a result" in page


def test_rows_that_differ_in_how_they_predict_share_their_training(
    tmp_path: Path, stand_in: list[tuple[str, int | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[tuple[Recipe, int]] = []
    fit = training.fit

    def noted(recipe: Recipe, data: Dataset, seed: int, **rest: object) -> Run:
        fitted.append((recipe, seed))
        return fit(recipe, data, seed)

    monkeypatch.setattr(training, "fit", noted)
    whole = small("quick").replace(strategies=(Mirror(),))
    single = replace(SINGLE, name="one-crop", learner=lambda budget: whole)
    store = Store(tmp_path / "store")
    for row in (SINGLE, single, PAIR):
        training.train(Rerun(row, "quick"), store, tmp_path)
        assert training.missing(Rerun(row, "quick"), store) == []
    assert fitted == [(whole, 0), (whole, 1)]
    # What the shared weights predict with crops is what a training of the whole recipe predicts.
    data, recipe = Rerun(SINGLE, "quick").data, small("quick")
    shared = store.read(digest(as_stored(recipe), data.fingerprint, 0))
    own = fit(recipe, data, 0)
    for split in ("validation", "test"):
        np.testing.assert_array_equal(shared.predictions[split], own.predictions[split])
    assert dict(shared.weights) == {}
    plain = store.read(digest(whole.to_json(), data.fingerprint, 0), weights=True)
    assert not np.array_equal(plain.predictions["test"], own.predictions["test"])
    for name, array in own.weights.items():
        np.testing.assert_array_equal(plain.weights[name], array)


def test_where_predictions_decide_which_weights_are_kept_nothing_is_shared() -> None:
    stopped = small("quick").adding(EarlyStopping(patience=1))
    assert trained(stopped) == stopped
    assert as_stored(stopped) == stopped.to_json()
    assert trained(small("quick")) != small("quick")


def test_a_record_says_how_many_examples_judged_and_what_they_leave_to_chance(
    tmp_path: Path, stand_in: list[tuple[str, int | None]]
) -> None:
    made = training.train(Rerun(SINGLE, "quick"), Store(tmp_path / "store"), tmp_path)
    data = Rerun(SINGLE, "quick").data
    assert (made.examples, made.fingerprint) == ((38, 2), data.fingerprint)
    assert made.guess == 0.0  # of two images; both are among its five of six classes
    told = replace(made, examples=(2_000, 1_000), outcomes=(replace(made.outcomes[0], error=70.0),))
    low, high = told.by_chance
    # Wilson's interval solves |p - 0.7| = z √(p (1 - p) / n) for p.
    z = 1.959964
    for bound in (low / 100, high / 100):
        assert abs(bound - 0.7) == pytest.approx(z * np.sqrt(bound * (1 - bound) / 1_000), rel=1e-5)
    assert replace(told, examples=None).by_chance is None
    assert replace(told, metric="log_loss").by_chance is None
    told.write(tmp_path)
    assert record.read(tmp_path, "small", "quick") == told
    table = Table("t", "T", "A.", (SINGLE,))
    assert rows(table, tmp_path)[0][-1] == "cifar10 (2,000 + 1,000)"
    page = markdown(table, tmp_path)
    assert "1,000 examples judge: they alone leave the first 67.09 to 72.76 (95 %)" in page
    assert f"Guessing without looking at the input gets {made.guess:.2f}." in page


def test_a_record_of_other_data_does_not_count(
    tmp_path: Path, stand_in: list[tuple[str, int | None]]
) -> None:
    store = Store(tmp_path / "store")
    training.train(Rerun(SINGLE, "quick", source="photos"), store, tmp_path, seeds=2)
    training.train(Rerun(SINGLE, "quick"), store, tmp_path)
    kept = record.read(tmp_path, "small", "quick")
    assert (kept.data, len(kept.outcomes)) == ("cifar10", 1)


def test_an_ensemble_costs_all_its_members(stand_in: list[tuple[str, int | None]]) -> None:
    single, pair = (cost.measure(Rerun(row, "quick")) for row in (SINGLE, PAIR))
    assert pair.steps == 2 * single.steps
    assert pair.seconds >= pair.steps * pair.step_seconds > 0


def test_a_published_step_is_measured_without_the_published_data() -> None:
    assert cost.published_step(SINGLE) > 0
    assert cost.published_step(replace(SINGLE, extent=Extent((8, 8, 3), sequences.OUTPUTS, 10, 10))) > 0
    with pytest.raises(SettingError, match="the size of its data is not given"):
        cost.published_step(systems.find("dropout-3x1024"))


# The command line.


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    """The exit code of `trainwright ARGUMENTS`, run in this process."""
    monkeypatch.setattr(sys, "argv", ["trainwright", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    """The systems are two small ones."""
    monkeypatch.setattr(systems, "tables", lambda: {"small": Table("small", "S", "A.", (SINGLE, PAIR))})


def test_a_table_shows_its_plan_apart_from_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], table: None
) -> None:
    monkeypatch.setattr(cost, "published_step", lambda system: 0.25)
    here = ["systems", "--table", "small", "--results", tmp_path / "results"]
    assert run(monkeypatch, *here) == 0
    said = capsys.readouterr().out
    assert said.count("not run") == 2
    assert "A plan, not a result" in said
    assert "0.25 s" not in said
    assert run(monkeypatch, *here, "--cost", "--teraflops", "2", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert [row["record"] for row in shown] == [None, None]
    assert shown[0]["plan"]["step"]["seconds"] == 0.25
    assert shown[0]["plan"]["accelerator_seconds"] == plan.of(SINGLE).seconds(2.0)
    assert run(monkeypatch, *here) == 0
    said = capsys.readouterr().out
    assert "0.25 s" in said, "what was measured is kept"
    assert "one training step on noise" in said
    (tmp_path / "results" / "paper" / "steps.json").write_text("[1]")
    assert run(monkeypatch, *here) == 4
    assert "steps.json holds no measured steps" in " ".join(capsys.readouterr().err.split())


def test_a_step_that_does_not_fit_is_said_to_be_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(system: object) -> float:
        raise TooLarge("no room")

    monkeypatch.setattr(cost, "published_step", no_room)
    shown, told = Table("small", "S", "A.", (SINGLE, PAIR)), []
    measured = dict(cost.published_steps(shown, told.append))
    assert (measured, told) == ({"small": None, "pair": None}, ["small"])
    steps.keep(tmp_path, measured, "trainwright systems --table small --cost")
    assert [row[-1] for row in plan.TablePlan.of(shown, tmp_path).rows] == ["too large"] * 2


@pytest.mark.parametrize("dearest", ["small", "pair"])  # whichever is first, both have a record
def test_a_table_is_run_on_the_user_s_images(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    table: None,
    stand_in: list[tuple[str, int | None]],
    dearest: str,
) -> None:
    def measured(rerun: Rerun) -> cost.Cost:
        return cost.Cost(2.0 if rerun.system.name == dearest else 1.0, steps=1, step_seconds=1.0)

    monkeypatch.setattr(cost, "measure", measured)
    here = ["--results", tmp_path / "results", "--store", tmp_path / "store", "--budget", "quick"]
    assert run(monkeypatch, "systems", "--table", "small", "--run", "--data", "photos", *here) == 0
    said = capsys.readouterr().out
    assert "not run" not in said
    assert len(re.findall(r"\bphotos\b", said)) == 2
    assert run(monkeypatch, "system", "pair", "--data", "photos", *here) == 0
    said = capsys.readouterr().out
    assert "test top-5 error" in said
    assert "photos" in said


def test_options_that_mean_nothing_get_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = {
        ("systems", "--cost"): "name it with --table",
        ("systems", "--table", "dropout", "--cost"): "has no plan",
        ("systems", "--table", "street-numbers", "--data", "photos"): "only --run takes --data",
        ("systems", "--table", "street-numbers", "--teraflops", "-1"): "--teraflops -1",
        ("systems", "--table", "imagnet"): "did you mean imagenet",
        ("system", "googlnet"): "did you mean googlenet",
        ("system", "street-numbers", "--data", "photos", "--results", str(tmp_path)): "leave --data out",
    }
    for arguments, said in cases.items():
        assert run(monkeypatch, *arguments) == 2, arguments
        assert said in " ".join(capsys.readouterr().err.split())
