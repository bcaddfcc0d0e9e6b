"""What holds for all tests."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

# Before NumPy and scikit-learn are imported: each of the tests' processes has a core of its own, and OpenMP's
# threads of several processes wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from trainwright.data.fetching import NotFetched


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
