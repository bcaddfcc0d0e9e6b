"""From a source to a Dataset: tasks, splits, preparation, facts."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trainwright.base.errors import DataError, SettingError
from trainwright.data import DataSpec, Preparation, facts, load, read_inputs
from trainwright.data.dataset import Dataset, Splits
from trainwright.data.splits import fold, split


def customers(rows: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "id": np.arange(1, rows + 1),
            "age": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(40, 10, rows)),
            "city": rng.choice(["Bern", "Basel", "Genf"], rows),
            "plan": np.where(rng.random(rows) < 0.2, None, rng.choice(["a", "b"], rows)),
            "comment": [f"said {i}" for i in range(rows)],
            "since": pd.date_range("2020-01-01", periods=rows).astype(str),
            "country": "CH",
            "mixed": ["n/k" if i == 7 else str(i / 3) for i in range(rows)],
            "churned": rng.choice(["yes", "no"], rows, p=[0.3, 0.7]),
        }
    )


def by_column(preparation: Preparation) -> dict[str, dict[str, str]]:
    return {line["column"]: line for line in preparation.report()}


# Splits


@settings(deadline=None)
@given(sizes=st.lists(st.integers(3, 40), min_size=1, max_size=6).filter(lambda s: sum(s) >= 10))
def test_splits_cover_everything_once_and_hold_every_class(sizes: list[int]) -> None:
    strata = np.repeat(np.arange(len(sizes)), sizes)
    parts = split(strata)
    together = np.concatenate([parts.train, parts.validation, parts.test])
    assert sorted(together) == list(range(len(strata)))
    for part in (parts.train, parts.validation, parts.test):
        assert set(strata[part]) == set(strata)
        assert (np.diff(part) > 0).all()
    for stratum, size in enumerate(sizes):
        # Nobody gets more than the next whole number above their share.
        assert (strata[parts.test] == stratum).sum() <= max(1, np.ceil(0.2 * size + 1))


def test_split_sizes_are_exact_in_large_data_and_own_test_is_kept() -> None:
    strata = np.random.default_rng(1).integers(10, size=7000)
    parts = split(strata, own_test=1000)
    assert [len(p) for p in (parts.train, parts.validation, parts.test)] == [5000, 1000, 1000]
    assert parts.test.tolist() == list(range(6000, 7000))
    share = np.bincount(strata[parts.validation]) / np.bincount(strata[:6000])
    assert np.abs(share - 1 / 6).max() < 0.002


# Folds


def check_folds(strata: np.ndarray, groups: np.ndarray | None, repetition: int) -> list[Splits]:
    """A repetition's folds: each example judged once, and no example on two sides."""
    folds = [fold(strata, groups, 5 * repetition + number) for number in range(5)]
    assert sorted(np.concatenate([parts.test for parts in folds])) == list(range(len(strata)))
    for parts in folds:
        together = np.concatenate([parts.train, parts.validation, parts.test])
        assert sorted(together) == list(range(len(strata)))
        assert max(len(parts.validation), len(parts.test)) <= parts.room
        assert len({(parts.examples, parts.room) for parts in folds}) == 1
    return folds


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=6).filter(lambda s: sum(s) >= 10),
    repetition=st.integers(0, 2**40),
)
def test_folds_judge_every_example_once_and_spread_the_classes(sizes: list[int], repetition: int) -> None:
    strata = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    for parts in check_folds(strata, None, repetition):
        assert abs(len(parts.train) - parts.examples) <= 2
        for rows, share in ((parts.test, 0.2), (parts.validation, 0.2)):
            for stratum, size in enumerate(sizes):
                assert abs((strata[rows] == stratum).sum() - share * size) < 2


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(1, 30), min_size=5, max_size=40).filter(lambda s: sum(s) >= 10),
    repetition=st.integers(0, 1000),
)
def test_groups_never_straddle(sizes: list[int], repetition: int) -> None:
    rng = np.random.default_rng(0)
    groups = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    strata = rng.integers(2, size=len(groups))
    for parts in check_folds(strata, groups, repetition):
        sides = [set(groups[rows]) for rows in (parts.train, parts.validation, parts.test)]
        assert sum(map(len, sides)) == len(sizes)


def test_groups_are_spread_by_size_and_class() -> None:
    groups = np.repeat(np.arange(100), 10)
    strata = np.repeat(np.arange(100) % 10 == 0, 10).astype(int)  # ten groups of the rare class
    for parts in check_folds(strata, groups, 0):
        assert len(parts.test) == 200
        assert strata[parts.test].sum() == 20


def test_folds_differ_and_stay_as_they_are() -> None:
    strata = np.tile([0, 1], 50)
    tests = [fold(strata, None, seed).test.tolist() for seed in (0, 1, 5, 6)]
    assert len(set(map(tuple, tests))) == 4
    # NumPy's raw Philox bits are promised never to change, so these rows are not to either.
    assert fold(strata, None, 3).test.tolist()[:5] == FOLD_3


def test_folds_of_a_data_set_share_its_arrays() -> None:
    data = load(customers(), target="churned")
    folds = [data.fold(seed) for seed in range(5)]
    for part in folds:
        assert part.inputs is data.inputs
        assert part.targets is data.targets
    assert len({part.fingerprint for part in [data, *folds]}) == 6
    assert data.fold(2).fingerprint == folds[2].fingerprint
    with pytest.raises(SettingError, match="seed=-1"):
        data.fold(-1)


def test_an_own_test_set_is_every_seed_s() -> None:
    rng = np.random.default_rng(0)
    arrays = (rng.random((40, 2)), np.tile([0, 1], 20), rng.random((10, 2)), np.tile([0, 1], 5))
    data = load(arrays)
    assert data.fold(3) is data
    few = load(arrays, examples=8)
    first, second = few.fold(0), few.fold(1)
    assert set(first.splits.train) != set(second.splits.train)
    for part in (first, second):
        assert len(part.splits.train) == 8
        assert np.array_equal(part.splits.test, data.splits.test)
        assert np.array_equal(part.splits.validation, data.splits.validation)
        assert set(part.splits.train) < set(data.splits.train)


def test_a_group_column_is_no_input_and_keeps_rows_together() -> None:
    table = customers().assign(patient=np.arange(200) // 4)
    data = load(table, target="churned", group="patient")
    assert "patient" not in by_column(data.preparation)
    assert any("'patient' groups the rows" in note for note in data.notes)
    for part in (data, data.fold(7)):
        sides = [set(data.groups[rows]) for rows in vars(part.splits).values() if np.ndim(rows)]
        assert sum(map(len, sides)) == 50
    spec = DataSpec("table.csv", target="churned", group="patient")
    assert DataSpec.from_json(json.loads(json.dumps(spec.to_json()))).group == "patient"


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (np.zeros(200), "one group only"),
        (np.arange(200) // 50, "4 groups, fewer than the 5 folds"),
        (np.where(np.arange(200) == 5, np.nan, np.arange(200)), "row 5.*the group is missing"),
    ],
)
def test_groups_that_cannot_be_used_are_refused(column: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load(customers().assign(patient=column), target="churned", group="patient")


def test_a_group_is_a_column_of_a_table() -> None:
    with pytest.raises(DataError, match="no column 'patients' to group by"):
        load(customers(), target="churned", group="patients")
    with pytest.raises(DataError, match="column 'churned' is what is predicted: name another one"):
        load(customers(), target="churned", group="churned")
    with pytest.raises(SettingError, match="is not a table"):
        load("digits", group="patient")


def test_fewer_examples_than_folds_are_refused() -> None:
    with pytest.raises(DataError, match="4 examples, fewer than the 5 folds"):
        fold(np.zeros(4, int), None, 0)


# Preparation


def test_each_column_is_treated_as_what_it_is() -> None:
    data = load(customers(), target="churned")
    lines = by_column(data.preparation)
    assert {name: line["kind"] for name, line in lines.items()} == {
        "id": "left out",
        "age": "number",
        "city": "category",
        "plan": "category",
        "comment": "left out",
        "since": "left out",
        "country": "left out",
        "mixed": "left out",
        "churned": "target",
    }
    assert "row numbers" in lines["id"]["treatment"]
    assert "indicator" in lines["age"]["treatment"]
    assert "indicator" not in lines["city"]["treatment"]
    assert "free text" in lines["comment"]["treatment"]
    assert "dates" in lines["since"]["treatment"]
    assert "only one value" in lines["country"]["treatment"]
    assert "'n/k' in row 7" in lines["mixed"]["treatment"]
    assert data.shape == (2 + 3 + 3,)
    assert data.classes == ("no", "yes")
    assert sum("left out" in note for note in data.notes) == 5


@settings(max_examples=25, deadline=None)  # a deadline would fail on a busy machine
@given(
    x=hnp.arrays(np.float64, (40, 2), elements=st.floats(-1e6, 1e6, width=32)),
    seed=st.integers(0, 5),
)
def test_numbers_are_standardised_on_training_rows_alone(x: np.ndarray, seed: int) -> None:
    x[:, 0] += np.arange(40) * 1e3  # never constant
    x[:, 1] += np.arange(40)[::-1] * 1e3
    y = np.tile([0, 1], 20)
    data = load((x, y)).fold(seed)
    train = data.splits.train
    inputs, _ = data.standardized(train)
    assert np.abs(inputs.mean(axis=0)).max() < 1e-4
    assert np.abs(inputs.std(axis=0) - 1).max() < 1e-4
    rest = np.setdiff1d(np.arange(40), train)
    moved = x.copy()
    moved[rest] += 1e5
    np.testing.assert_allclose(load((moved, y)).fold(seed).standardized(train)[0], inputs, atol=1e-3)


def test_an_outlier_outside_training_leaves_the_others_their_digits() -> None:
    x = np.random.default_rng(0).normal(size=(40, 1))
    y = np.tile([0, 1], 20)
    train = load((x, y)).splits.train
    moved = x.copy()
    moved[load((x, y)).splits.test[0]] = 1e20
    before, after = (load((values, y)).standardized(train)[0] for values in (x, moved))
    np.testing.assert_allclose(after, before, atol=1e-5)


def test_what_is_constant_or_empty_in_a_fold_s_training_rows_is_zero() -> None:
    x = np.random.default_rng(0).normal(size=(50, 3))
    y = np.tile([0, 1], 25)
    data = load((x, y))
    outside = data.splits.test[:2]
    x[:, 1], x[outside, 1] = 3.0, 7.0
    x[np.setdiff1d(np.arange(50), outside), 2] = np.nan
    data = load((x, y))
    inputs, _ = data.standardized(np.arange(50))
    assert (inputs[:, 1] == 0).all()
    assert (inputs[:, 2] == 0).all()  # its indicator says where it is missing
    assert inputs.shape == (50, 4)
    np.testing.assert_allclose(data.preparation.transform(x), inputs, atol=1e-6)
    assert "only one value in the training split (3)" in by_column(data.preparation)["x1"]["treatment"]


def test_missing_values_become_the_mean_with_an_indicator() -> None:
    x = np.arange(60, dtype=float).reshape(30, 2)
    data = load((x, np.tile([0, 1], 15)))
    hole = int(data.splits.train[3])
    x[hole, 1] = np.nan
    with_hole = load((x, np.tile([0, 1], 15)))
    assert with_hole.shape == (3,)
    inputs, _ = with_hole.standardized(np.arange(30))
    assert inputs[hole, 1:].tolist() == [0.0, 1.0]
    assert inputs[:, 2].sum() == 1


@pytest.mark.parametrize("seed", [0, 3])
def test_a_fold_s_preparation_is_what_its_network_sees(seed: int) -> None:
    table = customers()
    data = load(table, target="churned").fold(seed)
    expected, _ = data.standardized(np.arange(len(table)))
    np.testing.assert_allclose(data.preparation.transform(table), expected, rtol=1e-5, atol=1e-6)
    images = np.random.default_rng(0).normal(500, 30, (40, 5, 5))
    data = load((images, np.tile([0, 1], 20))).fold(seed)
    expected, _ = data.standardized(np.arange(40))
    np.testing.assert_allclose(data.preparation.transform(images), expected, rtol=1e-4, atol=1e-5)
    assert abs(expected[data.splits.train].mean()) < 1e-5


def test_new_data_are_prepared_by_column_name() -> None:
    table = customers()
    preparation = load(table, target="churned").preparation
    expected = preparation.transform(table)
    shuffled = table[["city", "plan", "age"]].assign(extra=1)
    np.testing.assert_array_equal(preparation.transform(shuffled), expected)
    assert any("extra" in note for note in preparation.notes(shuffled))
    with pytest.raises(DataError, match="two columns are named 'age'"):
        preparation.transform(pd.concat([table, table[["age"]]], axis=1))
    with pytest.raises(DataError, match="missing column 'age'"):
        preparation.transform(table.drop(columns="age"))
    with pytest.raises(DataError, match=r"row 3, column 'age': 'old' is not a number"):
        preparation.transform(
            table.astype({"age": object}).assign(age=["old" if i == 3 else 1 for i in range(200)])
        )
    with pytest.raises(DataError, match=r"row 5, column 'age': inf is infinite"):
        preparation.transform(table.assign(age=[np.inf if i == 5 else 1.0 for i in range(200)]))


def test_an_array_has_as_many_columns_as_in_training() -> None:
    preparation = load((X, np.tile([0, 1], 15))).preparation
    expected, _ = load((X, np.tile([0, 1], 15))).standardized(np.arange(30))
    np.testing.assert_allclose(preparation.transform(X), expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(DataError, match="3 columns; the model needs 2"):
        preparation.transform(np.ones((4, 3)))


def test_numbers_as_column_names_are_text() -> None:
    table = pd.DataFrame(X).assign(y=np.tile([0, 1], 15))
    data = load(table, target="y")
    expected, _ = data.standardized(np.arange(30))
    np.testing.assert_allclose(data.preparation.transform(pd.DataFrame(X)), expected, rtol=1e-5, atol=1e-6)


def test_unseen_category_is_an_error_for_new_data_and_zeros_on_request() -> None:
    table = customers()
    preparation = load(table, target="churned").preparation
    new = table.assign(city=["Zug" if i == 2 else "Bern" for i in range(200)])
    wanted = r"row 2, column 'city': 'Zug' is not a category seen in training .*Basel, Bern, Genf.*"
    with pytest.raises(DataError, match=wanted):
        preparation.transform(new)
    inputs = preparation.transform(new, unseen="zeros")
    assert inputs[2, 2:5].tolist() == [0, 0, 0]
    assert inputs[3, 2:5].tolist() == [0, 1, 0]
    assert any("'city': 1 with a category not in training" in note for note in preparation.notes(new))


def test_a_category_outside_training_has_an_input_all_the_same() -> None:
    table = customers()
    table.loc[load(table, target="churned").splits.test[0], "city"] = "Zug"
    data = load(table, target="churned")
    assert "Basel, Bern, Genf, Zug" in by_column(data.preparation)["city"]["treatment"]


@pytest.mark.parametrize("source", ["table", "pixels", "regression"])
def test_preparation_survives_json(source: str) -> None:
    rng = np.random.default_rng(0)
    data = {
        "table": lambda: load(customers(), target="churned"),
        "pixels": lambda: load((rng.random((30, 4, 4)) * 9, np.tile([0, 1, 2], 10))),
        "regression": lambda: load((rng.random((30, 2)), rng.random(30))),
    }[source]()
    stored = json.loads(json.dumps(data.preparation.to_json()))
    assert Preparation.from_json(stored) == data.preparation
    stored["target"]["name"] = 3
    with pytest.raises(DataError, match="target"):
        Preparation.from_json(stored)


def test_pixels_share_one_scale() -> None:
    y = np.tile([0, 1], 20)
    rng = np.random.default_rng(0)
    as_bytes = rng.integers(256, size=(40, 5, 5)).astype(np.uint8)
    kept = load((as_bytes, y))
    np.testing.assert_array_equal(kept.inputs, as_bytes)  # a quarter of what numbers take
    seen, _ = kept.standardized(np.arange(40))
    np.testing.assert_allclose(seen, as_bytes / 255, rtol=1e-6)
    np.testing.assert_allclose(load((as_bytes.astype(int), y)).inputs, as_bytes / 255, rtol=1e-6)
    fractions = rng.random((40, 5, 5, 3))
    np.testing.assert_allclose(load((fractions, y)).inputs, fractions, rtol=1e-6)
    large = load((rng.normal(500, 30, (40, 5, 5)), y))
    inputs, _ = large.standardized(large.splits.train)
    assert abs(inputs.mean()) < 1e-4
    assert abs(inputs.std() - 1) < 1e-4
    flat = load((as_bytes.reshape(40, 25), y))
    assert flat.shape == (25,)
    preparation = load((as_bytes, y)).preparation
    assert preparation.notes(as_bytes) == ()
    assert "same unit" in preparation.notes(as_bytes / 255)[0]
    with pytest.raises(DataError, match="shape"):
        preparation.transform(as_bytes[:, :4])
    with pytest.raises(DataError, match=r"row 1, position \(0, 2\): nan"):
        preparation.transform(np.where(np.arange(50).reshape(2, 5, 5) == 27, np.nan, 1.0))


# Tasks and targets


@pytest.mark.parametrize(
    ("target", "task"),
    [
        (np.tile([0, 1], 30), "classification"),
        (np.tile([0.0, 1.0], 30), "classification"),
        (np.tile([True, False], 30), "classification"),
        (np.tile(["a", "b"], 30), "classification"),
        (np.arange(60), "regression"),
        (np.tile([0.5, 1.5], 30), "regression"),
    ],
)
def test_task_is_guessed_and_said(target: np.ndarray, task: str) -> None:
    data = load((np.random.default_rng(0).random((60, 2)), target))
    assert data.task == task
    assert any(task in note for note in data.notes)


def test_what_float32_does_not_hold_is_infinite_without_a_warning() -> None:
    data = load((np.arange(30.0)[:, None], np.arange(30.0) * 100), task="regression")
    assert np.isinf(data.decode(np.float32([[3e38]]))).all()


def test_task_can_be_set() -> None:
    x = np.random.default_rng(0).random((60, 2))
    few = load((x, np.tile([1, 2, 3], 20)), task="regression")
    assert few.targets.dtype == np.float32
    assert few.outputs == 1
    many = load((x, np.tile(np.arange(6), 10)), task="classification")
    assert many.outputs == 6
    with pytest.raises(SettingError, match="'ranking'"):
        load((x, np.arange(60)), task="ranking")


def test_targets_far_from_zero_keep_their_digits() -> None:
    """As seconds since 1970 do: float32 has steps of 128 there."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 2)), rng.normal(size=60) * 70
    near, far = (load((x, y + offset), task="regression") for offset in (0, 1.6e9))
    rows = np.arange(60)
    np.testing.assert_allclose(far.labels(rows) - 1.6e9, near.labels(rows), atol=1e-3)
    _, standardised = far.standardized(rows)
    np.testing.assert_allclose(far.decode(standardised[:, None]) - 1.6e9, near.labels(rows), atol=1e-3)
    assert near.labels(rows).dtype == np.float32


def test_regression_targets_return_to_their_unit() -> None:
    y = np.random.default_rng(0).normal(300, 20, 60)
    data = load((np.arange(120.0).reshape(60, 2), y))
    _, targets = data.standardized(np.arange(60))
    assert abs(targets[data.splits.train].mean()) < 1e-5
    assert abs(targets[data.splits.train].std() - 1) < 1e-5
    np.testing.assert_allclose(data.preparation.target.decode(targets), y, rtol=1e-5)
    np.testing.assert_allclose(data.labels(np.arange(60)), y, rtol=1e-5)


def test_numeric_classes_are_in_numeric_order() -> None:
    data = load((np.random.default_rng(0).random((60, 2)), np.tile([10, 9, 2], 20)))
    assert data.classes == ("2", "9", "10")
    assert data.targets[:3].tolist() == [2, 1, 0]


X = np.random.default_rng(0).random((30, 2))
FOLD_3 = [7, 8, 11, 14, 16]


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X[:2], [0, 1], "2 examples"),
        (X, np.zeros(30, int), "only one class"),
        (X, [0] * 28 + [1] * 2, "'1' has 2 example"),
        (X, [0.5] * 29 + [np.nan], "row 29, column 'target': the target is missing"),
        (X, [0.5, 1.5] * 14 + [0.1, np.inf], "row 29, column 'target': inf"),
        (X, np.full(30, 0.5), "only one value"),
        (X[:20], np.tile([0, 1], 15), "x has 20 examples but y has 30"),
        (X, np.eye(3)[np.tile([0, 1, 2], 10)], "argmax"),
        (
            np.where(np.arange(60).reshape(30, 2) == 8, np.inf, X),
            np.tile([0, 1], 15),
            "row 4, column 'x0': inf",
        ),
        (np.ones((30, 2)), np.tile([0, 1], 15), "no column can be used"),
        (np.empty((30, 0, 4)), np.tile([0, 1], 15), "hold no values"),
        (np.array(3), [0], "single value"),
        (X.astype(complex)[:, :, None], np.tile([0, 1], 15), "complex"),
        ([], [], "0 examples"),
    ],
)
@pytest.mark.filterwarnings("ignore:Casting complex")
def test_arrays_that_cannot_be_used_are_refused(x: np.ndarray, y: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load((x, y))


def test_own_test_arrays_are_kept() -> None:
    rng = np.random.default_rng(0)
    train, test = rng.random((40, 2)), rng.random((10, 2))
    data = load((train, np.tile([0, 1], 20), test, np.tile([0, 1], 5)))
    assert data.splits.test.tolist() == list(range(40, 50))
    assert len(data.splits.validation) == 10
    images = rng.random((40, 2, 2))
    with pytest.raises(DataError, match="shape"):
        load((images, np.tile([0, 1], 20), test, np.tile([0, 1], 5)))
    with pytest.raises(DataError, match="'2' has 0 example"):
        load((train, np.tile([0, 1], 20), test, np.tile([0, 2], 5)))


# What others rely on


def test_dataset_and_spec_reach_another_process() -> None:
    spec = pickle.loads(pickle.dumps(DataSpec((X, np.tile([0, 1], 15)), examples=9)))
    assert spec.load().fingerprint == load((X, np.tile([0, 1], 15)), examples=9).fingerprint
    data = load("digits")
    assert pickle.loads(pickle.dumps(data)).fingerprint == data.fingerprint


def test_spec_of_a_name_or_path_survives_json(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    customers().to_csv(path, index=False)
    spec = DataSpec(path, target="churned", examples=50)
    again = DataSpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert again.load().fingerprint == spec.load().fingerprint
    assert DataSpec("digits").to_json()["source"] == "digits"
    with pytest.raises(DataError, match="no name to store"):
        DataSpec((X, X)).to_json()


@pytest.mark.parametrize(
    "make", [lambda: load("digits"), lambda: load((X, X[:, 0])), lambda: load(customers(), target="churned")]
)
def test_facts_are_plain_and_add_up(make) -> None:  # type: ignore[no-untyped-def]
    data = make()
    found = json.loads(json.dumps(facts(data)))
    assert sum(found["examples"].values()) == len(data.inputs)
    if data.task == "classification":
        counted = sum(sum(counts.values()) for counts in found["class_counts"].values())
        assert counted == len(data.inputs)
    else:
        assert found["target"]["name"] == "target"


def test_digits() -> None:
    data = load("digits")
    assert data.inputs.shape == (1797, 8, 8)
    assert data.inputs.dtype == np.float32
    assert data.targets.dtype == np.int32
    assert (data.inputs.min(), data.inputs.max()) == (0, 1)
    assert data.classes == tuple("0123456789")
    assert data.notes == ()
    np.testing.assert_array_equal(data.preparation.transform(read_inputs("digits")), data.inputs)


def test_fewer_training_examples_leave_validation_and_test_alone():
    whole, few = load("digits"), load("digits", examples=40)
    assert np.bincount(few.targets[few.splits.train]).tolist() == [4] * 10
    assert set(few.splits.train) < set(whole.splits.train)
    assert np.array_equal(few.splits.validation, whole.splits.validation)
    assert np.array_equal(few.splits.test, whole.splits.test)
    assert few.fingerprint != whole.fingerprint
    for wrong in (9, 10_000):
        with pytest.raises(SettingError, match=r"from 10 .one for each class. to 1079"):
            load("digits", examples=wrong)


def test_the_fingerprint_knows_the_target_s_unit_and_where_each_split_ends() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 3)).astype(np.float32), rng.normal(size=60)
    one, other = (load((x, y * unit), task="regression") for unit in (1, 1024))
    assert np.array_equal(one.targets, other.targets)
    assert one.fingerprint != other.fingerprint
    rows = np.arange(60)
    parts = [Splits(rows[:a], rows[a:b], rows[b:]) for a, b in ((36, 48), (50, 55))]
    labels = (y > 0).astype(np.int32)
    made = [Dataset("it", "classification", x, labels, one, ("a", "b")).fingerprint for one in parts]
    assert made[0] != made[1]


@pytest.mark.parametrize("grouped", [False, True])
def test_what_is_set_aside_stays_and_the_rest_takes_turns_in_validating(grouped: bool) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"x": rng.normal(size=200), "who": np.arange(200) // 4, "y": rng.integers(2, size=200)}
    )
    data = load(frame, target="y", group="who" if grouped else None).set_aside()
    folds = [data.fold(number) for number in range(5)]
    test = data.splits.test
    assert all(np.array_equal(part.splits.test, test) for part in folds)
    assert all(part.inputs is data.inputs for part in folds)
    validated = np.sort(np.concatenate([part.splits.validation for part in folds]))
    assert np.array_equal(np.sort(np.concatenate([validated, test])), np.arange(200))
    for part in folds:
        parts = (part.splits.train, part.splits.validation, part.splits.test)
        assert len(np.unique(np.concatenate(parts))) == 200
        assert max(map(len, parts[1:])) <= part.splits.room
        if grouped:
            who = [set(frame["who"].iloc[rows]) for rows in parts]
            assert len(set.union(*who)) == sum(map(len, who))
    others = [load(frame, target="y").set_aside(seed).splits.test for seed in range(5)]
    assert len(np.unique(np.concatenate(others))) == 200
    assert len({part.splits.examples for part in folds}) == 1


def test_a_test_set_of_its_own_is_what_is_set_aside() -> None:
    x = np.random.default_rng(0).normal(size=(80, 2))
    data = load((x[:60], x[:60, 0], x[60:], x[60:, 0]))
    assert np.array_equal(data.set_aside(3).fold(7).splits.test, np.arange(60, 80))


def test_too_little_to_set_aside_is_refused() -> None:
    x = np.random.default_rng(0).normal(size=(24, 2))
    with pytest.raises(DataError, match="24 examples are too few to set a fifth aside"):
        load((x, x[:, 0])).set_aside()
