"""Inception_bn: the Inception network that batch normalisation was published with.

Source: Ioffe & Szegedy 2015 (arXiv 1502.03167), figure 5. The normalisation itself is the strategy
`batch_norm`, which puts it between each convolution and its activation as the paper has it: with and
without it the network is that of the paper's figure 2. Local response normalisation, which the paper leaves
out with it, is a strategy, too; so is dropout at every layer, where the paper has it before the output alone
(`dropout`).

The paper's table contradicts itself: with the projections of 4c and 4d as printed (128) their outputs have
608 channels, not the 576 that it prints. Both readings are in use: 128 in Caffe's version and those made of
it (11,295,240 parameters with `batch_norm` and 1000 classes), 96 in TensorFlow's (11,204,936). The first
convolution is whole, where the paper's is separable. Average pools count the zeros around the image, as in
Caffe. Images of other sizes than 224×224 go through the same windows, and the last average is over what is
left.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from flax import nnx
from numpy.typing import NDArray
from pydantic import Field

from trainwright.base.config import config
from trainwright.base.errors import SettingError
from trainwright.flow import Flow, begin_images, join, scaled
from trainwright.layers.window import Window
from trainwright.network import Network, NetworkBuilder
from trainwright.networks.googlenet import HALVING, Rate, dropped


class Inception(NamedTuple):
    """The channels of a module's convolutions, a column of figure 5 each; 0 where there is no such, as in the
    modules that halve the image."""

    one: int
    """Of the 1×1 that stands alone."""
    three_reduce: int
    """Of the 1×1 before the single 3×3."""
    three: int
    """Of the single 3×3."""
    double_reduce: int
    """Of the 1×1 before the two 3×3."""
    double: int
    """Of each of the two 3×3."""
    projection: int
    """Of the 1×1 after the pooling."""
    pool: Literal["average", "max"] = "average"
    """What the pooling takes of each window: its mean, or its largest value."""


MODULES = {
    "3a": Inception(64, 64, 64, 64, 96, 32),
    "3b": Inception(64, 64, 96, 64, 96, 64),
    "3c": Inception(0, 128, 160, 64, 96, 0, "max"),
    "4a": Inception(224, 64, 96, 96, 128, 128),
    "4b": Inception(192, 96, 128, 96, 128, 128),
    "4c": Inception(160, 128, 160, 128, 160, 128),
    "4d": Inception(96, 128, 192, 160, 192, 128),
    "4e": Inception(0, 128, 192, 192, 256, 0, "max"),
    "5a": Inception(352, 192, 320, 160, 224, 128),
    "5b": Inception(352, 192, 320, 192, 224, 128, "max"),
}
CONTRADICTORY = ("4c", "4d")


@config
class InceptionBn(Network):
    """Inception with two 3×3 convolutions in place of one of 5×5, for images of 32×32 pixels or more.

    >>> InceptionBn(projection=96).width
    100
    """

    projection: Literal[128, 96] = 128
    """Channels of the projections of 4c and 4d: 128 as printed, or 96, with which the sums are right."""
    width: Annotated[int, Field(ge=1)] = 100
    """Channels of every layer but the output, in per cent of the published ones."""
    dropout: Rate = 0.0
    """Probability to drop one of the values that the output layer sees: 0.4 in the paper's network without
    batch normalisation."""

    def build(self, shape: tuple[int, ...], outputs: int, builder: NetworkBuilder) -> nnx.Module:
        flow = begin_images(self.name, shape, builder, least=32)
        flow = flow.convolution("conv1", scaled(64, self.width), Window(7, stride=2, padding=3))
        flow = flow.max_pool("conv1/pool", HALVING)
        flow = flow.convolution("conv2_reduce", scaled(64, self.width), Window(1))
        flow = flow.convolution("conv2", scaled(192, self.width), Window(3, padding=1))
        flow = flow.max_pool("conv2/pool", HALVING)
        for name, module in MODULES.items():
            if name in CONTRADICTORY:
                module = module._replace(projection=self.projection)
            flow = inception(f"inception_{name}", module, flow, self.width)
        return dropped(flow.global_average("average"), self.dropout, "average").output(outputs).network()


def inception(name: str, module: Inception, flow: Flow, width: int) -> Flow:
    """Four paths side by side; three, each by two pixels at a time, where the image is halved.

    `width`: the channels of every convolution, in per cent of the module's. Raises `SettingError` for an odd
    side that is to be halved: the published paths then differ in size.
    """
    if not module.one and (flow.shape[0] % 2 or flow.shape[1] % 2):
        raise SettingError(
            f"{name}: the image is {flow.shape[0]}×{flow.shape[1]} pixels there, and a side that is halved "
            "must be even: give images whose sides are multiples of 32, such as --size 64"
        )

    def convolved(part: str, channels: int, window: Window, before: Flow) -> Flow:
        return before.convolution(f"{name}_{part}", scaled(channels, width), window)

    stride = 1 if module.one else 2
    three, last = Window(3, padding=1), Window(3, stride, padding=1)
    single = convolved("3x3_reduce", module.three_reduce, Window(1), flow)
    double = convolved("double_3x3_reduce", module.double_reduce, Window(1), flow)
    double = convolved("double_3x3_1", module.double, three, double)
    paths = [
        convolved("3x3", module.three, last, single),
        convolved("double_3x3_2", module.double, last, double),
    ]
    if not module.one:
        return join(name, [*paths, flow.max_pool(f"{name}/pool", HALVING)])
    pooled = (
        flow.max_pool(f"{name}_projection/pool", three)
        if module.pool == "max"
        else flow.average_pool(f"{name}_projection/pool", three, count_padding=True)
    )
    one = convolved("1x1", module.one, Window(1), flow)
    projected = convolved("projection", module.projection, Window(1), pooled)
    return join(name, [one, *paths, projected])


def from_pretrainedmodels(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The weights of the package pretrainedmodels' `bninception`, by the names and in the shapes of a run of
    `InceptionBn()` with `batch_norm`.

    `arrays` is its state dict as NumPy arrays. That network was trained on images of 224×224 pixels with the
    channels blue, green, red, from 0 to 255, less 104, 117 and 128.

    Raises `SettingError` for the arrays of another network.
    """
    weights: dict[str, NDArray[Any]] = {}
    for theirs, array in arrays.items():
        layer, _, kind = theirs.rpartition(".")
        if kind == "num_batches_tracked":  # absent where the file is older than that count
            continue
        normalizes = layer.endswith("_bn")
        kinds = _NORMALIZATION if normalizes else _AFFINE
        if kind not in kinds:
            raise SettingError(f"{theirs} is no array of bninception: give the state dict of that network")
        # (channels out, channels in, height, width) or (classes, channels); a normalisation's have one axis.
        turned = array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T
        name = _layer_name(layer.removesuffix("_bn")) + ("/batch_norm" if normalizes else "")
        weights[f"{name}/{kinds[kind]}"] = np.ascontiguousarray(turned, np.float32)
        if normalizes:
            weights[f"{name}/batches"] = np.array(1, np.float32)
            weights[f"{name}/epsilon"] = np.array(1e-5, np.float32)
    return weights


_AFFINE = {"weight": "kernel", "bias": "bias"}
_NORMALIZATION = {"weight": "gamma", "bias": "beta", "running_mean": "mean", "running_var": "variance"}


def _layer_name(theirs: str) -> str:
    """Our name of a layer of theirs."""
    own = {"conv1_7x7_s2": "conv1", "conv2_3x3_reduce": "conv2_reduce", "conv2_3x3": "conv2"}
    return own.get(theirs, theirs.replace("pool_proj", "projection").replace("last_linear", "output"))
