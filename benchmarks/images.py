"""Images per second of GoogLeNet and BN-Inception, training and predicting, beside PyTorch's.

    python benchmarks/images.py [--peers .venv-parity/bin/python]

Interleaved turns as in `run.py`; writes results/images.md. The networks are those that `make parity`
compares, and it sets up the environment.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import os
import platform
import statistics
import sys
import time
from pathlib import Path

from image_jobs import IMAGE_JOBS, ImageJob
from run import CORES, PAUSE, Contestant, processor

HERE = Path(__file__).parent
ROUNDS = 5
HEADER = """# Networks for images

{date}, `python benchmarks/images.py`: {processor}, {cores} cores, Python {python}, {versions}. Images of
224×224×3, 1,000 classes, batches of 16, all cores; medians of n = {rounds} interleaved turns less the
disturbed ones, load at the start {load:.1f}. GoogLeNet has its auxiliary heads. Compiling is in nobody's
turn.

| job | images per second: Trainwright | PyTorch | ratio (goal: at least 1) | turns disturbed | spread |
|---|---:|---:|---:|---:|---:|
"""


def measure(job: ImageJob, peers: Path) -> tuple[str, dict[str, str]]:
    """The job's row, and the versions of what took part."""
    ours = Contestant("Trainwright", [sys.executable, str(HERE / "image_trainwright.py")])
    theirs = Contestant("PyTorch", [str(peers), str(HERE / "image_pytorch.py")])
    both = (ours, theirs)
    with contextlib.ExitStack() as stack:
        for one in both:
            stack.callback(one.stop)
            one.start(job)
        for _ in range(ROUNDS):
            for one in both:
                time.sleep(PAUSE)
                one.turn()
    seconds = [one.clean() for one in both]
    rates = [job.batch * job.batches / statistics.median(each) for each in seconds]
    lost = sum(len(one.turns) for one in both) - sum(map(len, seconds))
    spread = max((max(each) - min(each)) / statistics.median(each) for each in seconds)
    ratio = f"{rates[0] / rates[1]:.2f}"
    cells = [job.name, *(f"{rate:.1f}" for rate in rates), ratio, str(lost), f"{spread:.0%}"]
    return f"| {' | '.join(cells)} |", ours.versions | theirs.versions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--peers", type=Path, default=HERE.parent / ".venv-parity/bin/python")
    options = parser.parse_args()
    if not options.peers.exists():
        parser.error(
            f"no PyTorch in {options.peers}: `make parity` sets it up, or name its python by --peers"
        )
    load, rows = os.getloadavg()[0], []
    for job in IMAGE_JOBS.values():
        row, versions = measure(job, options.peers)
        rows.append(row)
        print(row, flush=True)
        page = HEADER.format(
            date=datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
            processor=processor(),
            cores=CORES,
            python=platform.python_version(),
            versions=", ".join(f"{package} {version}" for package, version in versions.items()),
            rounds=ROUNDS,
            load=load,
        )
        (HERE / "results" / "images.md").write_text(page + "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
