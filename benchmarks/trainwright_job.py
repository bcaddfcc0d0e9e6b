"""Trainwright: one training by `fit`; with a second argument, "study", what a study's worker does."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable

import numpy as np
from jobs import Job
from turns import contestant

from trainwright.data import Dataset, Splits
from trainwright.networks.convnet import Convnet
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.strategies import Dropout, MaxNorm
from trainwright.training.building import Training
from trainwright.training.fit import fit, fit_all


def dataset(job: Job) -> Dataset:
    """The job's arrays; the test split is as large as validation."""
    inputs, classes = job.arrays()
    train, validation, test = np.split(np.arange(len(inputs)), [job.examples, job.examples + job.held_out])
    splits = Splits(train, validation, test)
    return Dataset("random", "classification", inputs, classes, splits, tuple("0123456789"))


def recipe(job: Job) -> Recipe:
    dropout = (Dropout(job.hidden_rate, job.input_rate),) if job.hidden_rate else ()
    max_norm = (MaxNorm(job.max_norm),) if job.max_norm else ()
    settings = {"learning_rate": 0.01, "batch_size": job.batch, "epochs": job.epochs}
    hidden = job.sizes[1:-1]
    network = Convnet(job.convolutions, hidden) if job.convolutions else Mlp(hidden)
    return Recipe(network, (*dropout, *max_norm), **settings)


def prepare(job: Job) -> Callable[[], None]:
    data, chosen, seeds = dataset(job), recipe(job), itertools.count()

    def one() -> None:
        fit(chosen, data, next(seeds))

    def many() -> None:
        for _ in fit_all([Training(chosen, data, next(seeds)) for _ in range(job.networks)]):
            pass

    return many if "study" in sys.argv else one


if __name__ == "__main__":
    contestant(prepare, ("trainwright", "jax"))
