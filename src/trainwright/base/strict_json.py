"""JSON for plain values, including the numbers that JSON lacks.

NaN and infinities are written as `{"nonfinite": "nan"}`, `"inf"` or `"-inf"`; NumPy scalars as plain numbers,
tuples as lists.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np


def dumps(value: Any) -> str:
    """The value as indented JSON.

    >>> print(dumps({"rates": (0.5, np.float32("inf"))}))
    {
     "rates": [
      0.5,
      {
       "nonfinite": "inf"
      }
     ]
    }
    """
    return json.dumps(_plain(value), indent=1, allow_nan=False)


def canonical(value: Any) -> str:
    """The same text for equal values: sorted keys, no spaces, the shortest decimal form of each number.

    >>> canonical({"b": 1e-1, "a": [True, None]})
    '{"a":[true,null],"b":0.1}'
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def loads(text: str | bytes) -> Any:
    """The value that `dumps` wrote; raises `ValueError` if the text is not JSON.

    >>> loads(dumps({"seconds": float("-inf")}))
    {'seconds': -inf}
    """
    return json.loads(text, object_hook=_number)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"nonfinite": repr(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _number(item: dict[str, Any]) -> Any:
    return float(item["nonfinite"]) if item.keys() == {"nonfinite"} else item
