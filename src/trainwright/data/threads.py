"""Work on many items in threads, for what releases Python's lock: reading and decoding files."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from trainwright.base.environment import schedulable_cores
from trainwright.base.errors import DataError

T = TypeVar("T")

CHUNK = 32  # items that a thread takes at a time


def cores() -> int:
    """How many cores this process may keep busy: NPROC in a worker, which has one, else all."""
    return int(os.environ.get("NPROC") or schedulable_cores())


def in_threads(work: Callable[[Any], T], items: Sequence[Any]) -> list[T]:
    """What `work` makes of each item, in their order, on all cores.

    A `DataError` of one item does not keep others from being tried: the first is raised, with their number.
    """

    def attempt(start: int) -> list[T | DataError]:
        return [_attempt(work, item) for item in items[start : start + CHUNK]]

    pool = ThreadPoolExecutor(cores())
    try:
        done = [result for chunk in pool.map(attempt, range(0, len(items), CHUNK)) for result in chunk]
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C, no thousands of images are waited for
    failures = [result for result in done if isinstance(result, DataError)]
    if failures:
        more = f" ({len(failures):,} of {len(items):,} images cannot be read)" if len(failures) > 1 else ""
        raise DataError(f"{failures[0]}{more}") from failures[0]
    return [result for result in done if not isinstance(result, DataError)]


def _attempt(work: Callable[[Any], T], item: Any) -> T | DataError:
    try:
        return work(item)
    except DataError as error:
        return error
