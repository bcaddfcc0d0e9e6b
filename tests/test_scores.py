"""Anyone's results: tables of scores, their verdicts and their errors."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from trainwright.base.errors import DataError, SettingError
from trainwright.comparison.examples import estimate
from trainwright.comparison.joint import compare_datasets
from trainwright.comparison.results import Comparison
from trainwright.comparison.scores import compare_scores
from trainwright.report import cautions, markdown, page
from trainwright.report.sentences import sentence


def scores(effects, seeds=8, spread=0.01, **columns):
    """Scores of arms with these effects, paired by seed."""
    rng = np.random.default_rng(0)
    common = rng.normal(0, 0.05, seeds)
    rows = [
        {"arm": arm, "seed": seed, "score": 0.3 + common[seed] + effect + spread * rng.normal(), **columns}
        for arm, effect in effects.items()
        for seed in range(seeds)
    ]
    return pd.DataFrame(rows)


def test_scores_alone_are_a_paired_t_test():
    table = scores({"plain": 0, "better": -0.05, "same": 0})
    comparison = compare_scores(table)
    by_arm = table.pivot(index="seed", columns="arm", values="score")
    expected = stats.ttest_rel(by_arm["better"], by_arm["plain"])
    found = comparison.arm("better").difference
    assert (found.verdict, comparison.reference) == ("helps", "plain")
    assert found.p == pytest.approx(expected.pvalue)
    assert found.interval.low == pytest.approx(expected.confidence_interval().low)
    assert "single examples" in cautions(comparison)[0]


def test_a_single_test_pays_for_later_looks_and_says_so():
    plain = [0.50, 0.52, 0.47, 0.55, 0.49, 0.51, 0.53, 0.48]
    less = [0.10, 0.0, 0.09, 0.03, -0.02, 0.06, 0.05, 0.0]
    rows = [("plain", seed, score) for seed, score in enumerate(plain)]
    rows += [
        ("other", seed, score - gain) for seed, (score, gain) in enumerate(zip(plain, less, strict=True))
    ]
    comparison = compare_scores(pd.DataFrame(rows, columns=["arm", "seed", "score"]))
    found = comparison.arm("other").difference
    assert found.p < 0.05 < found.p_holm
    assert "lower, but not significant with later looks allowed for" in sentence(
        comparison.arm("other"), comparison
    )


def test_the_order_of_the_rows_does_not_matter():
    table = scores({"plain": 0, "better": -0.05})
    shuffled = table.sample(frac=1, random_state=1)
    one, other = (compare_scores(given, reference="plain") for given in (table, shuffled))
    assert one.arm("better").difference.p == pytest.approx(other.arm("better").difference.p)


def test_higher_may_be_better():
    table = scores({"plain": 0, "better": 0.05})
    assert compare_scores(table).arm("better").difference.verdict == "hurts"
    turned = compare_scores(table, higher_is_better=True)
    assert turned.arm("better").difference.verdict == "helps"
    assert turned.metric == "1 − score"
    large = compare_scores(table.assign(score=100 * table["score"]), higher_is_better=True)
    assert (large.metric, large.arm("better").difference.verdict) == ("100 − score", "helps")


def test_the_arm_to_use_is_the_one_whose_gain_is_surest():
    """The lowest of several scores is a little too good: chance has a part in which is the lowest."""
    alternating = np.array([1, -1] * 5)
    gains = {
        "plain": 0 * alternating,
        "lowest": 0.05 + 0.05 * alternating,
        "surest": 0.04 + 0.001 * alternating,
    }
    rows = [(arm, seed, 0.5 - gain) for arm, by_seed in gains.items() for seed, gain in enumerate(by_seed)]
    comparison = compare_scores(pd.DataFrame(rows, columns=["arm", "seed", "score"]), reference="plain")
    assert [arm.difference.verdict for arm in comparison.arms[1:]] == ["helps", "helps"]
    assert comparison.arm("lowest").error.mean < comparison.arm("surest").error.mean
    assert comparison.best == "surest"
    assert "surest has the surest gain" in markdown(comparison)


def test_percentages_are_judged_as_fractions_are():
    table = scores({"plain": 0.5, "new": 0.505})
    found = compare_scores(table, higher_is_better=True)
    percent = compare_scores(table.assign(score=100 * table["score"]), higher_is_better=True)
    assert percent.metric == "100 − score"
    assert percent.delta == pytest.approx(100 * found.delta)
    assert percent.arm("new").difference.verdict == found.arm("new").difference.verdict
    negated = compare_scores(table.assign(score=1000 * table["score"]), higher_is_better=True)
    assert any("give --delta" in caution for caution in cautions(negated))
    assert not any("give --delta" in caution for caution in cautions(percent))


def test_a_column_that_tells_no_rows_apart_is_as_if_it_were_not_there():
    table = scores({"plain": 0, "better": -0.05})
    expected = compare_scores(table).arm("better").difference
    for column in ("fold", "example"):
        for value in (0, None):
            assert compare_scores(table.assign(**{column: value})).arm("better").difference == expected
    with pytest.raises(DataError, match="row 3: no fold; give every row one"):
        compare_scores(table.assign(fold=[1 if row != 3 else None for row in range(len(table))]))


def test_differences_of_rounding_are_none():
    rows = [(arm, seed, score) for arm, score in (("a", 0.3), ("b", 0.1 + 0.2)) for seed in range(8)]
    found = compare_scores(pd.DataFrame(rows, columns=["arm", "seed", "score"])).arm("b").difference
    assert found.interval.mean == 0
    assert found.verdict not in ("helps", "hurts")


def test_rounding_decides_no_joint_verdict():
    """The same scores in another order: their sums differ in the last digit, and nothing else does."""
    orders = {"plain": (0.1, 0.2, 0.3), "new": (0.3, 0.2, 0.1), "other": (0.2, 0.3, 0.1)}
    rows = [
        (arm, seed, score, f"set {number}")
        for number in range(6)
        for arm, values in orders.items()
        for seed, score in enumerate(values)
    ]
    joint = compare_datasets(pd.DataFrame(rows, columns=["arm", "seed", "score", "dataset"]))
    for found in joint.arms:
        assert (found.better, found.worse, found.rank) == (0, 0, 2.0)
        assert found.verdict in ("inconclusive", "reference")
    # 0.3 - 0.2 and 0.2 - 0.1 are one difference, with one rank.
    pairs = [(arm, seed, 0.1 * (number % 2) + score, str(number)) for number in range(6)
             for arm, score in (("plain", 0.1), ("new", 0.2)) for seed in range(2)]  # fmt: skip
    joint = compare_datasets(pd.DataFrame(pairs, columns=["arm", "seed", "score", "dataset"]))
    assert joint.arms[1].p_holm == pytest.approx(stats.wilcoxon([0.1] * 6).pvalue)


def test_the_data_set_of_a_gap_is_named():
    table = several(3)
    gap = (table["dataset"] == "b") & (table["arm"] == "noise") & (table["seed"] == 1)
    with pytest.raises(DataError, match="data set 'b': no score for arm 'noise', seed 1"):
        compare_datasets(table[~gap])


def test_scores_that_look_like_accuracies_are_asked_about():
    table = scores({"plain": 0, "new": 0.01})
    accuracies = table.assign(score=0.9 + table["score"] / 100)
    for whole in (1, 100):
        given = accuracies.assign(score=whole * accuracies["score"])
        assert any("--higher-is-better" in one for one in cautions(compare_scores(given)))
        turned = compare_scores(given, higher_is_better=True)
        assert not any("--higher-is-better" in one for one in cautions(turned))
        said = sentence(turned.arm("new"), turned)
        assert f"in {whole} − score" in said, "a difference of what is lacking says so"
    losses = table.assign(score=0.1 + table["score"] / 100)
    assert not any("--higher-is-better" in one for one in cautions(compare_scores(losses)))


def test_the_joint_verdict_has_the_direction_of_the_ranks():
    """Better on six of thirteen data sets and equal on the others: the median is 0, and it helps."""
    equal = scores({"plain": 0, "new": 0}, seeds=3, spread=0)
    table = pd.concat([equal.assign(dataset=f"set {number}") for number in range(13)], ignore_index=True)
    better = (table["arm"] == "new") & table["dataset"].isin([f"set {number}" for number in range(6)])
    table.loc[better, "score"] -= 0.05
    found = {result.name: result for result in compare_datasets(table).arms}
    assert (found["new"].better, found["new"].worse, found["new"].verdict) == (6, 0, "helps")


def test_examples_are_chance_as_in_a_study():
    rng = np.random.default_rng(2)
    wrong = {arm: rng.random((4, 30)) < share for arm, share in (("plain", 0.4), ("better", 0.2))}
    rows = [
        (arm, seed, example, float(cell))
        for arm, cells in wrong.items()
        for (seed, example), cell in np.ndenumerate(cells)
    ]
    comparison = compare_scores(pd.DataFrame(rows, columns=["arm", "seed", "example", "score"]))
    expected = estimate(list(wrong["better"] * 1.0 - wrong["plain"]), [np.arange(30)] * 4)
    found = comparison.arm("better").difference
    assert found.p == pytest.approx(expected.p())
    assert (comparison.examples, comparison.repeated) == (30, True)
    [few] = cautions(comparison)
    assert "fewer than 5 seeds (4)" in few


def test_of_examples_judged_once_no_share_of_the_chance_is_claimed():
    """One round of folds cannot tell what a training adds from what its examples do."""
    rng = np.random.default_rng(2)
    rows = [
        (arm, 0, example % 5, example, float(rng.random() < share))
        for arm, share in (("plain", 0.4), ("other", 0.3))
        for example in range(50)
    ]
    once = compare_scores(pd.DataFrame(rows, columns=["arm", "seed", "fold", "example", "score"]))
    assert not once.repeated
    assert "judged once" in markdown(once)
    assert "of the variance comes from the trainings" not in markdown(once)


def test_folds_are_pieces_of_the_data():
    rng = np.random.default_rng(3)
    cells = {"plain": rng.normal(0.3, 0.05, (4, 5)), "better": rng.normal(0.2, 0.05, (4, 5))}
    rows = [
        (arm, seed, fold, cell)
        for arm, array in cells.items()
        for (seed, fold), cell in np.ndenumerate(array)
    ]
    table = pd.DataFrame(rows, columns=["arm", "seed", "fold", "score"])
    expected = estimate(list(cells["better"] - cells["plain"]), [np.arange(5)] * 4)
    assert any("folds are taken for independent" in caution for caution in cautions(compare_scores(table)))
    assert compare_scores(table).arm("better").difference.p == pytest.approx(expected.p())
    with pytest.raises(DataError, match="has one seed"):  # its folds share what they train on
        compare_scores(table[table["seed"] == 0])


def test_a_few_examples_that_agree_prove_nothing():
    """Of 30 examples one is 3.3 points: no difference below that is claimed."""
    right = np.random.default_rng(0).random((10, 30)) < 0.1
    rows = [
        (arm, seed, example, float(cell))
        for arm in ("plain", "same")
        for (seed, example), cell in np.ndenumerate(right)
    ]
    table = pd.DataFrame(rows, columns=["arm", "seed", "example", "score"])
    same = compare_scores(table, delta=0.001)
    assert same.delta == pytest.approx(1 / 30)
    assert same.arm("same").difference.verdict == "inconclusive"
    assert any("finer than what one test example can change" in caution for caution in cautions(same))
    scored = compare_scores(table.assign(score=table["score"] * 0.9), delta=0.001)
    assert scored.delta == 0.001, "these are no counts"


def test_reports_leave_out_what_is_not_known():
    comparison = compare_scores(scores({"plain": 0, "better": -0.05}))
    assert (
        Comparison.from_json(comparison.to_json()).arm("better").difference
        == comparison.arm("better").difference
    )
    for text in (markdown(comparison), page(comparison)):
        assert "better helps" in text.replace("<strong>", "").replace("</strong>", "")
        assert "learning rate" not in text.lower()
        assert "initial weights" not in text


def bad(**changes):
    return scores({"plain": 0, "better": -0.05}, seeds=3).assign(**changes)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (bad().drop(columns="seed"), "no column 'seed'.*there are arm, score"),
        (bad(epoch=3), "column 'epoch' is not known"),
        (bad().iloc[:0], "no rows"),
        (bad(score=[0.1, 0.2, np.nan, 0.1, 0.2, 0.3]), "row 2: score nan is not a finite number"),
        (bad(score=["0.1", "0.2", "0.3", "high", "0.2", "0.3"]), "row 3: score high"),
        (bad(seed=[0, 1, None, 0, 1, 2]), "row 2: no seed"),
        (bad(seed=[0, 1, 1, 0, 1, 2]), "row 1 and row 2 are both arm 'plain', seed 1.*: keep one"),
        (bad().iloc[:-1], "no score for arm 'better', seed 2, which arm 'plain' has"),
        (bad().iloc[1:], "no score for arm 'plain', seed 0, which arm 'better' has"),
        (bad()[lambda table: table["seed"] == 0], "has one seed"),
    ],
)  # fmt: skip
def test_wrong_tables_are_explained(table, message):
    with pytest.raises(DataError, match=message):
        compare_scores(table)


def test_a_path_is_no_table_of_scores():
    for compared in (compare_scores, compare_datasets):
        with pytest.raises(DataError, match=r"'scores\.csv': give a data frame"):
            compared("scores.csv")


def test_wrong_options_are_explained():
    with pytest.raises(SettingError, match="choose one of plain, better"):
        compare_scores(bad(), reference="none")
    with pytest.raises(SettingError, match="2 data sets"):
        compare_scores(pd.concat([bad(dataset="a"), bad(dataset="b")]))
    with pytest.raises(SettingError, match="one data set"):
        compare_datasets(bad())


def several(count, effect=-0.05):
    rng = np.random.default_rng(4)
    parts = []
    for name in "abcdefgh"[:count]:
        part = scores({"plain": 0, "better": effect, "noise": 0}, seeds=4, dataset=name)
        parts.append(part.assign(score=part["score"] + 0.02 * rng.normal(size=len(part))))
    return pd.concat(parts, ignore_index=True)


def test_several_data_sets_have_a_joint_verdict():
    joint = compare_datasets(several(8))
    means = np.array(
        [
            [one.arm(arm).error.mean for arm in ("plain", "better", "noise")]
            for one in joint.comparisons.values()
        ]
    )
    by_name = {arm.name: arm for arm in joint.arms}
    assert by_name["better"].verdict == "helps"
    assert joint.arms[0].name == "better"
    assert by_name["better"].better == int((means[:, 1] < means[:, 0]).sum())
    assert joint.p_friedman == pytest.approx(stats.friedmanchisquare(*means.T).pvalue)
    assert by_name["noise"].rank == pytest.approx(stats.rankdata(means, axis=1)[:, 2].mean())
    ps = sorted(stats.wilcoxon(means[:, at] - means[:, 0]).pvalue for at in (1, 2))
    assert by_name["better"].p_holm == pytest.approx(2 * ps[0])
    # Demšar 2006, table 5: q for 3 classifiers is 2.343 at 5 %.
    assert joint.critical_difference == pytest.approx(2.343 * np.sqrt(3 * 4 / (6 * 8)), abs=1e-3)
    assert by_name["plain"].verdict == "reference"


def test_a_data_set_that_lacks_an_arm_is_named():
    table = several(3)
    with pytest.raises(DataError, match="data set 'b' has no score for arm 'noise'"):
        compare_datasets(table[(table["dataset"] != "b") | (table["arm"] != "noise")])


def command(*arguments):
    code = "from trainwright.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, "compare", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command(tmp_path: Path):
    file = tmp_path / "scores.csv"
    scores({"plain": 0, "better": 0.05}).to_csv(file, index=False)
    done = command(file, "--higher-is-better", "--json", "--out", tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["arms"][1]["difference"]["verdict"] == "helps"
    assert "better" in (tmp_path / "out" / "report.html").read_text("utf-8")
    alike = {"a": "x y", "b": "x-y", "c": "X y"}  # as folders
    table = several(3)
    table.assign(dataset=table["dataset"].map(alike)).to_csv(file, index=False)
    done = command(file, "--out", tmp_path / "joint")
    assert (done.returncode, done.stderr) == (0, "")
    assert "With fewer than six data sets" in " ".join(done.stdout.split())
    assert "Reports: a folder for each data set" in done.stdout
    folders = {path.parent.name for path in (tmp_path / "joint").glob("*/report.html")}
    assert folders == {"x-y", "x-y-2", "X-y-3"}, "none takes the place of another"
    assert len(json.loads((tmp_path / "joint" / "joint.json").read_text())["arms"]) == 3
    file.write_text("arm,seed,score\nplain,0,0.1\nplain,1,0.2\nother,0,0.3\n")
    done = command(file)
    assert done.returncode == 3
    assert "no score for arm 'other', seed 1" in done.stderr


def test_a_second_look_into_the_same_folder_is_paid_for(tmp_path):
    table = scores({"plain": 0, "better": -0.005}, seeds=10)
    for seeds, looks in ((5, ()), (5, ()), (10, (5,))):
        table[table["seed"] < seeds].to_csv(tmp_path / "scores.csv", index=False)
        assert command(tmp_path / "scores.csv", "--out", tmp_path / "out", "--quiet").returncode == 0
        kept = Comparison.from_json((tmp_path / "out" / "comparison.json").read_text())
        assert kept.looks == looks
    table.assign(arm=table["arm"] + "?").to_csv(tmp_path / "scores.csv", index=False)
    command(tmp_path / "scores.csv", "--out", tmp_path / "out", "--quiet")
    assert not Comparison.from_json((tmp_path / "out" / "comparison.json").read_text()).looks, "other arms"
