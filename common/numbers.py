"""Numbers and folders that nothing can mean, whatever the range of an option or a field says."""

import math
from typing import Final

LARGEST: Final = 1e15
"""Of numbers with a point; exact integers are counted up to it with ease."""
LARGEST_INTEGER: Final = 2**63 - 1


def refusal(value: object, is_path: bool = False) -> str | None:
    """Why a value is refused; None if it is not."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value} is no finite number"
    if isinstance(value, float) and abs(value) > LARGEST:
        return f"{value} is beyond {LARGEST:g}"
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        return f"{value} is beyond 2**63 - 1"
    text = str(value)
    if is_path and "://" in text:
        return (
            f"{text} is an address, and this takes a folder or file of this machine; a store alone "
            f"can lie there: `latentcomp store merge RUN --out {text}`"
        )
    return None
