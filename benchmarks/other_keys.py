"""OtherKeys: a strategy that does nothing but draw the first weights anew, from the same distribution."""

from __future__ import annotations

import numpy as np

from trainwright.base.config import config
from trainwright.network import he_normal
from trainwright.site import Kernel, Site
from trainwright.strategy import Strategy


@config
class OtherKeys(Strategy):
    """First weights as without it, but other ones. What a study finds of it is false."""

    def initial_kernel(self, site: Site, rng: np.random.Generator) -> Kernel:
        return he_normal(site.rng("other kernel"), site)
