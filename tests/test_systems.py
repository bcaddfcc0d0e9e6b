"""The published systems: their recipes, what a rerun leaves, and that the table has no other source."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

import jax
import numpy as np
import pytest

from small import digits
from trainwright import baselines, strategies, systems
from trainwright.base.errors import Interrupted, SettingError, StoreError
from trainwright.baseline import Baseline
from trainwright.baselines import Linear
from trainwright.cli import main
from trainwright.data import load
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.runs.score import score
from trainwright.runs.store import Store, digest
from trainwright.strategies import Dropout
from trainwright.strategy import Strategy
from trainwright.studies.study import Study
from trainwright.system import Rerun, System, SystemBudget, Table, cost, merged, record, system, training
from trainwright.system.memory import within_memory
from trainwright.system.table import markdown, rows
from trainwright.systems.dropout_table import TABLE
from trainwright.systems.dropout_table.feedforward import DECAY
from trainwright.systems.dropout_table.protocol import UPDATES
from trainwright.training import checkpoints
from trainwright.training.building import Training, dry_run
from trainwright.training.progress import Progress

BUDGETS: tuple[SystemBudget, ...] = get_args(SystemBudget)
NAMES = [row.name for table in systems.tables().values() for row in table.systems]
OF_MNIST = [name for name in NAMES if systems.find(name).dataset == "mnist"]
NETWORKS = [name for name in OF_MNIST if name != "svm"]
EXAMPLES = 60_000
RESULTS = Path(__file__).parents[1] / "results" / "systems"


def strategy(recipe: Recipe, name: str):
    """The recipe's strategy of this name."""
    return next(one for one in recipe.strategies if one.name == name)


# The recipes.


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("name", NAMES)
def test_every_row_is_a_recipe_or_a_baseline_that_json_makes_again(name: str, budget: SystemBudget) -> None:
    for learner in systems.find(name).members(budget):
        stored = json.loads(json.dumps(learner.to_json()))
        if isinstance(learner, Baseline):
            assert baselines.find(stored["name"]).from_json(stored) == learner
        else:
            assert Recipe.from_json(stored) == learner


@pytest.mark.parametrize("budget", ["standard", "paper"])  # quick has standard's strategies
@pytest.mark.parametrize("name", NETWORKS)
def test_every_row_s_strategies_have_something_to_act_on(name: str, budget: SystemBudget) -> None:
    recipe = systems.find(name).recipe(budget)
    narrow = Mlp((4,) * len(recipe.network.hidden))
    dry_run(Training(recipe.replace(network=narrow, steps=4), digits(), 0))


def test_the_table_is_the_published_one() -> None:
    published = {row.name: row.published for row in TABLE.systems}
    assert list(published.values()) == [
        1.60, 1.40, 1.35, 1.25, 1.06, 1.04, 1.01, 0.95, 0.94, 1.18, 0.96, 0.92, 0.79,
    ]  # fmt: skip
    assert len(published) == 13, "a name is given twice"


@pytest.mark.parametrize("name", NAMES)
def test_every_row_says_what_it_is_and_what_deviates(name: str) -> None:
    row = systems.find(name)
    assert row.deviations, "every source leaves something open"
    assert row.title
    assert not row.title.endswith(".")


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("max-norm")])
def test_max_norm_is_the_paper_s_in_either_convention(name: str) -> None:
    """c = 2 where weights are multiplied by p when predicting; c p, with its inputs' p, where not."""
    paper, standard = (systems.find(name).recipe(budget) for budget in ("paper", "standard"))
    for recipe, scaling in ((paper, "test"), (standard, "train")):
        dropout = strategy(recipe, "dropout")
        assert (dropout.hidden_rate, dropout.input_rate) == (0.5, pytest.approx(0.2))
        assert dropout.scaling == scaling
    assert strategy(paper, "max_norm").norm == 2.0
    assert strategy(paper, "max_norm").first is None
    assert strategy(standard, "max_norm").norm == pytest.approx(2.0 * 0.5)
    assert strategy(standard, "max_norm").first == pytest.approx(2.0 * 0.8)


def test_the_paper_s_protocol_is_a_million_updates_with_final_momentum_095() -> None:
    for name in NETWORKS:
        recipe = systems.find(name).recipe("paper")
        if name.startswith("dropout"):
            assert recipe.length(EXAMPLES) == pytest.approx(1_000_000, rel=1e-3)
            momentum = strategy(recipe, "momentum")
            assert momentum.alpha(np.int32(0)) == pytest.approx(0.5)
            assert momentum.alpha(np.int32(UPDATES)) == pytest.approx(0.95)


def test_the_authors_rate_halves_at_ten_thousand_updates() -> None:
    schedule = strategy(systems.find("dropout-3x1024").recipe("paper"), "rate_schedule")
    for update in (0, 10_000, 300_000):
        factor = schedule.rate(np.int32(update), np.int32(UPDATES))
        assert factor == pytest.approx(1 / (1 + update / 10_000), rel=1e-4)


def test_maxout_s_rate_and_momentum_are_those_published_at_its_second_stage() -> None:
    """Its second configuration states what the first had come to at its best pass, the 243rd."""
    recipe = systems.find("maxout-2x240").recipe("paper")
    length, step = recipe.length(50_000), np.int32(243 * 500)
    rate = recipe.learning_rate * strategy(recipe, "rate_schedule").rate(step, np.int32(length))
    assert rate == pytest.approx(0.0615082606673, rel=1e-3)
    assert strategy(recipe, "momentum").alpha(step) == pytest.approx(0.694376766682, rel=2e-3)
    assert recipe.learning_rate * DECAY**-121_500 == pytest.approx(0.0615082606673, rel=1e-3)
    drawn = strategy(recipe, "initialization")
    assert drawn.std * 3**0.5 == pytest.approx(0.005)
    stopping = strategy(recipe, "early_stopping")
    assert (stopping.patience, stopping.monitor, stopping.retrain) == (100, "error", "onward")


# A rerun.


@system(published=9.9, source="nowhere", dataset="digits")
def tiny(budget: SystemBudget) -> Recipe:
    """A tiny network.

    - It is not published.
    """
    return Recipe(Mlp((8,)), (Dropout(0.1),), steps={"quick": 60, "standard": 120, "paper": 240}[budget])


LINEAR = replace(tiny, name="linear", learner=lambda budget: Linear())


def test_training_examples_include_validation_but_never_test() -> None:
    data = load("digits")
    both = merged(data)
    assert set(both.splits.train) == set(data.splits.train) | set(data.splits.validation)
    assert both.splits.examples == len(both.splits.train)
    assert not set(both.splits.train) & set(both.splits.test)
    assert both.fingerprint != data.fingerprint
    assert Rerun(tiny, "quick").data.fingerprint == both.fingerprint
    for apart in (Rerun(tiny, "quick", hold_out=True), Rerun(replace(tiny, staged=True), "quick")):
        assert apart.data.fingerprint == data.fingerprint


def test_a_rerun_s_record_is_what_its_runs_say(tmp_path: Path) -> None:
    rerun, store = Rerun(tiny, "quick"), Store(tmp_path / "store")
    assert training.missing(rerun, store, 2) == [0, 1]
    made = training.train(rerun, store, tmp_path / "results", seeds=2, command="trainwright system tiny")
    assert training.missing(rerun, store, 2) == []
    runs = [store.read(digest(rerun.learner.to_json(), rerun.data.fingerprint, seed)) for seed in (0, 1)]
    errors = [100 * score(run, "test").error for run in runs]
    assert [outcome.error for outcome in made.outcomes] == pytest.approx(errors, abs=1e-4)
    assert made.mean == pytest.approx(np.mean(errors), abs=1e-4)
    half = 12.7062 * np.std(errors, ddof=1) / 2**0.5  # Student's t at one degree of freedom
    assert made.interval == pytest.approx((np.mean(errors) - half, np.mean(errors) + half), rel=1e-3)
    assert made.steps == made.length == rerun.length
    assert made.curve["step"] == runs[0].history["step"].tolist()
    assert made.curve_of == "validation examples, trained on too"
    assert made.deviations == ("It is not published.",)
    assert made.environment["jax"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", made.date)
    assert record.read(tmp_path / "results", "tiny", "quick") == made
    json.loads((tmp_path / "results" / "quick" / "tiny.json").read_text(), parse_constant=pytest.fail)


def test_one_seed_has_no_interval_and_more_seeds_train_only_what_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[int] = []
    fit = training.fit
    monkeypatch.setattr(
        training,
        "fit",
        lambda recipe, data, seed, **rest: trained.append(seed) or fit(recipe, data, seed, **rest),
    )
    rerun, store, results = Rerun(tiny, "quick"), Store(tmp_path / "store"), tmp_path / "results"
    one = training.train(rerun, store, results)
    assert (one.interval, len(one.outcomes)) == (None, 1)
    two = training.train(rerun, store, results, seeds=2)
    assert trained == [0, 1]
    assert two.outcomes[0] == one.outcomes[0]
    assert training.train(rerun, store, results) == replace(one, date=two.date)
    assert record.read(results, "tiny", "quick") == two, "a record of fewer seeds does not replace it"
    elsewhere = replace(two, outcomes=tuple(replace(one, seconds=9.0) for one in two.outcomes))
    elsewhere.write(results)
    training.train(rerun, store, results)
    assert record.read(results, "tiny", "quick") == elsewhere, "nor does one beside another machine's"
    training.train(rerun, store, results, seeds=2)
    assert record.read(results, "tiny", "quick").outcomes == two.outcomes, "one of as many does"
    two.write(results)
    training.train(rerun, store, results, seeds=2, command="trainwright again")
    assert record.read(results, "tiny", "quick") == two, "nor does one of the same trainings"
    changed = Rerun(
        replace(tiny, learner=lambda budget: tiny.recipe("quick").replace(learning_rate=0.2)), "quick"
    )
    other = training.train(changed, store, results)
    assert record.read(results, "tiny", "quick") == other, "but one of another recipe does"


def test_a_record_of_other_data_of_the_same_name_gives_way(tmp_path: Path) -> None:
    rerun, store, results = Rerun(tiny, "quick"), Store(tmp_path / "store"), tmp_path / "results"
    two = training.train(rerun, store, results, seeds=2)
    replace(two, fingerprint="that of another folder").write(results)
    one = training.train(rerun, store, results)
    assert record.read(results, "tiny", "quick") == one
    replace(two, fingerprint="").write(results)
    training.train(rerun, store, results)
    assert len(record.read(results, "tiny", "quick").outcomes) == 2, "an old record, without one, stays"


def test_held_out_errors_are_those_on_validation_and_kept_apart(tmp_path: Path) -> None:
    rerun, store = Rerun(tiny, "quick", hold_out=True), Store(tmp_path / "store")
    made = training.train(rerun, store, tmp_path)
    assert made.mean == pytest.approx(made.curve["error"][-1], abs=1e-3)
    assert made.curve_of == "validation examples, held out"
    assert record.read(tmp_path, "tiny", "quick") is None
    assert record.read(tmp_path, "tiny", "quick", held_out=True) == made


def test_a_baseline_runs_once_whatever_the_seeds(tmp_path: Path) -> None:
    made = training.train(Rerun(LINEAR, "quick"), Store(tmp_path / "store"), tmp_path, seeds=3)
    assert len(made.outcomes) == 1
    assert (made.steps, made.length, made.curve) == (0, 0, {})
    assert 0 < made.mean < 20


def test_an_interrupted_rerun_leaves_a_partial_record_and_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "PARTIAL_SECONDS", 0.0)
    monkeypatch.setattr(checkpoints, "CHECKPOINT_SECONDS", 0.0)
    rerun, store = Rerun(tiny, "quick"), Store(tmp_path / "store")
    interval = rerun.length // 2
    recipe = rerun.learner.replace(evaluate_every=interval)
    rerun = Rerun(replace(tiny, learner=lambda budget: recipe), "quick")
    whole = training.train(rerun, Store(tmp_path / "other"), tmp_path / "other")

    def twice(progress: Progress) -> None:
        if progress.total > interval:
            raise Interrupted("interrupted")

    with pytest.raises(Interrupted):
        training.train(rerun, store, tmp_path, watch=twice)
    partial = record.read(tmp_path, "tiny", "quick")
    assert (partial.outcomes, partial.mean, partial.steps) == ((), None, interval)
    assert partial.curve["error"] == whole.curve["error"][:1]
    table = Table("t", "Tiny", "About.", (replace(rerun.system),))
    assert rows(table, tmp_path)[0][2] == f"not finished: {interval} of {rerun.length} updates"

    seen: list[int] = []
    resumed = training.train(rerun, store, tmp_path, watch=lambda progress: seen.append(progress.total))
    assert min(seen) > interval
    assert resumed.mean == whole.mean
    assert record.read(tmp_path, "tiny", "quick").finished


def test_a_training_that_another_process_does_is_left_to_it(tmp_path: Path) -> None:
    rerun, store = Rerun(tiny, "quick"), Store(tmp_path / "store")
    name = digest(rerun.learner.to_json(), rerun.data.fingerprint, 0)
    with store.claim(name), pytest.raises(StoreError, match="tiny, seed 0: another process"):
        training.train(rerun, Store(tmp_path / "store"), tmp_path)


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    path = record.place(tmp_path, "tiny", "quick")
    path.parent.mkdir()
    for damage in ("{", "[]", "{}"):
        path.write_text(damage)
        with pytest.raises(StoreError, match="is no system's record"):
            record.read(tmp_path, "tiny", "quick")


def test_the_cost_is_steps_times_a_measured_step() -> None:
    rerun = Rerun(tiny, "standard")
    found = cost.measure(rerun)
    assert found.steps == rerun.length
    assert found.seconds >= found.steps * found.step_seconds > 0
    assert found.pretraining == {}
    assert cost.measure(Rerun(LINEAR, "quick")).seconds > 0


def test_the_cost_names_pretraining_and_counts_what_rows_share_once() -> None:
    machine = "activation('sigmoid'), dbn(epochs={}, batch_size=20)"

    def of(epochs: int, *more: Strategy) -> cost.Cost:
        chosen = (*strategies.read(machine.format(epochs)), *more)
        learner = Recipe(Mlp((8, 4)), chosen, steps=60)
        return cost.measure(Rerun(replace(tiny, learner=lambda budget: learner), "quick"))

    plain, dropped, longer = of(4), of(4, Dropout(0.1)), of(8)
    assert len(plain.pretraining) == 2, "one for each machine"
    assert plain.pretraining_seconds > 0
    assert plain.pretraining.keys() == dropped.pretraining.keys()
    assert not plain.pretraining.keys() & longer.pretraining.keys()
    shared = cost.Cost(3.0, 1, 3.0, {"rbm1": 5.0, "rbm2": 7.0})
    alone = cost.Cost(2.0, 1, 2.0, {"rbm1": 6.0})
    assert cost.total([(shared, 2), (alone, 1)]) == 2 * 3 + 2 + 2 * 5 + 2 * 7


# The table.


# Beside the records of budget paper lie measured steps.
RECORDS = [path for path in sorted(RESULTS.rglob("*/*.json")) if path.name != "steps.json"]


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_every_record_is_of_the_system_as_it_is(path: Path) -> None:
    name, held_out = path.stem.removesuffix(".held-out"), path.stem.endswith(".held-out")
    found, kept = systems.find(name), record.read(RESULTS, name, path.parent.name, held_out=held_out)
    assert kept.recipe == Rerun(found, kept.budget).to_json(), "the system has changed since: run it again"
    assert kept.published == found.published


def test_rows_without_a_record_say_so_and_show_no_number(tmp_path: Path) -> None:
    for name, published, shown, *rest, measure, data in rows(TABLE, tmp_path):
        assert (measure, data) == ("error", "–")
        assert float(published) == next(row.published for row in TABLE.systems if row.name == name)
        assert shown.startswith("not run")
        assert set(rest) == {"–"}


def test_the_table_shows_the_records_of_the_largest_budget(tmp_path: Path) -> None:
    table = Table("t", "Tiny", "About.", (tiny, LINEAR))
    store = Store(tmp_path / "store")
    quick = training.train(Rerun(tiny, "quick"), store, tmp_path, seeds=2, command="trainwright system tiny")
    assert rows(table, tmp_path, "paper")[0][2] == "not run"
    partial = replace(quick, budget="paper", outcomes=(), mean=None, interval=None, steps=5)
    partial.write(tmp_path)
    [row, missing] = rows(table, tmp_path)
    assert row[:2] == ("tiny", "9.90")
    low, high = quick.interval
    assert row[2].replace("−", "-") == f"{quick.mean:.2f} [{low:.2f}, {high:.2f}]"
    assert (row[3], row[4], row[6]) == ("2", f"{quick.steps:,}", "quick")
    assert missing[2] == "not run"
    replace(quick, budget="standard", mean=1.23, interval=None).write(tmp_path)
    assert rows(table, tmp_path)[0][2] == "1.23"
    replace(quick, mean=4.56, held_out=True).write(tmp_path)
    page = markdown(table, tmp_path)
    for text in ("1.23", "4.56", "It is not published.", "`trainwright system tiny`", quick.date):
        assert text in page


def test_diverged_trainings_are_counted_in_the_table(tmp_path: Path) -> None:
    wild = replace(tiny, learner=lambda budget: Recipe(Mlp((8,)), learning_rate=1e30, steps=60))
    made = training.train(Rerun(wild, "quick"), Store(tmp_path / "store"), tmp_path)
    assert made.outcomes[0].status == "diverged"
    assert rows(Table("t", "T", "A.", (wild,)), tmp_path)[0][2].endswith("1 diverged")


# The command line.


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """The systems are two that train in an instant."""
    small = Table("small", "Small", "About.", (tiny, LINEAR))
    monkeypatch.setattr(systems, "tables", lambda: {"small": small})


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    """The exit code of `trainwright ARGUMENTS`, run in this process."""
    monkeypatch.setattr(sys, "argv", ["trainwright", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_system_prints_its_cost_first_and_then_its_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tables: None
) -> None:
    here = ["--store", tmp_path / "store", "--results", tmp_path / "results", "--budget", "quick"]
    assert run(monkeypatch, "system", "tiny", *here) == 0
    said = capsys.readouterr()
    assert re.search(r"A tiny network: 1 × about [\d.]+ s \(\d+ updates of [\d.e-]+ ms\)", said.err)
    assert "9.90" in said.out
    assert run(monkeypatch, "system", "tiny", *here, "--json") == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["command"] == "trainwright system tiny --budget quick --json"
    assert said.err == ""


def test_a_diverged_system_is_printed_as_strict_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wild = replace(tiny, learner=lambda budget: Recipe(Mlp((8,)), learning_rate=1e30, steps=60))
    monkeypatch.setattr(systems, "tables", lambda: {"wild": Table("wild", "Wild", "About.", (wild,))})
    results = ["--results", tmp_path / "results"]
    for command in (
        ["system", "tiny", *results, "--store", tmp_path / "store", "--budget", "quick", "--json"],
        ["systems", "--table", "wild", *results, "--json"],
    ):
        assert run(monkeypatch, *command) == 0
        said = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
        curve = (said if "curve" in said else said[0]["record"])["curve"]
        assert {"nonfinite": "nan"} in curve["train_loss"]


def test_a_table_is_run_cheapest_first_and_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tables: None
) -> None:
    here = ["--store", tmp_path / "store", "--results", tmp_path / "results"]
    known = {"tiny": 2.0, "linear": 1.0}
    monkeypatch.setattr(cost, "measure", lambda rerun: cost.Cost(known[rerun.system.name], 3, 1.0))
    command = ["systems", "--table", "small", *here, "--budget", "quick"]
    assert run(monkeypatch, *command) == 0
    assert capsys.readouterr().out.count("not run") == 2
    assert run(monkeypatch, *command, "--run", "--seeds", "2") == 0
    said = capsys.readouterr()
    assert re.findall(r"^(\w+), seed (\d) \.\.\.", said.err, re.MULTILINE) == [
        ("linear", "0"),
        ("tiny", "0"),
        ("tiny", "1"),
    ]
    assert "not run" not in said.out
    assert run(monkeypatch, *command, "--run", "--seeds", "2", "--json") == 0
    said = capsys.readouterr()
    assert "seed" not in said.err
    shown = json.loads(said.out)
    assert [row["record"] and len(row["record"]["outcomes"]) for row in shown] == [2, 1]
    assert shown[0]["record"]["mean"] == record.read(tmp_path / "results", "tiny", "quick").mean


def test_a_system_that_fails_does_not_stop_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tables: None
) -> None:
    def out_of_memory(*_: object, **__: object) -> None:
        raise MemoryError("no room for it")

    monkeypatch.setattr(cost, "measure", lambda rerun: cost.Cost(1.0))
    monkeypatch.setattr(training, "fit", out_of_memory)
    here = ["--store", tmp_path / "store", "--results", tmp_path / "results", "--budget", "quick"]
    assert run(monkeypatch, "systems", "--table", "small", *here, "--run") == 2
    said = capsys.readouterr()
    assert "tiny: too large for this machine's memory: train it on a larger one (no room for it)" in said.err
    assert "Traceback" not in said.err
    assert said.out.count("not run") == 1, "the baseline's record is there"


@pytest.mark.parametrize(
    "error",
    [MemoryError(), jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.")],
    ids=["numpy", "jax"],
)
def test_a_system_too_large_to_be_measured_does_not_stop_the_table(
    error: Exception,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tables: None,
) -> None:
    class NoRoom:
        def __init__(self, *_: object, **__: object) -> None:
            raise error

    monkeypatch.setattr(cost, "Cohort", NoRoom)
    here = ["--store", tmp_path / "store", "--results", tmp_path / "results", "--budget", "quick"]
    assert run(monkeypatch, "systems", "--table", "small", *here, "--run") == 2
    said = capsys.readouterr()
    assert "tiny: too large for this machine's memory" in said.err
    assert "linear, seed 0" in said.err
    assert said.out.count("not run") == 1
    assert run(monkeypatch, "system", "tiny", *here) == 2
    assert "too large for this machine's memory" in capsys.readouterr().err


def test_another_failure_of_jax_is_no_lack_of_memory() -> None:
    with pytest.raises(jax.errors.JaxRuntimeError), within_memory():
        raise jax.errors.JaxRuntimeError("INTERNAL: something else")


def test_a_study_starts_from_a_system(monkeypatch: pytest.MonkeyPatch, tables: None) -> None:
    class Planned(Exception):
        """Raised in place of training; holds the study."""

    def planned(study: Study, store: Path) -> None:
        raise Planned(study)

    monkeypatch.setattr("trainwright.studies.record.StudyRecord", planned)
    command = "trainwright study digits --system tiny --base momentum(0.9) --arm l2"
    monkeypatch.setattr(sys, "argv", command.split())
    with pytest.raises(Planned) as stopped:
        main()
    [study] = stopped.value.args
    for name, expected in (("plain", ["dropout", "momentum"]), ("l2", ["dropout", "momentum", "l2"])):
        [recipe] = study.arms[name]
        assert recipe.network == Mlp((8,))
        assert [one.name for one in recipe.strategies] == expected


def test_a_system_is_a_recipe_to_start_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tables: None
) -> None:
    out = tmp_path / "model"
    given = ["--system", "tiny", "--with", "momentum(0.9)", "--rate", "0.05"]
    assert run(monkeypatch, "fit", "digits", *given, "--out", out, "--quiet") == 0
    recipe = Recipe.from_json(json.loads((out / "model.json").read_text())["recipe"])
    assert (recipe.network, recipe.learning_rate) == (Mlp((8,)), 0.05)
    assert [str(one) for one in recipe.strategies] == ["dropout(hidden_rate=0.1)", "momentum"]


def test_bad_names_get_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = {
        ("system", "dropout-3x1042"): "did you mean dropout-3x1024",
        ("system", "svm", "--budget", "fast"): "--budget 'fast': choose from quick, standard, paper",
        ("systems", "--table", "dropuot"): "did you mean dropout?",
        ("systems", "--run"): "name it with --table",
        ("systems", "--budget", "quikc"): "only a table takes --budget; name it with --table",
        ("systems", "--markdown", "--seeds", "3"): "only a table takes --seeds and --markdown;",
        ("systems", "--table", "dropout", "--seeds", "3"): "only --run takes --seeds;",
        ("fit", "digits", "--out", tmp_path / "m", "--system", "svm"): "is no network but a baseline",
    }
    for arguments, said in cases.items():
        assert run(monkeypatch, *arguments) == 2, arguments
        assert said in capsys.readouterr().err


def test_the_list_names_every_row(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "systems") == 0
    listed = capsys.readouterr().out
    for row in TABLE.systems:
        assert row.name in listed
        assert f"{row.published:.2f}" in listed
    assert "street-numbers-3 " in listed


def test_a_folder_of_records_that_is_not_there_is_said_to_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "records"
    assert run(monkeypatch, "systems", "--table", "dropout", "--results", str(missing)) == 0
    assert capsys.readouterr().err.startswith(f"no records in {missing}: give their folder with --results")
    missing.mkdir()
    assert run(monkeypatch, "systems", "--table", "dropout", "--results", str(missing)) == 0
    assert capsys.readouterr().err == ""


def test_a_system_without_deviations_has_a_title_alone() -> None:
    def plain(budget: SystemBudget) -> Recipe:
        """Plain."""
        return Recipe()

    made = system(published=1.0, source="here")(plain)
    assert isinstance(made, System)
    assert (made.title, made.deviations) == ("Plain", ())
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.published = 2.0  # type: ignore[misc]
    with pytest.raises(SettingError, match="no network"):
        LINEAR.recipe()
