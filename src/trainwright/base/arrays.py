"""What is made from an array once and kept for as long as the array lives."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from numpy.typing import NDArray

Made = TypeVar("Made")


class ArrayCache(Generic[Made]):
    """Makes a value from a NumPy array when first asked, and forgets it with the array.

    Arrays are told apart by identity, not by content. `make` must not hold on to its array.

    >>> import numpy as np
    >>> total = ArrayCache(lambda array: float(array.sum()))
    >>> total(np.arange(4))
    6.0
    """

    def __init__(self, make: Callable[[NDArray[Any]], Made]):
        self._make = make
        self._kept: dict[int, Made] = {}

    def __call__(self, array: NDArray[Any]) -> Made:
        key = id(array)
        if key not in self._kept:
            self._kept[key] = self._make(array)
            weakref.finalize(array, self._kept.pop, key, None)
        return self._kept[key]
