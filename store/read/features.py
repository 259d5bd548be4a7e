"""One document as it is read: states, token ids, chunks and their days."""

from dataclasses import dataclass

import numpy as np
import torch

from ..format.schema import Integers


@dataclass(frozen=True, eq=False, slots=True)
class DocumentFeatures:
    """The states of one document with the metadata of its tokens.

    Per-token metadata is expanded lazily from per-chunk metadata; doing it eagerly adds over 10 %
    to a read that wants only states.
    """

    document_id: str
    states: torch.Tensor
    """[tokens, layers, hidden] in the stored dtype. A view that is layer-major in memory:
    `states[:, i]` is contiguous; the whole is only if there is one layer."""
    token_ids: torch.Tensor
    """int64 [tokens]"""
    spans: Integers
    """[chunks + 1] first token of every chunk, then the number of tokens."""
    days: Integers
    """[chunks] day, -1 for none."""
    buckets: Integers
    """[chunks] third of the document: 0 early, 1 middle, 2 late."""

    @property
    def chunks(self) -> int:
        """Number of chunks."""
        return len(self.days)

    @property
    def chunk_index(self) -> torch.Tensor:
        """int64 [tokens] chunk of every token."""
        return self._per_token(np.arange(self.chunks))

    @property
    def day(self) -> torch.Tensor:
        """int64 [tokens] day of its chunk, -1 for none."""
        return self._per_token(self.days)

    @property
    def bucket(self) -> torch.Tensor:
        """int64 [tokens] third of the document that its chunk lies in, as in `buckets`."""
        return self._per_token(self.buckets)

    def _per_token(self, per_chunk: Integers) -> torch.Tensor:
        return torch.from_numpy(per_chunk.repeat(np.diff(self.spans)))
