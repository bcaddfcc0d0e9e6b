"""The instruments, and the symptoms that they show."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from trainwright import strategies
from trainwright.base.config import config
from trainwright.base.errors import SettingError
from trainwright.chain import Chain, Joint
from trainwright.data import Dataset, load
from trainwright.data.dataset import Splits
from trainwright.diagnosis.instruments import guess, measure_layers
from trainwright.diagnosis.layers import received
from trainwright.diagnosis.symptoms import Diagnosis, diagnose
from trainwright.flow import begin
from trainwright.network import Network, NetworkBuilder
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.task import Task, WithHeads
from trainwright.training.fit import Progress, fit

SMALL = Mlp((16, 16))


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


def recipe(written: str = "", **changes: object) -> Recipe:
    """Of one length, so that those of the same strategies share a program."""
    short = Recipe(SMALL, strategies.read(written), steps=34, evaluate_every=17)
    return dataclasses.replace(short, **changes)  # type: ignore[arg-type]


def diagnosis(data: Dataset, written: str = "", **changes: object) -> Diagnosis:
    return diagnose(fit(recipe(written, **changes), data), data)


def names(found: Diagnosis) -> list[str]:
    return [symptom.name for symptom in found.symptoms]


def test_readings_of_a_network_without_hidden_layers_are_those_of_softmax_regression(digits: Dataset) -> None:
    plain = Recipe(Mlp(()), strategies.read("initialization('zeros')"), learning_rate=0.25)
    few = digits.splits.train[:300]  # fewer than are looked at, so that all are
    data = dataclasses.replace(digits, splits=Splits(few, digits.splits.validation, digits.splits.test))
    reading = measure_layers(plain, data)
    x = data.inputs[few].reshape(len(few), -1).astype(np.float64)
    y = np.eye(10)[data.targets[few]]
    gradient = x.T @ (0.1 - y) / len(few)
    np.testing.assert_allclose(reading.gradients["output"], gradient, atol=1e-6)
    assert reading.layers.loc["output", "gradient"] == pytest.approx(np.linalg.norm(gradient), rel=1e-5)
    assert reading.layers.loc["output", "bias_gradient"] == pytest.approx(
        np.linalg.norm((0.1 - y).mean(axis=0)), rel=1e-5
    )
    assert reading.log_loss == pytest.approx(np.log(10), rel=1e-6)


@config
class Headed(Network):
    """A hidden layer with an auxiliary head, and another one behind it."""

    def build(self, shape: tuple[int, ...], outputs: int, builder: NetworkBuilder) -> nnx.Module:
        first = begin(shape, builder).flatten().input().hidden("hidden1", 8)
        return first.hidden("hidden2", 8).output(outputs).network([first.output(outputs, "head1")])

    def task(self, task: Task) -> Task:
        return WithHeads(task, 1, 0.3)


def test_every_head_has_readings_of_its_own(digits: Dataset) -> None:
    """Layers without an activation are read at their own outputs: the auxiliary head, too."""
    read = measure_layers(Recipe(Headed()), digits).layers
    output, head = (read.loc[name, ["p15", "p50", "p85", "mean"]] for name in ("output", "head1"))
    assert (output != head).all()
    alone = measure_layers(Recipe(Mlp((8, 8))), digits).layers.loc["output", "p50"]
    assert output["p50"] == pytest.approx(alone, rel=1e-5), "the same weights, without the head"


def test_an_update_of_plain_descent_is_the_rate_times_the_gradient(digits: Dataset) -> None:
    reading = measure_layers(recipe(learning_rate=0.2), digits)
    double = measure_layers(recipe(learning_rate=0.4), digits)
    np.testing.assert_allclose(double.layers["update"], 2 * reading.layers["update"], rtol=1e-4)
    gradients = {name: float(np.linalg.norm(g)) for name, g in reading.gradients.items()}
    assert reading.layers["gradient"].to_dict() == pytest.approx(gradients)


def test_the_kept_weights_give_the_loss_of_the_run(digits: Dataset) -> None:
    few = digits.splits.train[:400]
    data = dataclasses.replace(digits, splits=Splits(few, few, digits.splits.test))
    run = fit(recipe("activation('tanh'), dropout(0.2)"), data)
    reading = diagnose(run, data).end  # all 400 are looked at, and are the validation split too
    assert reading.log_loss == pytest.approx(run.history["validation_loss"][-1], rel=1e-5)


def test_a_watcher_sees_the_weights_of_the_moment(digits: Dataset) -> None:
    seen = []

    def watch(progress: Progress) -> None:
        seen.append(progress.weights())

    run = fit(recipe(), digits, watch=watch)
    assert len(seen) == 2
    for name, array in run.weights.items():
        np.testing.assert_array_equal(seen[1][name], array)
    assert any((seen[0][name] != array).any() for name, array in run.weights.items())


def test_a_healthy_training_has_no_symptoms(digits: Dataset) -> None:
    assert names(diagnosis(digits)) == []


@pytest.mark.parametrize(
    ("symptoms", "ill", "treated"),
    [
        ({"first loss", "saturation"}, "normal', std=1.0", "normal', std=0.1"),
        ({"dead units"}, "he_normal', hidden_bias=-5.0", "he_normal', hidden_bias=0.1"),
        ({"symmetry"}, "zeros'", "he_normal'"),
    ],
)
def test_each_symptom_is_seen_and_gone_with_its_treatment(
    digits: Dataset, symptoms: set[str], ill: str, treated: str
) -> None:
    others = "activation('relu')" if "dead units" in symptoms else "activation('tanh')"
    assert symptoms <= set(names(diagnosis(digits, f"{others}, initialization('{ill})")))
    assert not symptoms & set(names(diagnosis(digits, f"{others}, initialization('{treated})")))


def test_deep_sigmoid_layers_have_a_vanishing_gradient(digits: Dataset) -> None:
    deep = {"network": Mlp((16,) * 5)}
    found = diagnosis(digits, "activation('sigmoid')", **deep)
    vanishing = next(symptom for symptom in found.symptoms if symptom.name == "vanishing gradient")
    assert "before the first step" in vanishing.says
    assert "batch_norm" in vanishing.treatment
    assert "vanishing gradient" not in names(diagnosis(digits, "activation('sigmoid'), batch_norm", **deep))


def test_a_gradient_that_has_vanished_to_nothing_is_no_symmetry(digits: Dataset) -> None:
    """The gradient of 60 layers of small weights is zero in the first, in float32."""
    found = diagnosis(
        digits, "activation('sigmoid'), initialization('normal', std=0.1)", network=Mlp((16,) * 60), steps=2
    )
    assert "vanishing gradient" in names(found)
    assert "symmetry" not in names(found)


def test_learning_rates_that_are_out_of_proportion_are_named(digits: Dataset) -> None:
    assert "long steps" in names(diagnosis(digits, learning_rate=10.0))
    assert "short steps" in names(diagnosis(digits, learning_rate=1e-6))
    diverged = diagnosis(digits, "cost('quadratic'), activation('softplus'), l2(10.0)", learning_rate=1e6)
    assert "diverged" in names(diverged)
    json.dumps(diverged.to_json(), allow_nan=False)


def test_unequal_classes_want_a_first_bias() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.uniform(size=400) < 0.1).astype(int)
    data = load((rng.normal(size=(400, 3)).astype(np.float32), labels), task="classification")
    shares = np.bincount(data.targets[data.splits.train]) / len(data.splits.train)
    assert guess(data) == pytest.approx(-(shares * np.log(shares)).sum())
    small = "initialization('normal', std=0.01{})"
    assert "first loss" in names(diagnosis(data, small.format("")))
    assert "first loss" not in names(diagnosis(data, small.format(", output_bias='marginals'")))


def test_a_validation_loss_that_has_risen_is_overfitting() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(120, 20)).astype(np.float32), rng.integers(2, size=120)
    data = load(noise, task="classification")
    run = fit(recipe(steps=200, evaluate_every=5, learning_rate=0.2), data)
    assert "overfitting" in names(diagnose(run, data))
    kept_the_best = dataclasses.replace(run, best_step=10)  # as early stopping does
    assert "overfitting" not in names(diagnose(kept_the_best, data))


def test_what_does_not_fit_is_refused(digits: Dataset) -> None:
    run = fit(recipe(), digits)
    with pytest.raises(SettingError, match="different data"):
        diagnose(run, load("digits").fold(1))
    with pytest.raises(SettingError, match="do not fit"):
        diagnose(dataclasses.replace(run, weights={}), digits)


def test_the_command_line_prints_a_diagnosis(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from trainwright.cli import main; main()",
        "fit",
        "digits",
        "--diagnose",
    ]
    options = ["--epochs", "1", "--rate", "1e-6", "--out", str(tmp_path / "model")]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=True)
    assert "Before the first step" in done.stdout
    assert "short steps" in done.stdout


def test_public_functions_stay_functions_when_their_modules_are_loaded() -> None:
    code = (
        "import trainwright as t, trainwright.training.fit, trainwright.diagnosis.symptoms; "
        "print(t.fit, t.diagnose, t.compare)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.count("<function") == 3


def test_an_activation_receives_what_its_own_layer_puts_out_wherever_that_stands() -> None:
    beside = {"a": jnp.square, "b": Joint(jnp.negative, ()), "a/activation": Joint(jax.nn.relu, ("a",))}
    chain, x = Chain(beside), jnp.array([[1.0, -2.0]])
    outputs = chain.outputs(x)
    np.testing.assert_array_equal(received(chain, outputs, "a"), [[1.0, 4.0]])
    np.testing.assert_array_equal(outputs["a/activation"], [[1.0, 4.0]])
