"""Googlenet: 22 layers of Inception modules, with two auxiliary heads in training.

Source: Szegedy et al. 2014, "Going Deeper with Convolutions" (arXiv 1409.4842), table 1 and section 5. With
1000 classes and images of 224×224×3 it has 6,998,552 parameters, 13,378,280 with the heads.

Padding, pooling (a last window may reach over the edge) and the constants of local response normalisation
are not in the paper; here they are those of its Caffe version. Images of other sizes go through the same
windows, and the last average is over what is left: 7×7 of 224×224, one pixel of 32×32. A head pools 5×5 by
3 where its input has room for that, and takes it whole elsewhere. Dropout before the output and in the
heads is part of the network, as in the paper; the strategy `dropout` would add to it at every layer.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

from flax import nnx
from pydantic import Field

from trainwright.base.config import config
from trainwright.flow import Flow, begin_images, join, scaled
from trainwright.layers.normalization import LocalResponseNormalization
from trainwright.layers.window import Window
from trainwright.network import Network, NetworkBuilder
from trainwright.strategies.dropout import DropoutLayer
from trainwright.task import Task, WithHeads

HEAD_WEIGHT = 0.3
"""What multiplies each auxiliary loss (section 5)."""


class Inception(NamedTuple):
    """The channels of a module's convolutions: each number a column of the paper's table 1."""

    one: int
    """Of the 1×1 that stands alone."""
    three_reduce: int
    """Of the 1×1 before the 3×3."""
    three: int
    """Of the 3×3."""
    five_reduce: int
    """Of the 1×1 before the 5×5."""
    five: int
    """Of the 5×5."""
    projection: int
    """Of the 1×1 after the pooling."""


MODULES = {
    "3a": Inception(64, 96, 128, 16, 32, 32),
    "3b": Inception(128, 128, 192, 32, 96, 64),
    "4a": Inception(192, 96, 208, 16, 48, 64),
    "4b": Inception(160, 112, 224, 24, 64, 64),
    "4c": Inception(128, 128, 256, 24, 64, 64),
    "4d": Inception(112, 144, 288, 32, 64, 64),
    "4e": Inception(256, 160, 320, 32, 128, 128),
    "5a": Inception(256, 160, 320, 32, 128, 128),
    "5b": Inception(384, 192, 384, 48, 128, 128),
}
POOLED = ("3b", "4e")
"""The modules that a pooling follows."""
HEADED = ("4a", "4d")
"""The modules that an auxiliary head hangs on."""

HALVING = Window(3, stride=2, ceil=True)
# Caffe divides alpha by the size.
RESPONSE = LocalResponseNormalization(size=5, alpha=1e-4 / 5, beta=0.75, k=1.0)

Rate = Annotated[float, Field(ge=0, lt=1)]


@config
class Googlenet(Network):
    """GoogLeNet, for images of 32×32 pixels or more.

    >>> Googlenet(width=25).heads
    True
    """

    width: Annotated[int, Field(ge=1)] = 100
    """Channels and units of every layer but the output, in per cent of the published ones."""
    heads: bool = True
    """Whether two auxiliary heads help in training; each one's loss counts 0.3."""
    dropout: Rate = 0.4
    """Probability to drop one of the values that the output layer sees; 0 leaves them alone."""
    head_dropout: Rate = 0.7
    """The same for the 1,024 units of each head."""

    def build(self, shape: tuple[int, ...], outputs: int, builder: NetworkBuilder) -> nnx.Module:
        flow = begin_images(self.name, shape, builder, least=32)
        flow = flow.convolution("conv1", scaled(64, self.width), Window(7, stride=2, padding=3))
        flow = flow.max_pool("conv1/pool", HALVING).apply("conv1/response", RESPONSE)
        flow = flow.convolution("conv2_reduce", scaled(64, self.width), Window(1))
        flow = flow.convolution("conv2", scaled(192, self.width), Window(3, padding=1))
        flow = flow.apply("conv2/response", RESPONSE).max_pool("conv2/pool", HALVING)
        heads: list[Flow] = []
        for name, module in MODULES.items():
            flow = self._module(f"inception_{name}", module, flow)
            if name in HEADED and self.heads:
                heads.append(self._head(f"head{len(heads) + 1}", outputs, flow))
            if name in POOLED:
                flow = flow.max_pool(f"inception_{name}/pool", HALVING)
        flow = dropped(flow.global_average("average"), self.dropout, "average")
        return flow.output(outputs).network(heads)

    def task(self, task: Task) -> Task:
        return WithHeads(task, len(HEADED), HEAD_WEIGHT) if self.heads else task

    def _module(self, name: str, module: Inception, flow: Flow) -> Flow:
        """Four paths side by side (figure 2b)."""
        one, three_reduce, three, five_reduce, five, projection = (scaled(c, self.width) for c in module)
        return join(
            name,
            [
                flow.convolution(f"{name}_1x1", one, Window(1)),
                flow.convolution(f"{name}_3x3_reduce", three_reduce, Window(1)).convolution(
                    f"{name}_3x3", three, Window(3, padding=1)
                ),
                flow.convolution(f"{name}_5x5_reduce", five_reduce, Window(1)).convolution(
                    f"{name}_5x5", five, Window(5, padding=2)
                ),
                flow.max_pool(f"{name}_projection/pool", Window(3, padding=1)).convolution(
                    f"{name}_projection", projection, Window(1)
                ),
            ],
        )

    def _head(self, name: str, outputs: int, flow: Flow) -> Flow:
        window = Window(5, stride=3)
        if min(flow.shape[:2]) >= window.size:
            flow = flow.average_pool(f"{name}/pool", window)
        flow = flow.convolution(f"{name}_conv", scaled(128, self.width), Window(1))
        flow = flow.hidden(f"{name}_hidden", scaled(1024, self.width))
        return dropped(flow, self.head_dropout, name).output(outputs, name)


def dropped(flow: Flow, rate: float, name: str) -> Flow:
    """The flow with some of its values left out in training; with a rate of 0 as it is."""
    return flow.apply(f"{name}/drop", DropoutLayer(rate, name, "train")) if rate else flow
