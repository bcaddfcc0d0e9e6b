"""Networks for images: their sizes as published, their sites, their heads, and what they refuse."""

import json
import math
import sys
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from small import SPLITS, digits, table
from trainwright import networks
from trainwright.base.config import config
from trainwright.base.errors import SettingError
from trainwright.chain import Chain, Joint, array_name
from trainwright.cli import main
from trainwright.data import load
from trainwright.data.dataset import Dataset
from trainwright.diagnosis.instruments import measure_layers
from trainwright.flow import begin
from trainwright.layers.convolution import Convolution, Maxout
from trainwright.layers.window import Window
from trainwright.model import Model
from trainwright.network import Network, NetworkBuilder
from trainwright.networks.convnet import Convnet
from trainwright.networks.deep_image import DeepImage
from trainwright.networks.googlenet import Googlenet
from trainwright.networks.inception_bn import InceptionBn, from_pretrainedmodels
from trainwright.networks.mlp import Mlp
from trainwright.networks.street_numbers import StreetNumbers
from trainwright.recipe import Recipe
from trainwright.strategies import (
    Activation,
    Adam,
    BatchNorm,
    Cost,
    Dropout,
    Initialization,
    LabelSmoothing,
    MaxNorm,
    Rbm,
    VirtualAdversarialTraining,
)
from trainwright.strategy import NothingToActOn
from trainwright.task import Classification, Sequence, WithHeads, task_of
from trainwright.training.building import Training, build, named_arrays
from trainwright.training.fit import fit, fit_all
from trainwright.training.step import Program, gradient

SMALL = Convnet(((4, 3, 2), (6, 3, 1)), (10,))
TINY = {
    "convnet": (SMALL, (8, 8)),
    "googlenet": (Googlenet(width=5), (32, 32, 3)),
    "inception_bn": (InceptionBn(width=5), (32, 32, 3)),
    "deep_image": (DeepImage(width=2), (32, 32, 3)),
    "street_numbers": (StreetNumbers(width=5, hidden_width=1), (27, 27, 3)),
}
small = pytest.mark.parametrize("name", TINY)


class Shapes(NetworkBuilder):
    """Notes the shapes of the affine maps' weights, and draws none."""

    def __init__(self, *strategies):
        super().__init__(strategies, 0, inputs=lambda: np.zeros((1, 1), np.float32))
        self.kernels = {}

    def linear(self, site):
        self.kernels[site.name] = site.kernel_shape
        return Convolution(jnp.zeros((1, 1, 1, 1)), jnp.zeros(1), Window(1))


def shapes_of(network, *strategies, side=224, outputs=1000):
    """The shapes of all kernels by their layers' names, and how many parameters there are in all."""
    builder = Shapes(*strategies)
    model = network.build((side, side, 3), outputs, builder)
    affine = sum(math.prod(shape) + shape[-1] for shape in builder.kernels.values())
    added = {
        array_name(path): leaf.size for path, leaf in jax.tree.leaves_with_path(nnx.state(model, nnx.Param))
    }
    return builder.kernels, affine + sum(
        n for name, n in added.items() if not name.endswith(("kernel", "bias"))
    )


def images(shape, outputs=3, examples=60, seed=0):
    """Random images of classes that differ in brightness."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, outputs, examples).astype(np.int32)
    brightness = (classes - classes.mean()).reshape(-1, *[1] * len(shape))
    inputs = rng.normal(brightness, 1, (examples, *shape)).astype(np.float32)
    return Dataset("images", "classification", inputs, classes, SPLITS, tuple(map(str, range(outputs))))


def model_of(network, shape, outputs, *strategies, seed=0):
    nothing = np.zeros((2, *shape), np.float32)
    return network.build(shape, outputs, NetworkBuilder(strategies, seed, inputs=lambda: nothing))


@pytest.mark.parametrize(
    ("network", "strategies", "size"),
    [
        (Googlenet(heads=False), (), 6_998_552),
        (Googlenet(), (), 13_378_280),
        (InceptionBn(), (), 11_275_208),
        (InceptionBn(), (BatchNorm(),), 11_295_240),
        (InceptionBn(projection=96), (BatchNorm(),), 11_204_936),
        (DeepImage(), (), 212_761_384),
    ],
    ids=str,
)
def test_a_network_has_as_many_parameters_as_published(network, strategies, size):
    assert shapes_of(network, *strategies)[1] == size


def test_the_street_number_network_has_the_published_layers():
    kernels, _ = shapes_of(StreetNumbers(), side=54, outputs=57)
    channels = [shape[-1] for name, shape in kernels.items() if name.startswith("conv")]
    assert channels == [3 * 48, 64, 128, 160, 192, 192, 192, 192]
    assert kernels["local"] == (5 * 5 * 192, 4 * 4 * 192)
    assert (kernels["hidden1"], kernels["hidden2"]) == ((4 * 4 * 192, 3072), (3072, 3072))
    assert kernels["output"] == (3072, 57)


@pytest.mark.parametrize("depth", range(3, 12))
def test_the_street_number_network_is_as_deep_as_asked(depth):
    kernels, _ = shapes_of(StreetNumbers(depth=depth, width=10), side=54)
    assert len(kernels) == depth + 1
    assert list(kernels)[-3:] == ["hidden1", "hidden2", "output"]


@small
def test_a_network_gives_one_row_an_example(name):
    network, shape = TINY[name]
    model = model_of(network, shape, 4)
    graphdef, state = nnx.split(model)

    def shape_of(training):
        x = jax.ShapeDtypeStruct((2, *shape), jnp.float32)
        call = lambda state, x: nnx.merge(graphdef, state)(x, key=None, training=training)  # noqa: E731
        return jax.eval_shape(call, state, x).shape

    assert shape_of(False) == (2, 4)
    assert shape_of(True) == (2, 12 if name == "googlenet" else 4)


@small
@pytest.mark.parametrize("strategy", [BatchNorm(), Dropout(0.5, 0.2), Activation("tanh")], ids=str)
def test_first_weights_depend_on_no_strategy(name, strategy):
    network, shape = TINY[name]
    plain, changed = (model_of(network, shape, 4, *chosen) for chosen in ((), (strategy,)))
    first = {array_name(path): leaf for path, leaf in jax.tree.leaves_with_path(nnx.state(changed))}
    for path, leaf in jax.tree.leaves_with_path(nnx.state(plain)):
        np.testing.assert_array_equal(first[array_name(path)], leaf)


@small
def test_strategies_act_at_every_layer(name):
    network, shape = TINY[name]
    chain = model_of(network, shape, 4, BatchNorm(), Dropout(0.5))
    hidden = [layer.removesuffix("/activation") for layer in chain.order if layer.endswith("/activation")]
    assert len(hidden) >= 3
    for layer in hidden:
        place = [part for part in chain.order if part == layer or part.startswith(f"{layer}/")]
        places = [place.index(f"{layer}{part}") for part in ("", "/batch_norm", "/activation", "/dropout")]
        assert places == sorted(places)


def test_batch_norm_is_per_channel_and_per_unit_where_weights_are_not_shared():
    chain = model_of(StreetNumbers(width=5, hidden_width=1), (27, 27, 3), 4, BatchNorm())
    gammas = {name: chain.parts[f"{name}/batch_norm"].gamma.shape for name in ("conv1", "conv8", "local")}
    assert gammas == {"conv1": (2,), "conv8": (10,), "local": (2 * 2 * 10,)}


def test_a_convolution_starts_as_its_fan_in_says():
    kernel = model_of(Convnet(((50, 5, 2), (400, 5, 2))), (28, 28), 10).parts["conv2"].kernel[...]
    assert kernel.shape == (5, 5, 50, 400)
    assert float(kernel.std()) == pytest.approx((2 / (5 * 5 * 50)) ** 0.5, rel=0.01)
    rule = Initialization("glorot_uniform")
    kernel = model_of(Convnet(((50, 5, 2), (400, 5, 2))), (28, 28), 10, rule).parts["conv2"].kernel[...]
    assert float(abs(kernel).max()) == pytest.approx((6 / (25 * 50 + 25 * 400)) ** 0.5, rel=0.01)


def test_max_norm_holds_what_comes_into_a_channel():
    run = fit(Recipe(SMALL, (MaxNorm(0.3),), batch_size=12, steps=3), digits())
    for name in ("conv1", "conv2", "hidden1", "output"):
        kernel = run.weights[f"{name}/kernel"]
        norms = np.sqrt((kernel**2).sum(axis=tuple(range(kernel.ndim - 1))))
        assert norms.max() <= 0.3 + 1e-5
        assert norms.max() > 0.29


def test_maxout_and_refusals_of_units():
    chain = model_of(SMALL, (8, 8), 3, Activation("maxout", pieces=3))
    assert isinstance(chain.parts["conv2"], Maxout)
    assert chain.parts["conv2"].kernel.shape == (3, 3, 4, 18)
    with pytest.raises(SettingError, match="conv1 is not"):
        model_of(SMALL, (8, 8), 3, Activation("rbf"))
    with pytest.raises(SettingError, match="local is locally connected"):
        model_of(StreetNumbers(width=5), (27, 27, 3), 3, Activation("maxout"))


def test_pretraining_a_convolution_is_refused():
    recipe = Recipe(SMALL, (Rbm(epochs=1), Activation("sigmoid")))
    with pytest.raises(NothingToActOn, match="conv1 is not fully connected"):
        fit(recipe, digits())


@small
def test_a_table_is_refused(name):
    with pytest.raises(SettingError, match=rf"{name} needs images.*mlp"):
        build(Training(Recipe(TINY[name][0]), table(), 0))


def test_images_that_are_too_small_are_refused():
    with pytest.raises(SettingError, match="32×32 pixels or more, and these have 8×8"):
        build(Training(Recipe(Googlenet()), digits(), 0))
    with pytest.raises(SettingError, match="conv2: its window of 5×5 pixels does not fit what comes in, 2×2"):
        build(Training(Recipe(Convnet()), digits(), 0))


def test_an_odd_side_that_is_to_be_halved_is_refused():
    data = digits()
    wide = replace(data, inputs=np.zeros((len(data.inputs), 48, 48, 3), np.uint8))
    with pytest.raises(SettingError, match=r"inception_4e: the image is 3×3 pixels there.*multiples of 32"):
        build(Training(Recipe(InceptionBn(width=1)), wide, 0))


# Paths that part and meet, and heads.


def test_paths_part_and_meet():
    double, add = (lambda x: 2 * x), (lambda x, y: x + y)
    chain = Chain({"a": double, "b": Joint(double, ()), "c": double, "d": Joint(add, ("a", "c"))})
    x = jnp.ones((1, 1))
    assert {name: float(y[0, 0]) for name, y in chain.outputs(x).items()} == {"a": 2, "b": 2, "c": 4, "d": 6}
    assert float(chain(x)[0, 0]) == 6


def test_heads_speak_in_training_only():
    calls = []

    def head(x):
        calls.append(x)
        return 10 * x

    chain = Chain({"a": jnp.negative, "head": head, "b": Joint(jnp.abs, ("a",))}, heads=["head"])
    x = jnp.array([[3.0]])
    assert chain(x, training=True).tolist() == [[3.0, -30.0]]
    assert chain(x).tolist() == [[3.0]]
    assert len(calls) == 1


def test_the_heads_losses_are_added():
    task = Googlenet().task(Classification(3))
    assert task == WithHeads(Classification(3), 2, 0.3)
    assert Googlenet(heads=False).task(Classification(3)) == Classification(3)
    outputs = jnp.asarray(np.random.default_rng(0).normal(size=(5, 9)), jnp.float32)
    y = jax.nn.one_hot(jnp.arange(5) % 3, 3)
    own, first, second = (task.loss(outputs[:, i : i + 3], y) for i in (0, 3, 6))
    total = task.objective(outputs, lambda z: task.loss(z, y))
    np.testing.assert_allclose(total, own + 0.3 * (first + second), rtol=1e-5)


@config
class Headed(Network):
    """A hidden layer with a head, and another with the output."""

    def build(self, shape, outputs, builder):
        first = begin(shape, builder).flatten().hidden("hidden1", 6)
        return first.hidden("hidden2", 5).output(outputs).network([first.output(outputs, "head1")])

    def task(self, task):
        return WithHeads(task, 1, 0.3)


@pytest.mark.parametrize("strategies", [(), (Cost("quadratic"), BatchNorm(), LabelSmoothing(0.1))], ids=str)
def test_a_network_trains_with_its_head_whatever_the_cost(strategies):
    data, recipe = digits(), Recipe(Headed(), strategies, batch_size=12, steps=3)
    before = named_arrays(build(Training(recipe, data, 0))[1])
    run = fit(recipe, data)
    assert run.predictions["test"].shape == (12, 10)
    for name in ("hidden1", "hidden2", "head1", "output"):
        assert not np.array_equal(run.weights[f"{name}/kernel"], before[f"{name}/kernel"]), name


def test_googlenet_s_gradient_reaches_every_layer_with_its_heads():
    data = images((32, 32, 3))
    recipe = Recipe(Googlenet(width=5), (Cost("quadratic"),), batch_size=12)
    graphdef, state = build(Training(recipe, data, 0))
    program = Program(graphdef, recipe.network.task(task_of(data)), cohort=False, chunk=12)
    x, y = jax.ShapeDtypeStruct((12, 32, 32, 3), jnp.float32), jax.ShapeDtypeStruct((12, 3), jnp.float32)
    step = jax.make_jaxpr(lambda state, x, y: gradient(program, recipe, state, x, y)[0])(state, x, y)
    assert len(step.jaxpr.outvars) == len(jax.tree.leaves(state.params))
    reached = [out for out in step.jaxpr.outvars if out in {v for e in step.jaxpr.eqns for v in e.outvars}]
    assert len(reached) == len(step.jaxpr.outvars)


def test_the_street_number_network_learns_sequences_as_a_task():
    task = Sequence()
    model = model_of(StreetNumbers(depth=4, width=5, hidden_width=1), (12, 12, 3), task.outputs)
    graphdef, params, rest = nnx.split(model, nnx.Param, ...)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(3, 12, 12, 3)), jnp.float32)
    y = task.encode(jnp.array([[1, 7, -1, -1, -1, -1], [2, 1, 2, -1, -1, -1], [0, -1, -1, -1, -1, -1]]))
    loss = jax.jit(jax.value_and_grad(lambda p: task.loss(nnx.merge(graphdef, p, rest)(x), y).mean()))
    first, gradient = loss(params)
    after, _ = loss(jax.tree.map(lambda p, g: p - 0.01 * g, params, gradient))
    assert after < first


def test_the_weights_of_pretrainedmodels_become_ours():
    rng = np.random.default_rng(0)
    recipe = Recipe(InceptionBn(width=5), (BatchNorm(),))
    ours = named_arrays(build(Training(recipe, images((32, 32, 3)), 0))[1])
    theirs, wanted = {}, {}
    kinds = {"gamma": "weight", "beta": "bias", "mean": "running_mean", "variance": "running_var"}
    for name, array in ours.items():
        layer, *_, kind = name.split("/")
        if kind in ("batches", "epsilon"):
            continue
        wanted[name] = rng.normal(size=array.shape).astype(np.float32)
        known = {"conv1": "conv1_7x7_s2", "conv2_reduce": "conv2_3x3_reduce", "conv2": "conv2_3x3"}
        layer = known.get(layer, layer.replace("projection", "pool_proj").replace("output", "last_linear"))
        if "/batch_norm/" in name:
            theirs[f"{layer}_bn.{kinds[kind]}"] = wanted[name]
            theirs[f"{layer}_bn.num_batches_tracked"] = np.array(0)
        else:
            axes = (3, 2, 0, 1) if wanted[name].ndim == 4 else None
            theirs[f"{layer}.{'weight' if kind == 'kernel' else 'bias'}"] = wanted[name].transpose(axes)
    taken = from_pretrainedmodels(theirs)
    assert {name: array.shape for name, array in taken.items()} == {n: a.shape for n, a in ours.items()}
    for name, array in wanted.items():
        np.testing.assert_array_equal(taken[name], array, name)
    with pytest.raises(SettingError, match=r"conv1\.mean is no array of bninception"):
        from_pretrainedmodels({"conv1.mean": np.zeros(1)})


def numbers():
    """Sixty house numbers of one or two digits as random images."""
    rng = np.random.default_rng(0)
    digits = rng.integers(0, 10, (60, 2))
    length = rng.integers(1, 3, 60)
    targets = np.full((60, 6), -1, np.int32)
    targets[:, 0], targets[:, 1], targets[:, 2] = length, digits[:, 0], np.where(length > 1, digits[:, 1], -1)
    inputs = rng.normal(size=(60, 8, 8, 3)).astype(np.float32)
    return Dataset("numbers", "sequence", inputs, targets, SPLITS)


def test_sequences_are_trained_like_any_task():
    run = fit(Recipe(SMALL, (BatchNorm(),), batch_size=12, steps=3), numbers())
    assert run.predictions["test"].shape == (12, 57)
    assert run.predictions["test_targets"].shape == (12, 6)
    assert np.isfinite(run.history["validation_loss"]).all()


@pytest.mark.parametrize("strategy", [Cost(), LabelSmoothing(0.1)], ids=str)
def test_what_knows_one_softmax_only_is_refused_for_sequences(strategy):
    with pytest.raises(NothingToActOn, match="these targets are sequences"):
        build(Training(Recipe(SMALL, (strategy,)), numbers(), 0))


def test_virtual_adversarial_training_reaches_through_convolutions():
    recipe = Recipe(SMALL, (VirtualAdversarialTraining(),), batch_size=12, steps=1, evaluate_every=1)
    before = named_arrays(build(Training(recipe, digits(), 0))[1])
    run = fit(recipe, digits())
    assert np.isfinite(run.weights["conv1/kernel"]).all()
    assert not np.array_equal(run.weights["conv1/kernel"], before["conv1/kernel"])


# A network among others: trained, in a cohort, diagnosed, kept.


def test_a_convnet_learns_grey_and_coloured_images():
    for shape in ((8, 8), (8, 8, 3)):
        data = images(shape)
        run = fit(
            Recipe(SMALL, (Adam(),), learning_rate=0.01, batch_size=12, steps=80, evaluate_every=80), data
        )
        assert np.mean(run.predictions["test"].argmax(axis=1) != run.predictions["test_targets"]) <= 0.1


def test_a_cohort_of_convnets_gives_what_each_gives_alone():
    recipe = Recipe(Convnet(((4, 3, 2),), (6,)), (BatchNorm(), Dropout(0.2)), batch_size=12, steps=6)
    data = digits()
    trainings = [Training(recipe, data, seed) for seed in (0, 1)]
    together = dict(fit_all(trainings, width=2))
    alone = dict(fit_all(trainings[1:], width=1))
    for name, weights in alone[trainings[1]].weights.items():
        np.testing.assert_allclose(together[trainings[1]].weights[name], weights, rtol=1e-3, atol=1e-4)


def test_a_convnet_is_diagnosed_layer_by_layer():
    stats = measure_layers(Recipe(SMALL, (BatchNorm(),)), digits())
    assert list(stats.layers.index) == ["conv1", "conv2", "hidden1", "output"]
    assert (stats.layers["gradient"] > 0).all()
    assert stats.layers.loc["conv1", "dead"] < 0.5
    assert stats.gradients["conv2"].shape == (3, 3, 4, 6)


def test_a_saved_convnet_predicts_the_same(tmp_path):
    rng = np.random.default_rng(0)
    raw, classes = rng.integers(0, 256, (60, 8, 8), np.uint8), np.arange(60) % 3
    data = load((raw, classes))
    run = fit(Recipe(SMALL, batch_size=12, steps=3), data)
    Model.of(run, data).save(tmp_path / "model")
    model = Model.load(tmp_path / "model")
    assert model.recipe.network == SMALL
    predicted = np.log(model.predict(raw[data.splits.test]))
    np.testing.assert_allclose(predicted, run.predictions["test"], rtol=1e-4, atol=1e-5)


def test_networks_are_found_by_name():
    assert networks.names() == ["convnet", "deep_image", "googlenet", "inception_bn", "mlp", "street_numbers"]
    written = "convnet(((8, 3, 2),), hidden=(20,)), googlenet(width=25), inception_bn(projection=96), mlp"
    read = networks.read(written)
    assert read == (Convnet(((8, 3, 2),), (20,)), Googlenet(width=25), InceptionBn(projection=96), Mlp())
    for network in read:
        recipe = Recipe(network)
        assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe
    with pytest.raises(SettingError, match="projection = 100 is not allowed"):
        InceptionBn(projection=100)
    with pytest.raises(SettingError, match="convolutions"):
        Convnet(((8, 0, 2),))


def test_the_command_line_trains_a_convnet_and_refuses_a_table(tmp_path, monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["trainwright", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    network = ("--network", "convnet(((4, 3, 2),), hidden=(8,))", "--epochs", 1, "--quiet")
    assert run("fit", "digits", *network, "--out", tmp_path / "model") == 0
    assert Model.load(tmp_path / "model").weights["conv1/kernel"].shape == (3, 3, 1, 4)
    rows = "\n".join(f"{i},{i % 7},{'ab'[i % 2]}" for i in range(30))
    (tmp_path / "table.csv").write_text(f"x,y,class\n{rows}\n")
    code = run("fit", tmp_path / "table.csv", "--target", "class", *network, "--out", tmp_path / "other")
    assert code == 2
    assert "convnet needs images" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()
