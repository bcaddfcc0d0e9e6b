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
from statsmodels.stats.power import TTestPower

from trainwright.base.errors import SettingError, StoreError
from trainwright.comparison import paired
from trainwright.comparison.compare import ArmRuns, Comparison, compare, curve
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
    """A run that gets so many of the validation and of the test examples wrong; one that diverged has kept
    no weights from before."""
    if changes.get("status") == "diverged":
        changes = {"best_step": 0, **changes}
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
            "validation_loss": np.exp(-steps / 30) + 0.01 * seed,
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


# --- the statistics, on plain arrays

differences = st.lists(st.floats(-1, 1), min_size=3, max_size=30).filter(lambda d: np.std(d) > 1e-6)


@settings(max_examples=50, deadline=None)
@given(differences, st.floats(0.6, 0.99))
def test_paired_t_is_scipys(values, level):
    one = paired.estimate(np.array(values))
    other = stats.ttest_rel(values, np.zeros(len(values)))
    assert one.p() == pytest.approx(other.pvalue, rel=1e-9)
    assert one.interval(level) == pytest.approx(tuple(other.confidence_interval(level)), rel=1e-9, abs=1e-12)


@settings(max_examples=10, deadline=None)  # statsmodels collects garbage on each call
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_statsmodels(ps):
    assert paired.holm(np.array(ps))[0] == pytest.approx(multipletests(ps, method="holm")[1])


def test_nadeau_bengio_by_hand():
    # Differences 1, 2, 3: mean 2, variance 1. With n_test / n_train = 1/6 the variance of the mean is
    # 1/3 + 1/6 = 1/2, so t = 2 √2. With two degrees of freedom P(|T| > t) = 1 - t / √(2 + t²) = 1 - √(8/10),
    # and the t of a 95 % interval is 0.95 √(2 / (1 - 0.95²)).
    one = paired.estimate(np.array([1.0, 2.0, 3.0]), overlap=1 / 6)
    assert one.p() == pytest.approx(1 - math.sqrt(0.8))
    half = 0.95 * math.sqrt(2 / (1 - 0.95**2)) * math.sqrt(1 / 2)
    assert one.interval(0.95) == pytest.approx((2 - half, 2 + half))
    assert one.p() > paired.estimate(np.array([1.0, 2.0, 3.0])).p()


def test_power_is_statsmodels():
    for effect, count, alpha in ((0.3, 20, 0.05), (0.8, 12, 0.00625), (1.5, 6, 0.05)):
        expected = TTestPower().power(effect, count, alpha / 2, alternative="larger")
        found = paired.power(effect * math.sqrt(count), count, alpha)
        assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("seeds", [3, 20])
def test_studies_without_effect_err_as_often_as_stated(seeds):
    # 8 arms that share a reference and its luck: their differences depend on each other.
    rng, studies = np.random.default_rng(seeds), 2000
    found = 0
    for errors in rng.normal(size=(studies, seeds, 9)):
        judged = paired.judge(errors[:, 1:] - errors[:, :1], delta=0.01)
        found += any(one.verdict in ("helps", "hurts") for one in judged)
    # Holm's promise is "at most 5 %"; it gives some of it away when arms depend on each other, not all.
    assert stats.binomtest(found, studies, 0.05, alternative="greater").pvalue > 0.001
    assert found > 0.01 * studies


def test_one_arm_without_effect_errs_at_exactly_the_level():
    rng, studies = np.random.default_rng(1), 2000
    found = sum(
        paired.judge(one, delta=0.01)[0].verdict in ("helps", "hurts")
        for one in rng.normal(size=(studies, 10, 1))
    )
    assert stats.binomtest(found, studies, 0.05).pvalue > 0.001


def test_a_difference_of_delta_is_seldom_called_none():
    rng, studies = np.random.default_rng(2), 2000
    found = sum(
        paired.judge(one, delta=0.5)[0].verdict == "no difference"
        for one in rng.normal(0.5, 0.5, size=(studies, 20, 1))
    )
    assert stats.binomtest(found, studies, 0.05, alternative="greater").pvalue > 0.001


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_intervals_cover_at_their_level(level):
    rng, studies = np.random.default_rng(3), 2000
    covered = 0
    for one in rng.normal(0.3, 1, size=(studies, 7)):
        low, high = paired.estimate(one).interval(level)
        covered += low < 0.3 < high
    assert stats.binomtest(covered, studies, level).pvalue > 0.001


def test_resampled_intervals_cover_where_plain_ones_do_not():
    # Differences of overlapping splits share a part: correlation ρ = n_test / (n_test + n_train).
    rng, studies, overlap = np.random.default_rng(4), 2000, 0.25
    rho = overlap / (1 + overlap)
    covered = {0.0: 0, overlap: 0}
    for common, own in zip(rng.normal(size=studies), rng.normal(size=(studies, 15)), strict=True):
        values = math.sqrt(rho) * common + math.sqrt(1 - rho) * own
        for one in covered:
            low, high = paired.estimate(values, overlap=one).interval(0.95)
            covered[one] += low < 0 < high
    assert covered[0.0] < 0.8 * studies
    assert stats.binomtest(covered[overlap], studies, 0.95).pvalue > 0.001


@pytest.mark.parametrize(("mean", "arms"), [(0.5, 1), (0.4, 4), (0.25, 1)])
def test_so_many_more_seeds_do_give_the_power(mean, arms):
    values = np.random.default_rng(5).normal(size=8)
    values = (values - values.mean()) / values.std(ddof=1) + mean
    alpha = 0.05 / arms
    more = paired.more_seeds(paired.estimate(values), alpha, delta=0.01, level=0.95)
    rng, studies, count = np.random.default_rng(6), 4000, 8 + more
    ps = stats.ttest_1samp(rng.normal(mean, 1, size=(studies, count)), 0, axis=1).pvalue
    assert stats.binomtest(int((ps < alpha).sum()), studies, 0.8, alternative="less").pvalue > 0.001
    fewer = stats.ttest_1samp(rng.normal(mean, 1, size=(studies, count - 5)), 0, axis=1).pvalue
    assert (fewer < alpha).mean() < 0.8


def test_so_many_more_seeds_do_shrink_the_interval():
    one = paired.estimate(np.array([-1.0, 1.0, -1.0, 1.0]))
    more = paired.more_seeds(one, 0.05, delta=0.3, level=0.95)
    for count, inside in ((4 + more, True), (4 + more - 1, False)):
        half = stats.t.ppf(0.95, count - 1) * one.spread / math.sqrt(count)
        assert (half < 0.3) == inside


def test_more_seeds_out_of_reach():
    assert paired.more_seeds(paired.estimate(np.array([-1.0, 1.0])), 0.05, 1e-6, 0.95) is None
    # Where splits overlap, the variance has a floor that no number of seeds gets below.
    values = np.array([-1.0, 1.0] * 5) + 0.2
    assert paired.more_seeds(paired.estimate(values), 0.05, 0.01, 0.95) is not None
    assert paired.more_seeds(paired.estimate(values, overlap=0.3), 0.05, 0.01, 0.95) is None


@given(st.integers(2, 30))
def test_all_zero_differences_are_no_difference(count):
    (one,) = paired.judge(np.zeros((count, 1)), delta=0.0)
    assert (one.verdict, one.p_holm, one.estimate.interval(0.95)) == ("no difference", 1, (0, 0))


def test_equal_differences_do_not_claim_certainty():
    for count in range(2, 6):
        (one,) = paired.judge(np.full((count, 1), -0.01), delta=0.001)
        assert one.verdict == "inconclusive"
        assert one.estimate.interval(0.95) == (-math.inf, math.inf)
        assert count + one.more_seeds == 6
        assert one.estimate.p() == pytest.approx(stats.binomtest(count, count).pvalue)
    (one,) = paired.judge(np.full((6, 1), -0.01), delta=0.001)
    assert (one.verdict, one.estimate.interval(0.95)) == ("helps", (-0.01, -0.01))
    (one,) = paired.judge(np.full((20, 1), -0.01), delta=0.001, overlap=0.1)
    assert (one.verdict, one.more_seeds) == ("inconclusive", None)


def test_one_seed_cannot_tell():
    (one,) = paired.judge(np.array([[-0.5]]), delta=1.0)
    assert (one.verdict, one.more_seeds, one.p_holm) == ("inconclusive", None, 1)
    assert one.estimate.interval(0.95) == (-math.inf, math.inf)


# --- from runs to a comparison


def test_differences_are_paired_by_seed():
    comparison = compare([PLAIN, BETTER], reference="plain")
    found, plain, better = result(comparison, "better").difference, *(one.errors for one in comparison.arms)
    expected = stats.ttest_rel(better, plain)
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.interval.low, found.interval.high) == pytest.approx(tuple(expected.confidence_interval()))
    assert found.effect == pytest.approx(
        np.mean(np.subtract(better, plain)) / np.std(np.subtract(better, plain), ddof=1)
    )
    assert found.verdict == "helps"
    assert result(comparison, "plain").difference is None
    assert comparison.delta == pytest.approx(0.03)
    assert result(comparison, "better").error.mean == pytest.approx(np.mean(better))


def test_verdicts_have_the_right_sign_and_holm_counts_the_arms():
    comparison = compare([BETTER, PLAIN], reference="better")
    assert result(comparison, "plain").difference.verdict == "hurts"
    three = compare([PLAIN, BETTER, arm("again", range(20, 28))], reference="plain")
    ps = [one.difference.p for one in three.arms[1:]]
    holm = multipletests(ps, method="holm")[1]
    assert [one.difference.p_holm for one in three.arms[1:]] == pytest.approx(holm)


def test_the_same_runs_make_no_difference():
    comparison = compare([PLAIN, replace(PLAIN, name="twin")], reference="plain")
    found = result(comparison, "twin").difference
    assert (found.verdict, found.p, found.interval.mean, found.p_over_examples) == ("no difference", 1, 0, 1)


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
    assert [one.validation_error for one in comparison.arms[0].grid] == pytest.approx([0.205, 0.125, 0.155])
    for one, chosen in zip(arms, (0.2, 0.1), strict=True):
        for rate, runs in one.runs.items():
            for run in runs:
                tests = {key for key in run.predictions.read if key.startswith("test")}
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
    assert [one.diverged for one in found.grid] == [6, 1, 8]
    assert found.diverged == 1
    assert len(found.errors) == 8
    assert found.errors[0] == pytest.approx(0.66)  # 34 of 100 are of the commonest class
    assert any("diverged" in one and "some (1 of 8" in one for one in comparison.cautions)
    assert found.difference.over_examples is None


def test_over_examples_is_a_t_test_over_the_examples():
    comparison = compare([PLAIN, BETTER], reference="plain")
    wrong = [np.mean([score(run, "test").wrong for run in one.runs[0.1]], axis=0) for one in (PLAIN, BETTER)]
    expected = stats.ttest_rel(wrong[1], wrong[0])
    found = result(comparison, "better").difference
    assert found.p_over_examples == pytest.approx(expected.pvalue)
    assert found.over_examples.low == pytest.approx(expected.confidence_interval().low)


def test_resampled_splits_widen_the_interval():
    plain, corrected = (compare([PLAIN, BETTER], reference="plain", resampled=on) for on in (False, True))
    one, other = (result(found, "better").difference for found in (plain, corrected))
    width = [found.interval.high - found.interval.low for found in (one, other)]
    assert width[1] / width[0] == pytest.approx(math.sqrt((1 / 8 + 100 / 400) / (1 / 8)))
    assert other.over_examples is None


def test_regression():
    arms = [
        ArmRuns(name, {0.1: tuple(regression_run(seed, noise=noise) for seed in range(8))})
        for name, noise in (("plain", 10.0), ("better", 5.0))
    ]
    comparison = compare(arms, reference="plain")
    found = result(comparison, "better")
    assert comparison.metric == "test RMSE"
    assert found.loss is None
    assert found.difference.over_examples is None
    assert found.difference.verdict == "helps"
    first = arms[1].runs[0.1][0].predictions.arrays
    assert found.errors[0] == pytest.approx(np.std(first["test"] - first["test_targets"]), rel=0.1)


def test_costs():
    found = compare([PLAIN], reference="plain").arms[0]
    assert found.seconds == pytest.approx(4.0)
    assert found.milliseconds_per_step == pytest.approx(80.0)
    assert found.memory_bytes == 1007
    assert found.best_steps == (40,) * 8


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
    assert any("jax (0.10.2, 0.12.0)" in one for one in comparison.cautions)
    assert not any("jax" in one for one in compare([PLAIN, BETTER], reference="plain").cautions)


def test_other_data_and_seeds_are_refused():
    foreign = tuple(replace(run, data={**run.data, "fingerprint": "0"}) for run in BETTER.runs[0.1])
    with pytest.raises(SettingError, match="data"):
        compare([PLAIN, ArmRuns("other", {0.1: foreign})], reference="plain")
    with pytest.raises(SettingError, match="other seeds"):
        compare([PLAIN, ArmRuns("other", {0.1: BETTER.runs[0.1][::-1]})], reference="plain")
    own = [
        tuple(replace(r, data={**r.data, "fingerprint": str(r.seed)}) for r in a.runs[0.1])
        for a in (PLAIN, BETTER)
    ]
    arms = [ArmRuns("plain", {0.1: own[0]}), ArmRuns("better", {0.1: own[1]})]
    assert compare(arms, reference="plain", resampled=True).resampled
    with pytest.raises(SettingError, match="data"):
        compare(arms, reference="plain")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reference": "none"}, "choose one of plain, better"),
        ({"reference": "plain", "level": 1.0}, "level=1.0"),
        ({"reference": "plain", "delta": 0.0}, "delta=0.0"),
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
    assert any("plain (0.1)" in one and "widen the grid" in one for one in edge.cautions)
    few = compare([arm("plain", [1, 2, 3])], reference="plain")
    assert any("fewer than 6 seeds (3)" in one for one in few.cautions)


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
    found = result(compare([honest, wild], reference="honest"), "wild")
    assert found.learning_rate == 0.1
    only = ArmRuns("wild", {9.0: runs("diverged")})
    found = result(compare([honest, only], reference="honest"), "wild")
    assert found.difference.verdict != "helps"
    assert min(found.errors) >= max(result(compare([honest, only], reference="honest"), "honest").errors)
