"""Caution: something to know before relying on a result, as values; `report.cautions` has the sentences."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Caution:
    """What kind of caution it is, with the names and numbers that belong to it.

    >>> Caution("few seeds", {"seeds": 3, "enough": 5}).facts["seeds"]
    3
    """

    kind: str
    facts: dict[str, Any] = field(default_factory=dict)
    """Plain values, as JSON has them. Errors and differences are in the unit of the comparison's metric."""
