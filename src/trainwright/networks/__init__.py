"""Networks: architectures as frozen values, one file each, built with the strategies' layers at their sites.

>>> read("mlp((100, 100))")
(Mlp(hidden=(100, 100)),)
"""

from __future__ import annotations

from trainwright.base.registry import Registry
from trainwright.network import Network

_registry = Registry(__name__, tuple(__path__), Network)
names, find, read = _registry.names, _registry.find, _registry.read
