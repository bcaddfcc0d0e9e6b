"""Mirror, shift and noise: what happens to each image, and how often."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from small import digits, recipe
from trainwright.base.errors import SettingError
from trainwright.strategies import Mirror, Shift
from trainwright.strategies.noise import NoiseLayer
from trainwright.task import task_of
from trainwright.training.building import Training, build
from trainwright.training.fit import fit
from trainwright.training.predict import predict

IMAGES = np.random.default_rng(0).uniform(0.1, 1, (400, 5, 6)).astype(np.float32)
COLOURED = IMAGES.reshape(200, 5, 6, 2)
KEY = jax.random.key(7)


@pytest.mark.parametrize("images", [IMAGES, COLOURED], ids=["grey", "coloured"])
def test_mirror_flips_half_of_the_images_left_to_right(images):
    changed = np.asarray(Mirror().augment(jnp.asarray(images), KEY))
    flipped = np.array([np.array_equal(new, old[:, ::-1]) for new, old in zip(changed, images, strict=True)])
    kept = np.array([np.array_equal(new, old) for new, old in zip(changed, images, strict=True)])
    assert (flipped ^ kept).all()
    assert abs(flipped.mean() - 0.5) < 5 * 0.5 / len(images) ** 0.5


def test_mirror_averaged_answers_alike_to_an_image_and_its_mirror_image():
    data = digits()
    training = Training(recipe(Mirror(averaged=True)), data, 0)
    graphdef, state = build(training)
    model = nnx.merge(graphdef, state.params, state.rest)
    x = jnp.asarray(data.inputs)
    predicted, of_mirrored = (
        predict(model, training.recipe.strategies, v, task_of(data)) for v in (x, x[:, :, ::-1])
    )
    np.testing.assert_allclose(predicted, of_mirrored, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.exp(predicted).sum(axis=1), 1, rtol=1e-5)


def moved(image, down, right):
    """The image with its content so many pixels further down and right, zeros behind it."""
    padded = np.pad(image, [(9, 9), (9, 9)] + [(0, 0)] * (image.ndim - 2))
    return np.roll(padded, (down, right), axis=(0, 1))[9:-9, 9:-9]


@pytest.mark.parametrize("images", [IMAGES, COLOURED], ids=["grey", "coloured"])
@pytest.mark.parametrize("pixels", [1, 2])
def test_shift_moves_each_image_by_its_own_whole_pixels(images, pixels):
    changed = np.asarray(Shift(pixels).augment(jnp.asarray(images), KEY))
    offsets = [(d, r) for d in range(-pixels, pixels + 1) for r in range(-pixels, pixels + 1)]
    seen = []
    for new, old in zip(changed, images, strict=True):
        (offset,) = [offset for offset in offsets if np.array_equal(new, moved(old, *offset))]
        seen.append(offset)
    counts = np.array([seen.count(offset) for offset in offsets])
    expected = len(images) / len(offsets)
    assert ((counts - expected) ** 2 / expected).sum() < 60, "all offsets are equally likely"


def test_shift_out_of_sight_is_refused():
    with pytest.raises(SettingError, match=r"pixels = 8 moves images of 8×8 out of sight: .* in \[1, 8\)"):
        fit(recipe(Shift(8)), digits())


def test_noise_has_its_deviation_and_no_mean():
    x = jnp.full((100, 100), 3.0)
    added = NoiseLayer(0.3, "input")(x, key=KEY, training=True) - x
    assert added.std() == pytest.approx(0.3, rel=0.03)
    assert abs(added.mean()) < 5 * 0.3 / 100
    elsewhere = NoiseLayer(0.3, "hidden1")(x, key=KEY, training=True) - x
    assert abs(jnp.corrcoef(added.ravel(), elsewhere.ravel())[0, 1]) < 0.05


@pytest.mark.parametrize(("key", "training"), [(None, False), (None, True), (KEY, False)])
def test_predictions_are_made_without_noise(key, training):
    x = jnp.ones((4, 3))
    assert (NoiseLayer(0.3, "input")(x, key=key, training=training) == x).all()
