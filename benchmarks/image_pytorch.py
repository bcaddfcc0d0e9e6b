"""PyTorch on the image jobs: the references of `parity/`, in its tutorial's loop, as laid out by default.

GoogLeNet's heads are computed here in predicting, too, less than a hundredth of its work.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from image_jobs import IMAGE_JOBS, ImageJob
from turns import contestant

sys.path.insert(0, str(Path(__file__).parents[1] / "parity"))
import reference


def prepare(job: ImageJob) -> Callable[[], None]:
    torch.set_num_threads(int(os.environ.get("NPROC", os.cpu_count() or 1)))
    model = reference.GoogLeNet() if job.network == "googlenet" else reference.bninception()
    images, classes = job.arrays()
    x = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    y = torch.from_numpy(classes).long()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    loss_of = torch.nn.CrossEntropyLoss()

    def train() -> None:
        model.train()
        for rows in torch.randperm(len(x)).split(job.batch):
            optimizer.zero_grad()
            outputs = model(x[rows])
            outputs, *heads = outputs if isinstance(outputs, tuple) else (outputs,)
            loss = loss_of(outputs, y[rows])
            for head in heads:
                loss = loss + 0.3 * loss_of(head, y[rows])
            loss.backward()
            optimizer.step()

    def predict() -> None:
        model.eval()
        with torch.no_grad():
            for images in x.split(job.batch):
                model(images)

    return train if job.training else predict


contestant(prepare, ("torch",), IMAGE_JOBS)
