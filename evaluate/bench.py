"""What is measured: a compressor between the teacher's states and the reasoner that answers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..compressor.model import CompressionModel
from ..corpus.records import Document
from ..models.loading import CausalLM
from ..reasoner.generate import Answerer, Prefix, greedy_answers
from ..store.read.features import DocumentFeatures
from .scores import EXACT

ReadStates = Callable[[Sequence[Document]], Iterable[DocumentFeatures]]
"""Documents -> the same with the teacher states of the compressor's layers, in order."""


@dataclass(frozen=True, slots=True)
class Bench:
    """A compressor, the source of its states, and the reasoner."""

    model: CompressionModel
    read: ReadStates
    """Consumed `batch_size` documents at a time, so it should be lazy."""
    reasoner: CausalLM
    ratio: float
    """Tokens per latent."""
    batch_size: int = 8
    """Documents that are read, compressed and answered together."""
    scorer: str = EXACT
    """Decides which answers are right: a key of `evaluate.scores.SCORERS`."""
    arms: tuple[str, ...] = ()
    """Optional arms to measure besides those that always run (`evaluate/arms/table.py`)."""
    summaries: Mapping[str, str] | None = None
    """Summaries for the arm `summary`, by document id; None if the reasoner writes its own."""

    answer_tokens: int | None = None
    """Most tokens of an answer; None: as the right answers need."""
    rank: bool = False
    """Whether candidate answers are ranked too (`evaluate/ranking.py`)."""
    answerer: Answerer = greedy_answers
    """Who computes the answers of `reasoner`."""

    @property
    def device(self) -> torch.device:
        """Where everything runs."""
        return self.reasoner.device


@dataclass(frozen=True, slots=True)
class ArmInputs:
    """What an arm makes its prefixes of: the documents and their latents."""

    bench: Bench
    documents: Sequence[Document]
    latents: Sequence[Prefix]
    """Prefix of every document as the compressor gives it: the prompt's head, then vectors."""
    seed: int
    """Of whatever an arm draws at random."""

    @property
    def head(self) -> int:
        """Positions of the prompt's head, at the beginning of every prefix."""
        return len(self.bench.reasoner.encode(self.bench.reasoner.prompt.head))

    @property
    def vectors(self) -> list[Tensor]:
        """Vectors [K, R] behind the head, by document: as many as a baseline may have tokens."""
        return [prefix.x_PD[self.head :] for prefix in self.latents]
