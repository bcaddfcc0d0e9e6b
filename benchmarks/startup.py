"""Start-up times: the command line's help, imports, and first runs with compiled programs kept and not."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent


def startup(peers: Path, repeats: int) -> dict[str, float]:
    """Medians in seconds, by what is started."""
    ours = sys.executable
    commands = {
        "trainwright --help": [ours, "-c", "from trainwright.cli import main; main()", "--help"],
        "python -c pass": [ours, "-c", "pass"],
        "import trainwright.training.fit": [ours, "-c", "import trainwright.training.fit"],
        "import torch": [str(peers), "-c", "import torch"],
        "import keras": [str(peers), "-c", "import keras"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(repeats):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(
                command, check=True, capture_output=True, env=os.environ | {"KERAS_BACKEND": "jax"}
            )
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(each) for name, each in times.items()} | _first_run(repeats)


def _first_run(repeats: int) -> dict[str, float]:
    fresh, kept = [], []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as cache:
            variables = {
                "NPROC": "1",
                "JAX_COMPILATION_CACHE_DIR": cache,
                "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            }
            fresh.append(_first(variables))
            kept.append(_first(variables))
    return {
        "first digits runs, nothing compiled": statistics.median(fresh),
        "first digits runs, programs kept": statistics.median(kept),
    }


def _first(variables: dict[str, str]) -> float:
    command = [sys.executable, str(HERE / "first_run.py")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | variables)
    return float(done.stdout)
