"""Latents optimised per document, looked up for the documents of a batch.

Shapes: B = documents, K = latents (padded), R = width of the reasoner.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..reasoner.optimised import Optimised
from .batches import document_key


class Targets:
    """The latents of a file, by document."""

    def __init__(self, optimised: Optimised) -> None:
        self._optimised = optimised
        self._rows = {document_key(name): x_KR for name, x_KR in optimised.latents.items()}

    def describe(self) -> Mapping[str, Any]:
        """What determines them, for the record of the run."""
        record = self._optimised.record
        return {
            "sha256": self._optimised.sha256,
            "documents": len(self._rows),
            "corpus_sha256": record.corpus_sha256,
            "ratio": record.ratio,
        }

    def of(self, document_B: Tensor, like_BKR: Tensor) -> tuple[Tensor, Tensor]:
        """Targets of a batch, zero where a document has none or fewer.

        Args:
            document_B: keys of the documents (`document_key`).
            like_BKR: vectors to compare with: gives shape and device.

        Returns:
            float32 [B, K, R], and bool [B]: which documents have targets.

        Raises:
            ValueError: a document has more targets than `like_BKR` has room for.
        """
        out = torch.zeros(like_BKR.shape)
        known = torch.zeros(len(document_B), dtype=torch.bool)
        for row, key in enumerate(document_B.tolist()):
            if (x_KR := self._rows.get(key)) is None:
                continue
            if len(x_KR) > like_BKR.shape[1]:
                raise ValueError(f"{len(x_KR)} targets for {like_BKR.shape[1]} latents")
            out[row, : len(x_KR)], known[row] = x_KR.float(), True
        return out.to(like_BKR.device), known.to(like_BKR.device)
