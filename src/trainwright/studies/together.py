"""Several studies with one pool of workers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trainwright.comparison.compare import ArmRuns
from trainwright.runs.store import Store
from trainwright.studies.executor import carry_out
from trainwright.studies.study import Folder, Study, Watch


def run_all(
    studies: Sequence[Study],
    folder: Folder,
    *,
    workers: int | None = None,
    watch: Watch | None = None,
) -> list[list[ArmRuns]]:
    """Run several studies, on several data sets perhaps, with one pool of workers; see `Study.run`.

    A program that they have in common is compiled once, and no core waits for another study's end.
    """
    store = Store(Path(folder))
    rounds = [study.rounds(store) for study in studies]
    most = sum(study.most_runs() for study in studies)
    return [runs.arms for runs in carry_out(rounds, store, most=most, workers=workers, watch=watch)]
