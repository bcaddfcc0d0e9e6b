"""A contestant's side of the benchmark: it says when it is warm, then trains one turn for each line it reads.

`run.py` holds the clock. Contestants of one job live side by side, and only the one whose turn it is works.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

from jobs import JOBS


def contestant(
    prepare: Callable[[Any], Callable[[], None]], packages: tuple[str, ...], jobs: Mapping[str, Any] = JOBS
) -> None:
    """Prepare the job that the command line names, make one turn to warm up, and make the turns asked for."""
    line_out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a progress bar is not part of the conversation
    turn = prepare(jobs[sys.argv[1]])
    turn()
    print(json.dumps({name: version(name) for name in packages}), file=line_out)
    for _ in sys.stdin:
        turn()
        print("done", file=line_out)
