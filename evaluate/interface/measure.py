"""One batch of documents at one ratio: optimised, rounded, answered.

Shapes: B = documents, K = latents, R = width of the reasoner.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from ...compressor.states import pad_states, padded_length, scatter_rows
from ...corpus.records import Document
from ...models.describe import describe_document
from ...models.loading import CausalLM
from ...reasoner.frozen import FrozenReasoner
from ...reasoner.packing import encode_questions
from ...store.read.features import DocumentFeatures
from ..answers import answer_questions
from ..arms.controls import donor_cycle
from ..arms.head import text_tokens
from ..arms.latents import prefixes_of
from ..scores import ScoredAnswer
from .optimise import Places, optimise, places
from .settings import Settings
from .split import split_questions
from .starts import Start, StartInputs

OPTIMISED: Final = "optimised"
"""Arm: the document's own optimised latents."""
START: Final = "start"
"""Arm: the same latents before the first step."""
SHUFFLED: Final = "shuffled"
"""Arm: the optimised latents of another document of the batch."""
CURVE_POINTS: Final = 25

ReadStates = Callable[[Sequence[Document]], Iterable[DocumentFeatures]]
"""Documents -> the same with their states, in order."""
OnStep = Callable[[int, float], None]
"""(steps done, mean loss of the batch) of every step."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What became of a batch at one ratio."""

    rows: list[ScoredAnswer]
    """Every arm's answers to all questions."""
    latents: dict[str, Tensor]
    """Document id -> [K, R], rounded to bfloat16."""
    curve: list[tuple[int, list[float]]]
    """(steps done before, loss of each document in nats) at about 25 steps, the last included."""
    tokens: int
    """Of the documents, those that count as compressed (`arms/head.py`)."""
    seconds: float
    """Of the optimisation."""


def measure(
    lm: CausalLM,
    documents: Sequence[Document],
    ratio: float,
    settings: Settings,
    start: Start,
    read: ReadStates | None,
    on_step: OnStep = lambda step, loss: None,
) -> Measured:
    """Optimise latents of documents, and let the reasoner answer all their questions from them.

    Args:
        lm: the frozen reasoner.
        documents: two at least, because shuffling borrows from another one.
        ratio: tokens per latent.
        settings: how the latents are optimised, and which questions that sees.
        start: where they begin.
        read: teacher states of documents, for a start that needs them.
        on_step: receives the steps done and the mean loss.
    """
    reasoner = FrozenReasoner(lm)
    features = [describe_document(lm, document) for document in documents]
    tokens = [len(one.token_ids) for one in features]
    mask_BT = torch.arange(padded_length(max(tokens))) < torch.tensor(tokens)[:, None]
    where = places(mask_BT.to(lm.device), ratio, settings.positions)
    start_BKR = start(
        StartInputs(
            reasoner,
            tuple(one.document_id for one in features),
            scatter_rows(mask_BT, [one.token_ids for one in features]).to(lm.device),
            where.pool_BKT,
            ratio,
            settings.seed,
            pad_states(list(read(documents))).to(lm.device) if read is not None else None,
        )
    )
    split = [split_questions(one, settings.hold_out, settings.seed) for one in documents]
    curve: list[tuple[int, list[float]]] = []
    every = max(1, settings.steps // CURVE_POINTS)

    def follow(step: int, loss_B: Tensor) -> None:
        if step % every == 1 % every or step == settings.steps:
            curve.append((step - 1, loss_B.tolist()))
        on_step(step, float(loss_B.mean()))

    began = time.monotonic()
    encoded = [encode_questions(lm, one.optimised) for one in split]
    x_BKR = optimise(reasoner, where, start_BKR, encoded, settings, follow)
    seconds = time.monotonic() - began
    # What is counted in bytes is what is measured.
    kept = {START: _rounded(start_BKR), OPTIMISED: _rounded(x_BKR)}
    rows = _answers(reasoner, documents, where, kept, settings.seed)
    latents = {
        one.document_id: x_KR[mask_K].to("cpu", torch.bfloat16)
        for one, x_KR, mask_K in zip(documents, kept[OPTIMISED], where.mask_BK, strict=True)
    }
    counted = sum(text_tokens(lm, one.token_ids) for one in features)
    return Measured(rows, latents, curve, counted, seconds)


def _rounded(x_BKR: Tensor) -> Tensor:
    return x_BKR.to(torch.bfloat16).float()


def _answers(
    reasoner: FrozenReasoner,
    documents: Sequence[Document],
    where: Places,
    vectors: dict[str, Tensor],
    seed: int,
) -> list[ScoredAnswer]:
    """Greedy answers to all questions from the vectors before, after, and of another document."""
    arms = {name: prefixes_of(reasoner, where.compressed(x)) for name, x in vectors.items()}
    donors = donor_cycle(len(documents), seed)
    arms[SHUFFLED] = [arms[OPTIMISED][donor] for donor in donors]
    rows: list[ScoredAnswer] = []
    for arm, prefixes in arms.items():
        rows += answer_questions(
            reasoner.lm, documents, prefixes, arm, batch_size=len(documents)
        ).rows
    return rows
