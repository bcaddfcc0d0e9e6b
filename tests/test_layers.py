"""Windows, convolutions, poolings and normalisations against their equations and XLA's own operations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from trainwright.layers import convolution, layout, normalization
from trainwright.layers.convolution import Convolution, LocallyConnected, Maxout
from trainwright.layers.pooling import AveragePool, MaxPool, global_average
from trainwright.layers.window import Window

RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.normal(size=(3, 7, 9, 4)), jnp.float32)
LAST = X.transpose(3, 1, 2, 0)
WINDOWS = [
    Window(1),
    Window(1, stride=2),
    Window(3),
    Window(3, padding=1),
    Window(3, stride=2, padding=1),
    Window(3, stride=2, ceil=True),
    Window(2, padding="same"),
    Window(5, stride=3, padding="same"),
    Window(2, stride=2),
    Window(2, stride=2, ceil=True),
    Window(3, stride=3, padding=1, ceil=True),
]
named = pytest.mark.parametrize("window", WINDOWS, ids=str)


def windows_of(x, window, fill):
    """What each window sees, in plain loops: {(row, column): (examples, height, width, channels)}."""
    margins = [window.margins(side) for side in x.shape[1:3]]
    padded = np.pad(np.float64(x), [(0, 0), *margins, (0, 0)], constant_values=fill)
    rows, columns = (window.output(side) for side in x.shape[1:3])
    starts = {(i, j): (i * window.stride, j * window.stride) for i in range(rows) for j in range(columns)}
    size = window.size
    return {place: padded[:, a : a + size, b : b + size] for place, (a, b) in starts.items()}


@named
def test_the_two_ways_to_convolve_agree_in_value_and_gradient(window):
    kernel = jnp.asarray(RNG.normal(size=(window.size, window.size, 4, 5)), jnp.float32)
    pull = jnp.asarray(RNG.normal(size=convolution.by_operation(LAST, kernel, window).shape), jnp.float32)

    def value(function):
        return jax.value_and_grad(lambda x, k: jnp.sum(pull * function(x, k, window)), (0, 1))(LAST, kernel)

    for ours, theirs in zip(
        *(jax.tree.leaves(value(f)) for f in (convolution.by_product, convolution.by_operation)), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_images_are_turned_and_turned_back():
    turned = layout.examples_last(X)
    np.testing.assert_array_equal(turned, LAST)
    np.testing.assert_array_equal(layout.examples_first(turned), X)
    side_by_side = jax.vmap(lambda x: layout.examples_first(2 * layout.examples_last(x)))
    np.testing.assert_array_equal(jax.jit(side_by_side)(jnp.stack([X, -X])), jnp.stack([2 * X, -2 * X]))


def test_a_convolution_is_differentiated_forwards_and_side_by_side():
    window = Window(3, padding=1)
    kernel, x, dx = (
        jnp.asarray(RNG.normal(size=s), jnp.float32) for s in ((3, 3, 4, 5), LAST.shape, LAST.shape)
    )
    _, slope = jax.linearize(lambda x: convolution.by_product(x, kernel, window), x)
    np.testing.assert_allclose(slope(dx), convolution.by_operation(dx, kernel, window), rtol=1e-4, atol=1e-4)
    [back] = jax.linear_transpose(slope, x)(slope(dx))
    [wanted] = jax.linear_transpose(lambda x: convolution.by_operation(x, kernel, window), x)(slope(dx))
    np.testing.assert_allclose(back, wanted, rtol=1e-3, atol=1e-3)
    many = jax.vmap(jax.grad(lambda k: jnp.sum(convolution.by_product(x, k, window) ** 2)))
    for ours, k in zip(many(jnp.stack([kernel, -2 * kernel])), (kernel, -2 * kernel), strict=True):
        alone = jax.grad(lambda k: jnp.sum(convolution.by_operation(x, k, window) ** 2))(k)
        np.testing.assert_allclose(ours, alone, rtol=1e-3, atol=1e-2)


@named
def test_a_convolution_is_a_sum_over_each_window(window):
    kernel = RNG.normal(size=(window.size, window.size, 4, 5)).astype(np.float32)
    bias = RNG.normal(size=5).astype(np.float32)
    z = Convolution(jnp.asarray(kernel), jnp.asarray(bias), window)(X)
    seen = windows_of(X, window, 0)
    assert z.shape == (3, window.output(7), window.output(9), 5)
    for (i, j), pixels in seen.items():
        np.testing.assert_allclose(
            z[:, i, j], np.einsum("nhwc,hwcd->nd", pixels, kernel) + bias, rtol=1e-4, atol=1e-4
        )


@named
def test_max_pooling_takes_the_largest_of_each_window(window):
    pooled = MaxPool(window)(X)
    for (i, j), pixels in windows_of(X, window, -np.inf).items():
        np.testing.assert_array_equal(pooled[:, i, j], pixels.max(axis=(1, 2)).astype(np.float32))
    # Where no two values are equal, the gradient goes to the largest one alone.
    gradient = jax.grad(lambda x: MaxPool(window)(x).sum())(X)
    assert gradient.sum() == pooled.size
    np.testing.assert_array_equal(gradient, gradient.round())


@named
@pytest.mark.parametrize("counted", [True, False])
def test_average_pooling_is_the_mean_of_what_counts(window, counted):
    pooled = AveragePool(window, counted)(X)
    ones = np.ones_like(X)
    if counted:
        counts = windows_of(ones, window, 1)
        if window.padding != "same":  # what lies beyond the padding never counts
            beyond = [np.arange(sum(window.margins(n)) + n) < n + 2 * window.padding for n in (7, 9)]
            inside = np.broadcast_to(
                (beyond[0][:, None] & beyond[1])[None, :, :, None], (3, *map(len, beyond), 4)
            )
            unpadded = Window(window.size, window.stride)
            counts = windows_of(inside, unpadded, 0)
    else:
        counts = windows_of(ones, window, 0)
    for place, pixels in windows_of(X, window, 0).items():
        wanted = pixels.sum(axis=(1, 2)) / counts[place].sum(axis=(1, 2))
        np.testing.assert_allclose(pooled[(slice(None), *place)], wanted, rtol=1e-4, atol=1e-5)


def test_a_global_average_is_over_all_places():
    np.testing.assert_allclose(global_average(X), np.float64(X).mean(axis=(1, 2)), rtol=1e-4, atol=1e-6)


def test_a_locally_connected_layer_has_weights_of_its_own_at_each_place():
    window = Window(3, stride=2, padding=1)
    rows, columns = window.output(7), window.output(9)
    kernel = RNG.normal(size=(3 * 3 * 4, rows * columns * 2)).astype(np.float32)
    bias = RNG.normal(size=rows * columns * 2).astype(np.float32)
    z = LocallyConnected(jnp.asarray(kernel), jnp.asarray(bias), window)(X).reshape(3, rows, columns, 2)
    own = kernel.reshape(3, 3, 4, rows, columns, 2)
    for (i, j), pixels in windows_of(X, window, 0).items():
        wanted = np.einsum("nhwc,hwcd->nd", pixels, own[:, :, :, i, j]) + bias.reshape(rows, columns, 2)[i, j]
        np.testing.assert_allclose(z[:, i, j], wanted, rtol=1e-4, atol=1e-4)


def test_maxout_takes_the_largest_piece_of_a_convolution():
    window = Window(3, padding=1)
    affine = Convolution(jnp.asarray(RNG.normal(size=(3, 3, 4, 6)), jnp.float32), jnp.arange(6.0), window)
    z = np.asarray(affine(X)).reshape(3, 7, 9, 2, 3)
    np.testing.assert_allclose(Maxout(affine, 3)(X), z.max(axis=-1), rtol=1e-6)


def test_local_response_normalization_is_its_equation():
    size, alpha, beta, k = 5, 0.3, 0.75, 2.0
    a, channels = np.float64(X), 4
    wanted = np.empty_like(a)
    for i in range(channels):
        low, high = max(0, i - size // 2), min(channels - 1, i + size // 2)
        wanted[..., i] = a[..., i] / (k + alpha * (a[..., low : high + 1] ** 2).sum(axis=-1)) ** beta
    b = normalization.local_response_normalization(X, size, alpha, beta, k)
    np.testing.assert_allclose(b, wanted, rtol=1e-5, atol=1e-6)
    layer = normalization.LocalResponseNormalization(size, alpha, beta, k)
    np.testing.assert_array_equal(layer(X), b)


def test_subtractive_normalization_takes_away_the_neighbourhood_s_mean():
    y = normalization.SubtractiveNormalization()(X)
    x = np.float64(X)
    for i, j in ((0, 0), (3, 4), (6, 8), (0, 5)):
        near = x[:, max(0, i - 1) : i + 2, max(0, j - 1) : j + 2]
        wanted = x[:, i, j] - near.mean(axis=(1, 2, 3))[:, None]
        np.testing.assert_allclose(y[:, i, j], wanted, rtol=1e-4, atol=1e-5)
