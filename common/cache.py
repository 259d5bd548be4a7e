"""The user's cache folder, for what can be had or computed again."""

import os
from pathlib import Path
from typing import Final

CACHE: Final = "LATENTCOMP_CACHE"
"""Environment variable that names the folder itself."""


def cache_folder(*parts: str) -> Path:
    """Where this user's caches lie; the folder may not be there yet.

    Args:
        parts: below it. It is `LATENTCOMP_CACHE`, or else `latentcomp` in `XDG_CACHE_HOME` or
            in `~/.cache`.
    """
    given = os.environ.get(CACHE)
    base = given or f"{os.environ.get('XDG_CACHE_HOME') or '~/.cache'}/latentcomp"
    return Path(base).expanduser().joinpath(*parts)
