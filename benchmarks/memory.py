"""The most memory that a command and its processes take together.

    python benchmarks/memory.py trainwright study mnist --arm batch_norm --seeds 20

runs the command and looks once a second. Memory that processes share is counted once (Linux's proportional
set size); the second figure counts it in each of them.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

KINDS = ("Pss", "Rss")


def processes(pid: int) -> Iterator[int]:
    """The process and all that it started, as far as they still run."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from processes(int(child))


def taken(pid: int) -> list[int]:
    """Bytes of each kind that a process takes; none of one that has ended."""
    try:
        facts = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return [0, 0]
    return [1024 * int(re.findall(rf"^{kind}: +(\d+) kB", facts, re.MULTILINE)[0]) for kind in KINDS]


def main() -> int:
    start, most = time.monotonic(), [0, 0]
    command = subprocess.Popen(sys.argv[1:])
    while command.poll() is None:
        now = [sum(column) for column in zip(*map(taken, processes(command.pid)), strict=True)]
        most = [max(pair) for pair in zip(most, now, strict=True)]
        time.sleep(1)
    once, each = (f"{bytes / 1e9:.2f} GB" for bytes in most)
    print(f"{time.monotonic() - start:.0f} s; at most {once}, {each} with what is shared in each")
    return command.returncode


if __name__ == "__main__":
    sys.exit(main())
