"""A set of indices as one byte each: of millions, most Python sets take hundreds of megabytes."""

from collections.abc import Iterable, Iterator, Set

import numpy as np
import numpy.typing as npt


class IndexSet(Set[int]):
    """Some of the numbers 0 .. size - 1; iterated ascending."""

    def __init__(self, size: int, indices: npt.NDArray[np.int64]) -> None:
        """These indices, each within 0 .. size - 1, of so many."""
        mask = np.zeros(size, np.bool_)
        mask[indices] = True
        self._mask, self._count = mask.tobytes(), int(mask.sum())

    @classmethod
    def _from_iterable(cls, it: Iterable[int]) -> frozenset[int]:  # type: ignore[override]
        return frozenset(it)

    def __contains__(self, index: object) -> bool:
        return isinstance(index, int) and 0 <= index < len(self._mask) and self._mask[index] == 1

    def __iter__(self) -> Iterator[int]:
        index = self._mask.find(1)
        while index >= 0:
            yield index
            index = self._mask.find(1, index + 1)

    def __len__(self) -> int:
        return self._count
