"""Decoding one image file into pixels of a given shape.

Pillow decodes: matplotlib needs it anyway, it releases Python's lock while it works, so that threads decode
side by side, and its JPEG decoder is libjpeg-turbo. It is imported on first use, by image data only.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainwright.base.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels = NDArray[np.uint8]
Shape = tuple[int, int, int]
"""Height, width and channels: 3 for colour (red, green, blue), 1 for greyscale."""
Box = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels of the upright image, fractions allowed."""
WHOLE: Box = (0.0, 0.0, math.inf, math.inf)
"""All of an image, whatever its size."""

SUFFIXES = {
    ".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm",
}  # fmt: skip
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
"""What is decoded. A file's content decides, not its suffix: a PNG named .jpg is read."""

GREY = {"1", "L", "LA", "La"}
COLOUR = {"RGB", "RGBA", "RGBa", "P", "PA", "CMYK", "YCbCr"}

ORIENTATION = 0x0112  # EXIF's tag; 5 to 8 turn the image by a quarter
HEAD = 1 << 16  # bytes: enough for the header of nearly every file


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image's bytes: a file, or a stretch of a tar shard."""

    name: str
    """Its name for people: the path relative to what was given."""
    path: Path
    """The file, or the shard."""
    offset: int = 0
    """Where its bytes begin."""
    length: int = -1
    """How many there are; -1 for a whole file."""

    def content(self, most: int = -1) -> bytes:
        """Its bytes, `most` of them at most. Raises `OSError` if they cannot be read."""
        length = self.length if most < 0 or 0 <= self.length < most else most
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(length)

    def size(self) -> int:
        """How many bytes there are. Raises `DataError` if the file is gone."""
        if self.length >= 0:
            return self.length
        with _naming(self):
            return self.path.stat().st_size

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return str(self.path) if self.length < 0 else f"{self.path}: {self.name.rpartition('.tar/')[2]}"


class Header(NamedTuple):
    """What a file says of its image before it is decoded."""

    width: int
    """Pixels, once upright."""
    height: int
    """Pixels, once upright."""
    grey: bool
    """Whether it has one channel."""


def is_image(name: str) -> bool:
    """Whether a file's name is that of an image.

    >>> is_image("cat.JPG"), is_image("notes.txt")
    (True, False)
    """
    return f".{name.rpartition('.')[2].lower()}" in SUFFIXES


def read_header(file: ImageFile) -> Header:
    """Size and kind of an image, mostly from its first 64 KB. Raises `DataError` if it is no image."""
    try:
        return _header(file.content(HEAD))
    except Exception:  # the header may be longer; if it isn't that, the whole file fails too
        with _naming(file):
            return _header(file.content())


def decode(file: ImageFile, shape: Shape, box: Box | None = None) -> Pixels:
    """An image as bytes (height, width, channels), upright as its EXIF orientation says.

    The part `box` of the image (what lies outside is left away), or else the largest part at its centre
    with the shape's proportions, is resampled to the shape: bilinear, averaging where it shrinks. This is
    "scale the shorter side, then crop the centre" in one step. An image that has the shape is not touched.

    Transparent pixels become white. Grey becomes colour with three equal channels, colour becomes grey by
    luma (ITU-R 601-2), as the shape's channels ask.

    Raises `DataError`, with the file's place, if it is missing, cut short, no image, or has 16 bits.
    """
    with _naming(file):
        return _decode(file.content(), shape, box)


def _header(content: bytes) -> Header:
    with _open(content) as image:
        width, height = image.size
        # A PNG decodes all its pixels to look for EXIF data, which it hardly ever has.
        if (image.format != "PNG" or "exif" in image.info) and image.getexif().get(ORIENTATION, 1) >= 5:
            width, height = height, width
        return Header(width, height, image.mode in GREY)


def _decode(content: bytes, shape: Shape, box: Box | None) -> Pixels:
    from PIL import Image, ImageOps

    height, width, channels = shape
    with _open(content) as image:
        if box is None:
            # A JPEG can be decoded at a half, a quarter or an eighth: here, never below twice what is needed.
            image.draft(image.mode, (2 * max(height, width),) * 2)
        upright = _opaque(ImageOps.exif_transpose(image)).convert("RGB" if channels == 3 else "L")
        box = _clip(box, upright.size) if box else _centre(upright.size, (width, height))
        if upright.size != (width, height) or box != (0, 0, width, height):
            upright = upright.resize((width, height), Image.Resampling.BILINEAR, box)
        return np.asarray(upright, dtype=np.uint8).reshape(shape)


def _open(content: bytes) -> Image:
    from PIL import Image, UnidentifiedImageError

    if not content:
        raise ValueError("the file is empty")
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        start = content[:4].hex(" ")
        raise ValueError(
            f"not an image in a known format ({', '.join(FORMATS)}); it starts with {start}"
        ) from None
    if image.mode not in GREY | COLOUR:
        raise ValueError(f"its pixel format is {image.mode!r}; 8 bits per channel are needed")
    return image


def _opaque(image: Image) -> Image:
    from PIL import Image as images

    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    return images.alpha_composite(images.new("RGBA", image.size, "white"), image)


def _clip(box: Box, size: tuple[int, int]) -> Box:
    left, top, right, bottom = box
    width, height = size
    clipped = max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height))
    if clipped[0] >= clipped[2] or clipped[1] >= clipped[3]:
        raise ValueError(
            f"its box ({left:g}, {top:g}) ... ({right:g}, {bottom:g}) misses its {width}×{height} pixels"
        )
    return clipped


def _centre(size: tuple[int, int], wanted: tuple[int, int]) -> Box:
    """The largest box of the wanted proportions at the centre."""
    width, height = size
    scale = min(width / wanted[0], height / wanted[1])
    across, down = min(scale * wanted[0], width), min(scale * wanted[1], height)
    left, top = (width - across) / 2, (height - down) / 2
    return left, top, left + across, top + down


@contextmanager
def _naming(file: ImageFile) -> Iterator[None]:
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders raise whatever a damaged file leads them to
        reason = (
            (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
        )
        raise DataError(f"{file.place}: {reason}; replace it or remove it") from error
