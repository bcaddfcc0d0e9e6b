"""Trainwright on the image jobs: an interval of training steps, or predictions, as `fit` makes them."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from image_jobs import CLASSES, IMAGE_JOBS, ImageJob
from turns import contestant

from trainwright.data import Dataset, Splits
from trainwright.networks.googlenet import Googlenet
from trainwright.networks.inception_bn import InceptionBn
from trainwright.recipe import Recipe
from trainwright.strategies import BatchNorm
from trainwright.training import step
from trainwright.training.building import Training
from trainwright.training.cohort import Cohort


def recipe(job: ImageJob) -> Recipe:
    settings = {"learning_rate": 0.01, "batch_size": job.batch, "steps": job.batches}
    if job.network == "googlenet":
        return Recipe(Googlenet(), **settings)
    return Recipe(InceptionBn(), (BatchNorm(),), **settings)


def prepare(job: ImageJob) -> Callable[[], None]:
    images, classes = job.arrays()
    rows = np.arange(len(images))
    splits = Splits(rows, rows[:1], rows[:1])
    data = Dataset("random", "classification", images, classes, splits, tuple(map(str, range(CLASSES))))
    training = Training(recipe(job), data, 0)
    cohort = Cohort(training, width=1)
    cohort.place(training)
    order = jnp.asarray(rows.reshape(job.batches, job.batch), jnp.int32)
    program = cohort.program._replace(chunk=job.batch)

    def train() -> None:
        arrays = (order, cohort.source.data, cohort.fold)
        cohort.state, loss = step.train_interval(program, cohort.recipe, cohort.state, *arrays)
        jax.block_until_ready((cohort.state.params, loss))

    def predict() -> None:
        arrays = (cohort.state, cohort.source.data, cohort.fold, jnp.asarray(rows))
        step.predictions(program, cohort.recipe, *arrays).block_until_ready()

    return train if job.training else predict


if __name__ == "__main__":
    contestant(prepare, ("trainwright", "jax"), IMAGE_JOBS)
