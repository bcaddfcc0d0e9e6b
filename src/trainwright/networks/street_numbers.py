"""Street_numbers: the network that read house numbers from street photographs.

Source: Goodfellow et al. 2014 (arXiv 1312.6082), section 5.1: eight convolutional layers, one locally
connected, two fully connected; windows of 5×5 with zeros around the image; maxout in the first layer,
rectified linear units in the others; after each convolution a maximum over 2×2, by 2 and by 1 pixel in
turn, and subtractive normalisation over 3×3. Its output is a softmax for the length and one for each digit,
see `trainwright.data.sequences`. Dropout in all hidden layers is the strategy `dropout`.

The paper varies the depth (its figure 4) and does not say what is left out. Here a shallower network keeps
the two fully connected layers and the first of those before them. The pools keep an image's size where they
move by one pixel. The normalisation's neighbours all weigh the same.
"""

from __future__ import annotations

from typing import Annotated

from flax import nnx
from pydantic import Field

from trainwright.base.config import config
from trainwright.flow import Flow, begin_images, scaled
from trainwright.layers.normalization import SubtractiveNormalization
from trainwright.layers.window import Window
from trainwright.network import Network, NetworkBuilder

CHANNELS = (48, 64, 128, 160, 192, 192, 192, 192)
LOCAL = 192
DENSE = (3072, 3072)
PIECES = 3
"""Filters of each unit of the first layer."""
WINDOW = Window(5, padding="same")


@config
class StreetNumbers(Network):
    """Convolutions, a locally connected layer and two fully connected ones, for images of house numbers.

    >>> StreetNumbers(depth=5, width=25).hidden_width
    100
    """

    depth: Annotated[int, Field(ge=3, le=11)] = 11
    """Hidden layers. The last two are fully connected, and the ninth of 11 is locally connected."""
    width: Annotated[int, Field(ge=1)] = 100
    """Channels of the convolutions and of the locally connected layer, in per cent of the published ones."""
    hidden_width: Annotated[int, Field(ge=1)] = 100
    """Units of the fully connected layers, in per cent of the published 3,072."""

    def build(self, shape: tuple[int, ...], outputs: int, builder: NetworkBuilder) -> nnx.Module:
        flow = begin_images(self.name, shape, builder)
        before = self.depth - len(DENSE)
        for number, channels in enumerate(CHANNELS[:before], start=1):
            flow = self._convolution(number, scaled(channels, self.width), flow)
        if before > len(CHANNELS):
            flow = flow.locally_connected("local", scaled(LOCAL, self.width), WINDOW)
        for number, units in enumerate(DENSE, start=1):
            flow = flow.hidden(f"hidden{number}", scaled(units, self.hidden_width))
        return flow.output(outputs).network()

    def _convolution(self, number: int, channels: int, flow: Flow) -> Flow:
        name = f"conv{number}"
        flow = flow.convolution(name, channels, WINDOW, pieces=PIECES if number == 1 else 1)
        flow = flow.max_pool(f"{name}/pool", Window(2, stride=2 if number % 2 else 1, padding="same"))
        return flow.apply(f"{name}/normalization", SubtractiveNormalization())
