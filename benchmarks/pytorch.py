"""PyTorch eager: the loop of its tutorial, with the data resident and the batches cut from a permutation."""

from __future__ import annotations

import os
from collections.abc import Callable

import torch
from jobs import Job
from torch import nn
from turns import contestant


def prepare(job: Job) -> Callable[[], None]:
    torch.set_num_threads(int(os.environ.get("NPROC", os.cpu_count() or 1)))
    inputs, classes = job.arrays()
    x, y = torch.from_numpy(inputs), torch.from_numpy(classes).long()
    x = x[:, None] if job.convolutions else x
    held_out = slice(job.examples, job.examples + job.held_out)
    layers: list[nn.Module] = [nn.Dropout(job.input_rate)] if job.input_rate else []
    depth = 1
    for channels, window, pool in job.convolutions:
        layers += [nn.Conv2d(depth, channels, window), nn.ReLU(), nn.MaxPool2d(pool)]
        depth = channels
    layers += [nn.Flatten()] if job.convolutions else []
    for fan_in, units in zip((job.flattened, *job.sizes[1:-2]), job.sizes[1:-1], strict=True):
        layers += [nn.Linear(fan_in, units), nn.ReLU()]
        layers += [nn.Dropout(job.hidden_rate)] if job.hidden_rate else []
    model = nn.Sequential(*layers, nn.Linear(job.sizes[-2], job.sizes[-1]))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    loss_of = nn.CrossEntropyLoss()
    weights = [part.weight for part in model if isinstance(part, nn.Linear)]

    def turn() -> None:
        for _ in range(job.epochs):
            model.train()
            total = torch.zeros(())
            for rows in torch.randperm(job.examples).split(job.batch):
                optimizer.zero_grad()
                loss = loss_of(model(x[rows]), y[rows])
                loss.backward()
                optimizer.step()
                if job.max_norm:
                    with torch.no_grad():
                        for weight in weights:
                            weight.copy_(weight.renorm(2, 0, job.max_norm))
                total += loss.detach()
            model.eval()
            with torch.no_grad():
                outputs = model(x[held_out])
                loss_of(outputs, y[held_out]).item()
                (outputs.argmax(1) != y[held_out]).float().mean().item()
            total.item()

    return turn


contestant(prepare, ("torch",))
