"""Names of the checks, for the command line, which imports none of them."""

from collections.abc import Sequence
from typing import Final

from ..common.errors import UsageError

LAB: Final = ("install", "models", "forward", "disk", "device")
"""What this installation needs for the lab; always checked."""
LARGE: Final = ("server", "tokenizers", "memory", "engine")
"""What a large run assumes; checked where it is asked for."""
NAMES: Final = (*LAB, *LARGE)


def check_names(names: Sequence[str]) -> None:
    """Refuse a check that there is not. Raises: UsageError."""
    for name in names:
        if name not in NAMES:
            raise UsageError(f"--check {name!r} is unknown; give one of {', '.join(NAMES)}")
