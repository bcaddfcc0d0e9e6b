"""The exhibit on early stopping: its trace and its claims."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from trainwright.exhibits import early_stopping
from trainwright.exhibits.early_stopping import WAYS


def curve(losses: list[float]) -> Any:
    history = {"step": np.arange(1, len(losses) + 1) * 10, "validation_loss": np.array(losses)}
    return SimpleNamespace(history=history)


def test_transcription_keeps_the_first_of_equals_and_stops_when_patience_runs_out() -> None:
    trace = early_stopping.transcribe(curve([0.5, 0.3, 0.3, 0.4, 0.2]), patience=2)
    assert trace["j"].tolist() == [0, 0, 1, 2]
    assert trace["i*"].tolist() == [10, 20, 20, 20]
    assert early_stopping.transcribe(curve([0.5, 0.3, 0.3, 0.4, 0.2]), patience=3)["i*"].iloc[-1] == 50


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> early_stopping.Runs:
    study = early_stopping.plan(full=False)
    return early_stopping.train(study, tmp_path_factory.mktemp("store"))


def test_all_claims_hold(runs: early_stopping.Runs) -> None:
    study = early_stopping.plan(full=False)
    results = early_stopping.measure(runs)
    found = early_stopping.claims(runs, results, study.arms[WAYS[1]], examples=600)
    assert [claim.says for claim in found if not claim.holds] == []
    assert "did not come together" in found[1].seen
    # Without stopping in the place of Algorithm 7.1, nothing is as the algorithm has it.
    better = results.assign(**{"test error, %": results["test error, %"].where(results.way != WAYS[1], 1.0)})
    swapped = runs | {WAYS[1]: runs[WAYS[0]]}
    found = early_stopping.claims(swapped, better, study.arms[WAYS[1]], examples=600)
    assert not found[0].holds
    assert "did not come together" not in found[1].seen


@pytest.mark.parametrize(
    ("losses", "holds"), [((1, 2, 1.5), True), ((1, -1, 0.1), False), ((-1, -2, -1), False)]
)
def test_lower_is_lower_over_the_seeds(losses: tuple[float, ...], *, holds: bool) -> None:
    rows = [
        (seed, way, 5 + more) for seed, more in enumerate(losses) for way, more in (("a", 0), ("b", more))
    ]
    results = pd.DataFrame(rows, columns=["seed", "way", "test loss"])
    assert early_stopping._lower(results, ("test loss", "a", "b"), "", "").holds == holds


def test_retraining_anew_costs_as_many_updates_again_as_the_best_step(runs: early_stopping.Runs) -> None:
    for once, anew in zip(runs[WAYS[1]], runs[WAYS[2]], strict=True):
        assert anew.steps == once.steps + once.best_step


def test_the_picture_shows_both_curves_and_the_step_kept(runs: early_stopping.Runs) -> None:
    trace = early_stopping.transcribe(runs[WAYS[0]][0], 10)
    figure = early_stopping._draw(runs, trace, early_stopping.measure(runs), 10)
    words = {text.get_text() for text in figure.axes[0].get_legend().get_texts()}  # type: ignore[union-attr]
    assert {"training", "validation", f"θ*, at i* = {trace['i*'].iloc[-1]}"} <= words
