"""The cache folder: fetched data sets, compiled programs, the exhibits' trainings."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path


def cache_folder() -> Path:
    """`TRAINWRIGHT_CACHE`, or the user's cache folder."""
    return Path(os.environ.get("TRAINWRIGHT_CACHE") or user_cache_path("trainwright")).expanduser().absolute()
