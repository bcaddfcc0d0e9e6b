"""Crops: how many, where, and that predictions are their mean in bounded memory."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from small import digits, recipe, table
from test_images_changed import bilinear
from trainwright.base.errors import SettingError
from trainwright.network import NetworkBuilder
from trainwright.strategies import Crop, Crops, Mirror
from trainwright.strategies.crops import windows
from trainwright.strategy import NothingToActOn
from trainwright.task import Classification
from trainwright.training.fit import fit
from trainwright.training.predict import predict

X = jnp.asarray(np.random.default_rng(0).uniform(0, 1, (6, 8, 9, 3)).astype(np.float32))
TASK = Classification(4)


class Reader:
    """A "network" whose answer depends on every pixel, and which counts how often it is traced."""

    def __init__(self):
        self.weights = jnp.asarray(np.random.default_rng(1).normal(size=(8, 9, 3, 4)).astype(np.float32))
        self.traced = 0

    def __call__(self, x, *, key, training):
        assert not training
        self.traced += 1
        return jnp.einsum("nhwc,hwck->nk", x, self.weights)


def by_hand(image, window):
    """A window brought to the image's size, mirrored or not."""
    top, left, height, width, mirrored = window
    rows = top + (np.arange(8) + 0.5) * height / 8 - 0.5
    columns = left + (np.arange(9) + 0.5) * width / 9 - 0.5
    new = bilinear(image, *np.meshgrid(rows, columns, indexing="ij"))
    return new[:, ::-1] if mirrored else new


def googlenet(height, width):
    """The 144 windows in fractions of the image's own pixels, straight from the paper."""
    found = []
    for shorter in (256, 288, 320, 352):
        zoom = Fraction(shorter, min(height, width))
        tall, wide = height * zoom, width * zoom
        for start in (Fraction(0), Fraction(1, 2), Fraction(1)):
            top, left = (tall - shorter) * start, (wide - shorter) * start
            room = shorter - 224
            corners = [(0, 0), (0, room), (room, 0), (room, room), (Fraction(room, 2), Fraction(room, 2))]
            crops = [(top + down, left + right, 224, 224) for down, right in corners]
            crops.append((top, left, shorter, shorter))
            found += [(*(n / zoom for n in crop), mirrored) for crop in crops for mirrored in (0, 1)]
    return np.array(found, np.float64)


@pytest.mark.parametrize(("height", "width"), [(256, 256), (375, 500), (640, 427)])
def test_there_are_144_crops_where_googlenet_has_them(height, width):
    found = windows(height, width, 144)
    assert found.shape == (4, 3, 12, 5)
    np.testing.assert_allclose(found.reshape(144, 5), googlenet(height, width), rtol=1e-6, atol=1e-4)
    assert (found[..., :2] >= 0).all()
    assert (found[..., 0] + found[..., 2] <= height + 1e-3).all()
    assert (found[..., 1] + found[..., 3] <= width + 1e-3).all()


def test_there_are_10_crops_in_whole_pixels():
    expected = [
        (top, left, 224, 224, mirrored)
        for top, left in ((0, 0), (0, 32), (32, 0), (32, 32), (16, 16))
        for mirrored in (0, 1)
    ]
    np.testing.assert_array_equal(windows(256, 256, 10).reshape(10, 5), expected)


def test_the_three_squares_of_a_square_image_are_one():
    found = windows(100, 100, 144)
    np.testing.assert_array_equal(found[:, 0], found[:, 1])
    np.testing.assert_array_equal(found[:, 0], found[:, 2])


@pytest.mark.parametrize(("number", "computed"), [(10, 10), (144, 48)])
def test_predictions_are_the_mean_probability_of_the_crops(number, computed):
    scale = np.array([8, 9, 8, 9, 1])
    model, probabilities = Reader(), []
    for window in windows(1, 1, number).reshape(-1, 5) * scale:  # all of them, those of the other squares too
        seen = jnp.asarray(np.stack([by_hand(image, window) for image in np.asarray(X)]), jnp.float32)
        probabilities.append(jax.nn.softmax(model(seen, key=None, training=False)))
    assert len(probabilities) == number
    assert Crops(number).many_views(X.shape[1:]).number == computed
    expected = np.mean(probabilities, axis=0)
    np.testing.assert_allclose(np.exp(predict(model, (Crops(number),), X, TASK)), expected, atol=1e-5)


def test_however_many_crops_the_program_has_one_forward_pass():
    lengths = {}
    for number in (10, 144):
        model = Reader()
        program = jax.make_jaxpr(lambda x, m=model, n=number: predict(m, (Crops(n),), x, TASK))(X)
        assert model.traced == 1
        lengths[number] = len(str(program))
    assert lengths[144] < 1.5 * lengths[10]


def test_memory_does_not_grow_with_the_number_of_crops():
    """But for the answers: one view's pixels and activations are there at a time."""
    x = jnp.zeros((64, 8, 9, 3))

    def temporary(number):
        program = jax.jit(lambda x: predict(Reader(), (Crops(number),), x, TASK)).lower(x).compile()
        return program.memory_analysis().temp_size_in_bytes

    answers = 4 * 64 * 4 * (48 - 10)  # bytes: float32, examples, classes, more views
    assert temporary(144) <= temporary(10) + 4 * answers


def test_views_of_other_strategies_are_averaged_within_each_crop():
    model = Reader()
    both = predict(model, (Mirror(averaged=True), Crops()), X, TASK)
    np.testing.assert_allclose(both, predict(model, (Crops(),), X, TASK), atol=1e-5)  # it has mirror images


def test_a_study_judges_by_the_crops():
    data = digits()
    plain, cropped = (fit(recipe(Crop(0.5), *added), data) for added in ((), (Crops(),)))
    for name in plain.weights:
        np.testing.assert_array_equal(plain.weights[name], cropped.weights[name])
    assert np.abs(plain.predictions["test"] - cropped.predictions["test"]).max() > 0.01


def test_a_table_has_no_crops_and_one_protocol_is_enough():
    with pytest.raises(NothingToActOn, match="crops has nothing to act on: an example is"):
        fit(recipe(Crops()), table())

    class More(Crops):
        name = "more"

    with pytest.raises(SettingError, match="crops and more both decide the many views: keep one"):
        NetworkBuilder((Crops(), More()), 0, inputs=lambda: np.zeros((1, 4), np.float32))
