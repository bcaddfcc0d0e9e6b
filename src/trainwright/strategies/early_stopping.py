"""Early stopping: keep the weights that are best on validation, and stop when no better ones come.

Source: Goodfellow, Bengio & Courville 2016, Algorithm 7.1 (n steps between evaluations, patience p, the best
weights theta* and their step i* returned), 7.2 (then train from scratch on all data for i* steps) and 7.3
(then continue from theta* with all data until the validation loss falls to the training loss at theta*). The
recipe's `evaluate_every` is n.

Algorithm 7.1 ends only when patience runs out; a recipe also has a length, and theta* and i* are returned
whichever comes first. Algorithm 7.2 here counts i* in updates, not in passes over the data. Algorithm
7.3 "is not even guaranteed to terminate": here it ends at the recipe's length at the latest.
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from trainwright.base.config import config
from trainwright.strategy import Decision, History, Phase, Strategy


@config
class EarlyStopping(Strategy):
    """Stop after `patience` evaluations in a row without improvement, and return the best weights.

    >>> EarlyStopping(patience=2).stop({"step": [10, 20, 30, 40], "validation_loss": [0.5, 0.4, 0.4, 0.6]})
    Decision(best_step=20, stop=True)
    """

    patience: Annotated[int, Field(ge=1)] = 10
    """p: how many evaluations in a row may fail to improve before the training ends."""
    monitor: Literal["loss", "error"] = "loss"
    """The validation quantity v that must fall strictly: the mean log-loss, or the error."""
    retrain: Literal["no", "anew", "onward"] = "no"
    """Retrain with all data, validation included: anew is Algorithm 7.2, onward is Algorithm 7.3."""

    example: ClassVar = {"patience": 1}

    def stop(self, history: History) -> Decision:
        best_step, v, j = 0, math.inf, 0
        for step, v_new in zip(history["step"], history[f"validation_{self.monitor}"], strict=True):
            if v_new < v:
                best_step, v, j = int(step), v_new, 0
            else:
                j += 1
        return Decision(best_step, j >= self.patience)

    def after_training(self, best_step: int, length: int) -> Phase | None:
        if self.retrain == "anew" and best_step > 0:
            return Phase(best_step, rows="all", counts=False)
        if self.retrain == "onward" and 0 < best_step < length:
            return Phase(length, best_step, rows="all", start="kept", counts=False, until_kept_loss=True)
        return None
