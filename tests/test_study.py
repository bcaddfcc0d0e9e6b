"""A study's plan, its store, and its worker processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from trainwright.base.environment import environment
from trainwright.base.errors import SettingError, StoreError
from trainwright.baselines import Guess, Linear
from trainwright.comparison.metrics import METRICS, choose, measure
from trainwright.data import DataSpec, load
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.report.caution_sentences import worded
from trainwright.runs.store import Store
from trainwright.strategies import L2, Activation, Dropout, EarlyStopping, MaxNorm, Mirror, Momentum, read
from trainwright.studies import defaults
from trainwright.studies.arms import as_arms
from trainwright.studies.progress import StudyProgress
from trainwright.studies.record import StudyRecord
from trainwright.studies.sharing import share, shared
from trainwright.studies.stages import outcome
from trainwright.studies.study import Study, StudyRuns
from trainwright.studies.together import run_all
from trainwright.studies.tuning import Tuning
from trainwright.studies.workers import Job, Pool, WorkerDied
from trainwright.training.building import Training
from trainwright.training.checkpoints import StoredCheckpoints
from trainwright.training.fit import fit, fit_all
from trainwright.training.progress import Progress


def small_data(examples: int = 90) -> DataSpec:
    """Two classes of Gaussian points in the plane, as arrays."""
    rng = np.random.default_rng(0)
    labels = np.arange(examples) % 2
    points = rng.normal(size=(examples, 2)) + 1.5 * labels[:, None]
    return DataSpec((points.astype(np.float32), labels))


def small_study(**changes: Any) -> Study:
    base = Recipe(Mlp((4,)), batch_size=16, epochs=3)
    arms = {"plain": base, "dropout": base.replace(strategies=(Dropout(0.5),))}
    return Study(
        **({"data": small_data(), "arms": arms, "seeds": 2, "rates": (0.1, 0.5), "folds": False} | changes)
    )


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Path, list[StudyProgress]]:
    study, folder = small_study(), tmp_path_factory.mktemp("study") / "store"
    seen: list[StudyProgress] = []
    study.run(folder, workers=2, watch=seen.append)
    return study, folder, seen


def test_every_arm_has_a_run_for_each_rate_and_seed(studied: tuple[Study, Path, list[StudyProgress]]) -> None:
    study, folder, seen = studied
    arms = study.run(folder)
    assert [
        (arm.name, {rate: [run.seed for run in runs] for rate, runs in arm.runs.items()}) for arm in arms
    ] == [(name, {0.1: [0, 1], 0.5: [0, 1]}) for name in ("plain", "dropout")]
    assert seen[-1].done == seen[-1].runs == 8
    assert seen[-1].fraction == 1


def test_workers_use_one_core_each(studied: tuple[Study, Path, list[StudyProgress]]) -> None:
    study, folder, _ = studied
    for arm in study.run(folder):
        assert all(run.environment["NPROC"] == "1" for runs in arm.runs.values() for run in runs)


def test_a_study_repeated_trains_nothing(
    studied: tuple[Study, Path, list[StudyProgress]], monkeypatch: pytest.MonkeyPatch
) -> None:
    study, folder, _ = studied
    monkeypatch.setattr("subprocess.Popen", None)  # any worker that starts would raise
    assert len(study.run(folder)) == 2


def test_an_extended_study_trains_only_what_is_new(studied: tuple[Study, Path, list[StudyProgress]]) -> None:
    folder = studied[1]
    before = {path: path.stat().st_mtime_ns for path in (folder / "runs").iterdir()}
    seen: list[StudyProgress] = []
    longer = small_study(seeds=3)
    longer.run(folder, workers=1, watch=seen.append)
    assert len(list((folder / "runs").iterdir())) == 12
    assert all(path.stat().st_mtime_ns == then for path, then in before.items())
    # The company in the cohort was another, the numbers are the same.
    fresh = small_study(seeds=3, rates=(0.5,)).run(folder.parent / "fresh", workers=1)
    stored = small_study(seeds=3, rates=(0.5,)).run(folder)
    for one, other in zip(fresh, stored, strict=True):
        for a, b in zip(one.runs[0.5], other.runs[0.5], strict=True):
            assert np.array_equal(a.predictions["test"], b.predictions["test"])


def test_a_damaged_run_is_done_again(studied: tuple[Study, Path, list[StudyProgress]]) -> None:
    study, folder, _ = studied
    name = study.plan[0].digest
    predictions = folder / "runs" / name / "predictions.npz"
    whole = predictions.read_bytes()
    predictions.write_bytes(whole[:-9] + b"x" + whole[-8:])
    study.run(folder, workers=1)
    assert predictions.read_bytes() == whole
    assert list((folder / "damaged").iterdir())


def test_best_model_is_chosen_on_validation_and_predicts(
    studied: tuple[Study, Path, list[StudyProgress]],
) -> None:
    study, folder, _ = studied
    comparison = study.compare(folder)
    model = study.best_model(folder, comparison)
    data = study.dataset()
    probabilities = model.predict(study.data.source[0])  # type: ignore[index]
    assert probabilities.shape == (90, 2)
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    best = min(one.validation_error for arm in comparison.arms for one in arm.grid)
    chosen = probabilities[data.splits.validation].argmax(axis=1) != data.targets[data.splits.validation]
    assert chosen.mean() <= best + 1e-9


@pytest.mark.parametrize("folds", [True, False])
@pytest.mark.parametrize("name", ["error", "log_loss"])
def test_the_model_is_the_best_training_where_these_can_be_compared(
    name: str, folds: bool, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3)).astype(np.float32)
    y = (x[:, 0] + rng.normal(size=200) > 0.7).astype(int)
    study = Study(DataSpec((x, y)), {"plain": Recipe(Mlp((4,)), epochs=4)}, 5, folds=folds)
    model = study.best_model(tmp_path, study.compare(tmp_path, metric=name))
    store, metric = Store(tmp_path), METRICS[name]
    reached = [measure(store.read(one.digest), "validation", metric) for one in study.plan]
    assert int(np.argmin(reached)), "else it were the first in any case"
    data = study.dataset(0)  # in folds, the first seed's validation examples are no one else's
    rows = data.splits.validation
    losses = metric.losses(np.log(model.predict(x[rows])), data.labels(rows))
    assert losses.mean() == pytest.approx(reached[0] if folds else min(reached), abs=1e-4)


@pytest.mark.parametrize(
    ("shape", "rows", "network", "batch_size", "epochs"),
    [
        ((2,), 3_000, Mlp((256,)), 32, 40),
        ((2,), 3_400, Mlp((256,)), 128, 40),  # 2,176 of them are trained on
        ((2,), 20_000, Mlp((256,)), 128, 20),
        ((2, 2), 3_000, Mlp((64, 64)), 32, 40),
        ((2, 2), 3_400, Mlp((64, 64)), 64, 40),
        ((2, 2), 20_000, Mlp((256, 256)), 128, 8),
    ],
)
def test_the_default_recipe_goes_by_size_and_kind(
    shape: tuple[int, ...], rows: int, network: Mlp, batch_size: int, epochs: int
) -> None:
    data = load(
        (np.zeros((rows, *shape)) + np.arange(rows).reshape(-1, *[1] * len(shape)), np.arange(rows) % 2)
    )
    recipe = defaults.recipe(data)
    table = len(shape) == 1
    assert (recipe.network, recipe.batch_size, recipe.epochs) == (network, batch_size, epochs)
    assert [strategy.name for strategy in recipe.strategies] == ["adam", "initialization"] * table
    arms = defaults.arms(data, recipe)
    assert sum("initialization" in arm for arm in arms) == 1
    assert any("momentum" in arm for arm in arms) != table


def test_the_default_metric_is_decided_once_by_all_examples() -> None:
    """By the validation examples of the fixed split alone, tuning would have gone by another one."""
    y = (np.arange(67) < 10).astype(int)
    data = DataSpec((np.random.default_rng(0).normal(size=(67, 2)), y)).load()
    alone, _ = choose(None, "classification", data.labels(data.splits.validation))
    metric, reason = defaults.metric(data, None)
    assert (alone.name, metric.name) == ("error", "balanced_error")
    assert reason is not None
    assert worded(reason) == "always guessing the commonest class would err in only 14.93 %"


def test_what_is_hardly_right_for_the_data_is_said() -> None:
    photographs = np.random.default_rng(0).integers(256, size=(60, 8, 8, 3), dtype=np.uint8)
    data = load((photographs, np.arange(60) % 2))
    small, whole = Recipe(batch_size=8), Recipe(batch_size=100)
    [pixels] = defaults.advice(data, small)
    assert "does not know which pixels are neighbours" in worded(pixels)
    [_, batch] = defaults.advice(data, whole)
    assert f"a batch of 100 holds all {data.splits.examples} training examples" in worded(batch)
    assert defaults.advice(load("digits"), small) == []


def test_a_study_repeated_from_another_first_seed_is_tuned_on_trainings_of_its_own(tmp_path: Path) -> None:
    recipe, tuning = Recipe(Mlp((4,)), epochs=1), Tuning(8, 8)
    arms = {"plain": recipe, "l2": recipe.adding(L2(0.1))}
    plans = [
        next(Study(DataSpec("digits"), arms, 5, tuning=tuning, first_seed=first).rounds(Store(tmp_path)))
        for first in (0, 5, 10)
    ]
    digests = [one.digest for plan in plans for one in plan]
    assert len(set(digests)) == len(digests) >= 3 * 2 * 8


def test_curves_follow_the_metric() -> None:
    """The error of a rare class does not move while the log-loss still falls."""
    run = fit(Recipe(Mlp((4,)), epochs=4), load("digits"))
    error, loss = (outcome(run, METRICS[name]).curve for name in ("error", "log_loss"))
    assert error == tuple(run.history["validation_error"])
    assert loss == tuple(run.history["validation_loss"])


def test_seeds_come_in_whole_repetitions_of_the_folds(tmp_path: Path) -> None:
    study = small_study(folds=True, rates=(), seeds=3)
    assert len({one.data.fingerprint for one in study.plan}) == 5
    arms = study.run(tmp_path / "store", workers=1)
    for arm in arms:
        tested = [run.predictions["test_rows"] for run in next(iter(arm.runs.values()))]
        assert np.array_equal(np.sort(np.concatenate(tested)), np.arange(90))


def test_another_first_seed_repeats_the_study_on_trainings_of_its_own() -> None:
    study, again = (small_study(folds=True, rates=(), seeds=5, first_seed=first) for first in (0, 7))
    assert again.verdict_seeds == range(10, 15)  # where a repetition of the folds begins
    assert not {one.digest for one in study.plan} & {one.digest for one in again.plan}
    with pytest.raises(SettingError, match="first_seed = -1"):
        small_study(first_seed=-1)


def test_a_number_that_adds_a_layer_makes_another_program(tmp_path: Path) -> None:
    base = Recipe(Mlp((4,)), batch_size=16, epochs=1)
    arms = {str(one): base.replace(strategies=(one,)) for one in (Dropout(0.5), Dropout(0.5, input_rate=0.2))}
    runs = small_study(arms=arms, rates=(), seeds=1).run(tmp_path / "store", workers=1)
    one, other = (next(iter(arm.runs.values()))[0] for arm in runs)
    assert not np.array_equal(one.predictions["test"], other.predictions["test"])


def test_a_training_goes_on_from_its_checkpoint_in_the_store(tmp_path: Path) -> None:
    recipe = Recipe(Mlp((4,)), (Dropout(0.3), Momentum(0.9), EarlyStopping()), batch_size=16, epochs=5)
    training = Training(recipe, small_data().load(), 0)
    checkpoints = StoredCheckpoints(Store(tmp_path))
    checkpoints.due = lambda: True  # type: ignore[method-assign]
    [(_, whole)] = fit_all([training])

    def stop(slot: Progress) -> None:
        if slot.step == 3 * slot.interval:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        list(fit_all([training], watch=stop, checkpoints=checkpoints))
    seen: list[int] = []
    [(_, resumed)] = fit_all(
        [training], watch=lambda slot: seen.append(slot.step // slot.interval), checkpoints=checkpoints
    )
    assert seen == [4, 5]
    for name, array in whole.weights.items():
        assert np.array_equal(array, resumed.weights[name]), name


def test_settings_that_make_no_study_are_refused() -> None:
    base = Recipe()
    with pytest.raises(SettingError, match="seeds = 0"):
        small_study(seeds=0)
    with pytest.raises(SettingError, match="the same recipe"):
        small_study(arms={"a": base, "b": base})
    with pytest.raises(SettingError, match="'c' is not an arm"):
        small_study(reference="c")
    with pytest.raises(SettingError, match="no arms"):
        small_study(arms={})


def test_what_makes_no_study_is_refused_before_any_training(tmp_path: Path) -> None:
    rates, tuning = (0.1,), Tuning(trainings=2, first=1, longest=1)
    with pytest.raises(SettingError, match="two lists of the same"):
        small_study(rates=rates, tuning=Tuning(rates=(0.2,)))
    with pytest.raises(SettingError, match="linear is no network, and has no seeds to be paired by"):
        small_study(arms={"plain": Recipe(epochs=1), "linear": Linear()})
    arms = {"plain": Recipe(epochs=1), "shift": Recipe(epochs=1).adding(*read("shift(1)"))}
    with pytest.raises(SettingError, match="shift"):
        small_study(arms=arms, rates=(), tuning=tuning).run(tmp_path)
    assert not (tmp_path / "runs").exists()


def test_a_strategy_with_nothing_to_act_on_ends_the_study(tmp_path: Path) -> None:
    arms = {"plain": Recipe(Mlp((4,))), "mirror": Recipe(Mlp((4,)), (Mirror(),))}
    with pytest.raises(SettingError, match=r"mirror.* has nothing to act on"):
        small_study(arms=arms).run(tmp_path / "store", workers=1)
    assert list(tmp_path.iterdir()) == []


def test_a_user_s_own_arrays_and_arms_need_no_main_guard(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import numpy as np\n"
        "from trainwright import DataSpec, Mlp, Recipe, Study\n"
        "from trainwright.strategies import L2\n"
        "x = np.random.default_rng(0).normal(size=(60, 3)); y = (x[:, 0] > 0).astype(int)\n"
        "base = Recipe(Mlp((4,)), epochs=2)\n"
        "arms = {'plain': base, 'l2': base.replace(strategies=(L2(0.01),))}\n"
        "print(Study(DataSpec((x, y)), arms, seeds=2).compare('store').arms[1].name)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "l2"), done.stderr


SLOW = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_study import slow_study
slow_study().run({store!r}, workers=1)
"""


def slow_study() -> Study:
    """A few seconds of training for one worker, in many short runs."""
    base = Recipe(Mlp((256, 256)), batch_size=8, epochs=8)  # large enough to train one by one
    arms = {
        "plain": base,
        "max_norm": base.replace(strategies=(MaxNorm(2.0),)),
        "l2": base.replace(strategies=(L2(),)),
    }
    return Study(small_data(600), arms, seeds=2, rates=(0.05, 0.1), folds=False)


def start_slow(store: Path) -> subprocess.Popen[bytes]:
    script = SLOW.format(tests=str(Path(__file__).parent), store=str(store))
    return subprocess.Popen([sys.executable, "-c", script])


def wait_until(ready: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)


def runs_in(store: Path) -> list[Path]:
    return list((store / "runs").glob("*/manifest.json"))


def assert_same_predictions(study: Study, one: Path, other: Path) -> None:
    for planned in study.plan:
        a, b = (Store(folder).read(planned.digest) for folder in (one, other))
        assert np.array_equal(a.predictions["test"], b.predictions["test"])


def test_killed_and_repeated_equals_uninterrupted_and_shared_by_two(tmp_path: Path) -> None:
    study = slow_study()
    killed = start_slow(tmp_path / "killed")
    wait_until(lambda: len(runs_in(tmp_path / "killed")) >= 2)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    kept = {path: path.stat().st_mtime_ns for path in runs_in(tmp_path / "killed")}
    assert 2 <= len(kept) < len(study.plan)
    study.run(tmp_path / "killed", workers=1)
    assert all(path.stat().st_mtime_ns == then for path, then in kept.items())

    both = [start_slow(tmp_path / "shared") for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert len(runs_in(tmp_path / "shared")) == len(study.plan)
    assert not (tmp_path / "shared" / "damaged").exists()
    assert_same_predictions(study, tmp_path / "killed", tmp_path / "shared")


def die_once(flag: Path, report: Callable[[Any], None]) -> None:
    if not flag.exists():
        flag.touch()
        os._exit(9)
    report("alive")


def die(report: Callable[[Any], None]) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_job_whose_worker_dies_is_given_out_again_once(tmp_path: Path) -> None:
    flag = tmp_path / "died"
    with Pool(1) as pool:
        assert list(pool.run([Job("a", lambda report: die_once(flag, report))])) == ["alive"]
        with pytest.raises(WorkerDied, match="SIGKILL"):
            list(pool.run([Job("a", die)]))


def test_an_error_in_a_job_reaches_the_parent() -> None:
    def refuse(report: Callable[[Any], None]) -> None:
        raise SettingError("l2: no")

    with Pool(1) as pool, pytest.raises(SettingError, match="l2: no"):
        list(pool.run([Job("a", refuse)]))


def test_arms_with_and_without_a_layer_are_trained_apart(tmp_path: Path) -> None:
    base = Recipe(Mlp((4,)), batch_size=16, epochs=1)
    arms = {
        f"{hidden} {inputs}": base.replace(strategies=(Dropout(hidden_rate=hidden, input_rate=inputs),))
        for hidden, inputs in ((0.5, 0.0), (0.5, 0.2), (0.2, 0.1))
    }
    assert len(Study(small_data(), arms, seeds=1, folds=False).run(tmp_path, workers=1)) == 3


def test_studies_on_several_data_sets_run_together(tmp_path: Path) -> None:
    studies = [small_study(data=small_data(examples), rates=()) for examples in (60, 90)]
    seen: list[StudyProgress] = []
    together = run_all([*studies, studies[0]], tmp_path, workers=1, watch=seen.append)
    assert seen[-1].done == seen[-1].runs == 8  # the repeated study costs nothing
    assert [arm.name for arm in together[1]] == ["plain", "dropout"]
    sizes = [runs[0].runs[0.1][0].data["examples"]["train"] for runs in together]
    assert sizes == [36, 54, 36]


def test_a_rate_or_a_recipe_given_twice_is_refused() -> None:
    with pytest.raises(SettingError, match="twice"):
        small_study(rates=(0.1, 0.1))
    base = Recipe(Mlp((4,)), batch_size=16, epochs=3)
    arms = {"slow": base.replace(learning_rate=0.01), "fast": base.replace(learning_rate=1.0)}
    assert len(small_study(arms=arms, rates=()).plan) == 4
    with pytest.raises(SettingError, match="same recipe"):  # each would get the grid's rates
        small_study(arms=arms, rates=(0.1,))


def test_what_cannot_be_compared_is_said_before_the_work(tmp_path: Path) -> None:
    for wrong in ({"level": 0.5}, {"delta": 0.0}):
        with pytest.raises(SettingError):
            small_study().compare(tmp_path / "store", **wrong)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="workers"):
        small_study().run(tmp_path / "store", workers=0)
    assert not (tmp_path / "store").exists()


def test_no_model_comes_of_trainings_that_diverged(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    spec = DataSpec((rng.normal(size=(90, 2)), rng.normal(size=90)), task="regression")
    arms = {"wild": Recipe(Mlp((4,)), (Activation("softplus"),), batch_size=16, epochs=3)}
    study = Study(spec, arms, seeds=1, rates=(1e30,), folds=False)
    comparison = study.compare(tmp_path / "store", workers=1)
    assert comparison.arms[0].diverged == 1
    with pytest.raises(SettingError, match="every training diverged"):
        study.best_model(tmp_path / "store", comparison)


def test_a_class_of_the_user_s_script_is_studied_too(tmp_path: Path) -> None:
    """As in a notebook: the class is in no file that a worker could import."""
    script = (
        "from trainwright import DataSpec, Mlp, Recipe, Study\n"
        "from trainwright.strategy import Strategy\n"
        "from trainwright.strategies import L2\n"
        "from trainwright.base.config import config\n"
        "import jax\n"
        "@config\n"
        "class Shrink(Strategy):\n"
        "    factor: float = 0.5\n"
        "    def project(self, params):\n"
        "        return jax.tree.map(lambda p: p * self.factor, params)\n"
        "@config\n"
        "class MyL2(L2):\n"
        "    pass\n"
        "if __name__ == '__main__':\n"
        "    base = Recipe(Mlp((4,)), epochs=1)\n"
        "    arms = {'plain': base, 'shrunk': base.replace(strategies=(Shrink(0.9),)),\n"
        "            'mine': base.replace(strategies=(MyL2(0.1),))}\n"
        "    study = Study(DataSpec('digits'), arms, seeds=2)\n"
        "    comparison = study.compare('store', workers=1)\n"
        "    assert len({arm.errors for arm in comparison.arms}) > 1\n"
        "    study.best_model('store', comparison)\n"
    )
    (tmp_path / "script.py").write_text(script)
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_checkpoint_from_another_number_of_cores_is_not_gone_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There the training would not go on bit for bit."""
    training = Training(Recipe(Mlp((4,))), small_data().load(), 0)
    checkpoints = StoredCheckpoints(Store(tmp_path))
    checkpoints.write(training, {"state/0": np.zeros(3)}, {"step": 1})
    assert checkpoints.read(training)
    with monkeypatch.context() as patch:
        patch.setattr("trainwright.training.checkpoints.environment", lambda: environment() | {"NPROC": "7"})
        assert checkpoints.read(training) is None
    checkpoints.drop(training)
    assert checkpoints.read(training) is None


def tuned_study(**changes: Any) -> Study:
    """Plain and a family of two, tuned and compared on folds, with two baselines beside them."""
    base = Recipe(Mlp((4,)), batch_size=16, epochs=4)
    arms = {"plain": base, "dropout": [base.adding(Dropout(rate)) for rate in (0.2, 0.5)]}
    given = {
        "data": small_data(),
        "arms": arms,
        "seeds": 5,
        "tuning": Tuning(trainings=10, first=1, longest=2),
        "baselines": {"guess": Guess(), "linear": [Linear(0.1), Linear(10.0)]},
    }
    return Study(**(given | changes))


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Path, StudyRuns, list[StudyProgress]]:
    study, folder = tuned_study(), tmp_path_factory.mktemp("tuned") / "store"
    seen: list[StudyProgress] = []
    return study, folder, study.execute(folder, workers=1, watch=seen.append), seen


Tuned = tuple[Study, Path, StudyRuns, list[StudyProgress]]


def test_the_verdict_comes_from_fresh_seeds_of_the_chosen_candidates(tuned: Tuned) -> None:
    _, folder, runs, seen = tuned
    assert runs.tuned
    for arm in runs.arms:
        choice = runs.tuned.choices[arm.name].candidate
        [(rate, trained)] = arm.runs.items()
        assert isinstance(choice, Recipe)
        assert rate == choice.learning_rate
        assert [run.seed for run in trained] == [0, 1, 2, 3, 4]
        assert all(run.recipe == choice.to_json() for run in trained)
        assert np.array_equal(
            np.sort(np.concatenate([run.predictions["test_rows"] for run in trained])), range(90)
        )
    stored = [Store(folder).read(path.parent.name) for path in runs_in(folder)]
    tuning = {run.seed for run in stored if run.steps} - set(range(5))
    assert tuning
    assert min(tuning) >= 2**32
    assert [progress.stage for progress in seen] == sorted(progress.stage for progress in seen)
    assert seen[-1].done == seen[-1].runs
    assert seen[-1].fraction == 1


def test_a_family_s_settings_are_written_out_even_where_they_are_the_defaults(tuned: Tuned) -> None:
    _, _, runs, _ = tuned
    plain, dropout = ({setting.strategies for setting in arm.tuning} for arm in runs.arms)
    assert plain == {""}
    assert dropout == {"dropout(hidden_rate=0.2)", "dropout(hidden_rate=0.5)"}


def test_baselines_have_a_run_on_every_fold(tuned: Tuned) -> None:
    _, _, runs, _ = tuned
    assert [arm.name for arm in runs.baselines] == ["guess", "linear"]
    for baseline in runs.baselines:
        trained = [run for group in baseline.runs.values() for run in group]
        assert len({run.data["fingerprint"] for run in trained}) == 5


def test_a_tuned_study_repeated_trains_nothing_and_chooses_the_same(
    tuned: Tuned, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, folder, runs, _ = tuned
    monkeypatch.setattr("subprocess.Popen", None)  # any worker that starts would raise
    again = tuned_study().execute(folder)
    assert again.tuned == runs.tuned


def test_more_seeds_keep_the_choice_and_train_only_the_verdict_s(tuned: Tuned, tmp_path: Path) -> None:
    _, folder, runs, _ = tuned
    copy = tmp_path / "store"
    shutil.copytree(folder, copy)
    before = {path.parent.name for path in runs_in(copy)}
    longer = tuned_study(seeds=6).execute(copy, workers=1)
    assert longer.tuned == runs.tuned
    new = {path.parent.name for path in runs_in(copy)} - before
    assert len(new) == 2 * 5 + 2 * 5  # arms and baselines, on five more folds


def test_nested_tuning_keeps_to_one_fold(tuned: Tuned, tmp_path: Path) -> None:
    study, folder, runs, _ = tuned
    assert study.tune(folder, workers=1) == runs.tuned
    study.tune(tmp_path / "store", fold=3, workers=1)
    trained = [Store(tmp_path / "store").read(path.parent.name) for path in runs_in(tmp_path / "store")]
    assert {run.data["fingerprint"] for run in trained} == {study.dataset(3).fingerprint}


def test_candidates_need_a_tuning_stage() -> None:
    with pytest.raises(SettingError, match="2 candidates"):
        tuned_study(tuning=None)
    with pytest.raises(SettingError, match="depend on what is chosen"):
        _ = tuned_study().plan
    with pytest.raises(SettingError, match="no tuning stage"):
        small_study().tune("store")
    with pytest.raises(SettingError, match="an arm and a baseline"):
        tuned_study(baselines={"plain": Guess()})


def test_a_study_is_known_from_its_folder(tuned: Tuned, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    x, y = small_data().source
    pd.DataFrame(x, columns=["a", "b"]).assign(y=y).to_csv(table, index=False)
    study = tuned_study(
        data=DataSpec(table, target="y", task="classification"), rates=(0.1, 0.2), metric="log_loss"
    )
    record = StudyRecord(study, tmp_path / "store", delta=0.01, level=0.9, looks=(5, 10))
    record.save(tmp_path)
    loaded = StudyRecord.load(tmp_path)
    assert as_arms(loaded.study.arms) == as_arms(study.arms)
    assert as_arms(loaded.study.baselines) == as_arms(study.baselines)
    for name in ("seeds", "rates", "metric", "reference", "tuning", "folds"):
        assert getattr(loaded.study, name) == getattr(study, name)
    assert loaded.study.dataset().fingerprint == study.dataset().fingerprint
    assert (loaded.store.resolve(), loaded.looks) == ((tmp_path / "store").resolve(), (5, 10))
    assert (loaded.delta, loaded.level) == (0.01, 0.9)
    tuned_record = StudyRecord(tuned[0], tmp_path / "store")
    tuned_record.save(tmp_path)
    with pytest.raises(StoreError, match="arrays"):
        StudyRecord.load(tmp_path)


@pytest.mark.parametrize("content", [None, b"{", b"{}", b'{"format": 99}'])
def test_a_study_s_file_that_cannot_be_read_is_said(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "study.json").write_bytes(content)
    with pytest.raises(StoreError, match=r"study\.json|upgrade"):
        StudyRecord.load(tmp_path)


def test_the_data_is_written_once_for_all_folds(tmp_path: Path) -> None:
    data = small_data().load()
    folders = {share(data.fold(seed), tmp_path) for seed in range(7)}
    assert len(folders) == len(list(tmp_path.iterdir())) == 1
    copy = shared(folders.pop())
    assert copy.fold(3).fingerprint == data.fold(3).fingerprint
    assert not copy.inputs.flags.writeable
    assert shared(share(data, tmp_path)).fingerprint == data.fingerprint


def test_other_data_on_the_same_arrays_are_shared_apart(tmp_path: Path) -> None:
    """Bytes are kept as they are, so that data sets can have one array of inputs, and differ in all else."""
    images = np.random.default_rng(0).integers(256, size=(90, 4, 4), dtype=np.uint8)
    labels = (np.arange(90) % 2, np.arange(90) % 3)
    specs = [DataSpec((images, labels[0]), examples=examples) for examples in (40, 50)]
    specs += [DataSpec((images, labels[1]))]
    arms = {"plain": Recipe(Mlp((4,)), epochs=1)}
    for folds in (False, True):
        studies = [Study(spec, arms, 2, folds=folds) for spec in specs]
        found = run_all(studies, tmp_path / str(folds), workers=1)
        for study, (arm,) in zip(studies, found, strict=True):
            (runs,) = arm.runs.values()
            for seed, run in enumerate(runs):
                assert run.data["fingerprint"] == study.dataset(seed).fingerprint
