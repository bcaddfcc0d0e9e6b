"""What holds for all tests."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from trainwright.data.fetching import NotFetched


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, Any, Any]:
    return (yield from _skipped_offline())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, Any, Any]:
    return (yield from _skipped_offline())


def _skipped_offline() -> Generator[None, Any, Any]:
    """A test of a fetched data set says nothing where that cannot be had; it does not fail there."""
    try:
        return (yield)
    except NotFetched as missing:
        pytest.skip(str(missing))
