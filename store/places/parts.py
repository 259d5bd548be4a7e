"""Parts of an open file, wherever it lies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a file, and the pieces of memory that it fills one after another."""

    offset: int
    parts: list[memoryview]

    @property
    def bytes(self) -> int:
        """Its length."""
        return sum(map(len, self.parts))


class PartReader(Protocol):
    """An open file of which parts are read; threads may share it."""

    size: int
    """Bytes of the file when it was opened."""

    def read(self, spans: Sequence[Span]) -> None:
        """Fill the memory of all spans.

        Raises:
            OSError: the disk or the network fails.
            ValueError: the file ends before a span does.
        """

    def memory(self, ends: Sequence[range]) -> Bytes | None:
        """The whole file as memory that is not to be changed.

        Args:
            ends: of the chunks that are about to be looked at, a range for each stretch.

        Returns:
            None if these need a disk or the network, which `read` is for.
        """
