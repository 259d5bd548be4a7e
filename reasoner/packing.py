"""Questions as training tensors: packed behind one context, none seeing another.

Shapes: B = documents, S = question positions (padded), Q = questions of a document (padded),
E = chunks that hold the evidence of a question (padded).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..corpus.records import Question
from ..models.loading import TextSide
from ..models.plain_text import spells_control
from ..models.segments import CONTEXT, PADDING
from ..store.format.schema import Integers
from .encoding import answer_ids, prompt_ids


@dataclass(frozen=True, slots=True)
class EncodedQuestion:
    """One question and its answer in the reasoner's tokens."""

    prompt_ids: tuple[int, ...]
    """From the end of the document to the beginning of the answer."""
    answer_ids: tuple[int, ...]
    """The answer and, but for a continuation, the end token: the targets."""
    evidence: tuple[int, ...] = ()
    """Indices of the chunks that settle the answer; empty where the corpus does not say."""

    def __len__(self) -> int:
        return len(self.prompt_ids) + len(self.answer_ids)


@dataclass(frozen=True, slots=True)
class PackedQuestions:
    """Questions of a batch, to be appended to their contexts."""

    ids_BS: Tensor
    """int64: tokens of prompts and answers."""
    segment_BS: Tensor
    """int64: 1, 2, ... for the questions, `PADDING` after them."""
    offset_BS: Tensor
    """int64: index of the token within its own question."""
    answer_BS: Tensor
    """bool: tokens of answers, end tokens included: the targets."""
    evidence_BQE: Tensor
    """int64: chunks that settle the answer of question q + 1 of `segment_BS`; -1 for none."""


def encode_questions(lm: TextSide, questions: Sequence[Question]) -> tuple[EncodedQuestion, ...]:
    """Tokenize prompts and answers of questions, in one call to the tokenizer for speed."""
    texts = [lm.prompt.ask(question.text) for question in questions]
    texts += [f" {question.answer}" for question in questions]
    encoded = lm.tokenizer.backend_tokenizer.encode_batch(texts, add_special_tokens=False)
    count = len(questions)
    prompts, answers = ([each.ids for each in part] for part in (encoded[:count], encoded[count:]))
    ends = [[*answer, lm.eos_token_id] for answer in answers]
    for i, question in enumerate(questions):
        odd = question.is_continuation
        if odd or spells_control(lm.tokenizer, question.text):
            prompts[i] = prompt_ids(lm, question)
        if odd or spells_control(lm.tokenizer, question.answer):
            ends[i] = answer_ids(lm, question, question.answer)
    return tuple(
        EncodedQuestion(tuple(prompt), tuple(answer), question.evidence)
        for prompt, answer, question in zip(prompts, ends, questions, strict=True)
    )


def pack(
    questions: Sequence[Sequence[EncodedQuestion]], positions: int, rng: Random
) -> PackedQuestions:
    """Pack the questions of each document, in random order, into a row of fixed length.

    Args:
        questions: of each document.
        positions: S, tokens of a row; questions that no longer fit are left out.
        rng: draws the order.
    """
    kept = [_fitting(rng.sample(row, len(row)), positions) for row in questions]
    # Array operations over all documents at once: a Python loop would hold the GIL, which the
    # training thread needs for launching kernels.
    packed = [question for row in kept for question in row]
    questions_B = np.array([len(row) for row in kept], np.int64)
    lengths = np.array([len(question) for question in packed], np.int64)
    prompts = np.array([len(question.prompt_ids) for question in packed], np.int64)
    tokens_B = np.bincount(np.arange(len(kept)).repeat(questions_B), lengths, len(kept))
    places = np.arange(positions) < tokens_B[:, None]
    offset = _ranges(lengths)
    return PackedQuestions(
        ids_BS=_scattered(places, _token_ids(packed, int(lengths.sum()))),
        segment_BS=_scattered(
            places, (_ranges(questions_B) + 1 + CONTEXT).repeat(lengths), PADDING
        ),
        offset_BS=_scattered(places, offset),
        answer_BS=_scattered(places, offset >= prompts.repeat(lengths)),
        evidence_BQE=_evidence(packed, questions_B),
    )


def _evidence(packed: Sequence[EncodedQuestion], questions_B: Integers) -> Tensor:
    """Chunks of each packed question [B, Q, E], -1 where there is no such question or chunk."""
    counts = np.array([len(question.evidence) for question in packed], np.int64)
    shape = (len(questions_B), questions_B.max(initial=0), counts.max(initial=0))
    out = np.full(shape, -1, np.int64)
    chunks = chain.from_iterable(question.evidence for question in packed)
    rows, columns = np.arange(len(questions_B)).repeat(questions_B), _ranges(questions_B)
    out[rows.repeat(counts), columns.repeat(counts), _ranges(counts)] = np.fromiter(
        chunks, np.int64, int(counts.sum())
    )
    return torch.from_numpy(out)


def _fitting(questions: Sequence[EncodedQuestion], positions: int) -> list[EncodedQuestion]:
    """Greedy choice: each question, in order, that still fits behind those chosen before it."""
    chosen: list[EncodedQuestion] = []
    for question in questions:
        tokens = len(question)
        if tokens <= positions:
            chosen.append(question)
            positions -= tokens
    return chosen


def _token_ids(questions: Sequence[EncodedQuestion], tokens: int) -> Integers:
    parts = (part for q in questions for part in (q.prompt_ids, q.answer_ids))
    return np.fromiter(chain.from_iterable(parts), np.int64, tokens)


def _ranges(lengths: Integers) -> Integers:
    """`arange(length)` of each length, concatenated."""
    stops = lengths.cumsum()
    return np.arange(stops[-1] if len(stops) else 0) - (stops - lengths).repeat(lengths)


def _scattered(places: npt.NDArray[np.bool_], values: npt.NDArray[Any], fill: int = 0) -> Tensor:
    """A tensor shaped like `places`: `values` in row-major order where it is true, else `fill`."""
    out = np.full(places.shape, fill, values.dtype)
    out[places] = values
    return torch.from_numpy(out)
