"""Keras on JAX: `fit` with validation data; a second argument, "quiet", leaves the progress bar out."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

os.environ["KERAS_BACKEND"] = "jax"
import keras
from jobs import Job
from turns import contestant


def prepare(job: Job) -> Callable[[], None]:
    x, y = job.arrays()
    x = x[..., None] if job.convolutions else x
    held_out = slice(job.examples, job.examples + job.held_out)
    held = keras.constraints.MaxNorm(job.max_norm, axis=0) if job.max_norm else None
    layers = [keras.layers.Dropout(job.input_rate)] if job.input_rate else []
    for channels, window, pool in job.convolutions:
        layers += [
            keras.layers.Conv2D(channels, window, activation="relu"),
            keras.layers.MaxPooling2D(pool),
        ]
    layers += [keras.layers.Flatten()] if job.convolutions else []
    for units in job.sizes[1:-1]:
        layers.append(keras.layers.Dense(units, activation="relu", kernel_constraint=held))
        layers += [keras.layers.Dropout(job.hidden_rate)] if job.hidden_rate else []
    layers.append(keras.layers.Dense(job.sizes[-1], kernel_constraint=held))
    model = keras.Sequential([keras.Input(x.shape[1:]), *layers])
    model.compile(
        keras.optimizers.SGD(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )

    def turn() -> None:
        model.fit(
            x[: job.examples],
            y[: job.examples],
            batch_size=job.batch,
            epochs=job.epochs,
            validation_data=(x[held_out], y[held_out]),
            validation_batch_size=job.held_out,
            verbose=0 if "quiet" in sys.argv else 1,
        )

    return turn


contestant(prepare, ("keras", "jax"))
