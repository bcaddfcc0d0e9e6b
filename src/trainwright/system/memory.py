"""What is too large for the machine's memory, said so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import jax

from trainwright.base.errors import SettingError


class TooLarge(SettingError):
    """A system that does not fit into this machine's memory."""


@contextmanager
def within_memory() -> Iterator[None]:
    """Raise `TooLarge` where arrays find no room, in NumPy's memory or on JAX's device."""
    try:
        yield
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        if not isinstance(error, MemoryError) and "RESOURCE_EXHAUSTED" not in str(error):
            raise
        reason = (str(error).splitlines() or ["out of memory"])[0]
        raise TooLarge(f"too large for this machine's memory: train it on a larger one ({reason})") from None
