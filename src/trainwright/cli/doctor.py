"""`trainwright doctor`."""

from __future__ import annotations

import json

from trainwright.cli.options import Json


def run(as_json: Json = False) -> None:
    """Show what Trainwright runs on.

    Lists versions, device, NPROC, cores, the cache folder, and missing packages.
    """
    from trainwright.base.cache import cache_folder
    from trainwright.base.environment import environment, missing
    from trainwright.cli.terminal import console, facts_table
    from trainwright.data import NAMED

    facts = environment() | {
        "cache": str(cache_folder()),
        "fetched": [name for name in NAMED if (cache_folder() / name).is_dir()] or "none yet",
        "missing": missing() or "nothing",
    }
    if as_json:
        print(json.dumps(facts, indent=1))
    else:
        console().print(facts_table(facts))
