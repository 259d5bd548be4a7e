"""What a message advises where something in a store is damaged."""

import shlex
from typing import Final

from ..places.protocol import Place

RESTORE: Final = "put it back from a copy, or extract into another --run"
"""Of a manifest, which is not derived from anything."""


def repair_step(store: Place) -> str:
    """The command that makes everything else again."""
    return f"run `latentcomp store repair --run {shlex.quote(str(store))}`"
