"""The benchmark: interleaved turns of all contestants on each job, and what comes of them.

    python benchmarks/run.py [--quick] [--parts S M L C digits startup] [--peers .venv-peers/bin/python]

Writes results/benchmark.md and .json (benchmark-quick for --quick). Only ratios within one run count: the
host drifts. A turn in which other processes (or the hypervisor) used more than a twentieth of the machine's
time is disturbed; it is dropped, and counted.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gemm
from jobs import JOBS, Job
from report import markdown
from startup import startup

HERE = Path(__file__).parent
CORES = os.cpu_count() or 1
DISTURBED = 0.05  # of the machine's processor time
PAUSE = 0.3  # seconds: threads that spin when they have no work have gone to sleep by then


@dataclass
class Contestant:
    """One way to train a job: as many processes as `cores` says, each with its number of threads."""

    name: str
    command: list[str]
    per_core: bool = False
    """One process for each core, or one process on all cores."""
    processes: list[subprocess.Popen[str]] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    turns: list[tuple[float, float]] = field(default_factory=list)
    """Seconds, and the share of the machine that others had."""

    @property
    def count(self) -> int:
        return CORES if self.per_core else 1

    def start(self, job: Job) -> None:
        environment = os.environ | {"NPROC": str(1 if self.per_core else CORES)}
        self.processes = [
            subprocess.Popen(
                [*self.command[:2], job.name, *self.command[2:]],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
            )
            for _ in range(self.count)
        ]
        for process in self.processes:
            self.versions = json.loads(_line(process))

    def turn(self) -> None:
        """All processes at work until the last is done."""
        start, busy, own = time.perf_counter(), _machine_seconds(), self._own_seconds()
        for process in self.processes:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in self.processes:
            _line(process)
        seconds = time.perf_counter() - start
        foreign = (_machine_seconds() - busy) - (self._own_seconds() - own)
        self.turns.append((seconds, max(foreign, 0) / (seconds * CORES)))

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
            process.communicate()

    def clean(self) -> list[float]:
        """Seconds of the undisturbed turns; of the least disturbed one if there are none."""
        return [s for s, share in self.turns if share <= DISTURBED] or [
            min(self.turns, key=lambda t: t[1])[0]
        ]

    def _own_seconds(self) -> float:
        return sum(_process_seconds(process.pid) for process in self.processes)


def contestants(peers: Path) -> list[Contestant]:
    """All of them; the first four are the peers."""
    here, theirs = sys.executable, str(peers)
    return [
        Contestant("PyTorch", [theirs, str(HERE / "pytorch.py")]),
        Contestant("PyTorch, one per core", [theirs, str(HERE / "pytorch.py")], per_core=True),
        Contestant("Keras on JAX", [theirs, str(HERE / "keras_jax.py")]),
        Contestant("Keras on JAX, no progress bar", [theirs, str(HERE / "keras_jax.py"), "quiet"]),
        Contestant("GEMM", [here, str(HERE / "gemm.py")]),
        Contestant("Trainwright, one training", [here, str(HERE / "trainwright_job.py")]),
        Contestant("Trainwright, study", [here, str(HERE / "trainwright_job.py"), "study"], per_core=True),
    ]


@contextlib.contextmanager
def started(job: Job, peers: Path) -> Iterator[list[Contestant]]:
    """The contestants, each with its processes warm."""
    all_ = contestants(peers)
    try:
        for one in all_:
            one.start(job)
        yield all_
    finally:
        for one in all_:
            one.stop()


def measure(job: Job, peers: Path, rounds: int) -> dict[str, Any]:
    """Medians and ratios of one job."""
    with started(job, peers) as all_:
        for number in range(rounds):
            for one in all_:
                time.sleep(PAUSE)
                one.turn()
            print(f"{job.name}: round {number + 1} of {rounds}", flush=True)
    rows = {}
    for one in all_:
        seconds = one.clean()
        typical = statistics.median(seconds)
        networks = one.count * (job.networks if one.name == "Trainwright, study" else 1)
        row: dict[str, Any] = {
            "turns": len(one.turns),
            "disturbed": sum(share > DISTURBED for _, share in one.turns),
            "spread": (max(seconds) - min(seconds)) / typical,
            "versions": one.versions,
        }
        if one.name == "GEMM":
            row["gflops"] = gemm.FLOPS / typical / 1e9
        else:
            row["ms_per_step"] = typical * 1e3 / (job.steps * networks)
            row["gflops"] = job.step_flops * job.steps * networks / typical / 1e9
            row["networks_per_minute"] = 60 * networks / typical
        rows[one.name] = row
    return {"job": job.name, "rows": rows, "goals": goals(job, rows)}


def goals(job: Job, rows: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The design's goals for the job, each with the ratio measured."""

    def ratio(what: str, of: str, against: str) -> float:
        return float(rows[of][what] / rows[against][what])

    one, study = "Trainwright, one training", "Trainwright, study"
    if job.name == "S":
        alone = ("PyTorch", "Keras on JAX", "Keras on JAX, no progress bar")
        best = min(alone, key=lambda name: rows[name]["ms_per_step"])
        found = [
            (f"one training's time per step / {best}", ratio("ms_per_step", one, best), 0.7, "at most"),
            (
                f"study's time per step and network / {best}",
                ratio("ms_per_step", study, best),
                0.4,
                "at most",
            ),
        ]
    elif job.name == "C":
        found = [
            ("one training's time per step / PyTorch", ratio("ms_per_step", one, "PyTorch"), 0.7, "at most"),
            (
                "study's time per step and network / PyTorch",
                ratio("ms_per_step", study, "PyTorch"),
                0.5,
                "at most",
            ),
        ]
    elif job.name in ("M", "L"):
        found = [
            ("one training's arithmetic rate / GEMM", ratio("gflops", one, "GEMM"), 0.9, "at least"),
            ("study's arithmetic rate / GEMM", ratio("gflops", study, "GEMM"), 1.0, "at least"),
        ]
    else:
        what = "networks_per_minute"
        found = [("study's networks per minute / PyTorch", ratio(what, study, "PyTorch"), 20.0, "at least")]
    return [
        {
            "what": f"{job.name}: {what}",
            "ratio": value,
            "goal": f"{sense} {bound:g}",
            "reached": value <= bound if sense == "at most" else value >= bound,
        }
        for what, value, bound, sense in found
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="3 rounds instead of 5")
    parser.add_argument("--parts", nargs="+", choices=[*JOBS, "startup"], default=[*JOBS, "startup"])
    parser.add_argument("--peers", type=Path, default=HERE.parent / ".venv-peers/bin/python")
    options = parser.parse_args()
    if not options.peers.exists():
        parser.error(
            f"no peers in {options.peers}: `make bench` sets them up, or name their python by --peers"
        )
    rounds = 3 if options.quick else 5
    result: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
        "command": shlex.join(["python", *sys.argv]),
        "machine": {"processor": processor(), "cores": CORES, "platform": platform.platform()},
        "python": platform.python_version(),
        "rounds": rounds,
        "load_at_start": os.getloadavg()[0],
        "jobs": [],
        "startup": {},
    }
    stem = HERE / "results" / ("benchmark-quick" if options.quick else "benchmark")
    stem.parent.mkdir(exist_ok=True)
    for part in options.parts:  # written after each part: an interrupted benchmark leaves what it has
        if part == "startup":
            result["startup"] = startup(options.peers, 3 if options.quick else 5)
        else:
            result["jobs"].append(measure(JOBS[part], options.peers, rounds))
        stem.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
        stem.with_suffix(".md").write_text(markdown(result))
    print(markdown(result))


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    if not (line := process.stdout.readline()):
        raise SystemExit(f"a contestant ended early: {shlex.join(map(str, process.args))}")  # type: ignore[arg-type]
    return line


def _machine_seconds() -> float:
    """Processor time that all processes have used, time stolen by the hypervisor included (Linux)."""
    user, nice, system, _idle, _wait, *rest = map(
        int, Path("/proc/stat").read_text().split("\n")[0].split()[1:9]
    )
    return (user + nice + system + sum(rest)) / os.sysconf("SC_CLK_TCK")


def _process_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")


if __name__ == "__main__":
    main()
