"""What is known of one document: its states, its tokens, and when its chunks were written."""

from dataclasses import dataclass

import numpy as np
import torch

from ..format.schema import Integers


@dataclass(frozen=True, eq=False, slots=True)
class DocumentFeatures:
    """The states of one document with what every token is.

    What is said of tokens is made when it is asked for, out of what is known of chunks: for who
    wants the states alone it would take longer than a tenth of the reading.
    """

    document_id: str
    states: torch.Tensor
    """[tokens, layers, hidden] in the stored dtype. A view that lies layer by layer in memory:
    `states[:, i]` is contiguous, the whole is not unless there is one layer."""
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
        return self._of_tokens(np.arange(self.chunks))

    @property
    def day(self) -> torch.Tensor:
        """int64 [tokens] day of its chunk, -1 for none."""
        return self._of_tokens(self.days)

    @property
    def bucket(self) -> torch.Tensor:
        """int64 [tokens] third of the document that its chunk lies in, as in `buckets`."""
        return self._of_tokens(self.buckets)

    def _of_tokens(self, of_chunks: Integers) -> torch.Tensor:
        return torch.from_numpy(of_chunks.repeat(np.diff(self.spans)))
