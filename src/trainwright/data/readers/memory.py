"""How much memory data may take."""

from __future__ import annotations

import math
import os
from pathlib import Path

from trainwright.base.errors import SettingError

CGROUP = Path("/sys/fs/cgroup/memory.max")  # a container's own limit, on Linux
GIGABYTE = 10**9
COPIES = 2  # of each byte: the host's and the device's


def bound() -> int:
    """The bytes that data may take: `TRAINWRIGHT_MEMORY` gigabytes, or half of the machine's memory.

    Raises `SettingError` if the variable is no positive number.
    """
    given = os.environ.get("TRAINWRIGHT_MEMORY")
    if not given:
        return _installed() // 2
    try:
        gigabytes = float(given)
    except ValueError:
        gigabytes = math.nan
    if not 0 < gigabytes < math.inf:
        raise SettingError(f"TRAINWRIGHT_MEMORY={given!r}: give gigabytes as a positive number, such as 8")
    return int(gigabytes * GIGABYTE)


def fits(count: int, shape: tuple[int, int, int]) -> bool:
    """Whether so many images of a shape may be kept in memory."""
    return count * math.prod(shape) * COPIES <= bound()


def note_if_streamed(count: int, shape: tuple[int, int, int]) -> tuple[str, ...]:
    """What is to be said of so many images of a shape that may not be kept in memory; nothing if they may."""
    if fits(count, shape):
        return ()
    size, needed = "×".join(map(str, shape)), gigabytes(count * math.prod(shape) * COPIES)
    return (
        f"{count:,} images of {size} need {needed} of memory, more than the limit of {gigabytes(bound())}: "
        "they are read from their files in each epoch; TRAINWRIGHT_MEMORY sets the limit in gigabytes",
    )


def _installed() -> int:
    try:
        installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not on every system
        installed = 8 * GIGABYTE
    try:
        return min(installed, int(CGROUP.read_text()))
    except (OSError, ValueError):  # no container, or one without a limit ("max")
        return installed


def gigabytes(count: float) -> str:
    """Bytes for people, as gigabytes with two significant digits.

    >>> gigabytes(1_500_000_000), gigabytes(251_908_661_248)
    ('1.5 GB', '250 GB')
    """
    amount = count / GIGABYTE
    digits = 1 - math.floor(math.log10(amount)) if amount > 0 else 0
    return f"{round(amount, digits):g} GB"
