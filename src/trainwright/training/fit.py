"""The training loop, the only one.

A training runs in stretches of n steps between two evaluations (Algorithm 7.1's n). A stretch is one
compiled program (`step.py`) that scans over its steps with the data resident on the device: no Python and
no host transfer inside. Between stretches the host writes the history (`training.py`) and asks the recipe
whether to go on. Small networks train side by side (`cohort.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from trainwright.data.dataset import Dataset
from trainwright.recipe import Recipe
from trainwright.runs.run import Run
from trainwright.training.cohort import Checkpoints, Cohort
from trainwright.training.progress import Slot, Training


def fit(
    recipe: Recipe,
    data: Dataset,
    seed: int = 0,
    *,
    watch: Callable[[Slot], None] | None = None,
    checkpoints: Checkpoints | None = None,
) -> Run:
    """Train one network on all cores and return its run. `watch` is called after each evaluation.

    With `checkpoints` an interrupted training goes on where it was. Raises `SettingError` where the recipe
    does not suit the data, and what a strategy has to say against it.

    >>> from trainwright.data import load
    >>> run = fit(Recipe(epochs=2), load("digits"))
    >>> run.status, run.steps
    ('finished', 68)
    """
    training = Training(recipe, data, seed)
    return next(fit_all([training], width=1, watch=watch, checkpoints=checkpoints))[1]


def fit_all(
    trainings: Sequence[Training],
    *,
    width: int | None = None,
    watch: Callable[[Slot], None] | None = None,
    checkpoints: Checkpoints | None = None,
) -> Iterator[tuple[Training, Run]]:
    """Train many networks of one structure on one data set; each run is yielded as it ends.

    The recipes may differ in their numbers only. `width` is how many train side by side (by default what
    suits the network's size). Raises `SettingError` for recipes that don't share a program.
    """
    waiting = list(reversed(trainings))
    cohort = Cohort(trainings[0], width, checkpoints)
    while waiting or cohort.slots:
        while waiting and cohort.free:
            cohort.place(waiting.pop())
        for slot in cohort.advance():
            if watch:
                watch(slot)
            if slot.ended:
                yield slot.training, cohort.take(slot)
