"""Deep_image: thirteen convolutions of 3×3 in five groups, and two wide fully connected layers.

Source: Wu et al. 2015, "Deep Image: Scaling up Image Recognition" (arXiv 1501.02876), its network for
single models; the shape is that of Simonyan & Zisserman 2014 (arXiv 1409.1556). With 1000 classes and
images of 224×224×3 it has 212,761,384 parameters (published: 212.7 million), nine tenths of them in the
fully connected layers.

The first fully connected layer sees all that five halvings leave of the image: 7×7 places of 224×224, one
of 32×32, so its size depends on the images. Dropout is the strategy `dropout`.
"""

from __future__ import annotations

from typing import Annotated

from flax import nnx
from pydantic import Field

from trainwright.base.config import config
from trainwright.flow import begin_images, scaled
from trainwright.layers.window import Window
from trainwright.network import Network, NetworkBuilder

GROUPS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Channels and number of the convolutions before each pooling."""
HIDDEN = (6144, 6144)


@config
class DeepImage(Network):
    """Deep Image's network, for images of 32×32 pixels or more.

    >>> DeepImage(width=10)
    DeepImage(width=10)
    """

    width: Annotated[int, Field(ge=1)] = 100
    """Channels and units of every layer but the output, in per cent of the published ones."""

    def build(self, shape: tuple[int, ...], outputs: int, builder: NetworkBuilder) -> nnx.Module:
        flow = begin_images(self.name, shape, builder, least=32)
        for group, (channels, number) in enumerate(GROUPS, start=1):
            for place in range(1, number + 1):
                flow = flow.convolution(
                    f"conv{group}_{place}", scaled(channels, self.width), Window(3, padding=1)
                )
            flow = flow.max_pool(f"conv{group}_{number}/pool", Window(2, stride=2))
        for number, units in enumerate(HIDDEN, start=1):
            flow = flow.hidden(f"hidden{number}", scaled(units, self.width))
        return flow.output(outputs).network()
