"""What holds for all tests."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

# Compiling is most of the work of the tests. What one process has compiled, the others and the next run load;
# a program is found by its code, JAX's version and the compiler's options. JAX reads this when imported.
COMPILED = {
    "JAX_COMPILATION_CACHE_DIR": str(Path(__file__).parent.parent / ".compiled"),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_COMPILATION_CACHE_MAX_SIZE": str(2**28),
}
for name, value in COMPILED.items():
    os.environ.setdefault(name, value)

from trainwright.data.fetching import NotFetched  # noqa: E402


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, Any, Any]:
    return (yield from _skipped_offline())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, Any, Any]:
    return (yield from _skipped_offline())


IN_CI = os.environ.get("CI", "").lower() not in ("", "0", "false")


def _skipped_offline() -> Generator[None, Any, Any]:
    """Skip a test whose data set cannot be downloaded here. In CI it fails: there the data must be had."""
    try:
        return (yield)
    except NotFetched as missing:
        if IN_CI:
            raise
        pytest.skip(str(missing))
