"""The exhibit on early stopping: its trace and its claims."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from trainwright.exhibit import runs_of, scores
from trainwright.exhibits import early_stopping
from trainwright.exhibits.early_stopping import ANEW, NONE, ONCE, SCALES
from trainwright.runs.run import Run
from trainwright.studies.together import run_all


def curve(losses: list[float]) -> Any:
    history = {"step": np.arange(1, len(losses) + 1) * 10, "validation_loss": np.array(losses)}
    return SimpleNamespace(history=history)


def test_transcription_keeps_the_first_of_equals_and_stops_when_patience_runs_out() -> None:
    trace = early_stopping.transcribe(curve([0.5, 0.3, 0.3, 0.4, 0.2]), patience=2)
    assert trace["j"].tolist() == [0, 0, 1, 2]
    assert trace["i*"].tolist() == [10, 20, 20, 20]
    assert early_stopping.transcribe(curve([0.5, 0.3, 0.3, 0.4, 0.2]), patience=3)["i*"].iloc[-1] == 50


class Seen(NamedTuple):
    """Six seeds' trainings."""

    rows: pd.DataFrame
    full: list[Run]
    travel: pd.DataFrame


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    store = tmp_path_factory.mktemp("store")
    ways, starts = early_stopping.studies(SCALES["quick"].replace(seeds=6))
    rows = scores(run_all([ways, starts], store)[0])
    return Seen(rows, runs_of(ways, NONE, store), early_stopping.travelled(starts, store))


def test_the_parameters_returned_are_the_best(seen: Seen) -> None:
    traces = [early_stopping.transcribe(run, SCALES["quick"].patience) for run in seen.full]
    assert early_stopping.returns_the_best(traces, seen.rows).holds
    latest = seen.rows.replace({"arm": {NONE: ONCE, ONCE: NONE}})
    assert not early_stopping.returns_the_best(traces, latest).holds
    worse = seen.rows.assign(**{"validation loss": 1.1 * seen.rows["validation loss"]})
    assert not early_stopping.returns_the_best(traces, worse).holds


def test_stopping_lowers_the_loss(seen: Seen) -> None:
    assert early_stopping.stopping_helps(seen.rows).holds
    swapped = seen.rows.replace({"arm": {NONE: ONCE, ONCE: NONE}})
    assert not early_stopping.stopping_helps(swapped).holds


@pytest.mark.parametrize(
    ("losses", "holds"), [((1, 2, 1.5), True), ((1, -1, 0.1), None), ((-1, -2, -1.5), False)]
)
def test_lower_is_lower_over_the_seeds(losses: tuple[float, ...], *, holds: bool | None) -> None:
    rows = [
        (seed, way, 5 + more) for seed, more in enumerate(losses) for way, more in (("a", 0), ("b", more))
    ]
    results = pd.DataFrame(rows, columns=["seed", "arm", "test loss"])
    assert early_stopping.lower(results, "test loss", "a", "b", "", "").holds is holds


def test_retraining_anew_costs_as_many_updates_again_as_the_best_step(seen: Seen) -> None:
    steps = seen.rows.pivot(index="seed", columns="arm", values=["steps", "best step"])
    assert (steps["steps"][ANEW] == steps["steps"][ONCE] + steps["best step"][ONCE]).all()


def travel(kept: float, other: float) -> pd.DataFrame:
    """Four seeds from one start: a distance of about 2 without stopping, `kept` with it."""
    rows = [
        (0.1, way, seed, distance * (1 + 0.01 * seed * (way == ONCE)), other)
        for way, distance in ((NONE, 2.0), (ONCE, kept))
        for seed in range(4)
    ]
    return pd.DataFrame(rows, columns=["start", "arm", "seed", "travel", "to another's"])


def test_a_prior_keeps_weights_near_and_nearer_to_their_own_start(seen: Seen) -> None:
    assert early_stopping.prior(travel(1.0, 3.0)).holds
    assert not early_stopping.prior(travel(2.0, 3.0)).holds  # as far as without stopping
    assert not early_stopping.prior(travel(1.0, 0.9)).holds  # nearer to another's first weights
    assert early_stopping.prior(seen.travel).holds


def test_the_smallest_version_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCALES, "quick", SCALES["quick"].replace(steps=60, patience=1, seeds=2))
    shown = early_stopping.EarlyStopping().make("quick", tmp_path)
    assert (len(shown.claims), len(shown.tables)) == (6, 3)
    words = {text.get_text() for text in shown.figure.axes[0].get_legend().get_texts()}  # type: ignore[union-attr]
    assert {"train", "validation"} <= words
