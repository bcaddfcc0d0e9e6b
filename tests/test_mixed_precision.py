"""Products in bfloat16: what is rounded, what is not, and that training with it comes to the same."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from trainwright.base.errors import SettingError
from trainwright.cli import main
from trainwright.comparison.metrics import METRICS, measure
from trainwright.data import load
from trainwright.layers.convolution import Convolution, LocallyConnected, Maxout
from trainwright.layers.dense import dense
from trainwright.layers.product import DotGeneral, Rounded, exact
from trainwright.layers.window import Window
from trainwright.model import Model
from trainwright.network import Network, NetworkBuilder
from trainwright.networks.convnet import Convnet
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.strategies import BatchNorm, MixedPrecision, Momentum
from trainwright.training.building import Training, build
from trainwright.training.fit import fit

HALF = Rounded("bfloat16")


def layers(product):
    """Each kind of layer with weights that bfloat16 does not have, and inputs for it."""
    rng = np.random.default_rng(0)
    draw = lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.float32)  # noqa: E731
    images, rows = draw(2, 4, 4, 3), draw(2, 6)
    kernel, bias = draw(3, 3, 3, 4), draw(4)
    convolution = Convolution(kernel, bias, Window(3, padding=1), product)
    local = LocallyConnected(draw(27, 64), draw(64), Window(3, padding=1), product)
    matrix = dense(draw(6, 4), bias, product)
    return {
        "dense": (matrix, rows),
        "convolution": (convolution, images),
        "local": (local, images),
        "maxout of products": (Maxout(matrix, 2, product), rows),
        "maxout of convolutions": (Maxout(convolution, 2, product), images),
    }


@pytest.mark.parametrize("name", layers(HALF))
def test_a_layer_rounds_its_operands_and_nothing_else(name: str) -> None:
    (layer, x), (plain, _) = layers(HALF)[name], layers(exact)[name]
    z, unrounded = layer(x), plain(x)
    assert z.dtype == jnp.float32
    assert not np.array_equal(z, unrounded)
    np.testing.assert_allclose(z, unrounded, atol=0.03 * float(jnp.abs(unrounded).max()))
    for each in (layer, plain):  # what is left is the bias
        each.kernel[...] = jnp.zeros_like(each.kernel[...])
    np.testing.assert_array_equal(layer(x), plain(x))


def test_the_products_of_a_step_are_in_bfloat16_and_its_gradient_is_float32() -> None:
    layer, x = layers(HALF)["convolution"]
    graphdef, params = nnx.split(layer)

    def loss(params, x):
        return jnp.sum(nnx.merge(graphdef, params)(x) ** 2)

    program = str(jax.make_jaxpr(jax.grad(loss))(params, x))
    products = [line for line in program.splitlines() if "dot_general" in line or "conv_general" in line]
    assert len(products) >= 2
    assert all(":bf16[" in line for line in products)
    assert {leaf.dtype for leaf in jax.tree.leaves(jax.grad(loss)(params, x))} == {jnp.dtype("float32")}


@pytest.mark.parametrize("network", [Mlp((64, 64)), Convnet(((8, 3, 2),), (32,))], ids=lambda n: n.name)
def test_digits_are_learnt_as_well(network: Network) -> None:
    recipe, data = Recipe(network, (Momentum(0.9), BatchNorm()), learning_rate=0.05, epochs=5), load("digits")
    plain, half = (fit(one, data) for one in (recipe, recipe.adding(MixedPrecision())))
    error, rounded = (measure(run, "test", METRICS["error"]) for run in (plain, half))
    assert max(error, rounded) < 0.08
    assert abs(error - rounded) < 0.02
    assert {array.dtype for array in half.weights.values()} == {np.dtype("float32")}
    assert half.recipe["strategies"][-1] == {"name": "mixed_precision"}


def test_a_model_predicts_in_the_precision_it_was_trained_in(tmp_path) -> None:
    data = load("digits")
    run = fit(Recipe(Mlp((16,)), (MixedPrecision(),), epochs=1), data)
    Model.of(run, data).save(tmp_path / "model")
    x = data.inputs[data.splits.test] * 16
    model = Model.load(tmp_path / "model")
    assert model.network().parts["hidden1"].dot_general == DotGeneral(HALF)
    np.testing.assert_allclose(np.log(model.predict(x)), run.predictions["test"], atol=0.05)


def test_a_network_without_such_layers_is_refused() -> None:
    class Fixed(Network):
        name = "fixed"

        def build(self, shape, outputs, builder: NetworkBuilder) -> nnx.Module:
            return nnx.Linear(int(np.prod(shape)), outputs, rngs=nnx.Rngs(0))

    with pytest.raises(SettingError, match="mixed_precision has nothing to act on"):
        build(Training(Recipe(Fixed(), (MixedPrecision(),)), load("digits"), 0))


def test_it_is_given_on_the_command_line(tmp_path, monkeypatch, capsys) -> None:
    options = ["--epochs", "1", "--with", "mixed_precision", "--out", str(tmp_path / "m")]
    monkeypatch.setattr("sys.argv", ["trainwright", "fit", "digits", *options])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert Model.load(tmp_path / "m").recipe.strategies == (MixedPrecision(),)
