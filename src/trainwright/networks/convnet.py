"""Convnet: convolutions with pooling, then fully connected layers.

Source: LeCun et al. 1998, "Gradient-Based Learning Applied to Document Recognition": the alternation of
convolution and subsampling. The defaults are the LeNet of today's tutorials (20 and 50 channels of 5×5,
pools of 2×2, 500 units), with rectified linear units and the maximum.
"""

from __future__ import annotations

from typing import Annotated, Literal

from flax import nnx
from pydantic import Field

from trainwright.base.config import config
from trainwright.flow import begin_images
from trainwright.layers.window import Window
from trainwright.network import Network, NetworkBuilder

Count = Annotated[int, Field(ge=1)]


@config
class Convnet(Network):
    """Convolutional layers with a pooling each, then fully connected ones; for images, grey or coloured.

    >>> Convnet(convolutions=((32, 3, 1), (64, 3, 2)), hidden=(128,)).padding
    'valid'
    """

    convolutions: tuple[tuple[Count, Count, Count], ...] = ((20, 5, 2), (50, 5, 2))
    """Of each convolutional layer: channels, side of its window, and side of the pooling that follows, in
    pixels; 1 does not pool."""
    hidden: tuple[Count, ...] = (500,)
    """Units of each fully connected layer."""
    padding: Literal["valid", "same"] = "valid"
    """valid: windows stay inside the image, which gets smaller. same: zeros around it keep its size."""

    def build(self, shape: tuple[int, ...], outputs: int, builder: NetworkBuilder) -> nnx.Module:
        flow = begin_images(self.name, shape, builder)
        for number, (channels, size, pool) in enumerate(self.convolutions, start=1):
            window = Window(size, padding="same" if self.padding == "same" else 0)
            flow = flow.convolution(f"conv{number}", channels, window)
            if pool > 1:
                flow = flow.max_pool(f"conv{number}/pool", Window(pool, stride=pool))
        for number, units in enumerate(self.hidden, start=1):
            flow = flow.hidden(f"hidden{number}", units)
        return flow.output(outputs).network()
