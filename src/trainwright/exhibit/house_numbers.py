"""House numbers: pictures of numbers, drawn with the fonts that Matplotlib ships.

A stand-in for the Street View House Numbers (Netzer et al. 2011), which have to be downloaded by hand. As
there, the numbers are cut out with a margin around them and scaled to one size, whatever their length; fonts,
colours, brightness and sharpness vary from one picture to the next. They are easier than photographs: a
number is always brighter than its wall, and stands alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

FONTS = (
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSansMono-Bold", "DejaVuSerif",
    "DejaVuSerif-Bold", "DejaVuSerif-BoldItalic", "STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic",
    "cmb10", "cmss10", "cmtt10",
)  # fmt: skip
FONT_HEIGHT = 40  # pixels: fonts are drawn large, and scaled down into the picture
MARGINS = 0.15, 0.4  # all that is left around a number, in shares of its sides
WIDEST = 1.2  # a number is drawn out to so many times its font's width, at most
TILT = 8.0  # degrees to either side
LEAST_CONTRAST = 80.0  # between the mean colours of number and wall, of 255
BLUR = 0.8  # pixels, at most: the radius of the Gaussian
NOISE = 10.0  # standard deviation at most, of 255
SHADE = 40.0  # by how much the light changes from one edge to the other, at most, of 255


def house_numbers(
    count: int,
    seed: int,
    *,
    shape: tuple[int, int] = (24, 48),
    lengths: Sequence[float] = (0.15, 0.4, 0.25, 0.15, 0.05),
) -> tuple[NDArray[np.uint8], NDArray[np.str_]]:
    """So many pictures, uint8 (count, height, width, 3), and the numbers on them, as texts.

    `shape`: height and width in pixels. `lengths`: the probabilities of numbers of one digit, two, and so on.
    Numbers may begin with 0. The same seed gives the same pictures.

    >>> images, numbers = house_numbers(3, seed=0)
    >>> images.shape, [len(number) for number in numbers]
    ((3, 24, 48, 3), [3, 2, 1])
    """
    rng = np.random.default_rng(seed)
    digits = rng.choice(len(lengths), count, p=lengths) + 1
    numbers = ["".join(map(str, rng.integers(10, size=length))) for length in digits]
    images = np.empty((count, *shape, 3), np.uint8)
    for image, number in zip(images, numbers, strict=True):
        image[:] = _photographed(_placed(number, shape, rng), rng)
    return images, np.array(numbers)


def _placed(number: str, shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Where the number covers the picture, (height, width) from 0 to 1: in some font, place and tilt."""
    drawn = _drawn(number, FONTS[rng.integers(len(FONTS))])
    drawn = drawn.rotate(rng.uniform(-TILT, TILT), Image.Resampling.BILINEAR, expand=True)
    drawn = drawn.crop(drawn.getbbox())
    height, width = (round(side * (1 - rng.uniform(*MARGINS))) for side in shape)
    width = min(width, round(WIDEST * height * drawn.width / drawn.height))
    picture = Image.new("L", (shape[1], shape[0]))
    corner = int(rng.integers(shape[1] - width + 1)), int(rng.integers(shape[0] - height + 1))
    picture.paste(drawn.resize((width, height), Image.Resampling.LANCZOS), corner)
    blurred = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0, BLUR)))
    return np.asarray(blurred, np.float32) / np.float32(255)


def _photographed(covered: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.uint8]:
    """The number on a wall, in colours of their own, under light from a side, with noise."""
    number, wall = _colours(rng)
    height, width = covered.shape
    down, right = np.meshgrid(np.linspace(-0.5, 0.5, height), np.linspace(-0.5, 0.5, width), indexing="ij")
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0, SHADE)
    light = strength * (np.sin(angle) * down + np.cos(angle) * right)
    image = wall + covered[..., None] * (number - wall) + light[..., None]
    image += rng.uniform(0, NOISE) * rng.standard_normal(image.shape)
    return np.asarray(np.clip(np.round(image), 0, 255), np.uint8)


def _colours(rng: np.random.Generator) -> NDArray[np.float64]:
    """A number's colour and its wall's, (2, 3): the number is the brighter one."""
    while True:
        wall, number = sorted(rng.uniform(0, 255, (2, 3)), key=np.mean)
        if np.mean(number) - np.mean(wall) >= LEAST_CONTRAST:
            return np.array([number, wall])


def _drawn(number: str, font: str) -> Image.Image:
    """The number in a font, white on black, without any margin."""
    left, top, right, bottom = map(int, _font(font).getbbox(number))
    picture = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(picture).text((-left, -top), number, fill=255, font=_font(font))
    return picture


@lru_cache
def _font(name: str) -> ImageFont.FreeTypeFont:
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"
    return ImageFont.truetype(path, FONT_HEIGHT, layout_engine=ImageFont.Layout.BASIC)
