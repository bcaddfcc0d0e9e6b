"""Crop, rotation, lens distortion, vignetting, colour casting, photometric: each against its formula."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageEnhance
from scipy import ndimage, stats

from trainwright.base import keys
from trainwright.images import enlarged, pixel_range, sampled
from trainwright.strategies import ColourCasting, Crop, LensDistortion, Photometric, Rotation, Vignetting
from trainwright.strategies.colour_casting import cast
from trainwright.strategies.lens_distortion import bent
from trainwright.strategies.photometric import turned as hue_turned
from trainwright.strategies.rotation import turned
from trainwright.strategy import NothingToActOn

RNG = np.random.default_rng(0)
GREY = RNG.uniform(0, 1, (40, 7, 6)).astype(np.float32)
COLOURED = RNG.uniform(0, 1, (40, 7, 6, 3)).astype(np.float32)
KEY = jax.random.key(7)
ALL = (Crop(), Rotation(), LensDistortion(), Vignetting(), ColourCasting(), Photometric(hue=30))
named = pytest.mark.parametrize("strategy", ALL, ids=lambda strategy: strategy.name)


def bilinear(image, rows, columns):
    """The image's values at these places, each (height, width); beyond the edges the nearest pixel's."""
    rows, columns = (
        np.clip(places, 0, size - 1) for places, size in zip((rows, columns), image.shape, strict=False)
    )
    top, left = (
        np.minimum(np.floor(places).astype(int), size - 2)
        for places, size in zip((rows, columns), image.shape, strict=False)
    )
    down, right = (rows - top)[..., None], (columns - left)[..., None]
    upper = (1 - right) * image[top, left] + right * image[top, left + 1]
    lower = (1 - right) * image[top + 1, left] + right * image[top + 1, left + 1]
    return (1 - down) * upper + down * lower


def places(height, width):
    """Each pixel's row and column, counted from the image's centre."""
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    return rows - (height - 1) / 2, columns - (width - 1) / 2


# What all have in common.


@named
@pytest.mark.parametrize("images", [GREY, COLOURED], ids=["grey", "coloured"])
def test_the_scale_of_the_inputs_does_not_matter(strategy, images):
    """Augmenting a·x + b gives a·(augmented x) + b: settings mean the same however inputs are scaled."""
    plain = np.asarray(strategy.augment(jnp.asarray(images), KEY))
    scaled = np.asarray(strategy.augment(jnp.asarray(3 * images - 1), KEY))
    assert plain.shape == images.shape
    assert plain.dtype == np.float32
    np.testing.assert_allclose(scaled, 3 * plain - 1, atol=1e-5)
    assert images.min() - 1e-6 <= plain.min() <= plain.max() <= images.max() + 1e-6


@named
def test_each_image_is_changed_in_its_own_way(strategy):
    alike = jnp.asarray(np.tile(COLOURED[:1], (40, 1, 1, 1)))
    changed = np.asarray(strategy.augment(alike, KEY))
    assert len(np.unique(changed.reshape(40, -1), axis=0)) >= 30
    again, later = (strategy.augment(alike, key) for key in (KEY, jax.random.key(8)))
    np.testing.assert_array_equal(changed, again)
    assert not np.array_equal(changed, later)


@named
@pytest.mark.parametrize("shape", [(12,), (4, 4, 4, 3)], ids=["table", "volume"])
def test_what_is_no_image_is_an_error(strategy, shape):
    with pytest.raises(
        NothingToActOn, match=rf"^{strategy.name} has nothing to act on: an example is .*image"
    ):
        strategy.augment(jnp.zeros((5, *shape)), KEY)


# Windows.


@pytest.mark.parametrize("window", [(0, 0, 7, 6), (1, 2, 3, 3), (0.3, 1.7, 5.1, 2.2), (6, 5, 1, 1)])
def test_a_window_is_enlarged_as_by_hand(window):
    top, left, height, width = window
    rows = top + (np.arange(7) + 0.5) * height / 7 - 0.5
    columns = left + (np.arange(6) + 0.5) * width / 6 - 0.5
    expected = bilinear(COLOURED[0], *np.meshgrid(rows, columns, indexing="ij"))
    np.testing.assert_allclose(enlarged(COLOURED[0], jnp.float32(window)), expected, atol=2e-6)


@pytest.mark.parametrize("shape", [(30, 30, 3), (20, 40, 1)])
def test_windows_have_the_areas_and_aspects_of_the_source(shape):
    u = jax.random.uniform(KEY, (4000, 4))
    top, left, height, width = np.asarray(jax.vmap(lambda u: Crop().window(shape, u))(u)).T
    area = height * width / (shape[0] * shape[1])
    aspect = (width / shape[1]) / (height / shape[0])
    assert area.min() >= 0.08 - 1e-6
    assert 3 / 4 - 1e-5 <= aspect.min() < 0.76
    assert 1.32 < aspect.max() <= 4 / 3 + 1e-5
    for start, extent, size in ((top, height, shape[0]), (left, width, shape[1])):
        assert start.min() >= 0
        assert (start + extent <= size * (1 + 1e-6)).all()
        free = start[extent < size] / (size - extent)[extent < size]
        assert stats.kstest(free, "uniform").pvalue > 1e-3
    small = area[area < 0.5]  # none of these is cut at the image's edge
    assert stats.kstest((small - 0.08) / (0.5 - 0.08), "uniform").pvalue > 1e-3
    assert abs(len(small) / len(area) - 0.42 / 0.92) < 0.04


def test_crop_takes_the_window_that_it_draws():
    x = jnp.asarray(COLOURED)
    drawn = jax.random.uniform(keys.fold(KEY, "crop"), (len(x), 4))
    changed = Crop(0.3).augment(x, KEY)
    for image, new, u in zip(x, changed, drawn, strict=True):
        np.testing.assert_allclose(new, enlarged(image, Crop(0.3).window(image.shape, u)), atol=1e-6)


# Geometry.


@pytest.mark.parametrize("angle", [0.0, 0.3, -1.1, np.pi])
def test_a_turned_image_is_resampled_as_by_hand(angle):
    down, right = places(7, 6)
    rows = np.cos(angle) * down - np.sin(angle) * right + 3
    columns = np.sin(angle) * down + np.cos(angle) * right + 2.5
    expected = bilinear(COLOURED[1], rows, columns)
    np.testing.assert_allclose(turned(COLOURED[1], jnp.float32(angle)), expected, atol=1e-5)


def test_a_quarter_turn_is_clockwise():
    square = COLOURED[0, :6]
    np.testing.assert_allclose(turned(square, jnp.float32(np.pi / 2)), np.rot90(square, -1), atol=1e-5)


def test_rotation_draws_angles_up_to_its_own():
    x = jnp.asarray(np.repeat(GREY[:1], 300, axis=0))
    angles = np.linspace(-10, 10, 2001)
    table = np.stack(
        [
            ndimage.map_coordinates(GREY[0], [r, c], order=1, mode="nearest")
            for r, c in (
                (np.cos(a) * down - np.sin(a) * right + 3, np.sin(a) * down + np.cos(a) * right + 2.5)
                for a in np.deg2rad(angles)
                for down, right in [places(7, 6)]
            )
        ]
    )
    changed = np.asarray(Rotation(10).augment(x, KEY))
    distances = np.abs(changed[:, None] - table[None]).max(axis=(2, 3))
    assert distances.min(axis=1).max() < 2e-3
    assert stats.kstest((angles[distances.argmin(axis=1)] + 10) / 20, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("k", [-0.33, 0.0, 0.25])
def test_a_lens_moves_each_distance_by_its_cube(k):
    down, right = places(7, 6)
    factor = 1 + k * (down**2 + right**2) / (3**2 + 2.5**2)
    expected = bilinear(COLOURED[2], down * factor + 3, right * factor + 2.5)
    np.testing.assert_allclose(bent(COLOURED[2], jnp.float32(k)), expected, atol=1e-5)


def test_beyond_the_edges_the_nearest_pixel_is_repeated():
    far = jnp.full((7, 6), 100.0)
    np.testing.assert_array_equal(sampled(COLOURED[0], -far, far), np.tile(COLOURED[0, 0, -1], (7, 6, 1)))


# Light.


@pytest.mark.parametrize("images", [GREY, COLOURED], ids=["grey", "coloured"])
def test_vignetting_darkens_by_the_square_of_the_distance(images):
    changed = np.asarray(Vignetting(0.8).augment(jnp.asarray(images), KEY), np.float64)
    down, right = places(7, 6)
    squares = ((down**2 + right**2) / (3**2 + 2.5**2)).reshape(7, 6, *[1] * (images.ndim - 3))
    black = images.min()
    losses = []
    for new, old in zip(changed, images.astype(np.float64), strict=True):
        lost = (1 - (new[0, 0] - black) / (old[0, 0] - black)).mean()
        np.testing.assert_allclose(new, black + (old - black) * (1 - lost * squares), atol=1e-5)
        losses.append(lost)
    assert stats.kstest(np.array(losses) / 0.8, "uniform").pvalue > 1e-3


def test_colour_casting_adds_whole_levels_to_half_of_the_channels():
    bytes_ = RNG.integers(30, 226, (2000, 3, 3, 3)).astype(np.float32)  # far enough from black and white
    bytes_[0, 0, 0], bytes_[0, 0, 1] = 0, 255
    changed = np.asarray(ColourCasting(20).augment(jnp.asarray(bytes_ / 255), KEY))
    added = np.rint(255 * changed - bytes_).astype(int)[1:]
    np.testing.assert_allclose(255 * changed - bytes_, np.rint(255 * changed - bytes_), atol=1e-3)
    assert (added == added[:, :1, :1]).all(), "one number for a channel"
    levels = added[:, 0, 0].ravel()
    counts = np.bincount(levels + 20, minlength=41)
    assert len(counts) == 41
    expected = np.full(41, len(levels) / 2 / 41)
    expected[20] += len(levels) / 2  # not chosen
    assert stats.chisquare(counts, expected).pvalue > 1e-3
    assert abs(np.corrcoef(added[:, 0, 0].T)[0, 1]) < 0.1


def test_a_cast_ends_at_black_and_white():
    x = jnp.float32([[[0.0]], [[0.5]], [[1.0]]])
    np.testing.assert_allclose(cast(x, jnp.float32(51)).ravel(), [0.2, 0.7, 1])
    np.testing.assert_allclose(cast(x, jnp.float32(-51)).ravel(), [0, 0.3, 0.8])


ENHANCED = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)


@pytest.mark.parametrize(
    ("place", "enhance"), list(enumerate(ENHANCED)), ids=["brightness", "contrast", "saturation"]
)
@pytest.mark.parametrize("factor", [0.5, 0.8, 1.4])
def test_photometric_changes_are_those_of_the_python_imaging_library(place, enhance, factor):
    pixels = RNG.integers(60, 160, (9, 8, 3), dtype=np.uint8)  # nothing is cut off
    expected = np.asarray(enhance(Image.fromarray(pixels)).enhance(factor), np.float64)
    blend = Photometric().blends(coloured=True)[place]
    changed = blend(jnp.float32(pixels), jnp.float32((factor - 1) / 0.5))
    np.testing.assert_allclose(changed, expected, atol=1.6)  # it rounds the grey and the result


def test_photometric_changes_come_in_any_order():
    x = jnp.asarray(COLOURED)
    strategy = Photometric(hue=40)
    drawn = np.asarray(jax.random.uniform(keys.fold(KEY, "photometric"), (len(x), 8)))
    changed = np.asarray(strategy.augment(x, KEY))
    black, white = (float(value) for value in pixel_range(x))
    blends = strategy.blends(coloured=True)
    orders = set()
    for image, new, u in zip(COLOURED, changed, drawn, strict=True):
        order = tuple(np.argsort(u[:4]))
        expected = image - black
        for stage in order:
            changed_once = blends[stage](jnp.asarray(expected), jnp.float32(2 * u[4 + stage] - 1))
            expected = np.clip(np.asarray(changed_once), 0, white - black)
        np.testing.assert_allclose(new, expected + black, atol=1e-5)
        orders.add(order)
    assert len(orders) > len(list(itertools.permutations(range(4)))) / 2


def test_a_turned_hue_keeps_brightness_and_grey():
    image = jnp.asarray(COLOURED[0])
    weights = np.array([0.299, 0.587, 0.114])
    once = hue_turned(image, jnp.float32(2.0))
    np.testing.assert_allclose(once @ weights, image @ weights, atol=1e-5)
    np.testing.assert_allclose(hue_turned(once, jnp.float32(-2.0)), image, atol=1e-5)
    assert np.abs(once - image).max() > 0.1
    grey = jnp.full((2, 2, 3), 0.4)
    np.testing.assert_allclose(hue_turned(grey, jnp.float32(2.0)), grey, atol=2e-3)  # YIQ has three digits


@pytest.mark.parametrize(
    ("strategy", "images"),
    [(Photometric(None, None, 0.5), GREY), (Photometric(None, None, None), COLOURED)],
    ids=["no colours", "no change"],
)
def test_photometric_without_effect_is_an_error(strategy, images):
    with pytest.raises(NothingToActOn, match="give brightness or contrast"):
        strategy.augment(jnp.asarray(images), KEY)
