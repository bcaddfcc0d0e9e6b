"""What a training ran on: versions, device and cores, as kept with every run."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from typing import Any

import jax


def environment() -> dict[str, Any]:
    """Versions, device kind, and the cores in use.

    `NPROC` matters for pairing: on CPU the same seed gives other weights on another number of cores unless
    the environment variable NPROC, set before JAX is imported, fixes it.
    """
    device = jax.devices()[0]
    return {
        "trainwright": version("trainwright"),
        "python": platform.python_version(),
        **{name: version(name) for name in ("jax", "jaxlib", "flax", "optax", "numpy")},
        "platform": platform.platform(),
        "device": f"{device.platform} {device.device_kind}",
        "devices": jax.device_count(),
        "NPROC": os.environ.get("NPROC", "unset"),
        "cores": os.cpu_count(),
    }
