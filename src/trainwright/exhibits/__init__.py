"""The exhibits: the lecture's figures and demonstrations, one file each."""

from __future__ import annotations

from trainwright.exhibit import Exhibit
from trainwright.registry import Registry

_registry = Registry(__name__, tuple(__path__), Exhibit)
names, find, read = _registry.names, _registry.find, _registry.read
