"""The references: GoogLeNet and BN-Inception in PyTorch, with random weights, and what they put out.

    python parity/reference.py FOLDER [bninception.py]

Runs in an environment of its own (`make parity`). Writes googlenet.npz and inception_bn.npz into the folder:
the images, every array of the network by its name, the outputs in evaluation mode, the number of parameters.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

CLASSES, EXAMPLES = 1000, 2

# Szegedy et al. 2014, table 1: 1×1; 3×3 reduce, 3×3; 5×5 reduce, 5×5; projection of the pool.
TABLE_1 = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


class Module(nn.Module):
    """An Inception module (figure 2b)."""

    def __init__(self, fan_in: int, one: int, r3: int, three: int, r5: int, five: int, projection: int):
        super().__init__()
        self.one = nn.Conv2d(fan_in, one, 1)
        self.three_reduce, self.three = nn.Conv2d(fan_in, r3, 1), nn.Conv2d(r3, three, 3, padding=1)
        self.five_reduce, self.five = nn.Conv2d(fan_in, r5, 1), nn.Conv2d(r5, five, 5, padding=2)
        self.projection = nn.Conv2d(fan_in, projection, 1)
        self.outputs = one + three + five + projection

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        three = self.three(torch.relu(self.three_reduce(x)))
        five = self.five(torch.relu(self.five_reduce(x)))
        pooled = self.projection(nn.functional.max_pool2d(x, 3, 1, padding=1))
        return torch.relu(torch.cat([self.one(x), three, five, pooled], dim=1))


class Head(nn.Module):
    """An auxiliary classifier."""

    def __init__(self, fan_in: int):
        super().__init__()
        self.conv, self.hidden = nn.Conv2d(fan_in, 128, 1), nn.Linear(128 * 4 * 4, 1024)
        self.output = nn.Linear(1024, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.conv(nn.functional.avg_pool2d(x, 5, 3)))
        # Height, width, channels, as Trainwright flattens images.
        return self.output(torch.relu(self.hidden(x.permute(0, 2, 3, 1).flatten(1))))


class GoogLeNet(nn.Module):
    """The paper's table 1 with Caffe's paddings and response normalisation, without dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3)
        self.conv2_reduce, self.conv2 = nn.Conv2d(64, 64, 1), nn.Conv2d(64, 192, 3, padding=1)
        self.response = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)
        fan_in, self.modules_by_name = 192, nn.ModuleDict()
        for name, channels in TABLE_1.items():
            self.modules_by_name[name] = Module(fan_in, *channels)
            fan_in = self.modules_by_name[name].outputs
        self.head1, self.head2 = Head(512), Head(528)
        self.output = nn.Linear(1024, CLASSES)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        x = self.response(_halved(torch.relu(self.conv1(x))))
        x = _halved(self.response(torch.relu(self.conv2(torch.relu(self.conv2_reduce(x))))))
        heads = []
        for name, module in self.modules_by_name.items():
            x = module(x)
            if name in ("4a", "4d"):
                heads.append(x)
            if name in ("3b", "4e"):
                x = _halved(x)
        return self.output(x.mean(dim=(2, 3))), self.head1(heads[0]), self.head2(heads[1])


def _halved(x: torch.Tensor) -> torch.Tensor:
    return nn.functional.max_pool2d(x, 3, 2, ceil_mode=True)


def our_name(theirs: str) -> str:
    """`modules_by_name.3a.three.weight` -> `inception_3a_3x3/kernel`."""
    layer, _, kind = theirs.rpartition(".")
    kind = {"weight": "kernel"}.get(kind, kind)
    paths = {"one": "1x1", "three_reduce": "3x3_reduce", "three": "3x3", "five_reduce": "5x5_reduce"}
    paths |= {"five": "5x5", "projection": "projection"}
    match layer.split("."):
        case ["modules_by_name", name, path]:
            return f"inception_{name}_{paths[path]}/{kind}"
        case [head, "output"]:
            return f"{head}/{kind}"
        case [head, part]:
            return f"{head}_{part}/{kind}"
    return f"{layer}/{kind}"


def googlenet() -> dict[str, Any]:
    """Arrays by our names, as ours are shaped, and what the network and its heads put out."""
    model, images = _prepared(GoogLeNet())
    with torch.no_grad():
        outputs, *heads = model(images)
    arrays = {our_name(name): _turned(array.numpy()) for name, array in model.state_dict().items()}
    said = {"outputs": outputs.numpy(), "heads": torch.cat(heads, dim=1).numpy()}
    return arrays | said | _facts(model, images)


def inception_bn(file: Path | None) -> dict[str, Any]:
    """Arrays by their own names, and what pretrainedmodels' network puts out."""
    model, images = _prepared(bninception(file))
    with torch.no_grad():
        outputs = model(images)
    return _numpy(model) | {"outputs": outputs.numpy()} | _facts(model, images)


def bninception(file: Path | None = None) -> nn.Module:
    """pretrainedmodels' network, from its file; None finds that in the installed package."""
    spec = importlib.util.spec_from_file_location("bninception", file or _bninception())
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model: nn.Module = module.bninception(pretrained=None)
    return model


def _prepared(model: nn.Module) -> tuple[nn.Module, torch.Tensor]:
    """The network with random weights, biases and statistics, in evaluation mode, and images for it."""
    generator = torch.Generator().manual_seed(0)
    for name, array in model.state_dict().items():
        draw = torch.randn(array.shape, generator=generator)
        if array.ndim > 1:  # He's rule keeps the scale through the layers
            array.copy_(draw * (2 / array[0].numel()) ** 0.5)
        elif name.endswith(("running_var", "_bn.weight")):
            array.copy_(torch.exp(0.2 * draw))
        elif array.ndim:
            array.copy_(0.1 * draw)
    return model.eval(), torch.randn(EXAMPLES, 3, 224, 224, generator=generator)


def _facts(model: nn.Module, images: torch.Tensor) -> dict[str, Any]:
    parameters = sum(array.numel() for array in model.parameters())
    return {
        "images": images.permute(0, 2, 3, 1).numpy(),
        "parameters": parameters,
        "torch": torch.__version__,
    }


def _numpy(model: nn.Module) -> dict[str, Any]:
    return {name: array.numpy() for name, array in model.state_dict().items()}


def _turned(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "googlenet.npz", **googlenet())
    file = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    np.savez(folder / "inception_bn.npz", **inception_bn(file))


def _bninception() -> Path:
    """The file in the installed package, whose own `__init__` wants torchvision and is not run."""
    spec = importlib.util.find_spec("pretrainedmodels")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("pretrainedmodels is not installed: make parity, or name its bninception.py")
    return Path(spec.submodule_search_locations[0]) / "models" / "bninception.py"


if __name__ == "__main__":
    main()
