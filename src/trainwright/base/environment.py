"""What a training ran on: versions, device and cores. Stored with every run."""

from __future__ import annotations

import os
import platform
import re
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

import jax

from trainwright.base.cache import cache_folder


def environment() -> dict[str, Any]:
    """Versions, kind of device ("cpu", "NVIDIA A100-SXM4-40GB") and number of cores.

    `NPROC` matters for pairing: on CPU the same seed gives different weights on a different number of cores,
    unless the environment variable NPROC is set before JAX is imported.
    """
    device = jax.devices()[0]
    return {
        "trainwright": _installed("trainwright"),
        "python": platform.python_version(),
        **{name: _installed(name) for name in ("jax", "jaxlib", "flax", "optax", "numpy")},
        "platform": platform.platform(),
        "device": device.device_kind,
        "devices": jax.device_count(),
        "NPROC": os.environ.get("NPROC", "unset"),
        "cores": schedulable_cores(),
    }


@cache
def _installed(name: str) -> str:
    """A package's version, read once: a small study would spend a twentieth of its time on reading it."""
    return version(name)


def schedulable_cores() -> int:
    """Cores that this process may use: a batch system can give it fewer than the machine has."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def missing() -> list[str]:
    """Required packages that are not installed."""
    absent = []
    for requirement in requires("trainwright") or []:
        name = re.split(r"[^\w-]", requirement)[0]
        if "extra ==" not in requirement:
            try:
                version(name)
            except PackageNotFoundError:
                absent.append(name)
    return absent


def keep_compiled() -> None:
    """Cache compiled programs on disk, so that a machine compiles each structure once.

    Small programs are cached, too: loading those of a study takes a third of the time of compiling them.
    Programs are kept apart by number of cores, because results depend on it. JAX's own environment variables
    take precedence.
    """
    cores = os.environ.get("NPROC", str(schedulable_cores()))
    folder = os.environ.get("JAX_COMPILATION_CACHE_DIR", str(cache_folder() / "compiled" / f"{cores}-cores"))
    seconds = os.environ.get("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    jax.config.update("jax_compilation_cache_dir", folder)  # type: ignore[no-untyped-call]
    jax.config.update("jax_persistent_cache_min_compile_time_secs", float(seconds))  # type: ignore[no-untyped-call]
