"""Limits: values that a setting must not accept, as its kind and its range say; for checks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_args, get_origin

import annotated_types
from pydantic.fields import FieldInfo


def bad_values(info: FieldInfo) -> list[Any]:
    """Values of the wrong kind, and just outside each limit, that a field must not accept.

    >>> bad_values(FieldInfo.from_annotation(Annotated[int, annotated_types.Ge(1)]))
    ['many', 1.5, None, 0]
    """
    return _bad(info.annotation, info.metadata)


def _bad(annotation: Any, limits: Sequence[Any]) -> list[Any]:
    if get_origin(annotation) is Literal:
        return ["nonsense", 3]
    if get_origin(annotation) is Annotated:
        kind, info = get_args(annotation)
        return _bad(kind, info.metadata)
    if get_args(annotation):
        return [bad for bad in _bad(get_args(annotation)[0], limits) if bad is not None]
    kinds: dict[Any, list[Any]] = {
        float: ["much", math.nan, math.inf, None],
        int: ["many", 1.5, None],
        bool: ["perhaps", 2, None],
        str: [3, None],
    }
    return kinds.get(annotation, []) + (_beyond(limits) if annotation in (float, int) else [])


def _beyond(limits: Sequence[Any]) -> list[Any]:
    """A number just outside each limit."""
    beyond: list[Any] = []
    for limit in limits:
        match limit:
            case annotated_types.Ge():
                beyond.append(limit.ge - 1)  # type: ignore[operator]
            case annotated_types.Le():
                beyond.append(limit.le + 1)  # type: ignore[operator]
            case annotated_types.Gt():
                beyond.append(limit.gt)
            case annotated_types.Lt():
                beyond.append(limit.lt)
    return beyond
