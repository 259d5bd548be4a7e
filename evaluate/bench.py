"""What is measured: a compressor between the teacher's states and the reasoner that answers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch

from ..compressor.model import CompressionModel
from ..corpus.records import Document
from ..models.loading import CausalLM
from ..store.read.features import DocumentFeatures

ReadStates = Callable[[Sequence[Document]], Iterable[DocumentFeatures]]
"""Documents -> the same with the teacher states of the compressor's layers, in order."""


@dataclass(frozen=True, slots=True)
class Bench:
    """A compressor, where its states come from, and who answers."""

    model: CompressionModel
    read: ReadStates
    """Consumed `batch_size` documents at a time, so it should be lazy."""
    reasoner: CausalLM
    ratio: float
    """Tokens per latent."""
    batch_size: int = 8
    """Documents that are read, compressed and answered together."""
    summary: bool = False
    """Whether the text summary of as many tokens is measured too."""
    summaries: Mapping[str, str] | None = None
    """Summaries to measure, by document; None if the reasoner writes its own."""

    @property
    def device(self) -> torch.device:
        """Where everything runs."""
        return self.reasoner.device
