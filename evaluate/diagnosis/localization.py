"""Where the reasoner looks for an answer: the latents of its evidence, or others.

Of the attention that the positions before an answer's tokens spend on latents, the share that
falls on those which stand for a token of an evidence chunk, mean over heads; beside it the share
of latents that do, which is what attention without a preference would give. Few heads do the
retrieving (arXiv 2404.15574), so the mean over heads lies well below 1 where answers are right.

Shapes: B = documents, K = latents, T = tokens, G = chunks, N = answer tokens, C = context.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ...common.record import Record
from ...compressor.model import Compressed, compress
from ...compressor.places import latent_of_token
from ...compressor.states import States, pad_states
from ...corpus.records import Document, Question
from ...reasoner.frozen import FrozenReasoner
from ...reasoner.packing import PackedQuestions, encode_questions, pack
from ..bench import Bench
from ..stats import Bootstrap, Figure, FloatArray, Interval, share
from .layers import Progress

_DEPTHS: Final = 8


class Looked(Record):
    """One depth of the reasoner."""

    blocks_completed: int
    evidence: Interval
    """Share of the attention on latents that falls on the evidence's, mean over questions."""
    chance: Interval
    """Share of latents that are the evidence's, likewise."""


class Example(Record):
    """One question, and where the reasoner looked for its answer at one depth."""

    document_id: str
    question: str
    answer: str
    blocks_completed: int
    chunks: tuple[Figure, ...]
    """Share of the attention on latents that falls on those of each chunk, in order."""
    evidence: tuple[int, ...]
    """Indices of the chunks that settle the answer."""


class Localization(Record):
    """All depths, and an example at the depth that finds the evidence best."""

    depths: tuple[Looked, ...]
    example: Example | None


@dataclass(frozen=True, slots=True)
class _Row:
    """One question: its document, its shares by depth, and those of each chunk."""

    document: int
    question: Question
    evidence: FloatArray
    """[depths]"""
    chance: float
    chunks: FloatArray
    """[depths, G]"""


@torch.inference_mode()
def localize(
    bench: Bench,
    documents: Sequence[Document],
    seed: int,
    progress: Progress = lambda arm, documents: None,
) -> Localization | None:
    """Attention from answers to the latents of their evidence, at eight depths.

    Questions without known evidence, or whose evidence has no latent, are left out.

    Args:
        bench: compressor, states and reasoner.
        documents: with questions; read `batch_size` at a time.
        seed: of the bootstrap over documents.
        progress: receives what is measured and the documents just finished.

    Returns:
        None where no question is left.

    Raises:
        TeacherError: the attention of this reasoner cannot be looked into.
    """
    reasoner = FrozenReasoner(bench.reasoner)
    blocks = len(reasoner.blocks)
    depths = tuple(sorted({max(1, blocks * part // _DEPTHS) for part in range(1, _DEPTHS + 1)}))
    rows: list[_Row] = []
    for start in range(0, len(documents), bench.batch_size):
        batch = documents[start : start + bench.batch_size]
        rows += _rows(bench, reasoner, batch, start, depths)
        progress("attention", len(batch))
    if not rows:
        return None
    bootstrap = Bootstrap.draw(len(documents), seed=seed)
    of = np.array([row.document for row in rows])

    def interval(values: FloatArray) -> Interval:
        columns = {
            name: np.bincount(of, weights=weights, minlength=len(documents)).astype(np.float64)
            for name, weights in (("sum", values), ("rows", np.ones(len(rows))))
        }
        return bootstrap.interval(share("sum", "rows"), columns, columns["rows"])

    chance = interval(np.array([row.chance for row in rows]))
    evidence = np.array([row.evidence for row in rows])
    best = int(evidence.mean(0).argmax())
    return Localization(
        depths=tuple(
            Looked(blocks_completed=depth, evidence=interval(evidence[:, place]), chance=chance)
            for place, depth in enumerate(depths)
        ),
        example=_example(rows, documents, best, depths[best]),
    )


def _example(
    rows: Sequence[_Row], documents: Sequence[Document], place: int, depth: int
) -> Example:
    """The question whose share is the median of all: neither the best nor the worst."""
    ordered = sorted(rows, key=lambda row: (float(row.evidence[place]), row.question.question_id))
    row = ordered[len(ordered) // 2]
    return Example(
        document_id=documents[row.document].document_id,
        question=row.question.text,
        answer=row.question.answer,
        blocks_completed=depth,
        chunks=tuple(map(float, row.chunks[place])),
        evidence=row.question.evidence,
    )


def _rows(
    bench: Bench,
    reasoner: FrozenReasoner,
    batch: Sequence[Document],
    first: int,
    depths: tuple[int, ...],
) -> Iterator[_Row]:
    states = pad_states(list(bench.read(batch))).to(bench.device)
    compressed = compress(bench.model.to(bench.device).eval(), states, bench.ratio)
    holds_BKG = _chunks_of(compressed, states)
    most = compressed.mask_BK.shape[1]
    packed = _packed(reasoner, batch)
    reading = reasoner.read(reasoner.latent_context(compressed), packed, attend=depths)
    of_N, _ = packed.answer_BS.nonzero(as_tuple=True)
    question_N = packed.segment_BS[packed.answer_BS] - 1
    for b, document in enumerate(batch):
        live_K = compressed.mask_BK[b]
        # A latent of two chunks counts for both, half each.
        parts_KG = holds_BKG[b].double()
        parts_KG /= parts_KG.sum(1, keepdim=True).clamp(min=1)
        for number, question in enumerate(document.questions):
            wanted = [chunk for chunk in question.evidence if chunk < holds_BKG.shape[2]]
            evidence_K = holds_BKG[b][:, wanted].any(1) & live_K
            if not evidence_K.any():
                continue
            own_N = (of_N == b) & (question_N == number)
            by_depth = [
                _shares(weights_NC[own_N][:, -most:], live_K)
                for weights_NC in reading.attention.values()
            ]
            yield _Row(
                document=first + b,
                question=question,
                evidence=np.array([float(one_K[evidence_K].sum()) for one_K in by_depth]),
                chance=float(evidence_K.sum() / live_K.sum()),
                chunks=np.array([(one_K @ parts_KG).tolist() for one_K in by_depth]),
            )


def _shares(weights_NK: Tensor, live_K: Tensor) -> Tensor:
    """Mean over answer tokens of what each latent gets, of all that latents get: float64 [K]."""
    on_NK = weights_NK.double() * live_K
    return (on_NK / on_NK.sum(-1, keepdim=True).clamp(min=1e-12)).mean(0)


def _chunks_of(compressed: Compressed, states: States) -> Tensor:
    """bool [B, K, G]: whether a latent stands for a token of a chunk."""
    chunks = int(states.chunk_BT.max()) + 1
    member_BTK = one_hot(latent_of_token(compressed, states), compressed.mask_BK.shape[1])
    member_BTK = member_BTK * states.mask_BT[:, :, None]
    in_chunk_BTG = one_hot(states.chunk_BT.clamp(min=0), chunks) * states.mask_BT[:, :, None]
    return member_BTK.float().transpose(1, 2) @ in_chunk_BTG.float() > 0


class _InOrder(Random):
    """Draws nothing: questions are packed as they stand, so that it is known which is which."""

    def sample(self, population: Any, k: int, *, counts: Any = None) -> list[Any]:  # noqa: ANN401
        """The first `k`."""
        del counts
        return list(population)[:k]


def _packed(reasoner: FrozenReasoner, batch: Sequence[Document]) -> PackedQuestions:
    """All questions of each document, in order."""
    encoded = [encode_questions(reasoner.lm, one.questions) for one in batch]
    positions = max(sum(map(len, row)) for row in encoded)
    packed = pack(encoded, max(1, positions), _InOrder())
    return PackedQuestions(
        *(getattr(packed, name).to(reasoner.device) for name in packed.__slots__)
    )
