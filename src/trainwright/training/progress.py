"""Progress: what the host knows of a training under way."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainwright.recipe import Recipe
from trainwright.runs.run import Pretrained
from trainwright.strategy import History, Phase, users
from trainwright.training import phases
from trainwright.training.building import Training

HISTORY = ("step", "train_loss", "validation_loss", "validation_error")


class Progress:
    """How far one training has come; `watch` of `fit` gets it after each evaluation."""

    def __init__(self, training: Training, slot: int, pretrained: tuple[Pretrained, ...] = ()):
        recipe, examples = training.recipe, training.data.splits.examples
        self.training = training
        self.slot = slot
        """Its place in the cohort."""
        self.pretrained = pretrained
        """What it starts from: what its pretrainings left."""
        self.batch = recipe.batch(examples)
        """Examples per step."""
        self.interval = recipe.interval(examples)
        """Steps between evaluations."""
        self.phase = phases.training_proper(training)
        """The phase that it is in."""
        self.waiting: list[Phase] = []
        """The phases that follow, as far as they are known."""
        self.history: History = {name: [] for name in HISTORY}
        """Per evaluation of the phases that count; see `Run.history`. Regression: in standardised units."""
        self.step = 0
        """The step that the phase has reached."""
        self.total = 0
        """All steps made, in all phases."""
        self.best_step = 0
        """The step of the kept weights: the last one, unless a strategy chose an earlier."""
        self.target_loss = -math.inf
        """The validation loss at which the phase ends."""
        self.diverged = False
        """Whether a loss was no longer finite."""
        self.ended = False
        """Whether the phase has ended; after the last one, the training."""
        self.seconds, self.timed = 0.0, 0
        """The time that so many steps took, compiling left out."""
        self.weights: Callable[[], dict[str, NDArray[Any]]] = dict
        """The weights and statistics as they are now, by name, such as `hidden1/kernel`."""

    @property
    def length(self) -> int:
        """The step at which the phase ends at the latest."""
        return self.phase.last

    @property
    def rows(self) -> NDArray[np.int64]:
        """The examples that the phase trains on."""
        return phases.rows(self.phase, self.training.data)

    def record(self, train_loss: float, loss: float, error: float) -> None:
        """Take note of an evaluation, and decide whether it was the phase's last."""
        self.step += self.interval
        self.total += self.interval
        self.diverged = not all(map(math.isfinite, (train_loss, loss, error)))
        self.ended = self.diverged or self.step >= self.length or loss <= self.target_loss
        if not self.phase.counts:
            return
        for name, value in zip(HISTORY, (self.step, train_loss, loss, error), strict=True):
            self.history[name].append(value)
        if not keeps_best(self.training.recipe):
            self.best_step = self.step
            return
        if self.diverged:  # what was kept before stays
            return
        for strategy in users(self.training.recipe.strategies, "stop"):
            if decision := strategy.stop(self.history):
                self.best_step = decision.best_step
                self.ended |= decision.stop

    @property
    def improved(self) -> bool:
        """Whether the weights just evaluated are the best so far, and a strategy wants these."""
        return self.phase.counts and self.best_step == self.step and keeps_best(self.training.recipe)

    def next_phase(self) -> Phase | None:
        """Enter the next phase, if there is one."""
        if self.phase.counts:
            self.waiting = phases.added_phases(self.training, self.best_step)
        if not self.waiting:
            return None
        self.phase, *self.waiting = self.waiting
        self.step, self.ended, self.target_loss = self.phase.first, False, -math.inf
        return self.phase

    def to_json(self) -> dict[str, Any]:
        """What a checkpoint keeps besides the arrays, as plain values."""
        return {
            "phase": self.phase._asdict(),
            "waiting": [phase._asdict() for phase in self.waiting],
            "history": self.history,
            "step": self.step,
            "total": self.total,
            "best_step": self.best_step,
            "target_loss": self.target_loss,
            "seconds": self.seconds,
            "timed": self.timed,
        }

    def resume(self, stored: dict[str, Any]) -> None:
        """Go on from what `to_json` said."""
        self.phase = Phase(**stored["phase"])
        self.waiting = [Phase(**phase) for phase in stored["waiting"]]
        self.history = {name: list(column) for name, column in stored["history"].items()}
        self.step, self.total = stored["step"], stored["total"]
        self.best_step = stored["best_step"]
        self.target_loss = stored["target_loss"]
        self.seconds, self.timed = stored["seconds"], stored["timed"]


def keeps_best(recipe: Recipe) -> bool:
    """Whether a strategy of the recipe decides which weights to keep."""
    return bool(users(recipe.strategies, "stop"))
