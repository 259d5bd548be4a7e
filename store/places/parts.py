"""Reading parts of an open file."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Span:
    """A contiguous range of a file, and the buffers that it fills one after another."""

    offset: int
    parts: list[memoryview]

    @property
    def bytes(self) -> int:
        """Its length."""
        return sum(map(len, self.parts))


class PartReader(Protocol):
    """A file open for partial reads; threads may share it."""

    size: int
    """Bytes of the file when it was opened."""

    def read(self, spans: Sequence[Span]) -> None:
        """Fill the memory of all spans.

        Raises:
            OSError: the disk or the network fails.
            ValueError: the file ends before a span does.
        """

    def gather(self, ends: Sequence[int], size: int) -> bytes | None:
        """The `size` bytes before each of these offsets, one after the other.

        Returns:
            None where each would cost a request, so that they must be taken from what is read.

        Raises:
            OSError: the disk fails.
            ValueError: the file ends before.
        """

    def changed(self) -> bool:
        """True if the file was seen to be written to since it was opened. Raises: OSError."""

    def memory(self, ends: Sequence[range]) -> Bytes | None:
        """The whole file as read-only memory, if the chunks to be read are in the page cache.

        Args:
            ends: offsets behind the last byte of every chunk to be read, one range a column.

        Returns:
            None if these need the disk or the network, and `read` must be used.
        """
