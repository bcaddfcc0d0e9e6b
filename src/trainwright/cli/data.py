"""`trainwright data`."""

from __future__ import annotations

import json

from trainwright.cli.options import Json, Size, Source, Target, Task


def run(
    source: Source, target: Target = None, task: Task = None, size: Size = None, as_json: Json = False
) -> None:
    """Describe a data set and how each column is prepared.

    A known data set is downloaded the first time.
    """
    from trainwright.cli.terminal import console, facts_table
    from trainwright.data import facts, load

    described = facts(load(source, target=target, task=task, size=size))
    if as_json:
        print(json.dumps(described, indent=1))
    else:
        console().print(facts_table(described))
