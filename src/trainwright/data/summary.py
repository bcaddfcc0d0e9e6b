"""What there is to say about a data set before anything is trained on it."""

from __future__ import annotations

from typing import Any

import numpy as np

from trainwright.data.dataset import Dataset
from trainwright.data.sequences import LENGTHS


def facts(dataset: Dataset) -> dict[str, Any]:
    """A data set's facts as plain values that `json.dump` takes.

    `class_counts`: for each class the examples in train, validation and test; `length_counts`: for each
    length of a sequence. `columns`: what was done to
    each column, see `Preparation.report`. `seed`: whose fold it is, None for the fixed split. `target`
    (regression): its name, mean and standard deviation.

    >>> from trainwright.data.loading import load
    >>> facts(load("digits"))["examples"]
    {'train': 1079, 'validation': 359, 'test': 359}
    """
    splits = {name: getattr(dataset.splits, name) for name in ("train", "validation", "test")}
    plain: dict[str, Any] = {
        "name": dataset.name,
        "source": dataset.source,
        "fingerprint": dataset.fingerprint,
        "task": dataset.task,
        "shape": list(dataset.shape),
        "examples": {name: len(rows) for name, rows in splits.items()},
        "seed": dataset.seed,
        "notes": list(dataset.notes),
        "columns": dataset.preparation.report() if dataset.preparation else [],
    }
    if dataset.task == "classification":
        counts = [
            np.bincount(dataset.targets[rows], minlength=len(dataset.classes)) for rows in splits.values()
        ]
        plain["classes"] = list(dataset.classes)
        plain["class_counts"] = {
            name: dict(zip(splits, map(int, each), strict=True))
            for name, *each in zip(dataset.classes, *counts, strict=True)
        }
    elif dataset.task == "sequence":
        lengths = [np.bincount(dataset.targets[rows, 0], minlength=LENGTHS) for rows in splits.values()]
        plain["length_counts"] = {
            str(length): dict(zip(splits, map(int, each), strict=True))
            for length, each in enumerate(zip(*lengths, strict=True))
            if any(each)
        }
    elif dataset.preparation:
        target = dataset.preparation.to_json()["target"]
        plain["target"] = {key: target[key] for key in ("name", "mean", "deviation")}
    return plain
