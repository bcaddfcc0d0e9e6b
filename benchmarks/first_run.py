"""How long a fresh process takes from data to its first run of the digits recipe: tracing and compiling."""

from __future__ import annotations

import dataclasses
import time

from jobs import JOBS
from trainwright_job import dataset, recipe

from trainwright.training.building import Training
from trainwright.training.fit import fit_all

job = dataclasses.replace(JOBS["digits"], epochs=1)
trainings = [Training(recipe(job), dataset(job), seed) for seed in range(8)]
start = time.perf_counter()
list(fit_all(trainings))
print(time.perf_counter() - start)
