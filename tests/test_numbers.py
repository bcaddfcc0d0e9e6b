"""Numbers that are read digit by digit: from the data to metrics, baselines, models and predictions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trainwright import Recipe
from trainwright.base.errors import DataError, SettingError
from trainwright.baselines import Guess, Linear
from trainwright.comparison import metrics
from trainwright.data import Dataset, DataSpec, Preparation, facts, load, sequences
from trainwright.diagnosis.instruments import guess
from trainwright.model import Model
from trainwright.networks.mlp import Mlp
from trainwright.runs.score import score
from trainwright.studies import defaults
from trainwright.studies.study import Study
from trainwright.training.fit import fit

RNG = np.random.default_rng(0)
TEXTS = [str(RNG.integers(10 ** (i % 3 + 1))) for i in range(597)] + ["12345", "123456", "7654321"]


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Numbers, and inputs that say their digits plainly."""
    targets = sequences.from_texts(TEXTS)
    noise = RNG.normal(size=(len(TEXTS), 57)) / 10
    return load((pd.DataFrame(sequences.encode(targets) + noise), pd.Series(TEXTS)), task="sequence")


def test_a_target_is_a_length_and_digits(data: Dataset) -> None:
    assert (data.task, data.outputs, data.classes) == ("sequence", 57, ())
    assert data.targets.dtype == np.int32
    np.testing.assert_array_equal(data.targets, sequences.from_texts(TEXTS))
    assert sequences.to_texts(data.targets)[:-2] == TEXTS[:-2]
    assert sequences.to_texts(data.targets)[-2:] == ["more than 5 digits"] * 2
    np.testing.assert_array_equal(data.labels(np.array([3, 598])), data.targets[[3, 598]])
    assert repr(data).endswith("sequence>")
    counts = facts(data)["length_counts"]
    assert sum(sum(each.values()) for each in counts.values()) == 600
    assert list(counts) == ["1", "2", "3", "5", "6"]
    for seed in range(5):  # lengths are spread evenly
        splits = data.fold(seed).splits
        assert set(data.targets[splits.train, 0]) >= {1, 2, 3}
    assert data.preparation is not None
    assert Preparation.from_json(data.preparation.to_json()) == data.preparation
    assert data.preparation.report()[-1]["treatment"].startswith("read digit by digit")


def test_what_is_no_number_is_refused_with_its_place() -> None:
    table = pd.DataFrame({"x": range(12), "house": [*map(str, range(11)), "12b"]})
    with pytest.raises(DataError, match=r"row 11, column 'house': '12b' is not made of digits"):
        load(table, target="house", task="sequence")
    with pytest.raises(SettingError, match="choose 'classification', 'regression', 'sequence'"):
        load(table, target="house", task="sequences")


def test_the_metrics_of_numbers() -> None:
    targets = sequences.from_texts(["12", "345", "6", "123456"])
    said = np.full((4, 57), -5.0)
    for row, text in enumerate(["12", "344", "67", "99999999"]):
        said[row] += 4.9 * sequences.encode(sequences.from_texts([text]))[0]
    assert sequences.to_texts(sequences.decode(said)) == ["12", "344", "67", "more than 5 digits"]
    error, digits, log_loss = (
        metrics.METRICS[name] for name in ("number_error", "digit_error", "number_log_loss")
    )
    assert error.losses(said, targets).tolist() == [0, 1, 1, 0]
    assert digits.losses(said, targets).mean() == pytest.approx(1 / 6)  # of the digits of 12, 345 and 6
    np.testing.assert_allclose(log_loss.losses(said, targets), [0.3, 5.3, 5.1, 0.1], rtol=1e-5)
    assert metrics.choose(None, "sequence", targets)[0] is error
    with pytest.raises(SettingError, match="number_error, digit_error, number_log_loss"):
        metrics.choose("error", "sequence", targets)


def test_guessing_is_the_marginals(data: Dataset) -> None:
    run = Guess().fit(data)
    rows = data.splits.train
    shares = sequences.shares(data.targets[rows])
    np.testing.assert_allclose(np.exp(run.predictions["test"][0]), np.maximum(shares, 1e-6), rtol=1e-5)
    for head in sequences.HEADS:
        assert shares[head].sum() == pytest.approx(1)
    targets = data.targets[rows]
    assert guess(data) == pytest.approx(-sequences.log_probability(sequences.guess(targets), targets).mean())
    with pytest.raises(SettingError, match="the baseline linear cannot predict sequences"):
        Linear().fit(data)
    assert defaults.baselines(data) == ("guess",)


def test_a_network_learns_numbers_and_its_model_reads_them(data: Dataset, tmp_path: Path) -> None:
    run = fit(Recipe(Mlp((64,)), learning_rate=0.3, batch_size=16, epochs=60), data)
    judged = score(run, "test")
    assert judged.error < 0.6 < score(Guess().fit(data), "test").error
    measured = metrics.measure(run, "test", metrics.METRICS["number_error"])
    assert measured == judged.error
    assert metrics.measure(run, "test", metrics.METRICS["digit_error"]) < measured
    assert run.history["validation_error"][-1] == pytest.approx(score(run, "validation").error)
    assert 0 < metrics.measure(run, "test", metrics.METRICS["number_log_loss"]) <= judged.loss

    Model.of(run, data).save(tmp_path / "model")
    model = Model.load(tmp_path / "model")
    raw = pd.DataFrame(sequences.encode(sequences.from_texts(["42", "7"]))).rename(columns=str)
    table = model.table(raw)
    assert list(table) == ["prediction", "probability"]
    assert table["prediction"].tolist() == ["42", "7"]
    assert table["probability"].between(0, 1).all()
    assert model.predict(raw).shape == (2, 57)


def test_a_study_of_numbers(data: Dataset, tmp_path: Path) -> None:
    recipe = Recipe(Mlp((8,)), batch_size=32, epochs=2)
    frame = pd.DataFrame(data.inputs).assign(house=TEXTS)
    frame.to_csv(tmp_path / "houses.csv", index=False)
    study = Study(
        DataSpec(tmp_path / "houses.csv", target="house", task="sequence"),
        {"plain": recipe, "faster": recipe.replace(learning_rate=0.5)},
        seeds=5,
        baselines={"guess": Guess()},
    )
    comparison = study.compare(tmp_path / "store", workers=1)
    assert comparison.metric == "test error of numbers"
    assert comparison.unit == "fraction"
    assert len(comparison.arms) == 2
