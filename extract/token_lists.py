"""Token ids of a corpus as teachers take them, without all of them in memory."""

from collections.abc import Sequence
from typing import overload

from ..store.format.documents import Documents


class TokenLists(Sequence[list[int]]):
    """Token ids of every document; a list is made whenever it is asked for.

    As lists of Python's integers the ids of 1 B tokens take 40 GB.
    """

    def __init__(self, documents: Documents) -> None:
        """Of these documents."""
        self._documents = documents

    def __len__(self) -> int:
        return len(self._documents)

    @overload
    def __getitem__(self, index: int) -> list[int]: ...
    @overload
    def __getitem__(self, index: slice) -> list[list[int]]: ...
    def __getitem__(self, index: int | slice) -> list[int] | list[list[int]]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(f"document {index} of {len(self)}")
        ids: list[int] = self._documents.token_ids(index).tolist()
        return ids
