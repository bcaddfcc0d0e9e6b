"""The exhibits: the lecture's figures and demonstrations, one file each."""

from __future__ import annotations

from trainwright.base.registry import Registry
from trainwright.exhibit import Exhibit

_registry = Registry(__name__, tuple(__path__), Exhibit)
names, find, read = _registry.names, _registry.find, _registry.read
