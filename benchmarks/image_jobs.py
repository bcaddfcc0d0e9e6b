"""The jobs of `images.py`: networks for ImageNet's images, trained or predicting. NumPy alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIDE, CLASSES = 224, 1000


@dataclass(frozen=True)
class ImageJob:
    """One network on random images of 224×224×3 and 1,000 classes."""

    name: str
    network: str
    """googlenet (with its heads, each 0.3 of the loss) or inception_bn."""
    training: bool
    """Plain SGD on the cross-entropy, or predictions."""
    batch: int = 16
    batches: int = 2
    """In one turn."""

    def arrays(self) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Images (examples, side, side, 3) in [0, 1) and their classes."""
        rng = np.random.default_rng(0)
        images = rng.random((self.batch * self.batches, SIDE, SIDE, 3), np.float32)
        return images, rng.integers(0, CLASSES, len(images)).astype(np.int32)


IMAGE_JOBS = {
    job.name: job
    for job in (
        ImageJob("googlenet-training", "googlenet", training=True),
        ImageJob("googlenet-predicting", "googlenet", training=False),
        ImageJob("inception-bn-training", "inception_bn", training=True),
        ImageJob("inception-bn-predicting", "inception_bn", training=False),
    )
}
