"""Images and other arrays whose numbers share one unit: one shift and one scale for all of them, or for each
colour."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trainwright.base.errors import DataError
from trainwright.data.standardization import Standardization, measure
from trainwright.data.streamed import Streamed
from trainwright.data.values import LARGEST

WHITE = 255.0  # the highest value of a byte
PART = 50  # images that are looked at at a time
SAMPLE = 500  # images that tell the channels' means and deviations


@dataclass(frozen=True)
class Pixels:
    """(value - shift) × scale, for every pixel alike; or (value - shifts) × scales, by channel."""

    shape: tuple[int, ...]
    """The shape of one image: (height, width), or (height, width, channels)."""
    shift: float
    """What is subtracted from a raw value; 0 where the unit is known beforehand."""
    scale: float
    """What then multiplies it, such as 1/255."""
    low: float
    """The lowest raw value in the data."""
    high: float
    """The highest raw value in the data; of streamed images, the highest possible."""
    kind: Literal["pixels"] = "pixels"
    """Which kind of inputs these are, in a stored model."""
    shifts: tuple[float, ...] = ()
    """What is subtracted instead, by channel; empty where all pixels are treated alike."""
    scales: tuple[float, ...] = ()
    """What then multiplies instead, by channel."""
    cut_out: bool = False
    """Whether the images were parts of their files, squeezed into the shape; new ones are then read whole,
    squeezed too."""

    @property
    def coloured(self) -> bool:
        """Whether these are images with several channels, (height, width, channels)."""
        return len(self.shape) == 3 and self.shape[-1] > 1

    def measure(self, inputs: NDArray[Any] | Streamed, rows: NDArray[np.int64]) -> Standardization:
        """What the training images, `rows` of `inputs`, say of shift and scale.

        Bytes in colour: a shift and a scale for each channel, by up to 500 images spread evenly. Other bytes,
        and numbers whose unit is known beforehand: none. Other numbers: one for all.
        """
        if isinstance(inputs, Streamed) or inputs.dtype == np.uint8:
            if not self.coloured:
                return Standardization(unit=np.asarray(self.scale, np.float32))
            places = np.linspace(0, len(rows) - 1, min(len(rows), SAMPLE)).astype(np.int64)
            return Standardization(*measure_channels(inputs, rows[places]))
        if not self.shift:
            return Standardization()
        shift, scale = measure(inputs[rows].reshape(-1, 1))
        return Standardization(shift[0], scale[0])

    def in_fold(self, shift: NDArray[np.float32], scale: NDArray[np.float32]) -> Pixels:
        """The pixels with a fold's shift and scale in their own numbers."""
        if shift.ndim:
            return replace(self, shifts=tuple(shift.tolist()), scales=tuple(scale.tolist()))
        moved = self.shift + float(shift) / self.scale
        return replace(self, shift=moved, scale=self.scale * float(scale))

    def keep(self, images: NDArray[Any] | Streamed) -> NDArray[Any] | Streamed:
        """Raw images as a data set keeps them: bytes as they are, a quarter of what numbers take, which the
        training step makes numbers of; others as `transform` makes them."""
        if isinstance(images, Streamed) or (images.dtype == np.uint8 and not self.shift):
            return images
        return self.transform(images)

    def transform(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Raw images (examples, *shape) as float32 inputs. Raises DataError for another shape or NaN."""
        if images.shape[1:] != self.shape:
            raise DataError(f"images of shape {images.shape[1:]}, but training had {self.shape}")
        check_numbers(images)
        inputs = images.astype(np.float32)
        if self.shifts:
            inputs -= np.asarray(self.shifts, np.float32)
            inputs *= np.asarray(self.scales, np.float32)
            return inputs
        if self.shift:
            inputs -= np.float32(self.shift)
        inputs *= np.float32(self.scale)
        return inputs

    def notes(self, images: NDArray[Any]) -> tuple[str, ...]:
        """A warning if the values' range differs from training, as when they are already scaled."""
        low, high = float(images.min()), float(images.max())
        span = self.high - self.low
        if self.low - span <= low and high <= self.high + span and high - low >= span / 10:
            return ()
        return (
            f"the values range from {low:g} to {high:g}, in training from {self.low:g} to {self.high:g}: "
            "use the same unit",
        )

    def report(self) -> list[dict[str, str]]:
        """One line: all pixels are treated alike, or all of a colour."""
        size = "×".join(map(str, self.shape))
        done = f"({self.low:g} to {self.high:g}) "
        if self.shifts:
            means, deviations = (
                ", ".join(f"{value:.4g}" for value in values)
                for values in (self.shifts, (1 / scale if scale else 0 for scale in self.scales))
            )
            done += f"standardised by channel: minus {means}, divided by {deviations}"
        elif self.shift:
            divisor = f"divided by {1 / self.scale:g}" if self.scale else "and all set to 0"
            done += f"standardised together: minus {self.shift:g}, {divisor}"
        else:
            done += "as they are" if self.scale == 1 else f"divided by {1 / self.scale:g}"
        return [{"column": f"pixels {size}", "kind": "pixels", "treatment": done}]


def read_pixels(images: NDArray[Any] | Streamed, highest: float | None, cut_out: bool = False) -> Pixels:
    """How to scale images: by their highest possible value if it is known (`highest`, or bytes' 255).
    Images that are streamed are not looked at.

    Fractions within -1...1 stay as they are; other numbers are standardised together, here by all images and
    in each fold by its training rows. Raises DataError if a value is not finite.
    """
    if isinstance(images, Streamed):
        return Pixels(images.shape[1:], 0.0, 1 / WHITE, 0.0, WHITE, cut_out=cut_out)
    if not images.size:
        raise DataError(f"inputs of shape {images.shape} hold no values")
    check_numbers(images)
    low, high = float(images.min()), float(images.max())
    if low == high:
        raise DataError(f"the inputs have only one value, {low:g}; there is nothing to learn")
    if highest is None and images.dtype.kind in "iu" and low >= 0 and 1 < high <= 255:
        highest = WHITE
    shift, scale = 0.0, 1.0
    if highest is not None:
        scale = 1 / highest
    elif low < -1 or high > 1:
        shift = float(images.mean(dtype=np.float64)) or low  # 0 says that the unit is known
        scale = float(1 / images.std(dtype=np.float64))
    return Pixels(images.shape[1:], shift, scale, low, high, cut_out=cut_out)


def measure_channels(
    images: NDArray[np.uint8] | Streamed, rows: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Shift and scale (channels,) of these images of bytes (examples, height, width, channels): each
    channel's mean, and 1 over its standard deviation, 0 if it has but one value.

    >>> shift, scale = measure_channels(np.uint8([[[[0, 7]]], [[[2, 7]]]]), np.array([0, 1]))
    >>> shift.tolist(), scale.tolist()
    ([1.0, 7.0], [1.0, 0.0])
    """
    channels, values = images.shape[-1], np.arange(256.0)
    counts = np.zeros((channels, 256))
    for part in np.array_split(rows, -(-len(rows) // PART)):
        pixels = images[part].reshape(-1, channels)
        counts += [np.bincount(pixels[:, channel], minlength=256) for channel in range(channels)]
    shares = counts / counts.sum(axis=1, keepdims=True)
    mean = shares @ values
    variance = (shares * (values - mean[:, None]) ** 2).sum(axis=1)
    scale = np.divide(1, np.sqrt(variance), out=np.zeros(channels), where=(counts > 0).sum(axis=1) > 1)
    return mean.astype(np.float32), scale.astype(np.float32)


def halved(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Images (examples, height, width) at half the size: each pixel the mean of four. Height and width must
    be even.

    >>> halved(np.arange(8, dtype=np.float32).reshape(1, 2, 4)).tolist()
    [[[2.5, 4.5]]]
    """
    examples, height, width = images.shape
    means: NDArray[np.float32] = images.reshape(examples, height // 2, 2, width // 2, 2).mean(axis=(2, 4))
    return means


def check_numbers(images: NDArray[Any]) -> None:
    """Raise DataError, with the place, unless all values are finite numbers."""
    if images.dtype.kind in "biu":
        return
    if images.dtype.kind != "f":
        raise DataError(f"inputs of type {images.dtype} with shape {images.shape}; give numbers")
    bad = ~(np.abs(images) < min(LARGEST, float(np.finfo(images.dtype).max)))
    if bad.any():
        where = [int(i) for i in np.argwhere(bad)[0]]
        raise DataError(
            f"row {where[0]}, position {tuple(where[1:])}: {images[tuple(where)]} is not a finite number; "
            "pixels can't be missing: fill it in or remove the row"
        )
