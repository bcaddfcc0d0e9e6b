"""Local response normalisation: its equation, where it stands, and a layer that is not there."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from small import digits, recipe
from trainwright.base.errors import SettingError
from trainwright.network import NetworkBuilder
from trainwright.networks.mlp import Mlp
from trainwright.strategies import LocalResponseNormalization
from trainwright.strategies.local_response_normalization import LocalResponseNormalizationLayer
from trainwright.strategy import NothingToActOn
from trainwright.training.fit import fit


def build(*strategies, hidden=(6, 5)):
    inputs = np.zeros((1, 4), np.float32)
    builder = NetworkBuilder(strategies, 0, inputs=lambda: inputs)
    model = Mlp(hidden).build((4,), 3, builder)
    builder.check()
    return model


@pytest.mark.parametrize("size", [1, 3, 4])
@pytest.mark.parametrize("shape", [(7, 5), (2, 3, 4, 5)], ids=["units", "channels"])
def test_it_is_the_papers_equation(shape, size):
    a = np.random.default_rng(0).normal(size=shape)
    b = np.empty(shape)
    for i in range(5):
        neighbours = [j for j in range(5) if i - size // 2 <= j <= i + (size - 1) // 2]
        b[..., i] = a[..., i] / (2 + 0.3 * sum(a[..., j] ** 2 for j in neighbours)) ** 0.75
    layer = LocalResponseNormalizationLayer(size, 0.3, 0.75, 2.0)
    np.testing.assert_allclose(layer(jnp.float32(a), key=None, training=True), b, rtol=2e-5)


@pytest.mark.parametrize(("layers", "normalised"), [((), {1, 2}), (("hidden2",), {2})])
def test_it_stands_after_the_activation_of_the_layers_named(layers, normalised):
    model = build(LocalResponseNormalization(layers=layers))
    found = [m for _, m in nnx.iter_modules(model) if isinstance(m, LocalResponseNormalizationLayer)]
    assert len(found) == len(normalised)
    x = jnp.float32(np.random.default_rng(0).normal(size=(3, 4)))
    outputs = model.outputs(x)
    for number in (1, 2):
        name = f"hidden{number}/local_response_normalization"
        assert (name in outputs) == (number in normalised)
        if name in outputs:
            assert list(outputs).index(name) == list(outputs).index(f"hidden{number}/activation") + 1


def test_a_layer_that_is_not_there_is_an_error():
    with pytest.raises(SettingError, match=r"no hidden layer 'hidden3' .* hidden1, hidden2"):
        build(LocalResponseNormalization(layers=("hidden1", "hidden3")))


def test_without_hidden_layers_there_is_nothing_to_act_on():
    with pytest.raises(NothingToActOn, match="local_response_normalization"):
        fit(recipe(LocalResponseNormalization()).replace(network=Mlp(())), digits())
