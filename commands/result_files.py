"""Where `--json FILE` writes the figures of several trials and ratios."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar


class AtRatio(Protocol):
    """Figures of one ratio."""

    @property
    def ratio(self) -> float | None:
        """Tokens per latent."""


Result = TypeVar("Result", bound=AtRatio)


def files_of(file: Path, results: Sequence[Result]) -> dict[Path, Result]:
    """File -> the figures of the last trial at each ratio: `file`, then `NAME_8x.json` beside it.

    Args:
        file: of the ratio that was measured first.
        results: of all trials and ratios, in the order in which they were measured.
    """
    latest = {result.ratio: result for result in results}
    first, *others = latest
    beside = {file.with_stem(f"{file.stem}_{ratio:g}x"): latest[ratio] for ratio in others}
    return {file: latest[first], **beside}
