"""A pretraining for people: filters and samples as tiles, and the curve of its epochs. Files as bytes."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from math import ceil

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

COLUMNS = 10
GAP = 1  # pixels between tiles
ZOOM = 3  # of a picture's pixels
CURVES = {
    "reconstruction_error": "reconstruction error\n(squared, summed over units)",
    "free_energy_gap": "free energy of validation examples\nless that of training examples (nats)",
}


def samples(values: NDArray[np.float32], shape: tuple[int, ...]) -> bytes:
    """Made-up inputs (count, values) in [0, 1] as images of this shape, light where they are large; inputs
    that are no images as one picture, a row for each."""
    return _png(_tiles(values, shape, background=0.5))


def filters(weights: NDArray[np.float32], shape: tuple[int, ...]) -> bytes:
    """Each unit's weights (units, values) as an image of this shape: grey where they are 0, light where they
    are positive. Each is drawn to its own scale."""
    largest = np.abs(weights).max(axis=1, keepdims=True)
    scaled = 0.5 + weights / np.where(largest > 0, 2 * largest, 1)
    return _png(_tiles(scaled.astype(np.float32), shape, background=1.0))


def curve(histories: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> bytes:
    """What each part's epochs came to: reconstruction error, and the gap in free energy, which grows with
    overfitting. `histories` have a column for each, by part."""
    with matplotlib.rc_context():
        matplotlib.rcParams.update(matplotlib.rcParamsDefault)
        figure = Figure(figsize=(9, 3.4), layout="constrained")
        for axes, (column, label) in zip(figure.subplots(1, 2), CURVES.items(), strict=True):
            for part, history in histories.items():
                values = np.asarray(history[column])
                axes.plot(np.arange(1, len(values) + 1), values, label=part, marker="." * (len(values) < 30))
            axes.set(xlabel="epoch", ylabel=label)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=150)
    return file.getvalue()


def table(histories: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> bytes:
    """The same as CSV: part, epoch, and a column for each quantity.

    >>> history = {"reconstruction_error": np.array([9.5]), "free_energy_gap": np.array([0.25])}
    >>> table({"rbm1": history}).decode().split()
    ['part,epoch,reconstruction_error,free_energy_gap', 'rbm1,1,9.5,0.25']
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["part", "epoch", *CURVES])
    for part, history in histories.items():
        columns = (np.asarray(history[column]).tolist() for column in CURVES)
        writer.writerows((part, epoch, *values) for epoch, values in enumerate(zip(*columns, strict=True), 1))
    return text.getvalue().encode()


def _tiles(values: NDArray[np.float32], shape: tuple[int, ...], background: float) -> NDArray[np.float32]:
    """Images side by side in rows of `COLUMNS`, (height, width[, 3])."""
    if len(shape) < 2:
        return values
    height, width = shape[:2]
    colours = shape[2:] if shape[2:] == (3,) else ()
    images = values.reshape(len(values), height, width, -1)
    if not colours:
        images = images.mean(axis=-1)
    rows, columns = ceil(len(images) / COLUMNS), min(COLUMNS, len(images))
    size = (rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, *colours)
    page = np.full(size, background, np.float32)
    for number, image in enumerate(images):
        row, column = divmod(number, COLUMNS)
        top, left = row * (height + GAP), column * (width + GAP)
        page[top : top + height, left : left + width] = image
    return page


def _png(page: NDArray[np.float32]) -> bytes:
    large = np.clip(page, 0, 1).repeat(ZOOM, axis=0).repeat(ZOOM, axis=1)
    file = io.BytesIO()
    imsave(file, large, format="png", cmap="gray", vmin=0, vmax=1)
    return file.getvalue()
