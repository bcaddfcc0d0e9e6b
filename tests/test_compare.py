"""The verdicts: against scipy and statsmodels, by hand, and by simulation of the rates that they promise."""

import math
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import DescrStatsW

from trainwright.base.errors import SettingError, StoreError
from trainwright.comparison import paired
from trainwright.comparison.candidates import ChosenArm
from trainwright.comparison.caution import Caution
from trainwright.comparison.compare import ArmRuns, Comparison, compare, curve
from trainwright.comparison.examples import estimate as estimate_cells
from trainwright.comparison.results import CandidateResult
from trainwright.comparison.verdict import judge
from trainwright.report import cautions, markdown
from trainwright.runs.run import Run
from trainwright.runs.score import score


class Watched(Mapping):
    """Predictions that remember which of them were read."""

    def __init__(self, arrays):
        self.arrays, self.read = arrays, set()

    def __getitem__(self, key):
        self.read.add(key)
        return self.arrays[key]

    def __iter__(self):
        return iter(self.arrays)

    def __len__(self):
        return len(self.arrays)


def predictions(wrong: int, examples: int, rng) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities of three classes that get exactly so many examples wrong, and the targets."""
    targets = np.arange(examples, dtype=np.int32) % 3
    said = targets.copy()
    missed = rng.permutation(examples)[:wrong]
    said[missed] = (said[missed] + 1) % 3
    logits = np.full((examples, 3), math.log(0.1), np.float32)
    logits[np.arange(examples), said] = math.log(0.8)
    return logits, targets


def make_run(seed=0, *, validation=10, test=10, examples=100, **changes) -> Run:
    """A run that gets so many of the validation and of the test examples wrong; one that diverged kept no
    weights from before."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for split, wrong in (("validation", validation), ("test", test)):
        arrays[split], arrays[f"{split}_targets"] = predictions(wrong, examples, rng)
    steps = np.arange(10, 60, 10)
    run = Run(
        recipe={"strategies": [], "learning_rate": 0.1},
        data={
            "name": "toy",
            "fingerprint": "ba89",
            "task": "classification",
            "examples": {"train": 400, "validation": examples, "test": examples},
        },
        seed=seed,
        status="finished",
        steps=50,
        best_step=40,
        parameters=12,
        seconds=0.5 + seed,
        memory_bytes=1000 + seed,
        environment={"NPROC": "1", "cores": 2, "device": "cpu", "jax": "0.10.2"},
        history={
            "step": steps,
            "train_loss": np.exp(-steps / 20),
            "validation_loss": np.exp(-steps / 30)
            + (np.nan if changes.get("status") == "diverged" else 0.01 * seed),
            "validation_error": np.full(5, validation / examples),
        },
        predictions=Watched(arrays),
        weights={},
    )
    return replace(run, **changes)


def regression_run(seed=0, *, noise=1.0, **changes) -> Run:
    rng = np.random.default_rng(seed)
    targets = rng.normal(100, 20, 50)
    said = targets + noise * rng.normal(size=50)
    arrays = {"validation": said, "validation_targets": targets, "test": said, "test_targets": targets}
    data = {"name": "toy", "fingerprint": "ba89", "task": "regression", "target": {"mean": 90.0}}
    data["examples"] = {"train": 100, "validation": 50, "test": 50}
    return replace(make_run(seed), **{"data": data, "predictions": Watched(arrays), **changes})


def arm(name, tests, *, rate=0.1, **changes) -> ArmRuns:
    """An arm of one learning rate, with so many test examples wrong for each seed."""
    runs = tuple(make_run(seed, test=wrong, **changes) for seed, wrong in enumerate(tests))
    return ArmRuns(name, {rate: runs})


PLAIN = arm("plain", [30, 28, 32, 31, 29, 30, 33, 27])
BETTER = arm("better", [20, 19, 21, 22, 18, 20, 24, 17])


def result(comparison: Comparison, name: str):
    return next(one for one in comparison.arms if one.name == name)


# --- from plain differences to verdicts

differences = st.lists(st.floats(-1, 1), min_size=3, max_size=30).filter(lambda d: np.std(d) > 1e-6)


@settings(max_examples=50, deadline=None)
@given(differences, st.floats(0.6, 0.99))
def test_paired_t_is_scipys(values, level):
    found = paired.estimate(np.array(values))
    other = stats.ttest_rel(values, np.zeros(len(values)))
    assert found.p() == pytest.approx(other.pvalue, rel=1e-9)
    assert found.interval(level) == pytest.approx(
        tuple(other.confidence_interval(level)), rel=1e-9, abs=1e-12
    )


@settings(max_examples=50, deadline=None)
@given(differences, st.floats(0.1, 1))
def test_equivalence_is_statsmodels(values, delta):
    expected = DescrStatsW(values).ttost_mean(-delta, delta)[0]
    assert paired.estimate(np.array(values)).p_beyond(delta) == pytest.approx(expected, rel=1e-9)


@settings(max_examples=10, deadline=None)  # statsmodels collects garbage on each call
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_statsmodels(ps):
    assert paired.holm(np.array(ps))[0] == pytest.approx(multipletests(ps, method="holm")[1])


@pytest.mark.parametrize("seeds", [3, 20])
def test_studies_without_effect_err_no_more_often_than_stated(seeds):
    # 4 arms that share a reference and its luck: their differences depend on each other.
    rng, studies = np.random.default_rng(seeds), 150
    found = 0
    for errors in rng.normal(size=(studies, seeds, 5)):
        judged = paired.judge(errors[:, 1:] - errors[:, :1], delta=1e-6)
        found += any(judgement.verdict in ("helps", "hurts") for judgement in judged)
    # Holm's promise is "at most 5 %", and 4 % at the first look; arms that depend on each other take some.
    assert stats.binomtest(found, studies, 0.05, alternative="greater").pvalue > 0.001
    assert found > 0


def test_no_difference_is_corrected_over_the_arms():
    rng, studies = np.random.default_rng(2), 200
    found = 0
    for errors in rng.normal(0.5, 0.5, size=(studies, 20, 5)):
        found += any(judgement.verdict == "no difference" for judgement in paired.judge(errors, delta=0.5))
    assert stats.binomtest(found, studies, 0.05, alternative="greater").pvalue > 0.001


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_intervals_cover_at_their_level(level):
    rng, studies = np.random.default_rng(3), 2000
    covered = 0
    for values in rng.normal(0.3, 1, size=(studies, 7)):
        low, high = paired.estimate(values).interval(level)
        covered += low < 0.3 < high
    assert stats.binomtest(covered, studies, level).pvalue > 0.001


def test_agreement_of_a_few_proves_nothing():
    for count in range(2, 6):
        (same,) = paired.judge(np.full((count, 1), -0.01), delta=0.001)
        assert same.verdict == "inconclusive"
        assert same.estimate.interval(0.95) == (-math.inf, math.inf)
        assert same.estimate.p() == pytest.approx(stats.binomtest(count, count).pvalue)
        (none,) = paired.judge(np.zeros((count, 1)), delta=0.001)
        assert (none.verdict, none.p_holm) == ("inconclusive", 1)
    (same,) = paired.judge(np.full((7, 1), -0.01), delta=0.001)
    assert (same.verdict, same.estimate.interval(0.95)) == ("helps", (-0.01, -0.01))
    assert paired.judge(np.zeros((7, 1)), delta=0.001)[0].verdict == "no difference"


def test_one_seed_is_inconclusive():
    (found,) = paired.judge(np.array([[-0.5]]), delta=1.0)
    assert (found.verdict, found.more_seeds, found.p_holm, found.leans) == ("inconclusive", None, 1, None)
    assert found.estimate.interval(0.95) == (-math.inf, math.inf)


def test_an_inconclusive_arm_says_which_way_it_leans():
    values = np.random.default_rng(5).normal(size=8)
    values = (values - values.mean()) / values.std(ddof=1) / math.sqrt(8) * math.sqrt(8)
    for mean, leans in ((0.5, "worse"), (-0.5, "better"), (0.1, None)):
        (found,) = paired.judge((values + mean)[:, None], delta=0.01)
        assert (found.verdict, found.leans) == ("inconclusive", leans)


# --- trainings and examples


def cells(rng, trainings, examples, *, mean=0.0, by_example=1.0, by_training=0.5, noise=1.0):
    """Differences whose parts have these standard deviations."""
    return (
        mean
        + by_example * rng.normal(size=examples)
        + by_training * rng.normal(size=(trainings, 1))
        + noise * rng.normal(size=(trainings, examples))
    )


def folds(rng, values):
    """Of a full layout, what repeated five-fold cross-validation sees."""
    trainings, examples = values.shape
    rows = []
    for _ in range(trainings // 5):
        rows += np.array_split(rng.permutation(examples), 5)
    return [values[t][judged] for t, judged in enumerate(rows)], rows


@pytest.mark.parametrize("design", ["test set", "folds"])
@pytest.mark.parametrize(
    "parts", [(1.0, 0.0, 1.0), (1.0, 0.5, 1.0), (0.2, 1.0, 0.5), (0.0, 0.0, 1.0), (0.0, 1.0, 0.0)]
)
def test_intervals_over_trainings_and_examples_cover(design, parts):
    rng, studies, covered = np.random.default_rng(7), 200, 0
    for _ in range(studies):
        values = cells(rng, 10, 60, by_example=parts[0], by_training=parts[1], noise=parts[2])
        rows = [np.arange(60)] * 10
        found = list(values)
        if design == "folds":
            found, rows = folds(rng, values)
        low, high = estimate_cells(found, rows).interval(0.95)
        covered += low < 0 < high
    # Where trainings add nothing the estimate of what they add cannot be negative, and errs on the wide side.
    assert stats.binomtest(covered, studies, 0.95, alternative="less").pvalue > 0.001
    assert covered < studies


@pytest.mark.parametrize(("trainings", "by_training"), [(3, 0.1), (5, 0.2)])
def test_intervals_of_few_trainings_cover(trainings, by_training):
    rng, studies, covered = np.random.default_rng(13), 1000, 0
    for _ in range(studies):
        values = cells(rng, trainings, 100, by_example=0.3, by_training=by_training)
        low, high = estimate_cells(list(values), [np.arange(100)] * trainings).interval(0.95)
        covered += low < 0 < high
    # 0.94: with so few, what trainings add is often taken for nothing, which no number of freedoms mends.
    assert stats.binomtest(covered, studies, 0.94, alternative="less").pvalue > 0.01


@pytest.mark.parametrize("design", ["test set", "folds"])
def test_what_trainings_and_what_examples_contribute(design):
    rng, trainings, lasting = np.random.default_rng(8), [], []
    for _ in range(100):
        values = cells(rng, 10, 100, by_example=2.0, by_training=1.0)
        rows, found = [np.arange(100)] * 10, list(values)
        if design == "folds":
            found, rows = folds(rng, values)
        estimate = estimate_cells(found, rows)
        trainings.append(estimate.trainings)
        lasting.append(estimate.examples)
    assert np.mean(lasting) == pytest.approx(4 / 100, rel=0.1)
    assert np.mean(trainings) == pytest.approx(1 / 10, rel=0.25)


def test_a_layout_without_chance_in_examples_is_the_paired_t_test():
    values = np.random.default_rng(9).normal(size=12)
    found = estimate_cells([np.full(50, value) for value in values], [np.arange(50)] * 12)
    expected = paired.estimate(values)
    assert (found.mean, found.error) == pytest.approx((expected.mean, expected.error), rel=1e-6)
    assert found.p() == pytest.approx(expected.p(), rel=1e-3)


def test_examples_of_one_training_are_a_t_test_over_the_examples():
    values = np.random.default_rng(10).normal(0.1, 1, size=40)
    found = estimate_cells([values], [np.arange(40)])
    assert found.examples == pytest.approx(stats.sem(values) ** 2)
    assert found.interval(0.95) == (-math.inf, math.inf)


def test_groups_are_the_pieces_of_chance():
    rng, studies, covered = np.random.default_rng(11), 200, {"groups": 0, "examples": 0}
    groups = np.repeat(np.arange(20), 5)
    for _ in range(studies):
        values = cells(rng, 6, 100, by_training=0.1) + 2 * rng.normal(size=20)[groups]
        for name, units in (("groups", groups), ("examples", np.arange(100))):
            low, high = estimate_cells(list(values), [units] * 6).interval(0.95)
            covered[name] += low < 0 < high
    assert stats.binomtest(covered["groups"], studies, 0.95, alternative="less").pvalue > 0.001
    assert covered["examples"] < 0.8 * studies


@given(st.integers(2, 5), st.integers(12, 40))
def test_agreement_on_a_few_examples_proves_nothing(seeds, examples):
    found = estimate_cells(
        [np.zeros(examples)] * seeds, [np.arange(examples)] * seeds, resolution=1 / examples
    )
    assert found.error == pytest.approx(1 / examples)
    assert found.p_beyond(1 / examples) > 0.05


# --- from runs to a comparison


def wrong(arm_runs):
    """(seeds, examples): which are wrong."""
    return np.array([score(run, "test").wrong for run in arm_runs.runs[0.1]], float)


def test_differences_are_paired_by_seed_and_example():
    comparison = compare([PLAIN, BETTER], reference="plain")
    found = result(comparison, "better").difference
    expected = estimate_cells(list(wrong(BETTER) - wrong(PLAIN)), [np.arange(100)] * 8)
    assert found.p == pytest.approx(expected.p())
    assert (found.interval.low, found.interval.high) == pytest.approx(expected.interval(0.95))
    assert found.from_trainings == pytest.approx(expected.trainings / expected.error**2)
    assert found.verdict == "helps"
    assert result(comparison, "plain").difference is None
    assert comparison.delta == pytest.approx(0.03)
    assert result(comparison, "better").error.mean == pytest.approx(wrong(BETTER).mean())
    assert result(comparison, "better").errors == pytest.approx(wrong(BETTER).mean(axis=1))
    assert (comparison.design, comparison.examples, comparison.groups) == ("test set", 100, 100)


def test_verdicts_have_the_right_sign_and_holm_counts_the_arms():
    comparison = compare([BETTER, PLAIN], reference="better")
    assert result(comparison, "plain").difference.verdict == "hurts"
    three = compare([PLAIN, BETTER, arm("again", range(20, 28))], reference="plain")
    ps = [one.difference.p / 0.8 for one in three.arms[1:]]
    holm = multipletests(ps, method="holm")[1]
    assert [one.difference.p_holm for one in three.arms[1:]] == pytest.approx(holm)


def test_an_arm_that_predicts_the_same_changed_nothing_and_is_no_test():
    alone = result(compare([PLAIN, BETTER], reference="plain"), "better").difference
    comparison = compare([PLAIN, replace(PLAIN, name="twin"), BETTER], reference="plain")
    found = result(comparison, "twin").difference
    assert (found.verdict, found.p, found.interval.mean, found.more_seeds) == ("changed nothing", 1, 0, None)
    assert result(comparison, "better").difference == alone


def fold_runs(wrong_of, *, seeds=10, examples=60, shift=0) -> tuple[Run, ...]:
    """Runs on five folds; `wrong_of(rng, judged)` says which of the judged rows are wrong."""
    runs = []
    for seed in range(seeds):
        order = np.random.default_rng(seed // 5).permutation(examples)
        judged = np.sort(order[seed % 5 :: 5])
        said, targets = predictions(0, examples, np.random.default_rng(0))
        said, targets = said[judged].copy(), targets[judged]
        missed = wrong_of(np.random.default_rng([seed, shift]), judged)
        said[missed] = np.roll(said[missed], 1, axis=1)
        arrays = {"test": said, "test_targets": targets, "test_rows": judged}
        arrays |= {"validation": said, "validation_targets": targets}
        run = make_run(seed, predictions=Watched(arrays))
        runs.append(replace(run, data={**run.data, "fingerprint": f"fold {seed % 5} of {seed // 5}"}))
    return tuple(runs)


def test_folds_count_every_example_once_a_repetition():
    hard = np.arange(60) < 30
    plain = fold_runs(lambda rng, rows: hard[rows])
    other = fold_runs(lambda rng, rows: hard[rows] & (rows % 3 > 0))
    comparison = compare([ArmRuns("plain", {0.1: plain}), ArmRuns("other", {0.1: other})], reference="plain")
    assert (comparison.design, comparison.examples) == ("folds", 60)
    assert comparison.arms[0].error.mean == pytest.approx(0.5)
    found = comparison.arms[1].difference
    assert found.interval.mean == pytest.approx(-10 / 60)
    # Nothing but the examples differs: the standard error is that of 60 differences. That trainings add
    # nothing is known from ten of them only, which leaves fewer degrees of freedom than 59.
    expected = stats.sem(-(hard & (np.arange(60) % 3 == 0)).astype(float))
    half = found.interval.high - found.interval.mean
    assert stats.t.ppf(0.975, 59) * expected * 0.99 < half < stats.t.ppf(0.975, 20) * expected
    assert found.from_trainings < 0.05
    assert found.verdict == "helps"


def test_advice_comes_in_whole_repetitions():
    def flaky(rng, rows):
        return rng.random(len(rows)) < 0.4

    arms = [ArmRuns(name, {0.1: fold_runs(flaky, shift=shift)}) for shift, name in enumerate(("plain", "b"))]
    found = compare(arms, reference="plain", delta=0.15).arms[1].difference
    assert found.verdict == "inconclusive"
    assert found.more_seeds
    assert found.more_seeds % 5 == 0


def test_folds_without_rows_cannot_be_paired():
    runs = fold_runs(lambda rng, rows: rows < 10)
    for run in runs:
        del run.predictions.arrays["test_rows"]
    with pytest.raises(SettingError, match="data"):
        compare([ArmRuns("plain", {0.1: runs})], reference="plain")


def test_tiny_test_sets_do_not_prove_equality():
    rng, studies, found = np.random.default_rng(12), 100, 0
    for _ in range(studies):  # the arm errs twice as often
        right = np.tile(rng.random(30) < 0.95, (2, 1)) & (rng.random((2, 30)) < 0.999)
        worse = right & (rng.random(30) < 0.95)
        found_ = estimate_cells(list(right * 1.0 - worse), [np.arange(30)] * 2, resolution=1 / 30)
        (judgement,) = judge([found_], delta=1 / 30)
        found += judgement.verdict == "no difference"
    assert found <= 0.03 * studies


def test_delta_is_never_finer_than_one_example():
    perfect, worse = arm("plain", [0] * 8), arm("other", [1, 0] * 4)
    assert compare([perfect, worse], reference="plain").delta == pytest.approx(0.01)
    wished = compare([perfect, worse], reference="plain", delta=0.001)
    assert wished.delta == pytest.approx(0.01)
    [said] = cautions(wished)
    assert said == (
        "the delta given, 0.1 percentage points, is finer than what one test example can change: "
        "it is raised to 1 percentage point"
    )
    assert said in markdown(wished)


def test_looks_are_paid_for():
    once, again = (compare([PLAIN, BETTER], reference="plain", looks=looks) for looks in ((), (4, 6)))
    assert again.looks == (4, 6)
    first, third = (result(found, "better").difference for found in (once, again))
    assert first.interval == third.interval
    assert third.p_holm > first.p_holm
    # What was looked at with as many seeds was this very look.
    assert compare([PLAIN, BETTER], reference="plain", looks=(8,)).arms[1].difference == first


def grid(name, **errors) -> ArmRuns:
    """An arm whose learning rates get so many wrong on validation, and as many fewer on test."""
    rates = {float(rate[1:]) / 10: wrong for rate, wrong in errors.items()}
    return ArmRuns(
        name,
        {
            rate: tuple(make_run(s, validation=wrong + s % 2, test=60 - wrong - s) for s in range(6))
            for rate, wrong in rates.items()
        },
    )


def test_the_rate_is_chosen_on_validation_and_the_test_split_of_others_is_not_read():
    arms = [grid("plain", r1=20, r2=12, r3=15), grid("other", r1=11, r2=12, r3=25)]
    comparison = compare(arms, reference="plain")
    assert [one.learning_rate for one in comparison.arms] == [0.2, 0.1]
    assert [one.at_edge for one in comparison.arms] == [False, True]
    assert [one.validation_error for one in comparison.arms[0].grid] == pytest.approx([0.125, 0.205, 0.155])
    for one, chosen in zip(arms, (0.2, 0.1), strict=True):
        for rate, runs in one.runs.items():
            for run in runs:
                tests = {key for key in run.predictions.read if key.startswith("test")} - {
                    "test_rows",
                    "test_groups",
                }
                assert tests == ({"test", "test_targets"} if rate == chosen else set())


def test_the_test_split_never_changes_a_choice():
    rng = np.random.default_rng(8)
    arms = [grid("plain", r1=20, r2=12, r3=15), grid("other", r1=11, r2=12, r3=25)]
    before = [one.learning_rate for one in compare(arms, reference="plain").arms]
    for one in arms:
        for runs in one.runs.values():
            for run in runs:
                arrays = run.predictions.arrays
                arrays["test"] = rng.normal(size=arrays["test"].shape)
                arrays["test_targets"] = rng.permutation(arrays["test_targets"])
    assert [one.learning_rate for one in compare(arms, reference="plain").arms] == before


def test_ties_go_to_the_lower_loss_then_to_the_smaller_rate():
    def runs(confidence):
        made = tuple(make_run(seed, validation=wrong) for seed, wrong in enumerate([10, 20, 30]))
        for run in made:
            run.predictions.arrays["validation"] = run.predictions.arrays["validation"] * confidence
        return made

    tied = ArmRuns("plain", {0.1: runs(2.0), 0.2: runs(1.0), 0.4: tuple(reversed(runs(1.0)))})
    tied.runs[0.4] = tuple(replace(run, seed=seed) for seed, run in enumerate(tied.runs[0.4]))
    assert compare([tied], reference="plain").arms[0].learning_rate == 0.2


def test_diverged_runs_count_as_the_best_constant_guess():
    targets = np.array([0, 0, 0, 1, 2], np.int32)
    nothing = {"test": np.full((5, 3), np.nan, np.float32), "test_targets": targets}
    for predicted in (nothing["test"], predictions(0, 5, np.random.default_rng(0))[0]):
        found = score(make_run(status="diverged", predictions={**nothing, "test": predicted}), "test")
        assert found.error == pytest.approx(1 - 3 / 5)
        assert found.loss == pytest.approx(stats.entropy([3, 1, 1]))
        assert found.wrong.tolist() == [False, False, False, True, True]
    assert score(make_run(predictions=nothing), "test").diverged  # finished, but no number to show for it
    values = np.array([1.0, 2.0, 6.0])
    run = regression_run(status="diverged", predictions={"test": values * np.nan, "test_targets": values})
    assert score(run, "test").error == pytest.approx(math.sqrt(np.mean((values - 90) ** 2)))
    beyond = regression_run(predictions={"test": np.array([1.0, np.inf, 6.0]), "test_targets": values})
    assert score(beyond, "test").diverged  # finished, with a prediction that float32 does not hold
    assert score(beyond, "test").error == score(run, "test").error


def test_diverged_runs_are_counted_shown_and_weigh_in_the_choice():
    def runs(diverged):
        return tuple(
            make_run(seed, validation=5, test=5, status="diverged" if seed < diverged else "finished")
            for seed in range(8)
        )

    some = ArmRuns("some", {0.1: runs(6), 0.2: runs(1), 0.4: runs(8)})
    comparison = compare([PLAIN, some], reference="plain")
    found = result(comparison, "some")
    assert found.learning_rate == 0.2
    assert [one.diverged for one in found.grid] == [1, 6, 8]
    assert found.diverged == 1
    assert len(found.errors) == 8
    assert found.errors[0] == pytest.approx(0.66)  # 34 of 100 are of the commonest class
    assert any("some (1 of 8, test error 66.00 %)" in one for one in cautions(comparison))


def test_one_seed_has_an_interval_over_examples_only():
    found = compare([arm("plain", [30]), arm("better", [20])], reference="plain").arms[1].difference
    assert (found.verdict, found.interval.low, found.more_seeds) == ("inconclusive", -math.inf, None)
    expected = stats.ttest_rel(*(wrong(arm("", [count]))[0] for count in (20, 30)))
    assert found.over_examples.low == pytest.approx(expected.confidence_interval().low)
    assert result(compare([PLAIN, BETTER], reference="plain"), "better").difference.over_examples is None


def test_regression():
    arms = [
        ArmRuns(name, {0.1: tuple(regression_run(seed, noise=noise) for seed in range(8))})
        for name, noise in (("plain", 10.0), ("better", 5.0))
    ]
    comparison = compare(arms, reference="plain")
    found = result(comparison, "better")
    assert comparison.metric == "test RMSE"
    assert found.loss is None
    assert found.difference.verdict == "helps"
    assert any("squared errors are skewed" in caution for caution in cautions(comparison))
    first = arms[1].runs[0.1][0].predictions.arrays
    assert found.errors[0] == pytest.approx(np.std(first["test"] - first["test_targets"]), rel=0.1)


def test_costs():
    found = compare([PLAIN], reference="plain").arms[0]
    assert found.seconds == pytest.approx(4.0)
    assert found.milliseconds_per_step == pytest.approx(80.0)
    assert found.memory_bytes == 1007
    assert found.best_steps == (40,) * 8


def test_the_time_of_a_training_includes_its_pretraining():
    before = [{"digest": "a1", "part": "rbm1", "steps": 10, "seconds": 60.0}]
    runs = tuple(make_run(seed, pretraining=before) for seed in range(8))
    found = compare([ArmRuns("plain", {0.1: runs})], reference="plain").arms[0]
    assert found.seconds == pytest.approx(64.0)
    assert found.milliseconds_per_step == pytest.approx(80.0)


# --- curves


def history(values, steps=None):
    steps = np.arange(1, len(values) + 1) if steps is None else steps
    return make_run(history={"step": np.array(steps), "train_loss": np.array(values, float)})


def test_curves_have_a_t_band():
    runs = [history([1.0, 5.0]), history([2.0, 5.0]), history([3.0, 5.0])]
    found = curve(runs, "train_loss", 0.95)
    low, high = stats.t.interval(0.95, 2, 2, stats.sem([1, 2, 3]))
    assert found.steps == (1, 2)
    assert found.mean == (2, 5)
    assert (found.low[0], found.high[0], found.low[1], found.high[1]) == pytest.approx((low, high, 5, 5))


def test_curves_go_on_while_half_of_the_runs_are_there():
    runs = [history([1.0] * length) for length in (2, 3, 5, 7)]
    assert curve(runs, "train_loss", 0.95).steps == (1, 2, 3, 4, 5)


def test_curves_leave_out_what_is_not_finite():
    runs = [history([1.0, 2.0, np.nan]), history([3.0, np.inf, np.nan]), history([2.0, 4.0, 1.0])]
    found = curve(runs, "train_loss", 0.95)
    assert found.steps == (1, 2)
    assert found.mean == (2, 3)
    assert curve([history([1.0])], "train_loss", 0.95).low == (1,)
    assert curve([history([np.nan])], "train_loss", 0.95).steps == ()


# --- what is refused, and what is warned of


def with_environment(one: ArmRuns, **changes) -> ArmRuns:
    def changed(run):
        return replace(run, environment={**run.environment, **changes})

    return ArmRuns("other", {rate: tuple(map(changed, runs)) for rate, runs in one.runs.items()})


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"NPROC": "2"}, "NPROC"),
        ({"NPROC": "unset"}, "NPROC"),
        ({"device": "gpu A100"}, "device"),
    ],
)
def test_runs_that_cannot_be_paired_are_refused(changes, names):
    with pytest.raises(SettingError, match=names):
        compare([PLAIN, with_environment(BETTER, **changes)], reference="plain")


def test_cores_matter_only_without_nproc():
    compare([PLAIN, with_environment(BETTER, cores=64)], reference="plain")
    loose = [
        replace(with_environment(PLAIN, NPROC="unset", cores=cores), name=str(cores)) for cores in (2, 64)
    ]
    with pytest.raises(SettingError, match="64, elsewhere 2"):
        compare(loose, reference="2")


def test_other_versions_are_a_caution():
    comparison = compare([PLAIN, with_environment(BETTER, jax="0.12.0")], reference="plain")
    assert any("jax (0.10.2, 0.12.0)" in one for one in cautions(comparison))
    assert not any("jax" in one for one in cautions(compare([PLAIN, BETTER], reference="plain")))


def test_other_data_and_seeds_are_refused():
    foreign = tuple(replace(run, data={**run.data, "fingerprint": "0"}) for run in BETTER.runs[0.1])
    with pytest.raises(SettingError, match="data"):
        compare([PLAIN, ArmRuns("other", {0.1: foreign})], reference="plain")
    with pytest.raises(SettingError, match="other seeds"):
        compare([PLAIN, ArmRuns("other", {0.1: BETTER.runs[0.1][::-1]})], reference="plain")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reference": "none"}, "choose one of plain, better"),
        ({"reference": "plain", "level": 1.0}, "level=1.0"),
        ({"reference": "plain", "delta": 0.0}, "delta=0.0"),
        ({"reference": "plain", "metric": "rmse"}, "does not suit classification: choose one of error, "),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(SettingError, match=message):
        compare([PLAIN, BETTER], **options)


def test_arms_without_runs_or_with_one_name_are_refused():
    with pytest.raises(SettingError, match="'empty' has no runs"):
        compare([PLAIN, ArmRuns("empty", {})], reference="plain")
    with pytest.raises(SettingError, match="same name"):
        compare([PLAIN, PLAIN], reference="plain")


def test_cautions():
    quiet = compare([PLAIN, BETTER], reference="plain")
    assert quiet.cautions == ()
    edge = compare([grid("plain", r1=10, r2=20)], reference="plain")
    assert any("plain (0.1)" in one and "widen the grid" in one for one in cautions(edge))
    few = compare([arm("plain", [1, 2, 3])], reference="plain")
    assert few.cautions == (Caution("few seeds", {"seeds": 3, "enough": 5}),)
    assert any("fewer than 5 seeds (3)" in one for one in cautions(few))


# --- words and files


@pytest.mark.parametrize("tests", [[30, 28, 32, 31, 29, 30, 33, 27], [10]])
def test_json_round_trip(tests):
    arms = [arm("plain", tests), arm("other", tests[::-1]), arm("third", [one + 1 for one in tests])]
    comparison = compare(arms, reference="plain", command="trainwright study toy")
    back = Comparison.from_json(comparison.to_json())
    assert repr(back) == repr(comparison)
    assert isinstance(back.arms, tuple)


@pytest.mark.parametrize("text", ["{", "[]", '{"data": {}}', "null"])
def test_other_json_is_refused(text):
    with pytest.raises(StoreError, match="not a comparison"):
        Comparison.from_json(text)


def test_comparing_needs_neither_jax_nor_statsmodels():
    script = """
import sys
import trainwright.comparison.compare, trainwright.runs.store
sys.exit(bool({"jax", "flax", "statsmodels", "pandas", "scipy"} & sys.modules.keys()))
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_diverging_never_wins_even_where_a_constant_guess_is_better_than_the_networks():
    """With one class in a hundred rare, guessing errs by 1 %, and honest networks by more."""
    rare = np.zeros(100, np.int32)
    rare[0] = 1

    def runs(status):
        made = []
        for seed in range(8):
            said = np.log(np.full((100, 2), 0.1))
            said[np.arange(100), np.where(np.arange(100) < 10 + seed, 1, 0)] = math.log(0.9)
            arrays = {"validation": said, "validation_targets": rare, "test": said, "test_targets": rare}
            made.append(make_run(seed, status=status, predictions=arrays))
        return tuple(made)

    honest = ArmRuns("honest", {0.1: runs("finished")})
    wild = ArmRuns("wild", {0.1: runs("finished"), 9.0: runs("diverged")})
    found = result(compare([honest, wild], reference="honest", metric="error"), "wild")
    assert found.learning_rate == 0.1
    only = ArmRuns("wild", {9.0: runs("diverged")})
    found = result(compare([honest, only], reference="honest", metric="error"), "wild")
    assert found.difference.verdict != "helps"
    honest_errors = result(compare([honest, only], reference="honest", metric="error"), "honest").errors
    assert min(found.errors) >= max(honest_errors) - 1e-12


def test_an_edge_is_one_of_the_chosen_candidate_s_own_rates():
    grid = (
        CandidateResult(0.1, 0.02, 0, "l2(coefficient=0.01)"),
        CandidateResult(0.03, 0.03, 0, "l2(coefficient=0.01)"),
        CandidateResult(0.3, 0.04, 0, "l2(coefficient=0.1)"),
    )
    assert ChosenArm("l2", 0.1, grid, 0.02, ()).at_edge
    inside = (*grid, CandidateResult(0.3, 0.05, 0, "l2(coefficient=0.01)"))
    assert not ChosenArm("l2", 0.1, inside, 0.02, ()).at_edge
